"""hirte ctl on a terminal: colours, lines that fit, what is waited for, and the live view."""

from __future__ import annotations

import io
import os
import signal
import sys
import time
from collections.abc import Iterator
from typing import Any

import pytest

from hirte.ctl import live, progress, watch
from tests.hints import OFFLINE
from tests.unit.ctl_fake import NAME, ROOT, FakeBus, ctl, node_path, unit
from tests.unit.ctl_tty import Tty

LONG = "navigation-map-tile-prefetch-and-cache-warm-up-for-the-western-hemisphere.service"
UNDERLINE, GREEN, RED, BAD, YELLOW, FAINT, END = (
    "\x1b[4m", "\x1b[32m", "\x1b[31m", "\x1b[1;31m", "\x1b[33m", "\x1b[2m", "\x1b[0m",
)  # fmt: skip
ENTER, LEAVE = "\x1b[?1049h\x1b[?25l\x1b[?7l", "\x1b[?7h\x1b[?25h\x1b[?1049l"
CLEAR = "\x1b[H\x1b[J"


@pytest.fixture
def bus() -> FakeBus:
    """A manager with node1 online, which has units, and n2 offline."""
    made = FakeBus()
    made.nodes(("node1", "online", "10.0.0.1"), ("n2", "offline", ""))
    made.answer(node_path("n2"), "Get", "v", ("t", 0))
    made.answer(ROOT, "Get", "v", ("s", "degraded"))
    has(made, unit("a.service"), unit(LONG, "failed", "failed"))
    return made


def has(bus: FakeBus, *units: Any) -> None:
    """Let node1 have these units."""
    bus.answer(node_path("node1"), "ListUnits", "a(ssssssouso)", list(units))


@pytest.fixture
def tty(monkeypatch: pytest.MonkeyPatch) -> Iterator[Tty]:
    """A terminal of 80 columns, as stdout and stderr."""
    for name in ("COLUMNS", "NO_COLOR", "LC_ALL", "LC_CTYPE", "LANG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm")
    made = Tty()
    yield made
    made.close()


# Answers


def test_states_are_coloured_and_names_shortened(bus: FakeBus, tty: Tty) -> None:
    assert tty.ctl(bus) == 0
    assert tty.read() == (
        f"{UNDERLINE}NODE   STATE    IP        LAST SEEN{END}\n"
        f"node1  {GREEN}online {END}  10.0.0.1  now\n"
        f"n2     {BAD}offline{END}  -         never\n"
        "\n"
        f"{UNDERLINE}NODE   UNIT                                               LOAD"
        f"    ACTIVE  SUB{END}\n"
        f"node1  navigation-map-tile-pref…stern-hemisphere.service  loaded"
        f"  {BAD}failed{END}  {BAD}failed{END}\n"
        "Some names are shortened; --full shows them.\n"
        "\n"
        "1 of 2 nodes online, 1 unit failed; those of n2 are not known.\n"
    )
    assert max(map(len, tty.screen.lines)) == 80


def test_many_nodes_of_which_nothing_is_known(bus: FakeBus, tty: Tty) -> None:
    offline = [f"n{number}" for number in range(2, 5)]
    for node in offline:
        bus.answer(node_path(node), "Get", "v", ("t", 0))
    bus.nodes(("node1", "online", ""), *((node, "offline", "") for node in offline))
    tty.ctl(bus)
    assert "1 of 4 nodes online, 1 unit failed; those of n2, n3, n4 are not" in tty.read()
    bus.nodes(*((node, "offline", "") for node in (*offline, "n2")))
    tty.ctl(bus)
    assert "0 of 4 nodes online, 0 units failed; those of 4 nodes are not known." in tty.read()


@pytest.mark.parametrize(
    ("argv", "environ", "expected"),
    [
        (["--full"], {}, [f"node1  {LONG}  loaded  {FAINT}inactive{END}  {FAINT}dead{END}"]),
        (["-l", "--no-legend"], {"NO_COLOR": "1"}, [f"node1  {LONG}  loaded  inactive  dead"]),
        (["--no-legend"], {"COLUMNS": "200", "TERM": "dumb"}, [f"node1  {LONG}  loaded"]),
        (
            ["--no-legend"],
            {"COLUMNS": "50", "NO_COLOR": "1"},
            ["node1  navigatio…e.service  loaded"],
        ),
        (["--plain", "--no-legend"], {}, [f"node1\t{LONG}\tloaded\tinactive\tdead"]),
        (["-o", "json"], {}, [f'[{{"node": "node1", "unit": "{LONG}", "load": "loaded"']),
    ],
)
def test_what_changes_how_a_table_looks(
    bus: FakeBus,
    tty: Tty,
    monkeypatch: pytest.MonkeyPatch,
    argv: list[str],
    environ: dict[str, str],
    expected: list[str],
) -> None:
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    has(bus, unit(LONG, "inactive", "dead"))
    assert tty.ctl(bus, "list-units", "node1", *argv) == 0
    shown = tty.read()
    for line in expected:
        assert line in shown
    is_whole = "--no-legend" not in argv and "json" not in argv
    assert shown.endswith("\n1 loaded unit listed.\n") == is_whole


def test_results_and_complaints_are_coloured(bus: FakeBus, tty: Tty) -> None:
    bus.answer(node_path("node1"), "StartUnit", "o", f"{ROOT}/job/1")
    bus.to_come.append(bus.job_removed("done"))
    assert tty.ctl(bus, "start", "node1", "a") == 0
    assert tty.read() == f"node1 a.service start: {GREEN}done{END}\n"
    bus.to_come.append(bus.job_removed("timeout"))
    assert tty.ctl(bus, "start", "node1", "a") == 1
    shown, complaint = tty.read().splitlines()
    assert shown == f"node1 a.service start: {BAD}timeout{END}"
    assert complaint.startswith(f"{BAD}hirte ctl:{END} the job timed out; see ")


def test_each_stream_is_as_it_is(bus: FakeBus, tty: Tty) -> None:
    bus.refuse(node_path("n2"), "ListUnits", f"{NAME}.Offline", "Node is offline")
    words = ("list-units", "node1,n2", "--filter", "a*", "--no-legend")
    assert tty.ctl(bus, *words, only="stdout") == 5
    assert tty.read() == f"node1  a.service  loaded  {GREEN}active{END}  {GREEN}running{END}\n"
    assert tty.piped == f"hirte ctl: n2 is offline\n{OFFLINE}"
    assert tty.ctl(bus, *words, only="stderr") == 5
    assert tty.read() == f"{BAD}hirte ctl:{END} n2 is offline\n{OFFLINE}"
    assert tty.piped == "node1  a.service  loaded  active  running\n"


def test_states_of_a_monitor_are_coloured(
    bus: FakeBus, tty: Tty, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hirte.ctl.stream.localtime", lambda: time.gmtime(0))
    monitor = f"{ROOT}/monitor/1"
    bus.answer(ROOT, "CreateMonitor", "o", monitor)
    bus.answer(monitor, "SubscribeList", "u", 1)
    bus.answer(monitor, "Close")
    event = ("node1", "a.service", "failed", "failed", "real")
    where = {"path": monitor, "interface": f"{NAME}.Monitor"}
    bus.to_come.extend(
        [bus.signal("UnitStateChanged", "sssss", *event, **where), KeyboardInterrupt()]
    )
    assert tty.ctl(bus, "monitor") == 0
    assert tty.read() == f"00:00:00 node1 a.service {BAD}failed failed{END} (real)\n"


def test_help_fits(bus: FakeBus, tty: Tty) -> None:
    assert tty.ctl(bus, "help") == 0
    shown = tty.read().splitlines()
    assert max(map(len, shown)) <= 80
    assert (
        "  fleet                                 show all nodes and failed units, as\n"
        "                                        without a command\n"
    ) in "".join(f"{line}\n" for line in shown)
    tty.resize(30, 24)
    assert tty.ctl(bus, "help", "start") == 0
    shown = tty.read()
    assert "  -q, --quiet             print errors only\n" in shown
    assert "  130  interrupted\n" in shown


# What takes long


class Clock:
    """The time of the line of progress: passes when a test says so."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1000.0
        # The timer is ours as well; ticks are sent by hand.
        monkeypatch.setattr(progress._signal, "setitimer", lambda *_: None)
        self.ticks_when_asked = False
        monkeypatch.setattr("hirte.ctl.progress.monotonic", lambda: self.now)
        for module in ("targets", "work"):
            monkeypatch.setattr(f"hirte.ctl.{module}.monotonic", self._asked)

    def _asked(self) -> float:
        if self.ticks_when_asked:
            self.tick()
        return self.now

    def tick(self, seconds: float = 1.0) -> None:
        """Let time pass, at its end the timer ticks."""
        self.now += seconds
        signal.raise_signal(signal.SIGALRM)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The clock."""
    return Clock(monkeypatch)


LINE = "\r\x1b[Khirte ctl: waiting for {}"


def test_what_is_waited_for(bus: FakeBus, tty: Tty, clock: Clock) -> None:
    for number, node in enumerate(("node1", "n2"), start=1):
        bus.answer(node_path(node), "StartUnit", "o", f"{ROOT}/job/{number}")
    seen: list[str] = []

    def tick() -> None:
        clock.tick()
        seen.append(tty.read())

    bus.to_come.extend([tick, lambda: clock.tick(0.25), lambda: clock.tick(0.75)])
    bus.to_come.append(lambda: seen.append(tty.read()))
    bus.to_come.extend([bus.job_removed("done", job=2), tick, tick])
    bus.to_come.append(bus.job_removed("done", job=1))
    assert tty.ctl(bus, "start", "node1,n2", "a") == 0
    assert seen == [
        LINE.format("node1 a.service start (1 s) +1 more"),
        LINE.format("node1 a.service start (2 s) +1 more"),
        # It made room for the end of the other, and waits a second before it is there again.
        f"\r\x1b[Kn2 a.service start: {GREEN}done{END}\n"
        + LINE.format("node1 a.service start (3 s)"),
        LINE.format("node1 a.service start (4 s)"),
    ]
    assert tty.read() == f"\r\x1b[Knode1 a.service start: {GREEN}done{END}\nhirte ctl: 2 done\n"
    assert tty.screen.lines == [
        "n2 a.service start: done", "node1 a.service start: done", "hirte ctl: 2 done",
    ]  # fmt: skip
    assert signal.getsignal(signal.SIGALRM) == signal.SIG_DFL


def test_nothing_is_drawn_within_a_second_after_an_answer(
    bus: FakeBus, tty: Tty, clock: Clock
) -> None:
    for number, node in enumerate(("node1", "n2"), start=1):
        bus.answer(node_path(node), "StartUnit", "o", f"{ROOT}/job/{number}")
    done = bus.job_removed("done", job=2)
    bus.to_come.extend([lambda: clock.tick(0.5), done, lambda: clock.tick(0.9)])
    bus.to_come.append(bus.job_removed("done", job=1))
    assert tty.ctl(bus, "start", "node1,n2", "a") == 0
    assert "waiting" not in tty.read()


def test_nothing_is_drawn_while_a_pager_holds_up_what_is_printed(
    bus: FakeBus, tty: Tty, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The screen is the pager's, and somebody reads for minutes."""

    class Pager(io.StringIO):
        def write(self, text: str) -> int:
            clock.tick(60.0)
            return super().write(text)

    with monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", Pager())
        patch.setattr(sys, "stderr", tty.stream())
        assert ctl(bus, "list-units", "node1") == 0
    assert tty.read() == ""


def test_nothing_is_drawn_in_the_background_of_a_shell(
    bus: FakeBus, tty: Tty, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_front = [0]
    monkeypatch.setattr("os.tcgetpgrp", lambda fd: in_front[0])
    bus.answer(node_path("node1"), "StartUnit", "o", f"{ROOT}/job/1")
    seen: list[str] = []

    def tick() -> None:
        clock.tick(2.0)
        seen.append(tty.read())

    bus.to_come.extend([tick, lambda: in_front.insert(0, os.getpgrp()), tick])
    bus.to_come.append(bus.job_removed("done"))
    assert tty.ctl(bus, "start", "node1", "a") == 0
    assert seen == ["", LINE.format("node1 a.service start (4 s)")]


def test_the_timer_may_tick_at_any_moment(bus: FakeBus, tty: Tty, clock: Clock) -> None:
    """Also between two steps of beginning with a piece of work, wherever the time is asked for."""
    bus.answer(node_path("node1"), "StartUnit", "o", f"{ROOT}/job/1")
    bus.to_come.append(bus.job_removed("done"))
    clock.ticks_when_asked = True
    assert tty.ctl(bus, "start", "node1", "a") == 0


@pytest.mark.parametrize(
    ("argv", "silent", "what"),
    [
        (["status"], (ROOT, "ListNodes"), "the manager"),
        (["fleet"], (node_path("node1"), "ListUnits"), "node1"),
        (["is-active", "node1,n2", "a"], (node_path("n2"), "GetUnitProperties"), "n2 a.service"),
    ],
)
def test_answers_are_waited_for(
    bus: FakeBus, tty: Tty, clock: Clock, argv: list[str], silent: tuple[str, str], what: str
) -> None:
    active = {"ActiveState": ("s", "active")}
    bus.answer(node_path("node1"), "GetUnitProperties", "a{sv}", active)
    bus.ignore(*silent)
    bus.to_come.extend([lambda: clock.tick(2.5), KeyboardInterrupt()])
    assert tty.ctl(bus, *argv) == 130
    line = LINE.format(f"{what} (2 s)")
    assert tty.read() == f"{line}\r\x1b[K{BAD}hirte ctl:{END} interrupted\n"


def test_a_long_name_is_shortened_to_fit_the_line(bus: FakeBus, tty: Tty, clock: Clock) -> None:
    bus.answer(node_path("node1"), "StartUnit", "o", f"{ROOT}/job/1")
    lines: list[str] = []

    def tick() -> None:
        clock.tick()
        tty.read()
        lines.extend(tty.screen.lines)

    bus.to_come.extend([tick, bus.job_removed("done")])
    assert tty.ctl(bus, "start", "node1", LONG) == 0
    shown = "hirte ctl: waiting for node1 navigation-map-tile…hemisphere.service start (1 s)"
    assert (lines, len(shown)) == ([shown], 79)


@pytest.mark.parametrize(
    ("options", "only", "term"),
    [(["-q"], "", "xterm"), ([], "stdout", "xterm"), ([], "", "dumb")],
)
def test_who_is_not_told_what_is_waited_for(
    bus: FakeBus,
    tty: Tty,
    monkeypatch: pytest.MonkeyPatch,
    options: list[str],
    only: str,
    term: str,
) -> None:
    monkeypatch.setenv("TERM", term)
    handlers: list[object] = []
    bus.answer(node_path("node1"), "StartUnit", "o", f"{ROOT}/job/1")
    bus.to_come.append(lambda: handlers.append(signal.getsignal(signal.SIGALRM)))
    bus.to_come.append(bus.job_removed("done"))
    assert tty.ctl(bus, "start", "node1", "a", *options, only=only) == 0
    assert handlers == [signal.SIG_DFL]


# The live view


def test_only_the_lines_that_changed_are_drawn_again(bus: FakeBus, tty: Tty) -> None:
    seen: list[str] = []

    def comes_online() -> None:
        seen.append(tty.read())
        assert tty.screen.is_alternate
        bus.nodes(("node1", "online", "10.0.0.1"), ("n2", "online", ""))
        bus.deliver(bus.status_changed("n2", "online"))

    def look() -> None:
        seen.append(tty.read())
        assert tty.screen.lines == [
            "NODE   STATE   IP        LAST SEEN",
            "node1  online  10.0.0.1  now",
            "n2     online  -         now",
            *[""] * 20,
            "Ctrl-C ends this view.",
        ]
        raise KeyboardInterrupt

    bus.nodes(("node1", "online", "10.0.0.1"), ("n2", "offline", ""))
    bus.to_come.extend([comes_online, look])
    assert tty.ctl(bus, "status", "-w") == 0
    title = f"{UNDERLINE}NODE   STATE    IP        LAST SEEN{END}"
    node1, n2 = f"node1  {GREEN}online {END}  10.0.0.1  now", f"n2     {BAD}offline{END}"
    at_first, then = seen
    assert at_first == (
        f"{ENTER}{CLEAR}\x1b[1;1H\x1b[K{title}\x1b[2;1H\x1b[K{node1}"
        f"\x1b[3;1H\x1b[K{n2}  -         never\x1b[24;1H\x1b[KCtrl-C ends this view."
    )
    # The column of states became narrower: three lines, and not the last.
    assert then == (
        f"\x1b[1;1H\x1b[K{UNDERLINE}NODE   STATE   IP        LAST SEEN{END}"
        f"\x1b[2;1H\x1b[Knode1  {GREEN}online{END}  10.0.0.1  now"
        f"\x1b[3;1H\x1b[Kn2     {GREEN}online{END}  -         now"
    )
    end = tty.read()
    assert end.startswith(f"{CLEAR}{LEAVE}{UNDERLINE}NODE   STATE   IP")
    assert not tty.screen.is_alternate and tty.screen.has_cursor and tty.screen.wraps
    assert tty.screen.lines == [
        "NODE   STATE   IP        LAST SEEN",
        "node1  online  10.0.0.1  now",
        "n2     online  -         now",
    ]


def test_a_line_that_is_as_before_is_not_drawn(bus: FakeBus, tty: Tty) -> None:
    bus.nodes(("node1", "online", "10.0.0.1"), ("n2", "offline", ""), ("n3", "offline", ""))
    bus.answer(node_path("n3"), "Get", "v", ("t", 0))
    seen: list[str] = []

    def n2_comes() -> None:
        tty.read()
        bus.nodes(("node1", "online", "10.0.0.1"), ("n2", "online", ""), ("n3", "offline", ""))
        bus.deliver(bus.status_changed("n2", "online"))

    def look() -> None:
        seen.append(tty.read())
        raise KeyboardInterrupt

    bus.to_come.extend([n2_comes, look])
    assert tty.ctl(bus, "nodes", "-w") == 0
    assert seen == [f"\x1b[3;1H\x1b[Kn2     {GREEN}online {END}  -         now"]


def test_a_screen_of_another_size(bus: FakeBus, tty: Tty) -> None:
    """Too low: what is hidden is counted. Too narrow: names are shortened anew, lines cut."""
    has(bus, unit(LONG, "failed", "failed"), *(unit(f"{i}.service", "failed") for i in range(9)))
    monitor = f"{ROOT}/monitor/1"
    bus.answer(ROOT, "CreateMonitor", "o", monitor)
    bus.answer(monitor, "SubscribeList", "u", 1)
    sizes = [(80, 24), (60, 8), (30, 3), (10, 1)]
    seen: list[list[str]] = []

    def resize(columns: int, rows: int) -> None:
        tty.resize(columns, rows)
        signal.raise_signal(signal.SIGWINCH)
        tty.read()
        seen.append(tty.screen.lines)

    bus.to_come.extend([lambda size=size: resize(*size) for size in sizes])
    bus.to_come.append(KeyboardInterrupt())
    assert tty.ctl(bus, "fleet", "-w") == 0
    ends = "Ctrl-C ends this view."
    whole, low, lower, least = seen
    assert whole[14] == (
        "node1  navigation-map-tile-pref…tern-hemisphere.service  loaded  failed  failed"
    )
    assert whole[-1] == ends
    assert low[3:] == [
        "",
        "NODE   UNIT                          LOAD    ACTIVE  SUB",
        "node1  0.service                     loaded  failed  running",
        "… and 12 more lines",
        ends,
    ]
    assert lower == ["NODE   STATE    IP        LAST", "… and 17 more lines", ends]
    assert least == ["Ctrl-C end"]
    assert signal.getsignal(signal.SIGWINCH) == signal.SIG_DFL


def test_the_view_says_since_when_the_manager_is_away(
    bus: FakeBus, tty: Tty, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch.time, "strftime", lambda form: "14:03:22")
    seen: list[list[str]] = []

    def look(*_: object) -> None:
        tty.read()
        seen.append(tty.screen.lines)

    monkeypatch.setattr(watch.time, "sleep", look)

    def end() -> None:
        look()
        raise KeyboardInterrupt

    bus.to_come.extend([bus.owner_changed(), end])
    assert tty.ctl(bus, "status", "-w", "--no-legend") == 0
    away, back = seen
    assert (
        away[:2] == back[:2] == ["node1  online   10.0.0.1  now", "n2     offline  -         never"]
    )
    assert away[-1] == "14:03:22: the manager went away; waiting for it to come back"
    assert back[-1] == "Ctrl-C ends this view."


def test_a_view_that_ends_while_the_manager_is_away_says_so_below(
    bus: FakeBus, tty: Tty, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch.time, "strftime", lambda form: "14:03:22")

    def end(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(watch.time, "sleep", end)
    bus.to_come.append(bus.owner_changed())
    assert tty.ctl(bus, "status", "-w", "--no-legend") == 0
    tty.read()
    assert tty.screen.lines[:3] == [
        "node1  online   10.0.0.1  now",
        "n2     offline  -         never",
        "14:03:22: the manager went away; waiting for it to come back",
    ]


def test_what_is_wrong_is_part_of_the_view(bus: FakeBus, tty: Tty) -> None:
    monitor = f"{ROOT}/monitor/1"
    bus.answer(ROOT, "CreateMonitor", "o", monitor)
    bus.answer(monitor, "SubscribeList", "u", 1)
    bus.refuse(node_path("n2"), "GetUnitProperties", f"{NAME}.Offline", "Node is offline")

    def look() -> None:
        tty.read()
        assert tty.screen.lines[0] == "hirte ctl: n2 is offline"
        raise KeyboardInterrupt

    bus.to_come.append(look)
    assert tty.ctl(bus, "status", "-w", "n2", "a", "b") == 0
    tty.read()
    assert tty.screen.lines == ["hirte ctl: n2 is offline"]


def test_an_error_before_the_first_frame_is_an_error(bus: FakeBus, tty: Tty) -> None:
    assert tty.ctl(bus, "status", "-w", "node9", "a") == 4
    assert ENTER not in tty.read()
    assert tty.screen.lines[0] == "hirte ctl: no node 'node9' is configured"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_whoever_ends_it_finds_the_terminal_as_it_was(
    bus: FakeBus, tty: Tty, number: signal.Signals
) -> None:
    bus.to_come.append(lambda: signal.raise_signal(number))
    if number is signal.SIGTERM:
        assert tty.ctl(bus, "status", "-w") == 0
    else:
        with pytest.raises(SystemExit) as ended:
            tty.ctl(bus, "status", "-w")
        assert ended.value.code == 128 + number
    assert tty.read().count(LEAVE) == 1
    assert not tty.screen.is_alternate and tty.screen.has_cursor
    assert signal.getsignal(number) == signal.SIG_DFL


@pytest.mark.parametrize("first", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("second", [signal.SIGINT, signal.SIGHUP, signal.SIGTSTP])
def test_a_second_signal_does_not_keep_the_terminal_from_being_as_it_was(
    bus: FakeBus,
    tty: Tty,
    monkeypatch: pytest.MonkeyPatch,
    first: signal.Signals,
    second: signal.Signals,
) -> None:
    before = [signal.getsignal(number) for number in (first, second)]
    bus.to_come.append(lambda: signal.raise_signal(first))
    leave = live.Live._leave

    def hurry(view: live.Live, text: str) -> None:
        signal.raise_signal(second)
        leave(view, text)

    monkeypatch.setattr(live.Live, "_leave", hurry)
    assert tty.ctl(bus, "status", "-w") == 0
    tty.read()
    assert not tty.screen.is_alternate and tty.screen.has_cursor
    assert [signal.getsignal(number) for number in (first, second)] == before


def test_signals_that_were_ignored_stay_ignored(bus: FakeBus, tty: Tty) -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        bus.to_come.append(lambda: signal.raise_signal(signal.SIGHUP))
        bus.to_come.append(KeyboardInterrupt())
        assert tty.ctl(bus, "status", "-w") == 0
        assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


def test_suspended_it_lends_the_terminal_to_the_shell(
    bus: FakeBus, tty: Tty, monkeypatch: pytest.MonkeyPatch
) -> None:
    stopped: list[tuple[int, bool]] = []

    def kill(pid: int, number: int) -> None:
        tty.read()
        stopped.append((number, tty.screen.is_alternate))

    monkeypatch.setattr("os.kill", kill)

    def suspend() -> None:
        signal.raise_signal(signal.SIGTSTP)
        tty.read()
        assert tty.screen.is_alternate
        assert tty.screen.lines[1] == "node1  online   10.0.0.1  now"
        raise KeyboardInterrupt

    bus.to_come.append(suspend)
    assert tty.ctl(bus, "status", "-w") == 0
    assert stopped == [(signal.SIGSTOP, False)]


def test_a_view_as_json_is_json(bus: FakeBus, tty: Tty) -> None:
    bus.to_come.append(KeyboardInterrupt())
    assert tty.ctl(bus, "status", "-w", "-o", "json") == 0
    assert tty.read().startswith('[{"node": "node1"')
