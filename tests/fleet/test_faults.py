"""What breaks on a real fleet, and that the rest of it goes on: in bounded time, in order."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from hirte.api.dialect import NATIVE
from tests.bed import Fleet, Node
from tests.bed.bus import BusError
from tests.bed.product import (
    AGENT_UNIT,
    MANAGER_UNIT,
    configure_agent,
    configure_manager,
    deploy,
    install_hirte,
    wait_for_status,
)
from tests.fleet.conftest import open_fleet
from tests.fleet.statemanager import ERROR, StateManager
from tests.fleet.units import UNITS

NAMES = ("node1", "node2", "node3")
# The kernel's probes of an idle connection: after 1 s, then six, one each second.
KEEPALIVE_SECONDS = 7.0
# Heartbeats every 200 ms, and a node is lost after 600: with a machine that does other things.
BEAT, THRESHOLD = "200", "600"
HEARTBEAT_SECONDS = 0.8
SLACK_SECONDS = 1.5


@pytest.fixture(scope="module")
def three() -> Iterator[Fleet]:
    """A fleet that tests break and mend again; heartbeats are as they are without configuration."""
    with open_fleet() as fleet:
        deploy(fleet, *NAMES)
        for node in fleet.nodes.values():
            node.units(UNITS)
        yield fleet


@pytest.fixture(scope="module")
def beating() -> Iterator[Fleet]:
    """A fleet with heartbeats in both directions."""
    with open_fleet() as fleet:
        nodes = fleet.boot(*NAMES)
        for node in nodes:
            install_hirte(node)
            node.units(UNITS)
            configure_agent(
                node, nodes[0], HeartbeatInterval=BEAT, ManagerHeartbeatThreshold=THRESHOLD
            )
        configure_manager(nodes[0], NAMES, HeartbeatInterval=BEAT, NodeHeartbeatThreshold=THRESHOLD)
        nodes[0].systemctl("start", MANAGER_UNIT)
        for node in nodes:
            node.systemctl("start", AGENT_UNIT)
        wait_for_status(nodes[0], "up")
        yield fleet


@pytest.fixture
def caller(three: Fleet) -> Iterator[StateManager]:
    with state_manager(three) as made:
        yield made


@contextmanager
def state_manager(fleet: Fleet) -> Iterator[StateManager]:
    """A caller on node1 of a fleet that is up, and is so again afterwards."""
    try:
        with StateManager(fleet["node1"], NATIVE) as made:
            yield made
    finally:
        wait_for_status(fleet["node1"], "up")
        fleet["node3"].systemctl("stop", "held.service", "stay.service")


def loss(caller: StateManager, name: str) -> list[tuple[object, ...]]:
    """What was told until the node was said to be offline, and the fleet's status after it."""
    caller.changed(caller.path(f"node/{name}"), "Status", "offline", 20)
    caller.changed(caller.path(""), "Status", "degraded")
    return [
        (f"answered {heard.error}" if heard.error else "answered")
        if not heard.is_signal
        else heard.event
        for heard in caller.heard
    ]


def call_that_waits(caller: StateManager) -> int:
    """A forwarded call that the agent has, and cannot answer: its systemd is stopped."""
    return caller.send(NATIVE.bus_name, caller.path("node/node3"), caller.full("Node"), "ListUnits")


# Agents


def test_an_agent_is_killed(three: Fleet, caller: StateManager) -> None:
    """Its job ends, its unit does not; the agent comes back and jobs work again."""
    assert caller.job("node3", "StartUnit", "stay.service") == "done"
    path = caller.node("node3", "StartUnit", "ss", "held.service", "replace")
    number = int(path.rpartition("/")[2])
    caller.forget()
    pid = main_pid(three["node3"], AGENT_UNIT)
    three["node3"].run(["kill", "-KILL", pid])
    told = loss(caller, "node3")
    ends = [event for event in told if event[0] == "JobRemoved"]
    # [D] The reference says nothing of jobs whose node is lost.
    assert ends == [("JobRemoved", number, path, "node3", "held.service", "failed")]
    status = ("PropertiesChanged", caller.path("node/node3"), {"Status": "offline"})
    assert told.index(ends[0]) < told.index(status)
    assert told[told.index(status) + 1] == (
        "PropertiesChanged", caller.path(""), {"Status": "degraded"},
    )  # fmt: skip
    caller.changed(caller.path("node/node3"), "Status", "online")
    # systemd has gone on with what it was told to do.
    states = caller.node("node3", "ListUnits")
    active = {unit[0]: unit[3] for unit in states}
    assert (active["stay.service"], active["held.service"]) == ("active", "activating")
    assert caller.job("node3", "StopUnit", "held.service") == "done"


def test_two_agents_of_one_name(three: Fleet, caller: StateManager) -> None:
    """The second is refused, again and again, and changes nothing for the first."""
    before = caller.get(caller.path("node/node3"), "Node", "PeerIp")
    two = three["node2"]
    configure_agent(two, three["node1"], NodeName="node3")
    two.systemctl("restart", AGENT_UNIT)
    loss(caller, "node2")
    two.systemctl("restart", AGENT_UNIT)
    refusal = "The node is already connected"
    wait_for_words(two, AGENT_UNIT, refusal)
    assert caller.get(caller.path("node/node3"), "Node", "PeerIp") == before
    assert caller.get(caller.path("node/node3"), "Node", "Status") == ("s", "online")
    configure_agent(two, three["node1"])
    two.systemctl("restart", AGENT_UNIT)


def test_an_agent_that_nobody_knows(three: Fleet, caller: StateManager) -> None:
    two = three["node2"]
    configure_agent(two, three["node1"], NodeName="stranger")
    two.systemctl("restart", AGENT_UNIT)
    wait_for_words(two, AGENT_UNIT, "Unexpected node name")
    assert [row[0] for row in caller.manager("ListNodes")] == list(NAMES)
    configure_agent(two, three["node1"])
    two.systemctl("restart", AGENT_UNIT)


# The manager


@pytest.mark.parametrize("verb", ["restart", "kill --signal=KILL"])
def test_the_manager_comes_back(three: Fleet, verb: str) -> None:
    """So do the agents; ids begin anew, what the nodes' systemd was told stays done."""
    one = three["node1"]
    with state_manager(three) as caller:
        assert caller.job("node3", "StartUnit", "stay.service") == "done"
        old = caller.node("node3", "StartUnit", "ss", "held.service", "replace")
        caller.changed(old, "State", "running")
        monitor = caller.manager("CreateMonitor")
        caller.object(monitor, "Monitor", "Subscribe", "ss", "node3", "stay.service")
        caller.hear("UnitStateChanged")
        caller.settle()
        seen = caller.get(caller.path("node/node3"), "Node", "LastSeenTimestamp")[1]
        caller.forget()
        one.systemctl(*verb.split(), MANAGER_UNIT)
        caller.changed(caller.path(""), "Status", "up")
        # node1's agent is on the same bus, and nobody orders what it says and the manager.
        of_the_agent = ("PropertiesChanged", caller.path(""), {"Status": "offline"})
        told = [event for event in caller.events() if event != of_the_agent]
        if verb == "restart":
            number = int(old.rpartition("/")[2])
            assert told[0] == (
                "JobRemoved", number, old, "node3", "held.service", "cancelled due to shutdown",
            )  # fmt: skip
            nodes = [event for event in told if str(event[1]).startswith(caller.path("node/"))]
            offline = [event for event in nodes if event[2] == {"Status": "offline"}]
            assert [event[1] for event in offline] == [caller.path(f"node/{n}") for n in NAMES]
            down = ("PropertiesChanged", caller.path(""), {"Status": "down"})
            assert told[told.index(offline[-1]) + 1] == down
        else:
            assert "JobRemoved" not in [event[0] for event in told]
        # Monitors go without a word.
        assert not [heard for heard in caller.heard if heard.path == monitor]
        for path in (old, monitor):
            with pytest.raises(BusError) as refused:
                caller.object(path, "Job" if path == old else "Monitor", "Close")
            assert refused.value.name == f"{ERROR}.UnknownObject"
        assert caller.get(caller.path("node/node3"), "Node", "LastSeenTimestamp")[1] > seen
        # The first job of this manager; the end of an old one is none of its.
        new = caller.node("node3", "StopUnit", "ss", "stay.service", "replace")
        assert new == caller.path("job/1")
        assert caller.removed(new) == "done"
        three["node3"].systemctl("stop", "held.service")
        ends = [event for event in caller.settle() if event[0] == "JobRemoved"]
        assert [event[2] for event in ends][-1] == new


def test_a_manager_in_its_grave_answers_pending_calls(three: Fleet) -> None:
    """Request cancelled, before the node's status; then no name any more."""
    one = three["node1"]
    with state_manager(three) as caller, stopped(three["node3"], AGENT_UNIT):
        pending = call_that_waits(caller)
        caller.settle()
        one.systemctl("restart", MANAGER_UNIT)
        answer = caller.answer(pending)
        assert (answer.error, answer.values) == (f"{ERROR}.Failed", ("Request cancelled",))
        status = caller.changed(caller.path("node/node3"), "Status", "offline")
        assert caller.heard.index(answer) < caller.heard.index(status)


def test_lists_of_all_nodes_need_all_that_are_online(three: Fleet) -> None:
    """A node that is lost before it has answered fails the whole call."""
    with state_manager(three) as caller:
        pid = main_pid(three["node3"], AGENT_UNIT)
        three["node3"].systemctl("kill", "--signal=STOP", AGENT_UNIT)
        calls = [
            caller.send(NATIVE.bus_name, caller.path(""), caller.full("Manager"), member)
            for member in ("ListUnits", "ListUnitFiles")
        ]
        caller.settle()
        three["node3"].run(["kill", "-KILL", pid])
        for call in calls:
            answer = caller.answer(call)
            assert answer.error == f"{ERROR}.Failed"
            assert "Request to at least one node failed" in answer.values[0]


# Cables and power


def test_a_cable_is_cut_without_heartbeats(three: Fleet, caller: StateManager) -> None:
    """The kernel notices; pending calls are answered, jobs end, then the node is offline."""
    path = caller.node("node3", "StartUnit", "ss", "held.service", "replace")
    caller.changed(path, "State", "running")
    caller.settle()
    caller.forget()
    with cut(three["node3"]):
        begin = time.monotonic()
        pending = call_that_waits(caller)
        told = loss(caller, "node3")
        assert time.monotonic() - begin < KEEPALIVE_SECONDS + SLACK_SECONDS
        answer = caller.answer(pending)
        assert answer.error == f"{ERROR}.NoReply"
        assert "Connection terminated" in answer.values[0]
        kinds = [event if isinstance(event, str) else event[0] for event in told]
        assert kinds[0] == f"answered {ERROR}.NoReply"
        assert "JobRemoved" in kinds
        assert caller.removed(path) == "failed"
        with pytest.raises(BusError) as refused:
            caller.node("node3", "ListUnits")
        assert refused.value.name == caller.full("Offline")
        # The others do not mind.
        assert caller.job("node2", "StartUnit", "quick.service") == "done"
    caller.changed(caller.path("node/node3"), "Status", "online")
    three["node3"].systemctl("stop", "held.service")
    assert caller.job("node3", "StartUnit", "quick.service") == "done"


def test_a_cable_is_cut_with_heartbeats(beating: Fleet) -> None:
    with state_manager(beating) as caller, cut(beating["node3"]):
        begin = time.monotonic()
        loss(caller, "node3")
        assert time.monotonic() - begin < HEARTBEAT_SECONDS + SLACK_SECONDS
        # The agent notices as well: it has not heard of its manager.
        wait_for_words(beating["node3"], AGENT_UNIT, "no heartbeat within the threshold")


def test_a_node_hangs(beating: Fleet) -> None:
    """Its kernel still answers, so only heartbeats tell."""
    with state_manager(beating) as caller:
        beating["node3"].freeze()
        try:
            begin = time.monotonic()
            pending = call_that_waits(caller)
            loss(caller, "node3")
            assert time.monotonic() - begin < HEARTBEAT_SECONDS + SLACK_SECONDS
            assert caller.answer(pending).error == f"{ERROR}.NoReply"
        finally:
            beating["node3"].thaw()


def test_a_node_loses_power_and_is_switched_on_again(three: Fleet) -> None:
    three["node3"].systemctl("enable", AGENT_UNIT)
    with state_manager(three) as caller:
        three["node3"].kill()
        loss(caller, "node3")
        caller.forget()
        (node,) = three.boot("node3")
        caller.changed(caller.path("node/node3"), "Status", "online")
        assert node.systemctl("is-active", AGENT_UNIT).stdout == "active\n"
        assert caller.job("node3", "StartUnit", "stay.service") == "done"


# The bus


def test_the_bus_of_the_manager_restarts(three: Fleet) -> None:
    """Its name comes back, nothing that agents know is lost, the nodes stay online."""
    one = three["node1"]
    with state_manager(three) as caller:
        caller.node("node3", "StartUnit", "ss", "held.service", "replace")
        registered = caller.get(caller.path("node/node3"), "Node", "Status")
        assert registered == ("s", "online")
    log = registrations(one)
    one.systemctl("restart", "dbus.service")
    wait_for_status(one, "up")
    assert registrations(one) == log
    with state_manager(three) as caller:
        assert caller.job("node3", "StartUnit", "quick.service") == "done"


def test_the_bus_of_an_agent_restarts(three: Fleet, caller: StateManager) -> None:
    """The agent needs it for its own name only: jobs go on."""
    three["node3"].systemctl("start", "stay.service")
    path = caller.node("node3", "StartUnit", "ss", "held.service", "replace")
    three["node3"].systemctl("restart", "dbus.service")
    assert caller.job("node3", "ReloadUnit", "stay.service") == "done"
    caller.object(path, "Job", "Cancel")
    assert caller.removed(path) == "canceled"
    with StateManager(three["node3"], NATIVE) as there:
        there.wait_for_name(NATIVE.agent_bus_name)
        assert there.get(there.path(""), "Agent", "Status") == ("s", "online")
    offline = ("PropertiesChanged", caller.path("node/node3"), {"Status": "offline"})
    assert offline not in caller.settle()


def registrations(one: Node) -> int:
    return one.journal("-u", MANAGER_UNIT).count("is online")


# Helpers


@contextmanager
def cut(node: Node) -> Iterator[None]:
    """The cable is out for the length of the block."""
    node.cut()
    try:
        yield
    finally:
        node.mend()


@contextmanager
def stopped(node: Node, unit: str) -> Iterator[None]:
    """The service's process hangs for the length of the block; it is too short for watchdogs."""
    node.systemctl("kill", "--signal=STOP", unit)
    try:
        yield
    finally:
        node.systemctl("kill", "--signal=CONT", unit)


def main_pid(node: Node, unit: str) -> str:
    return node.systemctl("show", "--property=MainPID", "--value", unit).stdout.strip()


def wait_for_words(node: Node, unit: str, words: str) -> None:
    """Until the service has written the words to the journal of this boot."""
    follow = ["timeout", "20", "journalctl", "--follow", "--no-tail", "--unit", unit]
    # Without buffers in between, and the journal's follower ends at its next line, or its limit.
    script = 'grep --quiet --max-count=1 --fixed-strings -- "$WORDS" <("$@")'
    node.run(["env", f"WORDS={words}", "/bin/bash", "-c", script, "sh", *follow])
