"""What is missing on a machine is named at once, with its reason and the command."""

from __future__ import annotations

from collections.abc import Callable

import preflight
import pytest
from preflight import Condition


def gap(name: str, debian: str = "", fedora: str = "", remedy: str = "") -> Condition:
    """Return a condition that never holds."""
    return Condition("need", name, lambda: False, f"why {name}", debian, fedora, remedy)


def test_all_gaps_are_named_and_one_command_closes_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preflight.os.path, "exists", lambda path: False)
    gaps = [gap("ip", "iproute2"), gap("nsenter", "util-linux"), gap("unshare", "util-linux")]
    assert preflight.report([*gaps, gap("root", remedy="be root")]).splitlines() == [
        "missing: ip (why ip)",
        "missing: nsenter (why nsenter)",
        "missing: unshare (why unshare)",
        "missing: root (why root)",
        "install with: apt-get install iproute2 util-linux",
        "root: be root",
    ]


def test_fedora_has_its_own_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preflight.os.path, "exists", lambda path: path == "/etc/fedora-release")
    lines = preflight.report([gap("ip", "iproute2", "iproute")]).splitlines()
    assert lines[-1] == "install with: dnf install iproute"


def test_a_machine_without_programs_fails_and_says_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(preflight.shutil, "which", lambda name, path: None)
    assert preflight.main(["foreign"]) == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert "missing: busctl" in said.err
    assert "missing: gdbus" in said.err


def test_whoever_installs_gets_the_packages_alone(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(preflight.os.path, "exists", lambda path: False)
    gaps = (gap("zsh", "zsh"), gap("root", remedy="be root"), gap("sh", "zsh"), gap("fish", "fish"))
    monkeypatch.setattr(preflight, "CONDITIONS", gaps)
    assert preflight.main(["--packages", "need"]) == 0
    assert capsys.readouterr() == ("zsh fish\n", "")


def test_nothing_missing_is_silent(capsys: pytest.CaptureFixture[str]) -> None:
    assert preflight.main(["venv"]) == 0
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("needs", [[], ["fleets"], ["fleet", "x"]])
def test_unknown_needs_are_refused(
    capsys: pytest.CaptureFixture[str], needs: list[str]
) -> None:
    assert preflight.main(needs) == 2
    assert "unknown need" in capsys.readouterr().err


def test_every_row_tells_what_to_do() -> None:
    for row in preflight.CONDITIONS:
        assert row.why, row.name
        assert bool(row.remedy) != bool(row.debian and row.fedora), row.name


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        (preflight.program("sh"), True),
        (preflight.program("no-such-program"), False),
        (preflight.module("json"), True),
        (preflight.module("no_such_module"), False),
        (preflight.library("c"), True),
        (preflight.library("no-such-library"), False),
        (preflight.file("/bin/sh"), True),
        (preflight.file("/etc/passwd"), False),
        (preflight.python_is_supported, True),
    ],
)
def test_questions(question: Callable[[], bool], answer: bool) -> None:
    assert question() is answer
