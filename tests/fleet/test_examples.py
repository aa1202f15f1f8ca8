"""The examples do on a real fleet what they say."""

from __future__ import annotations

import pytest

from tests.bed import Fleet, Node
from tests.bed.fleet import REPOSITORY
from tests.bed.product import AGENT_UNIT, MANAGER_UNIT, deploy, wait_for_status
from tests.fleet.client import example, line, running

UNITS = {
    "fine.service": "[Service]\nExecStart=/usr/bin/sleep infinity\n",
    "bad.service": "[Service]\nType=oneshot\nExecStart=/usr/bin/false\n",
}


@pytest.fixture(scope="module")
def one(trio: Fleet) -> Node:
    """The node of the manager, in a fleet whose node3 has the units."""
    trio["node3"].units(UNITS)
    return trio["node1"]


def test_every_example_is_tried_here() -> None:
    text = (REPOSITORY / "tests/fleet/test_examples.py").read_text()
    names = [path.stem for path in (REPOSITORY / "examples").glob("*.py")]
    assert len(names) == 6
    assert [name for name in names if f'example("{name}"' not in text] == []


def test_list_nodes(one: Node) -> None:
    lines = one.run(example("list_nodes")).stdout.splitlines()
    nodes = [text.split()[:2] for text in lines if not text.startswith(" ")]
    assert nodes == [[f"node{number}", "online"] for number in (1, 2, 3)]
    assert sum(f"    {AGENT_UNIT} " in text for text in lines) == 3


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("node3", "fine.service"), 0, "fine.service done"),
        (("node3", "bad.service"), 1, "bad.service failed"),
        (("node3", "no.service"), 1, "node3: Unit no.service not found."),
        (("node9", "fine.service"), 1, "no node 'node9' is configured"),
    ],
)
def test_start_and_wait(one: Node, words: tuple[str, str], code: int, said: str) -> None:
    done = one.run(example("start_and_wait", *words), check=False)
    assert (done.returncode, done.stdout, done.stderr) == (code, f"{said}\n", "")


def test_monitor_unit(trio: Fleet, one: Node) -> None:
    three = trio["node3"]
    three.systemctl("stop", "fine.service")
    with running(one, example("monitor_unit", "node3", "fine.service")) as program:
        assert line(program) == "watching"
        three.systemctl("start", "fine.service")
        assert line(program) == "node3 fine.service active running"
        three.systemctl("stop", "fine.service")
        rest = [line(program) for _ in range(3)]
    assert rest[-2:] == ["node3 fine.service inactive dead", "node3 fine.service unloaded"]


def test_watch_connections(fleet: Fleet) -> None:
    one, two = deploy(fleet, "node1", "node2")
    with running(one, example("watch_connections")) as program:
        assert [line(program), line(program)] == ["node1 online", "node2 online"]
        two.systemctl("stop", AGENT_UNIT)
        assert line(program) == "node2 offline"
        two.systemctl("start", AGENT_UNIT)
        assert line(program) == "node2 online"
        one.systemctl("kill", "--signal=KILL", MANAGER_UNIT)
        assert line(program) == "the manager went away"
        one.systemctl("start", MANAGER_UNIT)
        seen = {line(program), line(program)}
        while seen < {"node1 online", "node2 online"}:
            seen.add(line(program))


def test_system_status(fleet: Fleet) -> None:
    one, two = deploy(fleet, "node1", "node2")
    assert one.run(example("system_status")).stdout == "up\n"
    two.systemctl("stop", AGENT_UNIT)
    wait_for_status(one, "degraded")
    given_up = one.run(example("system_status", "0.3"), check=False)
    assert (given_up.returncode, given_up.stdout) == (1, "degraded\n")
    with running(one, example("system_status")) as program:
        assert line(program) == "degraded"
        two.systemctl("start", AGENT_UNIT)
        assert line(program) == "up"
        assert program.wait(timeout=20) == 0


def test_set_property(trio: Fleet, one: Node) -> None:
    trio["node3"].systemctl("start", "fine.service")
    done = one.run(example("set_property", "node3", "fine.service", "42"))
    assert done.stdout == "fine.service CPUWeight 42\n"
    shown = trio["node3"].systemctl("show", "--value", "-p", "CPUWeight", "fine.service")
    assert shown.stdout == "42\n"


def test_they_need_no_bus(fleet: Fleet) -> None:
    (one,) = deploy(fleet, "node1")
    one.systemctl("stop", "dbus.socket", "dbus.service")
    assert one.run(example("list_nodes")).stdout.startswith("node1 online ")
