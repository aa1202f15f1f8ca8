"""The command line of hirte ctl: the table of verbs, the help made from it, and how it is read."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import hirte
from hirte.ctl.command_line import read
from hirte.ctl.main import run
from hirte.ctl.verbs import VERBS

ROOT = Path(__file__).resolve().parent.parent.parent


def nobody() -> None:
    raise AssertionError("this needs no manager")


def offline_ctl(*argv: str) -> int:
    """Run the tool where asking for the manager is a fault; return its exit code."""
    return run(argv, "hirte ctl", connect=nobody)


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    for argv in (["version"], ["--version"], ["--vers"], ["status", "--version"]):
        assert offline_ctl(*argv) == 0
        assert capsys.readouterr() == (f"hirte ctl version {hirte.__version__}\n", "")


OVERVIEW = """\
usage: hirte ctl COMMAND [WORD...] [OPTION...]

commands:
  status [NODE] [UNIT...]  show all nodes, a node, or units of a node
  list-units [NODE]        list the units of all nodes that are online, or of a node
  start NODE UNIT          start a unit and wait for the result
  stop NODE UNIT           stop a unit and wait for the result
  restart NODE UNIT        stop a unit if it runs, start it, and wait for the result
  reload NODE UNIT         let a unit reload its configuration and wait for the result
  version                  print the version
  help [COMMAND]           explain a command, or all commands

options:
  --filter GLOB  only units of this name; * is any text, ? any one character
  -h, --help     explain the command, or all commands
  --version      print the version

exit codes:
  0    all done
  1    something failed
  2    wrong usage
  3    a unit is not active (status NODE UNIT)
  4    no such unit or node
  5    the node is offline
  6    the manager cannot be reached, or does not permit it
  130  interrupted
"""

EXPLANATION = """\
usage: hirte ctl list-units [NODE] [--filter GLOB]

List the units of all nodes that are online, or of a node.

options:
  --filter GLOB  only units of this name; * is any text, ? any one character
  -h, --help     explain the command, or all commands
  --version      print the version

example: hirte ctl list-units node1 --filter '*.service'
"""


@pytest.mark.parametrize("argv", [["help"], ["--help"], ["-h"], ["--he"]])
def test_help(capsys: pytest.CaptureFixture[str], argv: list[str]) -> None:
    assert offline_ctl(*argv) == 0
    assert capsys.readouterr() == (OVERVIEW, "")


@pytest.mark.parametrize(
    "argv",
    [
        ["help", "list-units"],
        ["list-units", "--help"],
        ["-h", "list-units"],
        ["list-units", "too", "many", "-h"],
    ],
)
def test_help_on_a_command(capsys: pytest.CaptureFixture[str], argv: list[str]) -> None:
    assert offline_ctl(*argv) == 0
    assert capsys.readouterr() == (EXPLANATION, "")


@pytest.mark.parametrize("verb", VERBS.values(), ids=list(VERBS))
def test_every_example_is_what_its_verb_takes(verb: object) -> None:
    argv = [word.strip("'") for word in verb.example.split()]
    assert read(argv, "hirte ctl")[0] is verb


@pytest.mark.parametrize(
    ("argv", "complaint"),
    [
        ([], "no command given; `hirte ctl help` lists the commands"),
        (["--"], "no command given; `hirte ctl help` lists the commands"),
        (["frob"], "unknown command 'frob'; `hirte ctl help` lists the commands"),
        (["help", "frob"], "unknown command 'frob'; `hirte ctl help` lists the commands"),
        (["fr\nob"], "unknown command 'fr\\nob'; `hirte ctl help` lists the commands"),
        (["start"], "too few words; usage: hirte ctl start NODE UNIT"),
        (["start", "n"], "too few words; usage: hirte ctl start NODE UNIT"),
        (["start", "n", "u", "v"], "too many words; usage: hirte ctl start NODE UNIT"),
        (["version", "x"], "too many words; usage: hirte ctl version"),
        (
            ["list-units", "a", "b"],
            "too many words; usage: hirte ctl list-units [NODE] [--filter GLOB]",
        ),
        (
            ["status", "--filter", "x"],
            "status has no option --filter; usage: hirte ctl status [NODE] [UNIT...]",
        ),
        (["list-units", "--filter"], "argument --filter: expected one argument"),
        (["status", "--frob"], "unknown option --frob; after -- it would be a word"),
        (["status", "n", "-.mount"], "unknown option -.mount; after -- it would be a word"),
        (["status", "\udcff"], "'\\udcff' is not UTF-8"),
        (["list-units", "--filter=\udcff"], "'--filter=\\udcff' is not UTF-8"),
    ],
)
def test_wrong_usage(
    capsys: pytest.CaptureFixture[str], argv: list[str], complaint: str
) -> None:
    assert offline_ctl(*argv) == 2
    assert capsys.readouterr() == ("", f"hirte ctl: {complaint}\n")


@pytest.mark.parametrize(
    ("argv", "name", "words", "options"),
    [
        (["status"], "status", [], {}),
        (["status", "n", "a", "b", "c"], "status", ["n", "a", "b", "c"], {}),
        (["list-units", "n", "--filter", "x"], "list-units", ["n"], {"filter": "x"}),
        (["list-units", "--filter", "x", "n"], "list-units", ["n"], {"filter": "x"}),
        (["--filter", "status", "list-units", "n"], "list-units", ["n"], {"filter": "status"}),
        (["--filter=x", "list-units"], "list-units", [], {"filter": "x"}),
        (["list-units", "--fil", "x"], "list-units", [], {"filter": "x"}),
        (["list-units", "--filter=-x"], "list-units", [], {"filter": "-x"}),
        (["list-units", "--filter", "a", "--filter", "b"], "list-units", [], {"filter": "b"}),
        (["list-units", "--filter="], "list-units", [], {"filter": ""}),
        (["status", "n", "--", "-.mount"], "status", ["n", "-.mount"], {}),
        (["--", "status", "n", "--help"], "status", ["n", "--help"], {}),
        (["status", "-"], "status", ["-"], {}),
        (["status", ""], "status", [""], {}),
        (["status", "knö"], "status", ["knö"], {}),
    ],
)
def test_options_stand_anywhere(
    argv: list[str], name: str, words: list[str], options: dict[str, str]
) -> None:
    verb, got_words, got_options = read(argv, "hirte ctl")
    assert (verb.name, got_words, got_options) == (name, words, options)


# The process


def clone(*argv: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """Run the tool from the clone."""
    return subprocess.run(
        [sys.executable, str(ROOT / "hirte.py"), "ctl", *argv],
        capture_output=True,
        text=True,
        env={"PATH": os.defpath, "PYTHONDONTWRITEBYTECODE": "1", **environ},
    )


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("unix:path=/nonexistent/bus", "No such file or directory"),
        ("garbage", "DBUS_SYSTEM_BUS_ADDRESS is not the address of a Unix socket"),
        ("tcp:host=h,port=1", "DBUS_SYSTEM_BUS_ADDRESS is not the address of a Unix socket"),
    ],
)
def test_no_bus(address: str, reason: str) -> None:
    done = clone("status", DBUS_SYSTEM_BUS_ADDRESS=address)
    assert (done.returncode, done.stdout, done.stderr) == (
        6,
        "",
        f"hirte ctl: the system bus cannot be reached: {reason}\n",
    )


def test_a_clone_without_jeepney(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delitem(sys.modules, "hirte.client.connecting", raising=False)
    monkeypatch.setitem(sys.modules, "jeepney", None)
    assert run(["status"], "hirte ctl") == 1
    assert capsys.readouterr().err == (
        "hirte ctl: the Python module jeepney is missing: install it\n"
    )


def shell(script: str) -> str:
    """Return what a shell says that runs `script`, in which $CTL is the tool."""
    command = f"'{sys.executable}' -B '{ROOT / 'hirte.py'}' ctl"
    # Nothing of our environment: PYTHONUNBUFFERED would hide what happens as the process ends.
    done = subprocess.run(
        ["/bin/bash", "-c", script.replace("$CTL", command)],
        capture_output=True,
        text=True,
        env={"PATH": os.defpath},
    )
    return done.stdout + done.stderr


def test_a_reader_that_has_enough() -> None:
    assert shell("$CTL help | true; echo ${PIPESTATUS[0]}") == "141\n"


def test_an_answer_that_cannot_be_written() -> None:
    assert shell("$CTL help >/dev/full; echo $?") == (
        "1\nhirte ctl: cannot write the answer: No space left on device\n"
    )


def test_no_stdout_at_all() -> None:
    assert shell("$CTL help >&-; echo $?") == "0\n"


def loaded(*argv: str) -> set[str]:
    """Return the modules that a bare interpreter has after a run of the tool."""
    code = (
        f"import sys; sys.path.insert(0, {str(ROOT)!r}); import hirte.modes.ctl as mode;"
        f"mode.main({list(argv)!r}, 'hirte ctl'); print(*sys.modules, file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-ISB", "-c", code], capture_output=True, text=True, check=True
    )
    return set(done.stderr.split())


@pytest.mark.parametrize("argv", [["version"], ["help"], ["help", "start"]])
def test_what_needs_no_manager_does_not_pay_for_one(argv: list[str]) -> None:
    heavy = {"argparse", "jeepney", "typing", "enum", "re", "functools", "selectors", "fnmatch"}
    assert loaded(*argv) & heavy == set()
