"""What is offered for each word of a command line, whom it asks, and that it never complains."""

from __future__ import annotations

import os
import select
import subprocess
import sys
from pathlib import Path

import completions
import pytest

from hirte.client.errors import ManagerAway, NodeOffline
from hirte.client.values import JobInfo, NodeInfo, UnitFile, UnitInfo
from hirte.complete import live as live_module
from hirte.complete.kinds import KINDS
from hirte.complete.line import Line
from hirte.complete.live import Live
from hirte.complete.modes import complete
from hirte.complete.said import Flags, Said, kinds_at
from hirte.ctl import main as ctl_main
from hirte.ctl.scripts import PROGRAMS, SCRIPTS
from hirte.ctl.verbs import VERBS
from hirte.ctl.words import MEANINGS
from hirte.main import MODES, NAMES, main
from hirte.online.main import WORDS
from hirte.settings.table import ROLES

ROOT = Path(__file__).resolve().parent.parent.parent
UNITS = {"node1": ["a.service", "b@x.service"], "node2": ["b@x.service", "c.target"]}


class Fleet:
    """Stands for the client: a manager of three nodes, the third of which is offline."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def list_nodes(self) -> list[NodeInfo]:
        self.asked.append("nodes")
        listed = [NodeInfo(name, "/", "online", "") for name in UNITS]
        return [*listed, NodeInfo("other", "/", "offline", "")]

    def list_jobs(self) -> list[JobInfo]:
        self.asked.append("jobs")
        return [JobInfo(n, "/", "node1", "a.service", "stop", "running") for n in (1, 12)]

    def list_units(self) -> dict[str, list[UnitInfo]]:
        self.asked.append("units of all")
        return {
            node: [UnitInfo(name, f"about {name}", *[""] * 5, 0, "", "") for name in names]
            for node, names in UNITS.items()
        }

    def list_unit_files(self) -> dict[str, list[UnitFile]]:
        self.asked.append("files of all")
        return {n: [UnitFile(f"/lib/{u}", "static") for u in us] for n, us in UNITS.items()}

    def node(self, name: str) -> OneNode:
        return OneNode(self, name)


class OneNode:
    """A node of it."""

    def __init__(self, fleet: Fleet, name: str) -> None:
        self.fleet = fleet
        self.name = name

    def list_units(self) -> list[UnitInfo]:
        listed = self.fleet.list_units()
        self.fleet.asked[-1] = f"units of {self.name}"
        if self.name not in listed:
            raise NodeOffline("Offline", "it is offline", self.name)
        return listed[self.name]

    def list_unit_files(self) -> list[UnitFile]:
        self.fleet.asked[-1:] = [f"files of {self.name}"]
        return Fleet().list_unit_files()[self.name]


@pytest.fixture
def fleet() -> Fleet:
    return Fleet()


def offered(fleet: Fleet, line: str) -> list[str]:
    """Return the words offered for the last word of a line, behind the program's name."""
    words = line.split(" ")
    return [word for word, _ in complete(words, Live(lambda: fleet)) if word.startswith(words[-1])]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("", ["manager", "agent", "ctl", "online", "proxy", "help", "version"]),
        ("--", ["--help", "--version"]),
        ("frob ", []),
        ("ctl st", ["status", "start", "stop"]),
        ("ctl help st", ["status", "start", "stop"]),
        ("ctl frob ", []),
        ("ctl fleet ", []),
        ("ctl fleet x ", []),
        ("ctl version --", ["--help", "--version"]),
        ("ctl --fi", ["--filter"]),
        ("ctl status --", ["--watch", "--output", "--full", "--no-legend", "--plain", "--all-nodes",
                           "--help", "--version"]),
        ("ctl status -", ["-w", "--watch", "-o", "--output", "-l", "--full", "--no-legend",
                          "--plain", "--all-nodes", "-h", "--help", "--version"]),
        ("ctl status -o ", ["text", "json"]),
        ("ctl status -wo j", ["json"]),
        ("ctl status --out j", ["json"]),
        ("ctl --output=j", ["--output=json"]),
        ("ctl status --out=", ["--out=text", "--out=json"]),
        ("ctl status --frob=", []),
        ("ctl status --watch=", []),
        ("ctl kill n u --kill-whom ", ["all", "main", "control"]),
        ("ctl kill n u -s SIGU", ["SIGURG", "SIGUSR1", "SIGUSR2"]),
        ("ctl list-units --filter ", []),
        ("ctl metrics ", ["enable", "disable", "listen"]),
        ("ctl metrics enable ", []),
        ("ctl completion ", ["bash", "zsh", "fish"]),
        ("ctl set-loglevel node1 d", ["debug"]),
        ("ctl set-loglevel node1 D", ["DEBUG"]),
        ("ctl set-property n u TasksM", ["TasksMax="]),
        ("ctl set-property n u CPUWeight=5 TasksA", ["TasksAccounting="]),
        ("ctl set-property n u TasksMax=", ["TasksMax="]),
        ("online ", ["agent", "node", "system", "help", "version"]),
        ("online --wait ", []),
        ("online --wait 5 s", ["system"]),
        ("online frob ", []),
        ("online system ", []),
        ("online --", ["--monitor", "--wait", "--switch-timeout", "--help"]),
        ("proxy ", ["create", "remove"]),
        ("proxy create ", []),
        ("proxy --", ["--user", "--help", "--version"]),
        ("manager --", ["--port", "--config", "--check-config", "--help", "--version"]),
        ("manager ", []),
        ("agent --ho", ["--host"]),
        ("agent --host ", []),
    ],
)  # fmt: skip
def test_words_that_nobody_is_asked_for(fleet: Fleet, line: str, words: list[str]) -> None:
    assert offered(fleet, line) == words
    assert fleet.asked == []


@pytest.mark.parametrize(
    ("line", "words", "asked"),
    [
        ("ctl status ", ["node1", "node2", "other"], ["nodes"]),
        ("ctl status n", ["node1", "node2"], ["nodes"]),
        ("ctl status node1,", ["node1,node2", "node1,other"], ["nodes"]),
        ("ctl -o json status o", ["other"], ["nodes"]),
        ("ctl set-loglevel ", ["node1", "node2", "other", "DEBUG", "INFO", "WARN", "ERROR"],
         ["nodes"]),
        ("online node n", ["node1", "node2"], ["nodes"]),
        ("ctl cancel 1", ["1", "12"], ["jobs"]),
        ("ctl cancel 1 ", ["1", "12"], ["jobs"]),
        ("ctl stop node1 ", ["a.service", "b@x.service"], ["units of node1"]),
        ("ctl stop node1 -- ", ["a.service", "b@x.service"], ["units of node1"]),
        ("ctl status -- --", [], ["nodes"]),
        ("ctl stop node1 a.service b", ["b@x.service"], ["units of node1"]),
        ("ctl stop node1 a.service,", ["a.service,b@x.service"], ["units of node1"]),
        ("ctl stop node1,node2 ", ["a.service", "b@x.service", "c.target"], ["units of all"]),
        ("ctl stop node* c", ["c.target"], ["units of all"]),
        ("ctl stop --all-nodes b", ["b@x.service"], ["units of all"]),
        ("ctl stop --all n", ["node1", "node2"], ["nodes"]),
        ("ctl stop other ", [], ["units of other"]),
        ("ctl status node1 --watch b", ["b@x.service"], ["units of node1"]),
        ("ctl set-property node1 a", ["a.service"], ["units of node1"]),
        ("ctl enable node1 b", ["b@x.service"], ["files of node1"]),
        ("ctl is-enabled node1,node2 c", ["c.target"], ["files of all"]),
        ("ctl set-default node2 ", ["c.target"], ["files of node2"]),
    ],
)  # fmt: skip
def test_names_that_the_manager_knows(
    fleet: Fleet, line: str, words: list[str], asked: list[str]
) -> None:
    assert offered(fleet, line) == words
    assert fleet.asked == asked


def test_names_are_told_with_what_they_are(fleet: Fleet) -> None:
    offers = complete(["ctl", "status", ""], Live(lambda: fleet))
    assert offers[0] == ("node1", "online")
    offers = complete(["ctl", "stop", "node1", ""], Live(lambda: fleet))
    assert offers[0] == ("a.service", "about a.service")
    assert ("start", VERBS["start"].help) in complete(["ctl", ""], Live(lambda: fleet))


def test_file_names(fleet: Fleet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "dir").mkdir()
    (tmp_path / "file").touch()
    (tmp_path / ".hidden").touch()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert offered(fleet, "manager -c ") == ["dir/", "file"]
    assert offered(fleet, "manager --config=") == ["--config=dir/", "--config=file"]
    assert offered(fleet, "manager -c f") == ["file"]
    assert offered(fleet, "manager -c .") == [".hidden"]
    assert offered(fleet, "manager -c ~/d") == ["~/dir/"]
    assert offered(fleet, f"manager -c {tmp_path}/f") == [f"{tmp_path}/file"]
    assert offered(fleet, "manager -c nowhere/") == []


# What cannot be found out


def away() -> Fleet:
    raise ManagerAway("there is none")


def broken() -> Fleet:
    raise ModuleNotFoundError("jeepney")


@pytest.mark.parametrize("connect", [away, broken])
def test_without_a_manager_there_are_no_names_and_no_complaint(connect: object) -> None:
    assert complete(["ctl", "status", ""], Live(connect)) == []
    assert [word for word, _ in complete(["ctl", "set-loglevel", ""], Live(connect))] == [
        "DEBUG", "INFO", "WARN", "ERROR",
    ]  # fmt: skip


def test_a_manager_that_does_not_answer_is_asked_once_and_not_for_long(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(live_module, "PATIENCE", 0.02)
    waits = []

    class Silent(Fleet):
        def list_nodes(self) -> list[NodeInfo]:
            waits.append(1)
            # For ever.
            select.select([], [], [])
            raise AssertionError

    live = Live(Silent)
    assert live.nodes() == []
    assert live.units("node1") == []
    assert waits == [1]


def test_an_alarm_that_comes_late_harms_nobody(fleet: Fleet) -> None:
    live = Live(lambda: fleet)
    assert len(live.nodes()) == 3
    live._end(0, None)
    assert len(live.nodes()) == 3


# The tables


def test_every_kind_of_word_is_explained_and_known_to_completion() -> None:
    kinds = {kind for verb in VERBS.values() for kind in verb.kinds()}
    assert kinds == set(MEANINGS)
    free = {kind for kind in kinds if kind not in KINDS and "|" not in kind}
    assert free == set()


def test_no_kind_is_forgotten_in_the_tables() -> None:
    said = {kind for verb in VERBS.values() for kind in verb.kinds()}
    said |= {option.metavar for verb in VERBS.values() for option in verb.options}
    said |= {option.metavar for kind in ROLES for option in kind.options()}
    said |= {kind for kinds, _ in WORDS.values() for kind in kinds}
    assert set(KINDS) - said == set()


@pytest.mark.parametrize(
    ("words", "place", "kinds"),
    [
        ("", 0, []),
        ("A", 0, ["A"]),
        ("A", 1, []),
        ("A B...", 1, ["B"]),
        ("A B...", 7, ["B"]),
        ("[A] [B...]", 0, ["A"]),
        ("[A] [B...]", 1, ["B"]),
        ("[A] B", 0, ["A", "B"]),
        ("[A] B", 1, ["B"]),
        ("[A] B", 2, []),
    ],
)
def test_the_kinds_of_a_place(words: str, place: int, kinds: list[str]) -> None:
    assert kinds_at(words.split(), place) == kinds


def test_short_options_with_their_values() -> None:
    options = [Flags(["--all", "-a"], "", ""), Flags(["--out", "-o"], "FORMAT", "")]
    for before, awaited, words in [
        ("-ao", "FORMAT", []),
        ("-ojson", "", []),
        ("-aojson x", "", ["x"]),
        ("-x -o", "FORMAT", []),
        ("-o -a x", "", ["x"]),
        ("-", "", ["-"]),
    ]:
        said = Said(options, before.split())
        assert (said.awaited, said.words) == (awaited, words)


# The program

FIRST_WORDS = b"manager\nagent\nctl\nonline\nproxy\nhelp\nversion\n"


def said_by(capfdbinary: pytest.CaptureFixture[bytes], *argv: str) -> bytes:
    assert main(list(argv)) == 0
    out, err = capfdbinary.readouterr()
    assert err == b""
    return out


def test_what_units_say_of_themselves_is_one_line_without_tricks(
    capfdbinary: pytest.CaptureFixture[bytes], monkeypatch: pytest.MonkeyPatch, fleet: Fleet
) -> None:
    unit = UnitInfo("a.service", "good\nevil\t\x1b[2J", *[""] * 5, 0, "", "")
    monkeypatch.setattr(Fleet, "list_units", lambda fleet: {"node1": [unit], "node2": []})
    monkeypatch.setattr("hirte.client.connecting.connect", lambda: fleet)
    said = said_by(capfdbinary, "hirte", "__complete", "ctl", "start", "node*", "")
    assert said == b"a.service\tgood\\nevil\\t\\x1b[2J\n"


@pytest.mark.parametrize(
    ("argv", "answer"),
    [
        (["hirte", "__complete", "ctl", "metrics", ""], b"enable\ndisable\nlisten\n"),
        (["hirte", "ctl", "__complete", "metrics", ""], b"enable\ndisable\nlisten\n"),
        (["hirtectl", "__complete", "metrics", ""], b"enable\ndisable\nlisten\n"),
        (["hirte-ctl", "__complete_line", "hirte-ctl metrics d", "="], b"disable\n"),
        (["hirte", "__complete_line", "hirte ctl metrics d", "="], b"disable\n"),
        (["hirte", "__complete_line", "hirte ctl kill n u --kill-whom=m", "="], b"main\n"),
        (["hirte", "__complete_line", "hirte"], FIRST_WORDS),
        (["hirte", "__complete_line"], FIRST_WORDS),
        (["hirte-agent", "__complete", "--po"], b""),
    ],
)
def test_every_way_to_ask(
    capfdbinary: pytest.CaptureFixture[bytes], argv: list[str], answer: bytes
) -> None:
    found = said_by(capfdbinary, *argv)
    if answer:
        assert found == answer
    else:
        assert b"--port\tTCP port of the manager\n" in found


def test_names_that_would_break_the_answer_are_left_out(
    capfdbinary: pytest.CaptureFixture[bytes], tmp_path: Path
) -> None:
    for name in ("kn\N{LATIN SMALL LETTER O WITH DIAERESIS}", "two\nlines", "ta\tb"):
        (tmp_path / name).touch()
    found = said_by(capfdbinary, "hirte", "__complete", "agent", "-c", f"{tmp_path}/")
    assert found == f"{tmp_path}/kn\N{LATIN SMALL LETTER O WITH DIAERESIS}\n".encode()


def test_nobody_is_told_when_nobody_reads() -> None:
    done = subprocess.run(
        ["/bin/bash", "-c", f"'{sys.executable}' '{ROOT}/hirte.py' __complete >/dev/full"],
        capture_output=True, text=True, env={"PATH": os.defpath, "PYTHONDONTWRITEBYTECODE": "1"},
    )  # fmt: skip
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_people_do_not_see_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["hirte", "help"]) == 0
    assert ctl_main.run(["help"], "hirte ctl") == 0
    assert "__complete" not in capsys.readouterr().out


def test_a_static_word_costs_next_to_nothing() -> None:
    heavy = {"argparse", "jeepney", "typing", "enum", "re", "functools", "fnmatch", "signal"}
    for words in (["ctl", "status", "--"], ["ctl", "kill", "n", "u", "-s", ""], ["manager", "-"]):
        code = (
            f"import sys; sys.path.insert(0, {str(ROOT)!r}); from hirte.main import main;"
            f"main(['hirte', '__complete', *{words!r}]); print(*sys.modules, file=sys.stderr)"
        )
        done = subprocess.run(
            [sys.executable, "-ISB", "-c", code], capture_output=True, text=True, check=True
        )
        assert done.stdout
        assert set(done.stderr.split()) & heavy == set()


# The scripts


@pytest.mark.parametrize("shell", SCRIPTS)
def test_a_script_is_for_all_our_names_and_asks_the_program(
    capsys: pytest.CaptureFixture[str], shell: str
) -> None:
    assert ctl_main.run(["completion", shell], "hirte ctl") == 0
    script = capsys.readouterr().out
    assert script == SCRIPTS[shell][0]
    assert "__complete" in script
    assert {*PROGRAMS} <= {*script.replace(";", " ").split()}
    assert "PROGRAM" not in script
    assert "COMPLETE " not in script
    assert "bluechi" not in script.lower()


def test_packages_get_the_same_scripts(tmp_path: Path) -> None:
    assert completions.main([str(tmp_path / "new")]) == 0
    written = {path.name: path.read_text() for path in (tmp_path / "new").iterdir()}
    assert written == {name: text for text, name in SCRIPTS.values()}


def test_every_name_of_ours_is_completed() -> None:
    ours = {name for name in NAMES if not name.startswith("bluechi-")}
    assert {*PROGRAMS} == {"hirte", *(f"hirte-{mode}" for mode in MODES), *ours}


def test_another_shell_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert ctl_main.run(["completion", "tcsh"], "hirte ctl") == 2
    assert capsys.readouterr().err == (
        "hirte ctl: there is completion for bash, zsh, fish, not for 'tcsh'\n"
    )


# A line of bash

BREAKS = " \t\n\"'@><=;|&(:"


@pytest.mark.parametrize(
    ("typed", "words", "word", "inserted"),
    [
        ("hirte ", ["hirte", ""], "ctl", "ctl"),
        ("hirte  ctl\tst", ["hirte", "ctl", "st"], "start", "start"),
        ("h n a@b", ["h", "n", "a@b"], "a@bc", "@bc"),
        ("h n a\\@b", ["h", "n", "a@b"], "a@bc", "a@bc"),
        ("h --o=te", ["h", "--o=te"], "--o=text", "text"),
        (r"h by\\x", ["h", r"by\x"], r"by\x2d", r"by\\x2d"),
        (r"h 'by\x", ["h", r"by\x"], r"by\x2d", r"by\x2d"),
        (r'h "by\\x', ["h", r"by\x"], r"by\x2d", r"by\\x2d"),
        (r'h "by\x', ["h", r"by\x"], r"by\x2d", r"by\\x2d"),
        ("h 'a b", ["h", "a b"], "a b'c", "a b'\\''c"),
        ('h "a', ["h", "a"], 'a$b"c', 'a\\$b\\"c'),
        ("h 'a'b", ["h", "ab"], "abc", "bc"),
        ("h '' x", ["h", "", "x"], "xy", "xy"),
        ("h a\\", ["h", "a"], "a b", "a\\ b"),
        ("h ~/d", ["h", "~/d"], "~/d e", "~/d\\ e"),
        ("h a", ["h", "a"], "a~(b", "a\\~\\(b"),
    ],
)
def test_a_line_of_bash(typed: str, words: list[str], word: str, inserted: str) -> None:
    line = Line(typed, BREAKS)
    assert line.words == words
    assert line.replacement(word) == inserted


def test_time_passes_for_nobody(fleet: Fleet) -> None:
    """The alarm is off once the answer is there."""
    import signal

    Live(lambda: fleet).nodes()
    assert signal.getitimer(signal.ITIMER_REAL)[0] == 0
