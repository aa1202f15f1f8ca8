"""The dispatch to modes: by the first word, by the name called, and every way to get it wrong."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

import hirte
from hirte import main as program

ROOT = Path(__file__).resolve().parent.parent.parent


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, list[str], str]]:
    """Put recorders in place of the modes, whose exit code is the number of arguments."""
    recorded: list[tuple[str, list[str], str]] = []

    def recorder(mode: str) -> ModuleType:
        module = ModuleType(mode)

        def mode_main(argv: list[str], name: str) -> int:
            recorded.append((mode, argv, name))
            return len(argv)

        module.main = mode_main
        return module

    for mode, (module, _) in program.MODES.items():
        monkeypatch.setitem(sys.modules, module, recorder(mode))
    return recorded


@pytest.mark.parametrize("mode", program.MODES)
def test_first_word_chooses_the_mode(calls: list, mode: str) -> None:
    assert program.main(["/usr/bin/hirte", mode, "-x", "y"]) == 2
    assert calls == [(mode, ["-x", "y"], f"hirte {mode}")]


@pytest.mark.parametrize(
    ("path", "mode", "name"),
    [
        ("/usr/bin/hirtectl", "ctl", "hirtectl"),
        ("hirtectl", "ctl", "hirtectl"),
        ("./hirte-ctl", "ctl", "hirte-ctl"),
        ("/usr/libexec/hirte-agent", "agent", "hirte-agent"),
        ("../bin/hirte-manager", "manager", "hirte-manager"),
        ("/usr/bin/bluechi-is-online", "online", "bluechi-is-online"),
        ("/usr/libexec/bluechi-proxy", "proxy", "bluechi-proxy"),
        ("/usr/libexec/hirte-proxy", "proxy", "hirte-proxy"),
    ],
)
def test_name_called_by_chooses_the_mode(calls: list, path: str, mode: str, name: str) -> None:
    assert program.main([path, "agent"]) == 1
    assert calls == [(mode, ["agent"], name)]


@pytest.mark.parametrize("name", ["hirte", "hirte-0.1", "hirte.py", "hirte-", "other-agent", ""])
def test_other_names_choose_nothing(calls: list, name: str) -> None:
    assert program.main([name, "agent"]) == 0
    assert calls == [("agent", [], "hirte agent")]


@pytest.mark.parametrize("word", ["help", "--help", "-h"])
def test_help_lists_every_mode(
    calls: list, capsys: pytest.CaptureFixture[str], word: str
) -> None:
    assert program.main(["hirte", word]) == 0
    said = capsys.readouterr()
    assert said.err == ""
    for mode, (_, what) in program.MODES.items():
        assert f"  {mode}" in said.out
        assert what in said.out
    assert calls == []


@pytest.mark.parametrize("word", ["version", "--version"])
def test_version(capsys: pytest.CaptureFixture[str], word: str) -> None:
    assert program.main(["hirte", word]) == 0
    assert capsys.readouterr().out == f"hirte version {hirte.__version__}\n"


@pytest.mark.parametrize(
    ("argv", "complaint"),
    [
        (["hirte"], "hirte: no mode given"),
        (["hirte", ""], "hirte: no mode given"),
        (["hirte", "agents"], "hirte: unknown mode 'agents'"),
        (["hirte", "-x"], "hirte: unknown mode '-x'"),
        (["hirte-x", "main"], "hirte: unknown mode 'main'"),
    ],
)
def test_no_mode_is_a_usage_error(
    calls: list, capsys: pytest.CaptureFixture[str], argv: list[str], complaint: str
) -> None:
    assert program.main(argv) == 2
    said = capsys.readouterr()
    modes = "manager, agent, ctl, online, proxy"
    assert (said.out, said.err) == ("", f"{complaint}; modes are: {modes}\n")
    assert calls == []


def test_an_interrupt_is_reported_as_shells_do(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(argv: list[str]) -> int:
        raise KeyboardInterrupt

    codes: list[int] = []
    monkeypatch.setattr(program, "main", interrupted)
    monkeypatch.setattr(program, "_exit", codes.append)
    program.run()
    assert codes == [130]


def test_what_cannot_be_written_at_the_end_is_no_success() -> None:
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, str(ROOT / "hirte.py"), "version"],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            env={"PATH": os.defpath},
        )
    assert done.returncode != 0
    assert "No space left on device" in done.stderr


def test_a_fault_of_a_mode_is_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    broken = ModuleType("broken")
    monkeypatch.setitem(sys.modules, program.MODES["ctl"][0], broken)
    with pytest.raises(AttributeError, match="main"):
        program.main(["hirte", "ctl"])


def clone(*argv: str, program: Path = ROOT / "hirte.py") -> subprocess.CompletedProcess[str]:
    """Run hirte from the clone, in another directory and an empty environment."""
    return subprocess.run(
        [sys.executable, str(program), *argv],
        capture_output=True,
        text=True,
        cwd="/",
        env={"PATH": os.defpath, "PYTHONDONTWRITEBYTECODE": "1"},
    )


def test_it_runs_from_a_clone() -> None:
    done = clone("version")
    assert (done.returncode, done.stdout) == (0, f"hirte version {hirte.__version__}\n")
    assert clone("nonsense").returncode == 2


def test_the_dispatch_imports_no_more_than_the_interpreter_has() -> None:
    """A start costs what is imported; the dispatch itself must cost nothing."""
    code = (
        f"import sys; sys.path.insert(0, {str(ROOT)!r}); before = set(sys.modules)\n"
        "import hirte.main; print(*sorted(set(sys.modules) - before))"
    )
    done = subprocess.run(
        [sys.executable, "-ISB", "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["__future__", "hirte", "hirte.main"]
