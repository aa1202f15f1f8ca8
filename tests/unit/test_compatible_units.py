"""The units of the reference's programs are ours under other names, and have not drifted."""

from __future__ import annotations

from pathlib import Path

import pytest

SYSTEMD = Path(__file__).resolve().parent.parent.parent / "systemd"

FILES = {
    "hirte.service": "bluechi-controller.service",
    "hirte.socket": "bluechi-controller.socket",
    "hirte-agent.service": "bluechi-agent.service",
    "user/hirte-agent.service": "user/bluechi-agent.service",
    "tmpfiles.d/hirte.conf": "tmpfiles.d/bluechi.conf",
}
# In this order: what stands first must not be changed by what follows.
NAMES = {
    "/usr/bin/hirte manager": "/usr/libexec/bluechi-controller",
    "/usr/bin/hirte agent": "/usr/libexec/bluechi-agent",
    "hirte.sock\n": "bluechi.sock\n",
    "hirte.socket": "bluechi-controller.socket",
    "hirte.service": "bluechi-controller.service",
    "/run/hirte": "/run/bluechi",
    "tmpfiles.d/hirte.conf": "tmpfiles.d/bluechi.conf",
    "Description=hirte manager": "Description=hirte as bluechi-controller",
    "Description=hirte agent": "Description=hirte as bluechi-agent",
    "the hirte manager": "its controller",
}


def compatible(text: str) -> str:
    for ours, theirs in NAMES.items():
        text = text.replace(ours, theirs)
    return text


@pytest.mark.parametrize(("ours", "theirs"), FILES.items())
def test_the_compatible_file_is_ours_with_other_names(ours: str, theirs: str) -> None:
    expected = compatible((SYSTEMD / ours).read_text("utf-8"))
    assert (SYSTEMD / "compatible" / theirs).read_text("utf-8") == expected


def test_there_is_no_other_compatible_file() -> None:
    top = SYSTEMD / "compatible"
    found = {str(path.relative_to(top)) for path in top.rglob("*") if path.is_file()}
    assert found == set(FILES.values())
