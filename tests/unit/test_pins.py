"""The pinned requirements have not drifted from what they were made of."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

REQUIREMENTS = Path(__file__).resolve().parent.parent.parent / "requirements"
FILES = ("run", "test", "dev")


def pins(name: str) -> dict[str, str]:
    """Return package -> version of a pinned file."""
    text = (REQUIREMENTS / f"{name}.txt").read_text("utf-8")
    return dict(re.findall(r"^([a-z0-9-]+)==(\S+)", text, re.MULTILINE))


def wanted(name: str) -> set[str]:
    """Return the packages that an .in file asks for, with those of the file that it includes."""
    found: set[str] = set()
    for line in (REQUIREMENTS / f"{name}.in").read_text("utf-8").splitlines():
        if line.startswith("-r "):
            found |= wanted(line[3:].removesuffix(".in"))
        elif line and not line.startswith("#"):
            found.add(line.partition("==")[0])
    return found


@pytest.mark.parametrize("name", FILES)
def test_everything_asked_for_is_pinned(name: str) -> None:
    assert wanted(name) <= set(pins(name))


@pytest.mark.parametrize(("small", "large"), [("run", "test"), ("test", "dev")])
def test_one_version_of_each_package(small: str, large: str) -> None:
    assert pins(small).items() <= pins(large).items()


@pytest.mark.parametrize("name", FILES)
def test_every_pin_has_a_hash(name: str) -> None:
    text = (REQUIREMENTS / f"{name}.txt").read_text("utf-8")
    blocks = re.split(r"^(?=[a-z0-9-]+==)", text, flags=re.MULTILINE)[1:]
    assert len(blocks) == len(pins(name))
    assert [block.split()[0] for block in blocks if "--hash=sha256:" not in block] == []


@pytest.mark.parametrize("name", FILES)
def test_no_pin_names_a_registry(name: str) -> None:
    lines = (REQUIREMENTS / f"{name}.txt").read_text("utf-8").splitlines()
    options = [line for line in lines if line.startswith("-") or "://" in line]
    assert options == []
