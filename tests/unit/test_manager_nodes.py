"""Nodes come and go: registration with every refusal, presence, heartbeats, loss, shutdown."""

from __future__ import annotations

import gc
import weakref

import pytest

from hirte.api.dialect import COMPATIBLE, NATIVE
from hirte.manager import manager as module
from hirte.manager.link import REFUSALS_MAX, REGISTER_TIMEOUT
from hirte.wire.message import NO_REPLY_EXPECTED
from tests.unit.managed import JOB, MACHINE, MANAGER, NODE, OFFLINE, ROOT, World
from tests.unit.talk import GREETING, OPENING, PROPERTIES, E

DIALECTS = pytest.mark.parametrize("dialect", [NATIVE, COMPATIBLE], ids=["native", "compatible"])


@pytest.fixture
def world():
    return World()


# Register


@DIALECTS
def test_a_node_registers(world, dialect):
    world.clock.advance(5)
    agent = world.connect("agent", peer_ip="::ffff:192.0.2.5").open()
    serial = agent.register("a", dialect)
    assert world.heard() == [
        f"bus: Node {ROOT}/node/a changed {{'Status': 'online'}}",
        f"bus: Manager {ROOT} changed {{'Status': 'degraded'}}",
        "agent: return ()",
    ]
    answer = agent.expect_return(serial)
    assert (answer.sender, answer.destination, answer.flags) == (
        dialect.bus_name,
        "",
        NO_REPLY_EXPECTED,
    )
    assert world.get("/node/a", NODE, "Status") == "online"
    assert world.get("/node/a", NODE, "PeerIp") == "::ffff:192.0.2.5"
    assert world.get("/node/a", NODE, "LastSeenTimestamp") == world.clock.realtime_us()
    assert world.get("/node/a", NODE, "LastSeenTimestampMonotonic") == world.clock.monotonic_us()


def test_a_node_that_was_never_seen(world):
    assert world.get("/node/a", NODE, "Name") == "a"
    assert world.get("/node/a", NODE, "Status") == "offline"
    assert world.get("/node/a", NODE, "PeerIp") == ""
    assert world.get("/node/a", NODE, "LastSeenTimestamp") == 0
    assert world.get("/node/a", NODE, "LastSeenTimestampMonotonic") == 0


@DIALECTS
@pytest.mark.parametrize("name", ["d", "", "A", "a ", "*"])
def test_a_node_that_is_not_configured(world, dialect, name):
    agent = world.connect().open()
    serial = agent.register(name, dialect)
    message = agent.expect_error(serial, E + "ServiceUnknown", "Unexpected node name")
    assert message.sender == dialect.bus_name
    assert world.bus.peer.heard == []


def test_wrong_arguments_come_before_the_name(world):
    agent = world.connect().open()
    path, interface = NATIVE.path("internal"), NATIVE.interface("internal.Manager")
    for signature, values in (("", ()), ("u", (1,)), ("ss", ("a", "b"))):
        serial = agent.call(path, interface, "Register", signature, *values)
        message = agent.expect_error(serial, E + "InvalidArgs")
        assert message.sender == NATIVE.bus_name


def test_a_node_that_is_connected_stays(world):
    first = world.agent("a")
    second = world.connect().open()
    serial = second.register("a")
    second.expect_error(serial, E + "AddressInUse", "The node is already connected")
    assert not first.closed
    assert world.manager.nodes["a"].link.connection is first.connection


SELINUX = "AllowedNodeNames=a\n[node a]\nRequiredSelinuxContext=agent_t\n"


@pytest.mark.parametrize(
    ("context", "admitted"),
    [
        ("system_u:system_r:agent_t:s0:c1,c2", True),
        ("system_u:system_r:agent_t", True),
        ("system_u:system_r:other_t:s0", False),
        ("agent_t", False),
        ("unconfined", False),
        ("", False),
    ],
)
def test_a_node_with_a_required_selinux_type(context, admitted):
    world = World(SELINUX)
    agent = world.connect(context=context).open()
    serial = agent.register("a")
    if admitted:
        agent.expect_return(serial)
    else:
        agent.expect_error(serial, E + "AccessDenied")


def test_the_selinux_type_comes_before_the_other_connection():
    world = World(SELINUX)
    world.agent("a", context="u:r:agent_t:s0")
    agent = world.connect().open()
    agent.expect_error(agent.register("a"), E + "AccessDenied")


def test_who_is_refused_again_and_again_is_sent_away(world):
    stranger = world.connect().open()
    for _ in range(REFUSALS_MAX):
        assert not stranger.closed
        stranger.expect_error(stranger.register("x"), E + "ServiceUnknown")
    assert stranger.closed


def test_after_a_refusal_another_name_may_be_tried(world):
    agent = world.connect().open()
    agent.expect_error(agent.register("x"), E + "ServiceUnknown")
    agent.expect_return(agent.register("b"))
    assert world.manager.nodes["b"].link


@DIALECTS
def test_a_registered_connection_cannot_register_again(world, dialect):
    agent = world.agent("a")
    agent.expect_error(agent.register("b", dialect), E + "UnknownObject")


def test_a_registration_that_wants_no_answer(world):
    agent = world.connect().open()
    agent.register("a", flags=NO_REPLY_EXPECTED)
    agent.expect_nothing()
    assert world.manager.nodes["a"].link


def test_sender_and_destination_do_not_matter(world):
    agent = world.connect().open()
    path, interface = NATIVE.path("internal"), NATIVE.interface("internal.Manager")
    serial = agent.call(
        path, interface, "Register", "s", "a", destination="x.y", sender="org.somebody"
    )
    agent.expect_return(serial)


@pytest.mark.parametrize("moment", ["before", "after"])
def test_what_else_the_connection_answers(world, moment):
    agent = world.agent("a") if moment == "after" else world.connect().open()
    bus = ("/org/freedesktop/DBus", "org.freedesktop.DBus")
    hello = agent.expect_return(agent.call(*bus, "Hello"), ":1.0")
    assert hello.sender == NATIVE.bus_name
    agent.expect_return(agent.call("/", "org.freedesktop.DBus.Peer", "Ping"))
    serial = agent.call("/", "org.freedesktop.DBus.Peer", "GetMachineId")
    agent.expect_return(serial, MACHINE)
    agent.expect_error(agent.call(*bus, "ListNames"), E + "UnknownObject")


def test_the_place_to_register_can_be_introspected(world):
    agent = world.connect().open()
    agent.call(NATIVE.path("internal"), "org.freedesktop.DBus.Introspectable", "Introspect")
    (text,) = agent.take().values()
    assert '<method name="Register">' in text


def test_an_agent_has_no_access_to_the_public_objects(world):
    agent = world.agent("a")
    agent.expect_error(agent.call(ROOT, MANAGER, "ListNodes"), E + "UnknownObject")


@pytest.mark.parametrize("stage", ["nothing", "opening", "open", "refused"])
def test_a_connection_that_does_not_register_in_time_is_closed(world, stage):
    agent = world.connect()
    if stage == "opening":
        agent.say(OPENING[:10])
    if stage in ("open", "refused"):
        agent.open()
    if stage == "refused":
        agent.register("x")
    world.clock.advance(REGISTER_TIMEOUT - 0.01)
    assert not agent.closed
    world.clock.advance(0.01)
    assert agent.closed
    assert world.manager._unregistered == {}


def test_a_registered_connection_has_all_the_time(world):
    agent = world.agent("a")
    world.clock.advance(10 * REGISTER_TIMEOUT)
    assert not agent.closed


def test_strangers_cannot_use_up_everything(world, monkeypatch):
    monkeypatch.setattr(module, "UNREGISTERED_MAX", 2)
    first, second, third = (world.connect() for _ in range(3))
    assert (first.closed, second.closed, third.closed) == (False, False, True)
    first.leave()
    assert not world.connect().closed


def test_broken_bytes_end_only_the_connection_that_sent_them(world):
    good = world.agent("a")
    bad = world.connect().open()
    bad.say(b"?" * 100)
    assert bad.closed
    assert not good.closed
    assert world.manager.online == 1
    assert world.heard() == ["agent: closed"]


def test_a_stranger_cannot_send_long_messages(world):
    agent = world.connect().open()
    agent.register("x" * 5000)
    assert agent.closed


@pytest.mark.parametrize("registered", [False, True])
def test_what_is_left_of_a_connection_is_freed_at_once(world, registered):
    gc.collect()
    gc.disable()
    try:
        timers = world.clock.waiting
        agent = world.agent("a") if registered else world.connect().open()
        connection = weakref.ref(agent.connection)
        agent.leave()
        agent.connection = None
        assert connection() is None
        assert world.clock.waiting == timers
    finally:
        gc.enable()


# Status of the manager


def test_the_status_with_three_nodes():
    world = World()
    assert world.get("", MANAGER, "Status") == "down"
    told = []
    agents = []
    for name in "abc":
        agents.append(world.connect(name).open())
        agents[-1].register(name)
        told.append([line for line in world.heard() if "Manager" in line])
    for agent in agents:
        agent.leave()
        told.append([line for line in world.heard() if "Manager" in line])
    status = [f"bus: Manager {ROOT} changed {{'Status': '%s'}}" % s for s in ("degraded", "up")]
    down = f"bus: Manager {ROOT} changed {{'Status': 'down'}}"
    assert told == [[status[0]], [], [status[1]], [status[0]], [], [down]]


def test_the_status_with_one_node():
    world = World("AllowedNodeNames=a\n")
    agent = world.connect("a").open()
    agent.register("a")
    assert world.heard()[1] == f"bus: Manager {ROOT} changed {{'Status': 'up'}}"
    agent.leave()
    assert world.heard()[1] == f"bus: Manager {ROOT} changed {{'Status': 'down'}}"


def test_the_status_without_nodes():
    assert World("").get("", MANAGER, "Status") == "down"


def test_nodes_of_both_lists_count():
    world = World("AllowedNodeNames=a\n[node b]\nAllowed=true\n[node c]\nAllowed=false\n")
    world.agent("a")
    assert world.get("", MANAGER, "Status") == "degraded"
    world.agent("b")
    assert world.get("", MANAGER, "Status") == "up"
    agent = world.connect().open()
    agent.expect_error(agent.register("c"), E + "ServiceUnknown")


# Heartbeats


@DIALECTS
def test_an_agents_heartbeat_is_seen(world, dialect):
    agent = world.agent("a", dialect)
    registered = world.clock.realtime_us()
    world.clock.advance(2)
    agent.tell("Heartbeat")
    assert world.get("/node/a", NODE, "LastSeenTimestamp") == registered + 2_000_000
    assert world.get("/node/a", NODE, "LastSeenTimestampMonotonic") == world.clock.monotonic_us()


def test_the_heartbeat_of_an_old_agent_has_an_argument(world):
    agent = world.agent("a")
    world.clock.advance(2)
    agent.tell("Heartbeat", "s", "a")
    assert world.get("/node/a", NODE, "LastSeenTimestamp") == world.clock.realtime_us()


def test_other_traffic_is_no_heartbeat(world):
    agent = world.agent("a")
    registered = world.clock.realtime_us()
    world.clock.advance(2)
    agent.tell("JobDone", "us", 7, "done")
    agent.call("/", "org.freedesktop.DBus.Peer", "Ping")
    agent.signal(agent.path, COMPATIBLE.interface("internal.Agent"), "Heartbeat")
    assert world.get("/node/a", NODE, "LastSeenTimestamp") == registered


def test_a_heartbeat_before_the_registration_is_lost(world):
    agent = world.connect().open()
    agent.speak(NATIVE)
    agent.tell("Heartbeat")
    assert world.get("/node/a", NODE, "LastSeenTimestamp") == 0


def test_by_default_there_are_no_heartbeats_and_no_threshold(world):
    agent = world.agent("a")
    world.clock.advance(3600)
    agent.expect_nothing()
    assert not agent.closed


BEATING = "AllowedNodeNames=a,b,c\nHeartbeatInterval=2000\n"


@DIALECTS
def test_the_managers_heartbeat(dialect):
    world = World(BEATING)
    agent = world.agent("a", dialect)
    world.clock.advance(1.99)
    agent.expect_nothing()
    world.clock.advance(0.01)
    beat = agent.expect_signal("Heartbeat")
    assert (beat.path, beat.interface) == (
        dialect.path("internal"),
        dialect.interface("internal.Manager"),
    )
    assert (beat.sender, beat.destination, beat.flags) == (
        dialect.bus_name,
        "",
        NO_REPLY_EXPECTED,
    )
    world.clock.advance(2)
    agent.expect_signal("Heartbeat")


def test_nodes_are_checked_in_the_order_of_the_configuration():
    world = World(BEATING)
    for name in "cab":
        world.agent(name)
    world.clock.advance(2)
    assert world.heard() == [
        f"{name}: call Heartbeat()".replace("call", "signal") for name in "abc"
    ]


def test_a_node_that_is_silent_for_longer_than_the_threshold_is_lost():
    world = World(BEATING)
    agent = world.agent("a")
    other = world.agent("b")
    for _ in range(3):
        world.clock.advance(2)
        other.tell("Heartbeat")
    assert not agent.closed
    world.forget()
    world.clock.advance(2)
    assert agent.closed
    assert world.heard() == [
        "a: closed",
        f"bus: Node {ROOT}/node/a changed {{'Status': 'offline'}}",
        "b: signal Heartbeat()",
    ]


@pytest.mark.parametrize("threshold", [0, -1])
def test_the_threshold_can_be_switched_off(threshold):
    world = World(f"{BEATING}NodeHeartbeatThreshold={threshold}\n")
    agent = world.agent("a")
    world.clock.advance(3600)
    assert not agent.closed


# Loss


def test_the_order_of_a_loss(world):
    agent = world.agent("a")
    world.call("/node/a", NODE, "StartUnit", "ss", "u.service", "replace")
    agent.reply(agent.expect_call("StartUnit", "u.service", "replace", 1))
    world.forget()
    world.call("/node/a", NODE, "ListUnits")
    world.call("", MANAGER, "ListUnits")
    world.clock.advance(1)
    world.forget()
    agent.leave()
    lines = world.heard()
    assert lines[0] == f"bus: error {E}NoReply Connection terminated"
    assert lines[1].startswith(f"bus: error {E}Failed Request to at least one node failed")
    assert lines[2:] == [
        f"bus: signal JobRemoved(1, '{ROOT}/job/1', 'a', 'u.service', 'failed')",
        f"bus: Node {ROOT}/node/a changed {{'Status': 'offline'}}",
        f"bus: Manager {ROOT} changed {{'Status': 'down'}}",
    ]
    assert world.get("/node/a", NODE, "PeerIp") == ""
    assert world.get("/node/a", NODE, "LastSeenTimestamp") == world.clock.realtime_us() - 10**6
    assert world.get("/job/1", JOB, "State") == E + "UnknownObject"


def test_a_node_comes_back(world):
    world.agent("a").leave()
    world.agent("a")
    assert world.manager.online == 1


def test_who_left_without_registering_is_not_told(world):
    world.connect().open().leave()
    assert world.heard() == []


# The end


def test_the_order_of_the_end(world):
    a, b = world.agent("a"), world.agent("b")
    stranger = world.connect("stranger")
    for agent, node in ((b, "b"), (a, "a")):
        world.call(f"/node/{node}", NODE, "StartUnit", "ss", "u", "replace")
        agent.reply(agent.take())
    world.call("/node/b", NODE, "ListUnits")
    world.forget()
    world.manager.shut_down()
    assert world.heard() == [
        f"bus: signal JobRemoved(1, '{ROOT}/job/1', 'b', 'u', 'cancelled due to shutdown')",
        f"bus: signal JobRemoved(2, '{ROOT}/job/2', 'a', 'u', 'cancelled due to shutdown')",
        "a: closed",
        f"bus: Node {ROOT}/node/a changed {{'Status': 'offline'}}",
        "b: closed",
        f"bus: error {E}Failed Request cancelled",
        f"bus: Node {ROOT}/node/b changed {{'Status': 'offline'}}",
        "stranger: closed",
        f"bus: Manager {ROOT} changed {{'Status': 'down'}}",
        "bus: closed",
    ]
    assert stranger.closed
    assert world.log.of("error", "warning") == []
    assert world.log.of("debug")[-1] == "stranger left without registering: shutdown"


def test_the_end_without_nodes_says_nothing(world):
    world.manager.shut_down()
    assert world.heard() == ["bus: closed"]


# The bus goes away


def test_nodes_stay_while_the_bus_is_away(world):
    agent = world.agent("a")
    world.bus.peer.leave()
    other = world.connect("b").open()
    other.expect_return(other.register("b"))
    world.clock.advance(1)
    world.come()
    assert world.get("/node/b", NODE, "Status") == "online"
    assert not agent.closed


# The objects of nodes


def test_names_are_escaped_in_paths():
    world = World("AllowedNodeNames=my-node.1,1x,a_b\n")
    for name, element in (("my-node.1", "my_2dnode_2e1"), ("1x", "_31x"), ("a_b", "a_5fb")):
        assert world.get(f"/node/{element}", NODE, "Name") == name


def test_a_node_that_is_not_configured_has_no_object(world):
    world.bus.peer.expect_error(world.call("/node/d", NODE, "ListUnits"), E + "UnknownObject")


@pytest.mark.parametrize(
    ("member", "arguments"),
    [
        ("StartUnit", ("ss", "u", "replace")),
        ("StartUnit", ()),
        ("ListUnits", ("s", "x")),
        ("NoSuchMethod", ()),
    ],
)
def test_a_node_that_is_offline_answers_so_whatever_is_asked(world, member, arguments):
    serial = world.call("/node/a", NODE, member, *arguments, sender=":1.99")
    world.bus.peer.expect_error(serial, OFFLINE)


def test_in_the_compatible_dialect_offline_has_its_name():
    world = World("AllowedNodeNames=a\nBusNames=compatible\n")
    serial = world.bus.call("/org/eclipse/bluechi/node/a", "org.eclipse.bluechi.Node", "ListUnits")
    world.bus.peer.expect_error(serial, "org.eclipse.bluechi.Offline")


def test_both_dialects_are_told_everything():
    world = World("AllowedNodeNames=a\nBusNames=both\n")
    agent = world.connect("a").open()
    agent.register("a")
    assert [line for line in world.heard() if line.startswith("bus")] == [
        f"bus: Node {ROOT}/node/a changed {{'Status': 'online'}}",
        "bus: Node /org/eclipse/bluechi/node/a changed {'Status': 'online'}",
        f"bus: Manager {ROOT} changed {{'Status': 'up'}}",
        "bus: Controller /org/eclipse/bluechi changed {'Status': 'up'}",
    ]


def test_get_all_of_a_node_leaves_out_what_tells_no_changes(world):
    serial = world.call("/node/a", PROPERTIES, "GetAll", "s", NODE)
    world.bus.peer.expect_return(serial, {"Name": ("s", "a"), "Status": ("s", "offline")})


def test_the_handshake_of_the_tests_is_the_servers(world):
    assert world.connect().open().connection.ready
    assert GREETING.startswith(b"DATA\r\nOK ")
