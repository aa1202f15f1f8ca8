"""Monitors on real units: what is sent when, to whom, in which order, and what ends it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from hirte.api.dialect import NATIVE
from tests.bed import Fleet
from tests.bed.bus import BusError
from tests.bed.product import AGENT_UNIT
from tests.fleet.statemanager import ERROR, StateManager
from tests.fleet.units import UNITS

EVENTS = ("UnitNew", "UnitStateChanged", "UnitPropertiesChanged", "UnitRemoved", "PeerRemoved")


class Monitor:
    """A monitor, and those of its signals that its owner has heard, as tuples."""

    def __init__(self, caller: StateManager) -> None:
        self.caller = caller
        self.path = caller.manager("CreateMonitor")

    def call(self, *call: Any) -> Any:
        return self.caller.object(self.path, "Monitor", *call)

    def subscribe(self, node: str, unit: str) -> int:
        return int(self.call("Subscribe", "ss", node, unit))

    def heard(self, *members: str) -> list[tuple[Any, ...]]:
        """What of this monitor has arrived until now, without news of properties."""
        events = [heard.event for heard in self.caller.heard if heard.path == self.path]
        wanted = members or tuple(set(EVENTS) - {"UnitPropertiesChanged"})
        return [event for event in events if event[0] in wanted]


@pytest.fixture(scope="module")
def three(trio: Fleet) -> Fleet:
    """The fleet with the units on all nodes."""
    for node in trio.nodes.values():
        node.units(UNITS)
    return trio


@pytest.fixture
def caller(three: Fleet) -> Iterator[StateManager]:
    """A new caller on the manager's node."""
    with StateManager(three["node1"], NATIVE) as made:
        yield made
    tidy = "systemctl stop stay.service held.service 'one@*.service'; systemctl reset-failed"
    for name in ("node2", "node3"):
        three[name].run(["/bin/sh", "-c", tidy])


@pytest.fixture
def monitor(caller: StateManager) -> Monitor:
    """A new monitor of the caller."""
    return Monitor(caller)


def agent_round_trip(caller: StateManager, node: str) -> None:
    """Until everything is here that the node's agent had said before now."""
    caller.node(node, "GetDefaultTarget")


# First snapshots


def test_the_first_subscription_tells_after_its_answer(caller: StateManager) -> None:
    """The agent is asked; nobody else may hear of the unit already, or it would be known."""
    monitor = Monitor(caller)
    monitor.subscribe("node3", "init.scope")
    assert monitor.heard() == []
    agent_round_trip(caller, "node3")
    assert monitor.heard() == [
        ("UnitNew", "node3", "init.scope", "virtual"),
        ("UnitStateChanged", "node3", "init.scope", "active", "running", "virtual"),
    ]


def test_a_further_subscription_tells_before_its_answer(caller: StateManager) -> None:
    first, second = Monitor(caller), Monitor(caller)
    first.subscribe("node3", "init.scope")
    agent_round_trip(caller, "node3")
    told = first.heard()
    second.subscribe("node3", "init.scope")
    assert second.heard() == [
        ("UnitNew", "node3", "init.scope", "virtual"),
        ("UnitStateChanged", "node3", "init.scope", "active", "running", "virtual"),
    ]
    agent_round_trip(caller, "node3")
    # The new one alone is told.
    assert first.heard() == told


def test_a_unit_that_is_not_loaded_tells_nothing(caller: StateManager) -> None:
    first, second = Monitor(caller), Monitor(caller)
    for monitor in (first, second):
        monitor.subscribe("node3", "one@nobody.service")
        agent_round_trip(caller, "node3")
        assert monitor.heard() == []


def test_a_wildcard_tells_no_units_that_are_there(caller: StateManager) -> None:
    first, second = Monitor(caller), Monitor(caller)
    first.subscribe("node3", "*")
    assert first.heard() == []
    agent_round_trip(caller, "node3")
    assert first.heard() == [("UnitNew", "node3", "*", "virtual")]
    second.subscribe("node3", "*")
    assert second.heard() == [
        ("UnitNew", "node3", "*", "virtual"),
        ("UnitStateChanged", "node3", "*", "active", "running", "virtual"),
    ]


def test_a_wildcard_for_nodes_means_all_of_them(caller: StateManager, monitor: Monitor) -> None:
    monitor.subscribe("*", "init.scope")
    for node in ("node1", "node2", "node3"):
        agent_round_trip(caller, node)
        caller.hear("UnitStateChanged", node, "init.scope", "active", "running", "virtual")
    assert len(monitor.heard()) == 6


def test_somebody_elses_subscription_is_seen_by_the_wildcard(caller: StateManager) -> None:
    everything, one = Monitor(caller), Monitor(caller)
    everything.subscribe("node3", "*")
    agent_round_trip(caller, "node3")
    one.subscribe("node3", "init.scope")
    agent_round_trip(caller, "node3")
    assert everything.heard()[1:] == one.heard() == [
        ("UnitNew", "node3", "init.scope", "virtual"),
        ("UnitStateChanged", "node3", "init.scope", "active", "running", "virtual"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("node", "unit"),
    [("node9", "init.scope"), ("node*", "init.scope"), ("", "*"), ("node3", "init.*")],
)
def test_no_glob_and_no_unknown_node_ever_matches(
    caller: StateManager, monitor: Monitor, node: str, unit: str
) -> None:
    assert monitor.subscribe(node, unit) >= 2
    caller.job("node3", "StartUnit", "one@glob.service")
    agent_round_trip(caller, "node3")
    assert monitor.heard(*EVENTS) == []


# The life of a unit


def test_the_life_of_a_unit(caller: StateManager, monitor: Monitor) -> None:
    monitor.subscribe("node3", "one@life.service")
    assert caller.job("node3", "StartUnit", "one@life.service") == "done"
    assert caller.job("node3", "StopUnit", "one@life.service") == "done"
    caller.hear("UnitRemoved")
    me = ("node3", "one@life.service")
    assert monitor.heard() == [
        ("UnitNew", *me, "real"),
        ("UnitStateChanged", *me, "activating", "start", "real"),
        ("UnitStateChanged", *me, "active", "exited", "real"),
        ("UnitStateChanged", *me, "inactive", "dead", "real"),
        ("UnitRemoved", *me, "real"),
    ]


def test_the_state_comes_before_its_properties(caller: StateManager, monitor: Monitor) -> None:
    monitor.subscribe("node3", "one@order.service")
    caller.job("node3", "StartUnit", "one@order.service")
    caller.job("node3", "StopUnit", "one@order.service")
    caller.hear("UnitRemoved")
    events = monitor.heard(*EVENTS)
    states = [place for place, event in enumerate(events) if event[0] == "UnitStateChanged"]
    assert len(states) == 3
    for place in states:
        _, _, _, active, sub, _ = events[place]
        name, _, _, interface, changed = events[place + 1]
        assert (name, interface) == (
            "UnitPropertiesChanged", "org.freedesktop.systemd1.Unit",
        )  # fmt: skip
        assert (changed["ActiveState"], changed["SubState"]) == (("s", active), ("s", sub))
    interfaces = {event[3] for event in events if event[0] == "UnitPropertiesChanged"}
    assert interfaces == {
        "org.freedesktop.systemd1.Unit", "org.freedesktop.systemd1.Service",
    }  # fmt: skip


def test_a_unit_that_is_only_looked_at_comes_and_goes(
    caller: StateManager, monitor: Monitor
) -> None:
    """Asking for its properties makes systemd load it, and unload it."""
    monitor.subscribe("node3", "one@look.service")
    caller.node("node3", "GetUnitProperties", "ss", "one@look.service", "")
    caller.hear("UnitRemoved")
    assert monitor.heard() == [
        ("UnitNew", "node3", "one@look.service", "real"),
        ("UnitRemoved", "node3", "one@look.service", "real"),
    ]


def test_an_event_is_told_once_however_many_subscriptions_match(
    caller: StateManager, monitor: Monitor
) -> None:
    """[D] The reference tells it once for each subscription."""
    monitor.subscribe("node3", "one@many.service")
    monitor.subscribe("*", "one@many.service")
    monitor.call("SubscribeList", "sas", "node3", ["one@many.service"] * 2)
    monitor.subscribe("node3", "*")
    caller.job("node3", "StartUnit", "one@many.service")
    caller.job("node3", "StopUnit", "one@many.service")
    caller.hear("UnitRemoved", "node3", "one@many.service")
    mine = [event for event in monitor.heard() if event[2] == "one@many.service"]
    assert [event[0] for event in mine] == [
        "UnitNew", "UnitStateChanged", "UnitStateChanged", "UnitStateChanged", "UnitRemoved",
    ]  # fmt: skip


def test_a_subscription_of_another_monitor_is_not_found(caller: StateManager) -> None:
    first, second = Monitor(caller), Monitor(caller)
    number = first.subscribe("node3", "init.scope")
    for wrong in (number + 1000, 0):
        with pytest.raises(BusError) as refused:
            first.call("Unsubscribe", "u", wrong)
        assert refused.value.name == f"{ERROR}.Failed"
    with pytest.raises(BusError, match="not found"):
        second.call("Unsubscribe", "u", number)
    first.call("Unsubscribe", "u", number)
    with pytest.raises(BusError, match="not found"):
        first.call("Unsubscribe", "u", number)
    # The monitor stays, without subscriptions.
    first.subscribe("node3", "init.scope")


def test_everybody_may_use_every_monitor(three: Fleet, monitor: Monitor) -> None:
    with StateManager(three["node1"], NATIVE) as other:
        other.object(monitor.path, "Monitor", "Subscribe", "ss", "node3", "init.scope")
        agent_round_trip(other, "node3")
        assert other.events() == []
    monitor.caller.hear("UnitNew", "node3", "init.scope", "virtual")


# Peers


def test_peers_hear_all_in_the_order_in_which_they_came(
    three: Fleet, caller: StateManager, monitor: Monitor
) -> None:
    with StateManager(three["node1"], NATIVE) as one, StateManager(three["node1"], NATIVE) as two:
        first = monitor.call("AddPeer", "s", one.name)
        assert monitor.call("AddPeer", "s", two.name) == first + 1
        monitor.subscribe("node3", "one@peers.service")
        caller.job("node3", "StartUnit", "one@peers.service")
        caller.job("node3", "StopUnit", "one@peers.service")
        caller.hear("UnitRemoved")
        for peer in (one, two):
            peer.hear("UnitRemoved")
            assert heard_of(peer, monitor) == monitor.heard(*EVENTS)
        monitor.call("Close")
        for peer in (one, two):
            assert peer.hear("PeerRemoved").values == ("monitor closed",)


def heard_of(listener: StateManager, monitor: Monitor) -> list[tuple[Any, ...]]:
    return [heard.event for heard in listener.heard if heard.path == monitor.path]


@pytest.mark.parametrize(
    "name",
    ["", "x", ":", ":1", ":1.", ":.1", ":1.a_b", "org.a.b", ":1.2.", ":" + "1." * 127 + "11"],
)
def test_a_peer_must_have_a_unique_name(monitor: Monitor, name: str) -> None:
    with pytest.raises(BusError) as refused:
        monitor.call("AddPeer", "s", name)
    assert refused.value.name == f"{ERROR}.InvalidArgs"


def test_nobody_listens_twice(three: Fleet, monitor: Monitor) -> None:
    with StateManager(three["node1"], NATIVE) as peer:
        monitor.call("AddPeer", "s", peer.name)
        for name in (peer.name, monitor.caller.name):
            with pytest.raises(BusError) as refused:
                monitor.call("AddPeer", "s", name)
            assert refused.value.name == f"{ERROR}.InvalidArgs"


def test_a_peer_that_is_not_on_the_bus_is_taken(monitor: Monitor) -> None:
    """Nobody checks before the answer; [D] afterwards it is dropped like one that left."""
    assert monitor.call("AddPeer", "s", ":9.99999") >= 1


def test_an_unknown_peer_cannot_be_removed(monitor: Monitor) -> None:
    with pytest.raises(BusError) as refused:
        monitor.call("RemovePeer", "us", 4_000_000_000, "why not")
    assert refused.value.name == f"{ERROR}.Failed"


def test_a_peer_that_left_the_bus_is_dropped(three: Fleet, monitor: Monitor) -> None:
    """[D] The reference keeps it. Its name is free then: it could be added again."""
    with StateManager(three["node1"], NATIVE) as peer:
        number = monitor.call("AddPeer", "s", peer.name)
    # The bus tells the manager before it lets our next call through.
    with pytest.raises(BusError, match="not found"):
        monitor.call("RemovePeer", "us", number, "gone")


def test_a_monitor_ends_with_its_owner(three: Fleet, caller: StateManager) -> None:
    with StateManager(three["node1"], NATIVE) as owner:
        monitor = Monitor(owner)
        monitor.call("AddPeer", "s", caller.name)
        monitor.subscribe("node3", "one@owner.service")
    assert caller.hear("PeerRemoved").values == ("monitor closed",)
    with pytest.raises(BusError) as refused:
        caller.object(monitor.path, "Monitor", "Subscribe", "ss", "node3", "init.scope")
    assert refused.value.name == f"{ERROR}.UnknownObject"


# Nodes that go and come


def test_a_node_is_lost_and_comes_back(
    three: Fleet, caller: StateManager, monitor: Monitor
) -> None:
    """What was loaded is gone, with a word of its state; and is there again, freshly told."""
    caller.job("node3", "StartUnit", "stay.service")
    for unit in ("stay.service", "one@away.service", "*"):
        monitor.subscribe("node3", unit)
    agent_round_trip(caller, "node3")
    caller.forget()
    three["node3"].systemctl("stop", AGENT_UNIT)
    caller.changed(caller.path("node/node3"), "Status", "offline")
    lost = [event for event in monitor.heard() if event[-1] == "virtual"]
    assert lost == [
        ("UnitStateChanged", "node3", "stay.service", "inactive", "agent-offline", "virtual"),
        ("UnitRemoved", "node3", "stay.service", "virtual"),
        ("UnitStateChanged", "node3", "*", "inactive", "agent-offline", "virtual"),
        ("UnitRemoved", "node3", "*", "virtual"),
    ]
    # Before the node's status, and that before the manager's.
    everything = caller.events()
    place = everything.index(
        ("PropertiesChanged", caller.path("node/node3"), {"Status": "offline"})
    )
    assert everything[:place][-1] == lost[-1]
    caller.changed(caller.path(""), "Status", "degraded")
    caller.forget()
    three["node3"].systemctl("start", AGENT_UNIT)
    caller.changed(caller.path(""), "Status", "up")
    agent_round_trip(caller, "node3")
    back = [event for event in monitor.heard() if event[-1] == "virtual"]
    assert back == [
        ("UnitNew", "node3", "stay.service", "virtual"),
        ("UnitStateChanged", "node3", "stay.service", "active", "running", "virtual"),
        ("UnitNew", "node3", "*", "virtual"),
    ]


def test_an_agent_that_survived_tells_it_all_again(
    three: Fleet, caller: StateManager, monitor: Monitor
) -> None:
    """[D] The reference's agent says nothing, because it still thinks itself subscribed.

    The agent lives on while it changes to the same manager under another address.
    """
    caller.job("node3", "StartUnit", "stay.service")
    monitor.subscribe("node3", "stay.service")
    monitor.subscribe("node3", "*")
    agent_round_trip(caller, "node3")
    caller.forget()
    three["node3"].run(
        ["busctl", "call", NATIVE.agent_bus_name, NATIVE.root, NATIVE.interface("Agent"),
         "SwitchManager", "s", f"tcp:port=842,host={three['node1'].ip}"]
    )  # fmt: skip
    caller.changed(caller.path("node/node3"), "Status", "online")
    agent_round_trip(caller, "node3")
    told = [event for event in monitor.heard() if event[0] == "UnitNew"]
    assert told == [
        ("UnitNew", "node3", "stay.service", "virtual"),
        ("UnitNew", "node3", "*", "virtual"),
    ]
    caller.hear("UnitStateChanged", "node3", "stay.service", "active", "running", "virtual")
    three["node3"].systemctl("restart", AGENT_UNIT)
    caller.changed(caller.path(""), "Status", "up")


@pytest.mark.parametrize("verb", ["daemon-reload", "daemon-reexec"])
def test_units_live_on_when_systemd_reloads(
    three: Fleet, caller: StateManager, monitor: Monitor, verb: str
) -> None:
    caller.job("node3", "StartUnit", "stay.service")
    monitor.subscribe("node3", "stay.service")
    agent_round_trip(caller, "node3")
    caller.forget()
    three["node3"].systemctl(verb)
    caller.wait_for_systemd("node3")
    caller.job("node3", "StopUnit", "stay.service")
    caller.hear("UnitStateChanged", "node3", "stay.service", "inactive", "dead", "real")
    states = monitor.heard("UnitStateChanged")
    # After all that the reload may announce anew, the unit is known to be what it was.
    assert states[-1][3:] == ("inactive", "dead", "real")
