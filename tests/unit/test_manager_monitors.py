"""The manager's monitors: the test plays the owners and peers on the bus, and the agents."""

from __future__ import annotations

import pytest

from hirte.dbus.connection import Connection
from hirte.wire.message import NO_REPLY_EXPECTED
from hirte.wire.sasl import Server
from tests.unit.managed import MANAGER, ROOT, World
from tests.unit.talk import GUID, E, Peer, describe

MONITOR = "org.containers.hirte.Monitor"
OWNER = ":1.42"
DRIVER = "org.freedesktop.DBus"
# What the manager asks the bus so that it hears when somebody leaves.
HOUSEKEEPING = ("AddMatch", "RemoveMatch", "NameHasOwner", "GetConnectionUnixUser")
UNIT = "org.freedesktop.systemd1.Unit"


@pytest.fixture
def world():
    return World()


class Listener:
    """One monitor as its owner uses it."""

    def __init__(self, world, sender=OWNER):
        self.world = world
        self.sender = sender
        (self.path,) = self._ask("", MANAGER, "CreateMonitor").values()
        assert self.path.startswith(ROOT + "/monitor/")

    def _ask(self, path, interface, member, *arguments):
        serial = self.world.call(path, interface, member, *arguments, sender=self.sender)
        answer = said(self.world)[-1]
        assert answer.reply_serial == serial
        return answer

    def ask(self, member, *arguments):
        """Call the monitor; what came before the answer, then the answer, as texts."""
        path = self.path[len(ROOT) :]
        self.world.call(path, MONITOR, member, *arguments, sender=self.sender)
        return [describe(message) for message in said(self.world)]

    def subscribe(self, node, *units):
        return self.ask("SubscribeList", "sas", node, list(units))


def said(world):
    """What the manager sent to clients of the bus since it was asked last, and forget it."""
    heard = [m for m in world.bus.peer.heard if m.member not in HOUSEKEEPING]
    world.bus.peer.heard.clear()
    return heard


def events(world):
    """(listener, signal and its arguments) of all monitor signals since it was asked last."""
    return [
        (message.destination, message.member, *message.values())
        for message in said(world)
        if message.interface == MONITOR
    ]


def leaves(world, name):
    changed = ("NameOwnerChanged", "sss", name, name, "")
    world.bus.peer.signal("/org/freedesktop/DBus", DRIVER, *changed, sender=DRIVER)


# Subscribing


def test_the_first_subscription_asks_the_agent_and_answers_at_once(world):
    agent = world.agent("a")
    listener = Listener(world)
    assert listener.ask("Subscribe", "ss", "a", "u.service") == ["return (2,)"]
    call = agent.expect_call("Subscribe", "u.service")
    assert call.flags & NO_REPLY_EXPECTED
    agent.expect_nothing()


def test_a_further_subscription_hears_what_is_known_before_its_answer(world):
    agent = world.agent("a")
    first, second = Listener(world), Listener(world, ":1.43")
    first.subscribe("a", "u.service")
    agent.tell("UnitNew", "ss", "u.service", "virtual")
    agent.tell("UnitStateChanged", "ssss", "u.service", "active", "running", "virtual")
    agent.forget()
    said(world)
    assert second.subscribe("a", "u.service") == [
        "signal UnitNew('a', 'u.service', 'virtual')",
        "signal UnitStateChanged('a', 'u.service', 'active', 'running', 'virtual')",
        "return (3,)",
    ]
    agent.expect_nothing()


def test_a_further_subscription_to_a_unit_that_is_not_loaded_hears_nothing(world):
    world.agent("a")
    Listener(world).subscribe("a", "u.service")
    assert Listener(world).subscribe("a", "u.service") == ["return (3,)"]


def test_the_second_wildcard_hears_that_everything_is_there(world):
    agent = world.agent("a")
    Listener(world).subscribe("a", "*")
    agent.tell("UnitNew", "ss", "*", "virtual")
    said(world)
    assert Listener(world).subscribe("a", "*") == [
        "signal UnitNew('a', '*', 'virtual')",
        "signal UnitStateChanged('a', '*', 'active', 'running', 'virtual')",
        "return (3,)",
    ]


def test_all_nodes_are_meant_by_an_asterisk(world):
    agents = [world.agent(name) for name in "ab"]
    Listener(world).subscribe("*", "u.service")
    for agent in agents:
        agent.expect_call("Subscribe", "u.service")
    late = world.connect("c").open()
    request = late.register("c")
    late.expect_call("Unsubscribe", "u.service")
    late.expect_call("Subscribe", "u.service")
    late.expect_return(request)


def test_a_node_that_nobody_knows_and_no_units_are_accepted(world):
    agent = world.agent("a")
    listener = Listener(world)
    assert listener.subscribe("nobody", "u.service") == ["return (2,)"]
    assert listener.subscribe("a") == ["return (3,)"]
    agent.expect_nothing()


def test_the_last_unsubscribe_tells_the_agent(world):
    agent = world.agent("a")
    listener = Listener(world)
    listener.subscribe("a", "u.service", "u.service")
    listener.subscribe("a", "u.service")
    agent.forget()
    assert listener.ask("Unsubscribe", "u", 2) == ["return ()"]
    agent.expect_nothing()
    assert listener.ask("Unsubscribe", "u", 3) == ["return ()"]
    agent.expect_call("Unsubscribe", "u.service")
    assert listener.ask("Unsubscribe", "u", 3) == [
        f"error {E}Failed Subscription '3' not found"
    ]


def test_a_subscription_of_another_monitor_is_not_found(world):
    Listener(world).subscribe("a", "u.service")
    other = Listener(world)
    assert other.ask("Unsubscribe", "u", 2)[0].startswith(f"error {E}Failed")


# Events


def test_events_reach_whom_they_match_once(world):
    agent = world.agent("a")
    listener = Listener(world)
    listener.subscribe("a", "u.service", "*")
    listener.subscribe("*", "u.service")
    Listener(world, ":1.43").subscribe("b", "*")
    said(world)
    agent.tell("UnitNew", "ss", "u.service", "real")
    agent.tell("UnitStateChanged", "ssss", "u.service", "active", "running", "real")
    agent.tell("UnitRemoved", "s", "u.service")
    agent.tell("UnitNew", "ss", "other.service", "real")
    assert events(world) == [
        (OWNER, "UnitNew", "a", "u.service", "real"),
        (OWNER, "UnitStateChanged", "a", "u.service", "active", "running", "real"),
        (OWNER, "UnitRemoved", "a", "u.service", "real"),
        (OWNER, "UnitNew", "a", "other.service", "real"),
    ]


def test_changed_properties_are_passed_on(world):
    agent = world.agent("a")
    Listener(world).subscribe("a", "u.service")
    said(world)
    changes = {"ActiveState": ("s", "active"), "When": ("t", 1 << 40), "L": ("a(ss)", [("a", "b")])}
    agent.tell("UnitPropertiesChanged", "ssa{sv}", "u.service", UNIT, changes)
    expected = (OWNER, "UnitPropertiesChanged", "a", "u.service", UNIT, changes)
    assert events(world) == [expected]


def test_a_unit_that_nobody_watches_is_not_told(world):
    agent = world.agent("a")
    Listener(world).subscribe("a", "u.service")
    said(world)
    agent.tell("UnitNew", "ss", "other.service", "real")
    agent.tell("UnitNew", "u", 7)
    assert events(world) == []


def test_an_unknown_state_is_passed_on_but_not_remembered(world):
    agent = world.agent("a")
    Listener(world).subscribe("a", "u.service")
    agent.tell("UnitStateChanged", "ssss", "u.service", "dreaming", "deeply", "real")
    assert events(world)[-1][1:] == (
        "UnitStateChanged", "a", "u.service", "dreaming", "deeply", "real",
    )  # fmt: skip
    assert Listener(world).subscribe("a", "u.service") == [
        "signal UnitNew('a', 'u.service', 'virtual')",
        "return (3,)",
    ]


# Nodes that go and come


def test_a_lost_node_is_told_before_its_status(world):
    agent = world.agent("a")
    Listener(world).subscribe("a", "u.service", "dead.service", "*")
    agent.tell("UnitNew", "ss", "*", "virtual")
    agent.tell("UnitNew", "ss", "u.service", "virtual")
    agent.tell("UnitStateChanged", "ssss", "u.service", "active", "running", "virtual")
    said(world)
    agent.leave()
    heard = said(world)
    assert [(m.member, *m.values()) for m in heard if m.interface == MONITOR] == [
        ("UnitStateChanged", "a", "u.service", "inactive", "agent-offline", "virtual"),
        ("UnitRemoved", "a", "u.service", "virtual"),
        ("UnitStateChanged", "a", "*", "inactive", "agent-offline", "virtual"),
        ("UnitRemoved", "a", "*", "virtual"),
    ]
    assert heard[-1].member == "PropertiesChanged"


def test_a_node_that_is_lost_twice_tells_its_units_once(world):
    agent = world.agent("a")
    Listener(world).subscribe("a", "u.service")
    agent.tell("UnitNew", "ss", "u.service", "virtual")
    agent.leave()
    said(world)
    again = world.connect("a").open()
    again.register("a")
    again.leave()
    assert events(world) == []


# Peers


def test_peers_hear_after_the_owner_in_the_order_in_which_they_came(world):
    agent = world.agent("a")
    listener = Listener(world)
    listener.subscribe("a", "u.service")
    assert listener.ask("AddPeer", "s", ":1.51") == ["return (1,)"]
    assert listener.ask("AddPeer", "s", ":1.50") == ["return (2,)"]
    agent.tell("UnitRemoved", "s", "u.service")
    assert [event[0] for event in events(world)] == [OWNER, ":1.51", ":1.50"]


@pytest.mark.parametrize("name", ["", "a.b", ":1", ":1..2", ":1.a-b", OWNER, ":1.50"])
def test_who_cannot_be_a_peer(world, name):
    listener = Listener(world)
    listener.ask("AddPeer", "s", ":1.50")
    assert listener.ask("AddPeer", "s", name)[0].startswith(f"error {E}InvalidArgs")


def test_a_removed_peer_is_told_why(world):
    listener = Listener(world)
    listener.ask("AddPeer", "s", ":1.50")
    assert listener.ask("RemovePeer", "us", 1, "enough") == [
        "signal PeerRemoved('enough',)",
        "return ()",
    ]
    assert listener.ask("RemovePeer", "us", 1, "enough")[0].startswith(f"error {E}Failed")


def test_a_peer_that_leaves_the_bus_is_dropped(world):
    agent = world.agent("a")
    listener = Listener(world)
    listener.subscribe("a", "u.service")
    listener.ask("AddPeer", "s", ":1.50")
    leaves(world, ":1.50")
    agent.tell("UnitRemoved", "s", "u.service")
    assert [event[0] for event in events(world)] == [OWNER]


# The end


def test_close(world):
    agent = world.agent("a")
    listener = Listener(world)
    listener.subscribe("a", "u.service")
    listener.ask("AddPeer", "s", ":1.50")
    agent.forget()
    assert listener.ask("Close") == ["signal PeerRemoved('monitor closed',)", "return ()"]
    agent.expect_call("Unsubscribe", "u.service")
    assert listener.ask("Close")[0].startswith(f"error {E}UnknownObject")


def test_an_owner_that_leaves_the_bus_takes_its_monitor_along(world):
    agent = world.agent("a")
    listener = Listener(world)
    listener.subscribe("a", "u.service")
    agent.forget()
    leaves(world, OWNER)
    agent.expect_call("Unsubscribe", "u.service")
    assert listener.ask("Close")[0].startswith(f"error {E}UnknownObject")


def test_an_owner_that_had_left_before_the_bus_was_asked(world):
    serial = world.call("", MANAGER, "CreateMonitor", sender=":1.43")
    (question,) = [m for m in world.bus.peer.heard if m.member == "NameHasOwner"]
    (answer,) = [m for m in world.bus.peer.heard if m.reply_serial == serial]
    world.bus.peer.reply(question, "b", False)
    world.bus.peer.heard.clear()
    (path,) = answer.values()
    world.call(path[len(ROOT) :], MONITOR, "Close", sender=OWNER)
    assert describe(said(world)[-1]).startswith(f"error {E}UnknownObject")


def test_the_end_of_the_bus_is_the_end_of_all_monitors(world):
    agent = world.agent("a")
    Listener(world).subscribe("a", "u.service")
    agent.forget()
    world.bus.peer.leave()
    agent.expect_call("Unsubscribe", "u.service")


# Guests: root without a bus


@pytest.fixture
def guest(world):
    connection = Connection(Server(GUID, unix=True), world.clock, world.log, "a guest")
    peer = Peer(connection)
    connection.attach(peer)
    world.manager.welcome(connection)
    return peer.open()


def test_a_guest_hears_its_monitor_and_all_broadcasts(world, guest):
    agent = world.agent("a")
    guest.forget()
    serial = guest.call(ROOT, MANAGER, "CreateMonitor")
    path = f"{ROOT}/monitor/1"
    guest.expect_return(serial, path)
    serial = guest.call(path, MONITOR, "Subscribe", "ss", "a", "u.service")
    guest.expect_return(serial, 2)
    agent.tell("UnitRemoved", "s", "u.service")
    assert guest.expect_signal("UnitRemoved", "a", "u.service", "real").destination == ""
    serial = guest.call(path, MONITOR, "AddPeer", "s", ":1.50")
    guest.expect_error(serial, E + "InvalidArgs")
    agent.leave()
    guest.expect_changed(f"{ROOT}/node/a", "org.containers.hirte.Node", Status="offline")


def test_a_guest_cannot_be_somebody_on_the_bus(world, guest):
    serial = guest.call(ROOT, MANAGER, "CreateMonitor", sender=OWNER)
    guest.expect_return(serial, f"{ROOT}/monitor/1")
    assert [m.member for m in world.bus.peer.heard] == []


def test_a_guest_that_leaves_takes_its_monitors_along(world, guest):
    agent = world.agent("a")
    guest.call(ROOT, MANAGER, "CreateMonitor")
    guest.call(f"{ROOT}/monitor/1", MONITOR, "Subscribe", "ss", "a", "u.service")
    agent.expect_call("Subscribe", "u.service")
    guest.leave()
    agent.expect_call("Unsubscribe", "u.service")
