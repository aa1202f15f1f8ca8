"""The command line of hirte ctl: the table of verbs, the help made from it, and how it is read."""

from __future__ import annotations

import importlib
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import hirte
from hirte.ctl.about import exit_codes
from hirte.ctl.command_line import read
from hirte.ctl.exits import BROKEN_PIPE, MEANINGS
from hirte.ctl.main import run
from hirte.ctl.properties import KNOWN
from hirte.ctl.verbs import VERBS
from tests.hints import COMMANDS, NO_BUS, OPTIONS

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
usage: hirte ctl [COMMAND [WORD...]] [OPTION...]

commands:
  fleet                                 show all nodes and failed units, as without a command
  status [NODE] [UNIT...]               show all nodes, nodes, or units of nodes
  nodes [NODE]                          list all nodes, or those that NODE means
  list-units [NODE]                     list loaded units, by default of all nodes online
  list-unit-files [NODE]                list unit files, by default of all nodes online
  start NODE UNIT...                    start units and wait for the results
  stop NODE UNIT...                     stop units and wait for the results
  restart NODE UNIT...                  stop units if they run, start them, wait for the results
  reload NODE UNIT...                   let units reload their configuration, wait for the results
  jobs [NODE]                           list the jobs under way, by default of all nodes
  cancel JOB...                         ask for the end of jobs; --no-block prints their numbers
  kill NODE UNIT...                     send a signal to processes of units
  freeze NODE UNIT...                   halt all processes of units
  thaw NODE UNIT...                     let the processes of frozen units go on
  is-active NODE UNIT...                tell whether units are active; 0 only if all are
  is-enabled NODE UNIT-FILE...          tell whether units are started at boot; 0 only if all are
  enable NODE UNIT-FILE...              let units be started at boot
  disable NODE UNIT-FILE...             let units no longer be started at boot
  get-default NODE                      tell the target that nodes boot into
  set-default NODE TARGET               set the target that nodes boot into
  show NODE UNIT...                     print properties of units
  set-property NODE UNIT NAME=VALUE...  set properties of a unit, at once and for good
  daemon-reload NODE                    let systemd on nodes read its unit files again
  reset-failed [NODE] [UNIT...]         forget that units have failed, by default all
  monitor [NODE] [UNIT...]              print what happens to units, until interrupted
  metrics enable|disable|listen         let the manager measure jobs; print what it measures
  set-loglevel [NODE] LEVEL             set the log level of the manager, or of nodes' agents
  completion bash|zsh|fish              print the script that lets a shell complete words
  version                               print the version
  help [COMMAND]                        explain a command, or all commands

options:
  -w, --watch                   show it again whenever it changes, until interrupted
  -o, --output text|json        how to answer; json is for programs
  -l, --full                    on a terminal, do not shorten names to make lines fit
  --no-legend                   leave out the line of titles
  --plain                       put one tab between columns, and do not align them
  --all-nodes                   mean all nodes; the word NODE is left out
  --filter GLOB                 only units of this name; * is any text, ? any one character
  --state STATE                 only units in this load, active or sub state, or several with commas
  --failed                      only units that have failed, as --state=failed
  --wait-active                 wait until the unit is active; fail if it will not be
  --no-block                    do not wait for the end of the jobs; print their numbers
  --dry-run                     only say what would be called
  --fail-fast                   begin nothing more, and wait no longer, when something fails
  --timeout SECONDS             how long to wait; what was begun goes on
  -q, --quiet                   print errors only
  --kill-whom all|main|control  which processes, by default all
  -s, --signal SIGNAL           name or number, by default SIGTERM
  --runtime                     only until the next boot
  -f, --force                   replace links that stand in the way
  --no-reload                   do not let systemd read its unit files again afterwards
  -p, --property NAME           only this property, or several with commas
  --value                       only the values, without the names
  -h, --help                    explain the command, or all commands
  --version                     print the version

exit codes:
  0    all done
  1    something failed, or a unit is not enabled (is-enabled)
  2    wrong usage
  3    a unit is not active (status, is-active, --wait-active)
  4    no such unit, node or job
  5    a node is offline
  6    the manager cannot be reached, or does not permit it
  124  --timeout is over
  130  interrupted
  141  whoever read the answer has enough, as `head` does

`hirte ctl help COMMAND` tells more, with an example; see `man hirte-ctl`.
"""

EXPLANATION = """\
usage: hirte ctl list-units [NODE] [OPTION...]

List loaded units, by default of all nodes online.

words:
  NODE  a node; several: node1,node2 or 'ecu-*'

options:
  --filter GLOB           only units of this name; * is any text, ? any one character
  --state STATE           only units in this load, active or sub state, or several with commas
  --failed                only units that have failed, as --state=failed
  -o, --output text|json  how to answer; json is for programs
  -l, --full              on a terminal, do not shorten names to make lines fit
  --no-legend             leave out the line of titles
  --plain                 put one tab between columns, and do not align them
  -h, --help              explain the command, or all commands
  --version               print the version

exit codes:
  0    all done
  1    something failed
  2    wrong usage
  4    no such unit, node or job
  5    a node is offline
  6    the manager cannot be reached, or does not permit it
  130  interrupted

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


def test_the_help_tells_the_exit_codes_that_a_command_can_have() -> None:
    codes = {verb.name: list(exit_codes(verb)) for verb in VERBS.values()}
    assert codes["start"] == [code for code in MEANINGS if code != BROKEN_PIPE]
    assert codes["stop"] == [0, 1, 2, 4, 5, 6, 124, 130]
    assert codes["is-active"] == [0, 1, 2, 3, 4, 5, 6, 130]
    assert codes["nodes"] == [0, 1, 2, 4, 6, 130]
    assert codes["cancel"] == [0, 1, 2, 4, 6, 130]
    assert codes["fleet"] == [0, 1, 2, 6, 130]
    assert codes["monitor"] == [0, 1, 2, 4, 6]
    assert codes["version"] == [0, 2]
    assert exit_codes(VERBS["is-enabled"])[1] == "a unit is not enabled, or something failed"


@pytest.mark.parametrize("verb", VERBS.values(), ids=list(VERBS))
def test_the_help_explains_every_word_and_option(
    capsys: pytest.CaptureFixture[str], verb: object
) -> None:
    assert offline_ctl("help", verb.name) == 0
    told = capsys.readouterr().out
    for kind in verb.kinds():
        assert f"  {kind} " in told
    for option in verb.options:
        assert f"--{option.name} " in told
        assert option.help in told
    assert f"\nexample: hirte ctl {verb.example}\n" in told
    assert max(map(len, told.splitlines())) <= 100
    assert ("all: --all-nodes in its place" in told) == ("  --all-nodes " in told)


@pytest.mark.parametrize(
    ("argv", "complaint"),
    [
        (["--filter", "x"], "fleet has no option --filter; usage: hirte ctl fleet [OPTION...]"),
        (["frob"], f"unknown command 'frob'\n{COMMANDS}"),
        (["help", "frob"], f"unknown command 'frob'\n{COMMANDS}"),
        (["fr\nob"], f"unknown command 'fr\\nob'\n{COMMANDS}"),
        (["strat"], f"unknown command 'strat'; did you mean start?\n{COMMANDS}"),
        (["start"], "too few words; usage: hirte ctl start NODE UNIT... [OPTION...]"),
        (["start", "n"], "too few words; usage: hirte ctl start NODE UNIT... [OPTION...]"),
        (
            ["start", "--all-nodes"],
            "too few words; usage: hirte ctl start NODE UNIT... [OPTION...]",
        ),
        (
            ["start", "n", "u", "--all-nodes=1"],
            "argument --all-nodes: ignored explicit argument '1'",
        ),
        (
            ["get-default", "n", "m"],
            "too many words; usage: hirte ctl get-default NODE [OPTION...]",
        ),
        (["metrics", "frob"], "metrics is for enable, disable or listen, not 'frob'"),
        (["status", "-o", "xml"], "there is no output 'xml', only text and json"),
        (
            ["start", "n", "u", "--timeout", "soon"],
            "--timeout takes a number of seconds above 0, not 'soon'",
        ),
        (
            ["start", "n", "u", "--timeout=-1"],
            "--timeout takes a number of seconds above 0, not '-1'",
        ),
        (
            ["start", "n", "u", "--no-block", "--wait-active"],
            "--no-block and --wait-active are opposites",
        ),
        (["kill", "n", "u", "-s", "FROB"], "there is no signal 'FROB'"),
        (["kill", "n", "u", "-s", "99"], "there is no signal '99'"),
        (
            ["kill", "n", "u", "--kill-whom", "me"],
            "--kill-whom is one of all, main, control, not 'me'",
        ),
        (["enable", "n", "a*"], "enable takes names of unit files, not 'a*'"),
        (["set-default", "n", "a.service"], "'a.service' is not a target"),
        (["set-loglevel", "loud"], "a log level is one of DEBUG, INFO, WARN, ERROR, not 'loud'"),
        (["cancel", "x"], "'x' is not the number of a job"),
        (["set-property", "n", "u", "x"], "'x' is not NAME=VALUE"),
        (
            ["set-property", "n", "u", "CPUWeight=0"],
            "CPUWeight is a number from 1 to 10000, not '0'",
        ),
        (
            ["set-property", "n", "u", "CPUAccounting=maybe"],
            "CPUAccounting is yes or no, not 'maybe'",
        ),
        (["version", "x"], "too many words; usage: hirte ctl version"),
        (
            ["list-units", "a", "b"],
            "too many words; usage: hirte ctl list-units [NODE] [OPTION...]",
        ),
        (
            ["status", "--filter", "x"],
            "status has no option --filter; usage: hirte ctl status [NODE] [UNIT...] [OPTION...]",
        ),
        (["list-units", "--state", ","], "--state takes a state, or several with commas"),
        (
            ["list-units", "--filter"],
            "--filter needs GLOB: only units of this name; * is any text, ? any one character",
        ),
        (
            ["start", "n", "u", "--timeout"],
            "--timeout needs SECONDS: how long to wait; what was begun goes on",
        ),
        (
            ["status", "-o"],
            "--output needs text|json: how to answer; json is for programs",
        ),
        (
            ["restart", "--all", "node1", "web"],
            f"unknown option --all; did you mean --all-nodes?\n{OPTIONS}",
        ),
        (
            ["restart", "--all-node=1", "web"],
            f"unknown option --all-node=1; did you mean --all-nodes?\n{OPTIONS}",
        ),
        (["--fa", "help"], "ambiguous option: --fa could match --failed, --fail-fast"),
        (
            ["--filter", "start", "list-units", "--fail"],
            "ambiguous option: --fail could match --failed, --fail-fast",
        ),
        (["status", "--frob"], f"unknown option --frob\n{OPTIONS}"),
        (["status", "--fliter=x"], f"unknown option --fliter=x; did you mean --filter?\n{OPTIONS}"),
        (["status", "n", "-.mount"], f"unknown option -.mount\n{OPTIONS}"),
        (["status", "\udcff"], "'\\udcff' is not UTF-8"),
        (["list-units", "--filter=\udcff"], "'--filter=\\udcff' is not UTF-8"),
    ],
)
def test_wrong_usage(capsys: pytest.CaptureFixture[str], argv: list[str], complaint: str) -> None:
    assert offline_ctl(*argv) == 2
    assert capsys.readouterr() == ("", f"hirte ctl: {complaint.rstrip()}\n")


@pytest.mark.parametrize(
    ("argv", "name", "words", "options"),
    [
        ([], "fleet", [], {}),
        (["--"], "fleet", [], {}),
        (["-o", "json"], "fleet", [], {"output": "json"}),
        (["status"], "status", [], {}),
        (["status", "n", "a", "b", "c"], "status", ["n", "a", "b", "c"], {}),
        (["list-units", "n", "--filter", "x"], "list-units", ["n"], {"filter": "x"}),
        (["list-units", "--filter", "x", "n"], "list-units", ["n"], {"filter": "x"}),
        (["--filter", "status", "list-units", "n"], "list-units", ["n"], {"filter": "status"}),
        (["--filter=x", "list-units"], "list-units", [], {"filter": "x"}),
        (["list-units", "--fil", "x"], "list-units", [], {"filter": "x"}),
        (["list-units", "--fail"], "list-units", [], {"failed": ""}),
        (["start", "n", "u", "--fail"], "start", ["n", "u"], {"fail-fast": ""}),
        (["--s", "HUP", "kill", "n", "u"], "kill", ["n", "u"], {"signal": "HUP"}),
        (["list-units", "--filter=-x"], "list-units", [], {"filter": "-x"}),
        (["list-units", "--filter", "a", "--filter", "b"], "list-units", [], {"filter": "b"}),
        (["list-units", "--filter="], "list-units", [], {"filter": ""}),
        (["status", "n", "--", "-.mount"], "status", ["n", "-.mount"], {}),
        (["--", "status", "n", "--help"], "status", ["n", "--help"], {}),
        (["status", "-"], "status", ["-"], {}),
        (["status", ""], "status", [""], {}),
        (["--all-nodes", "stop", "u"], "stop", ["*", "u"], {"all-nodes": ""}),
        (["show", "n", "u", "-p", "A,B", "-p", "C"], "show", ["n", "u"], {"property": "A,B,C"}),
        (["start", "n", "u", "-qo", "json"], "start", ["n", "u"], {"quiet": "", "output": "json"}),
        (["status", "knö"], "status", ["knö"], {}),
    ],
)
def test_options_stand_anywhere(
    argv: list[str], name: str, words: list[str], options: dict[str, str]
) -> None:
    verb, got_words, got_options = read(argv, "hirte ctl")
    assert (verb.name, got_words, got_options) == (name, words, options)


@pytest.mark.parametrize("verb", VERBS.values(), ids=list(VERBS))
def test_every_verb_is_done_by_something(verb: object) -> None:
    module, function = verb.does.split(".")
    assert callable(getattr(importlib.import_module(f"hirte.ctl.{module}"), function))


DOCUMENT = (ROOT / "docs" / "ctl.md").read_text()


def test_the_documented_exit_codes() -> None:
    rows = re.findall(r"^\| (\d+) \| (.*) \|$", DOCUMENT, re.MULTILINE)
    assert {int(code): meaning for code, meaning in rows} == MEANINGS


def test_the_documented_lines_of_monitor() -> None:
    section = DOCUMENT[DOCUMENT.index("## What monitor prints") :].partition("\n## ")[0]
    rows = re.findall(r"^\| `(.*)` \| (.*) \|$", section, re.MULTILINE)
    assert tuple(rows) == VERBS["monitor"].prints


def test_the_help_explains_what_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert offline_ctl("help", "monitor") == 0
    told = capsys.readouterr().out
    assert "\nwhat it prints:\n  (real)                    systemd on the node has just" in told


def test_the_documented_properties() -> None:
    listed = DOCUMENT[DOCUMENT.index("## Properties") :]
    assert [name for name in KNOWN if not re.search(rf"\b{name}\b", listed)] == []


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
        f"hirte ctl: the system bus cannot be reached: {reason}\n{NO_BUS}",
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


def test_a_complaint_that_cannot_be_written() -> None:
    """The exit code is true all the same, as when the disk is full that has the log."""
    assert shell("$CTL nonsense 2>/dev/full; echo $?") == "2\n"


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
