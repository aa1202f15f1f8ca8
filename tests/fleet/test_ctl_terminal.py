"""hirte ctl on a real terminal in a real fleet: live views, what is waited for, and how it ends."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.bed import Fleet, Node
from tests.bed.product import AGENT_UNIT, MANAGER_UNIT, deploy
from tests.fleet.terminal import CTRL_C, CTRL_Z, Terminal

UNITS = {
    "fine.service": "[Service]\nExecStart=/usr/bin/sleep infinity\n",
    "bad.service": "[Service]\nType=oneshot\nExecStart=/usr/bin/false\n",
    "held.service": "[Service]\nType=oneshot\nExecStart=/usr/bin/sleep infinity\n",
}
ENDS = "Ctrl-C ends this view."


@pytest.fixture(scope="module")
def at_work(trio: Fleet) -> Fleet:
    """A fleet whose node3 has the units."""
    trio["node3"].units(UNITS)
    return trio


@contextmanager
def ctl(node: Node, *words: str, columns: int = 80, rows: int = 24) -> Iterator[Terminal]:
    """The tool on a terminal."""
    with Terminal(node, ["hirte", "ctl", *words], columns, rows) as terminal:
        yield terminal


def is_left_usable(terminal: Terminal) -> bool:
    """Whether the terminal is as a program finds it."""
    screen = terminal.screen
    return not screen.is_alternate and screen.has_cursor and screen.wraps


# Live views


def test_the_fleet_live(at_work: Fleet) -> None:
    one, three = at_work["node1"], at_work["node3"]
    with ctl(one, "-w") as terminal:
        at_first = terminal.until_line("3 of 3 nodes online, 0 units failed.")
        assert terminal.screen.is_alternate
        assert at_first[-1] == ENDS
        three.systemctl("start", "bad.service", check=False)
        terminal.until_line("3 of 3 nodes online, 1 unit failed.")
        three.systemctl("stop", AGENT_UNIT)
        terminal.until_line("2 of 3 nodes online, 0 units failed; those of node3 are not known.")
        three.systemctl("start", AGENT_UNIT)
        terminal.until_line("3 of 3 nodes online, 1 unit failed.")
        three.systemctl("reset-failed", "bad.service")
        assert terminal.until_line("3 of 3 nodes online, 0 units failed.") == at_first
        written = len(terminal.written)
        terminal.press(CTRL_C)
        assert terminal.end() == 0
        assert is_left_usable(terminal)
        # The last view stays, without the line that is about the view.
        assert terminal.screen.lines == at_first[:6]
        assert terminal.written[written:].count("\x1b[?1049l") == 1


def test_only_what_changed_is_written(at_work: Fleet) -> None:
    units = ("hirte-agent", "fine", "bad")
    with ctl(at_work["node1"], "status", "-w", "node3", *units) as terminal:
        terminal.until_line(ENDS)
        written = len(terminal.written)
        at_work["node3"].systemctl("start", "fine.service")
        terminal.until(lambda lines: sum("  running  " in line for line in lines) == 2)
        change = terminal.written[written:]
        assert "fine.service" in change
        assert not any(other in change for other in ("agent", "bad", "NODE", ENDS))
        at_work["node3"].systemctl("stop", "fine.service")
        terminal.until(lambda lines: sum("  running  " in line for line in lines) == 1)
        terminal.press(CTRL_C)
        assert terminal.end() == 0


def test_the_window_changes_its_size_while_one_looks(at_work: Fleet) -> None:
    with ctl(at_work["node1"], "nodes", "-w") as terminal:
        whole = terminal.until_line(ENDS)
        terminal.resize(34, 4)
        assert terminal.until_line("3 more lines")[2:] == ["… and 3 more lines", ENDS]
        assert max(map(len, terminal.screen.lines)) <= 34
        terminal.resize(80, 24)
        assert terminal.until_line("node3") == whole
        terminal.press(CTRL_C)
        assert terminal.end() == 0


def test_a_view_outlives_the_manager(fleet: Fleet) -> None:
    deploy(fleet, "node1", "node3")
    one = fleet["node1"]
    with ctl(one, "-w") as terminal:
        before = terminal.until_line("2 of 2 nodes online, 0 units failed.")
        one.systemctl("stop", MANAGER_UNIT)
        away = terminal.until_line("the manager went away; waiting for it to come back")
        assert away[:-1] == before[:-1]
        one.systemctl("start", MANAGER_UNIT)
        assert terminal.until(lambda lines: lines == before)
        terminal.press(CTRL_C)
        assert terminal.end() == 0
        assert is_left_usable(terminal)


def test_a_view_that_is_ended_by_a_signal(at_work: Fleet) -> None:
    one = at_work["node1"]
    argv = ["/bin/sh", "-c", "hirte ctl status -w & echo $! >/run/view; wait $!"]
    with Terminal(one, argv) as terminal:
        terminal.until_line(ENDS)
        one.run(["/bin/sh", "-c", "kill $(cat /run/view)"])
        assert terminal.end() == 0
        assert is_left_usable(terminal)


def test_a_view_in_the_background(at_work: Fleet) -> None:
    """A shell of its own: Ctrl-Z brings its prompt back, and `fg` the view."""
    with Terminal(at_work["node1"], ["bash", "--norc", "--noediting", "-i"], 60, 12) as terminal:
        terminal.until_line("#")
        terminal.press(b"PS1='> '\n")
        terminal.until(lambda lines: lines[-1] == ">")
        terminal.press(b"hirte ctl status -w\n")
        view = terminal.until_line(ENDS)
        terminal.press(CTRL_Z)
        terminal.until_line("Stopped")
        assert is_left_usable(terminal)
        terminal.press(b"fg\n")
        assert terminal.until(lambda lines: lines == view)
        terminal.press(CTRL_C)
        terminal.until(lambda lines: lines[-1] == ">")
        terminal.press(b"exit 7\n")
        assert terminal.end() == 7


# What takes long


def test_what_is_waited_for(at_work: Fleet) -> None:
    """Ctrl-C ends the waiting, not the job; the line of progress leaves nothing behind."""
    with ctl(at_work["node1"], "start", "node3", "held", "none") as terminal:
        missing = "hirte ctl: node3 none.service start: Unit none.service not found."
        line = "hirte ctl: waiting for node3 held.service start (1 s)"
        assert terminal.until_line("waiting") == [missing, line]
        terminal.press(CTRL_C)
        assert terminal.end() == 130
        assert terminal.screen.lines == [
            missing,
            "hirte ctl: interrupted; the start of held.service on node3 goes on",
            "hirte ctl: 0 done, 1 failed, 1 left",
            "hirte ctl: hint: `hirte ctl list-unit-files NODE` lists the unit files of a node",
            "hirte ctl: hint: `hirte ctl jobs` lists the jobs that go on",
        ]
    at_work["node3"].systemctl("stop", "held.service")
    at_work["node3"].systemctl("reset-failed", "held.service")


def test_a_node_that_hangs_is_named(at_work: Fleet) -> None:
    at_work["node2"].freeze()
    try:
        with ctl(at_work["node1"]) as terminal:
            terminal.until_line("hirte ctl: waiting for node2 (1 s)")
            terminal.press(CTRL_C)
            assert terminal.end() == 130
            assert terminal.screen.lines == ["hirte ctl: interrupted"]
    finally:
        at_work["node2"].thaw()


def test_a_reader_that_has_enough(at_work: Fleet) -> None:
    script = "hirte ctl list-unit-files | true; echo ${PIPESTATUS[0]}"
    done = at_work["node1"].run(["bash", "-c", script])
    assert (done.stdout, done.stderr) == ("141\n", "")
