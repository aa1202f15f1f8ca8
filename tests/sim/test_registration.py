"""Who becomes a node: refusals, calls before the answer, strangers, and hostile bytes."""

from __future__ import annotations

import pytest

from hirte.api.dialect import COMPATIBLE, NATIVE
from hirte.dbus import errors
from hirte.dbus.connection import Connection
from hirte.manager.link import REGISTER_TIMEOUT
from hirte.manager.manager import UNREGISTERED_MAX
from hirte.wire.message import ERROR, METHOD_RETURN, Message
from tests.sim.conftest import Fleet
from tests.sim.daemons import SOCKET_ADDRESS
from tests.sim.scenario import HEARTBEATS, NODES
from tests.sim.stranger import OddAgent, OddManager, Stranger
from tests.sim.world import PRIMARY, World

MANAGER = "tcp:host=10.0.0.1,port=842"
OPENING = b"\0AUTH EXTERNAL\r\nDATA\r\nBEGIN\r\n"


@pytest.mark.parametrize(
    ("name", "error"),
    [
        ("stranger", errors.SERVICE_UNKNOWN),
        ("A", errors.SERVICE_UNKNOWN),
        ("", errors.SERVICE_UNKNOWN),
        ("a", errors.ADDRESS_IN_USE),
    ],
)
def test_a_refused_agent_keeps_its_connection_and_may_try_again(
    fleet: Fleet, name: str, error: str
) -> None:
    odd = OddAgent(fleet.world, "somewhere", MANAGER)
    odd.register(name)
    fleet.world.run(1.0)
    assert odd.replies[0].error_name == error
    assert odd.link.open
    fleet.agents["b"].kill()
    fleet.until_node("b", "offline")
    odd.register("b")
    fleet.world.run(0.1)
    assert odd.replies[1].type == METHOD_RETURN
    assert fleet.client.changes("node/a", "Status") == ["online"]
    assert fleet.client.changes("node/b", "Status") == ["online", "offline", "online"]


def test_who_has_registered_cannot_register_again(world: World) -> None:
    world.manager()
    odd = OddAgent(world, "a", MANAGER)
    odd.register("a")
    odd.register("b")
    world.run(1.0)
    assert [reply.error_name for reply in odd.replies] == ["", errors.UNKNOWN_OBJECT]


def test_an_agent_that_is_refused_asks_again_at_every_tick(world: World) -> None:
    manager = world.manager(nodes="a")
    world.agent("b")
    world.run(11.0)
    refused = [line for line in manager.log.lines if "Refused" in line]
    assert len(refused) == 6
    assert len(manager.ends) == len(("bus", "agent"))


@pytest.mark.parametrize("opening", [b"", OPENING[:7], OPENING])
def test_who_does_not_register_in_time_is_closed(fleet: Fleet, opening: bytes) -> None:
    stranger = Stranger(fleet.world, "somewhere", MANAGER)
    began_at = fleet.world.now()
    stranger.send(opening)
    fleet.world.until(lambda: bool(stranger.lost_because))
    assert REGISTER_TIMEOUT <= stranger.lost_at - began_at < REGISTER_TIMEOUT + 0.01
    assert fleet.status() == "up"


HOSTILE = {
    "no NUL": b"AUTH EXTERNAL\r\n",
    "endless line": b"\0" + b"A" * 5000,
    "no D-Bus": OPENING + b"GET / HTTP/1.1\r\n\r\n",
    "huge message": OPENING + b"l\1\0\1\xf0\xff\xff\xff\1\0\0\0\0\0\0\0",
    "serial zero": OPENING + b"l\1\0\1\0\0\0\0\0\0\0\0\0\0\0\0",
}


@pytest.mark.parametrize("data", HOSTILE.values(), ids=list(HOSTILE))
def test_hostile_bytes_cost_their_sender_the_connection_and_nobody_else(
    fleet: Fleet, data: bytes
) -> None:
    strangers = [Stranger(fleet.world, "somewhere", MANAGER) for _ in range(5)]
    for number in range(5):
        fleet.client.start(NODES[number % 2], f"slow-{number % 4}.service")
        strangers[number].send(data)
        fleet.world.run(0.2)
    fleet.world.run(5.0)
    assert all(stranger.lost_because for stranger in strangers)
    assert fleet.client.changes("node/a", "Status") == ["online"]
    assert fleet.client.results() == dict.fromkeys(range(1, 6), "done")


def test_random_bytes_of_many_strangers_disturb_nobody(fleet: Fleet) -> None:
    chance = fleet.world.chance
    for number in range(200):
        stranger = Stranger(fleet.world, "somewhere", MANAGER)
        stranger.send(chance.choice((b"", OPENING)) + chance.getrandbits(800).to_bytes(100, "big"))
        if number % 10 == 0:
            fleet.client.start("a", "quick-0.service")
    fleet.world.run(40.0)
    assert len(fleet.client.results()) == 20
    assert fleet.client.changes(".", "Status") == ["degraded", "up"]
    assert len(fleet.manager.ends) == len(("bus", "a", "b"))


def test_an_agent_that_turns_hostile_loses_only_itself(fleet: Fleet) -> None:
    fleet.agents["b"].kill()
    fleet.until_node("b", "offline")
    odd = OddAgent(fleet.world, "b", MANAGER)
    odd.register("b")
    fleet.world.run(0.1)
    units = fleet.client.manager("ListUnits")
    asked = fleet.client.start("b", "quick-0.service")
    fleet.world.run(0.1)
    assert odd.link.transport is not None
    odd.link.transport.write(b"\xff" * 64)
    fleet.client.start("a", "quick-0.service")
    fleet.world.run(1.0)
    assert asked.error == "NoReply"
    assert units.error == "Failed"
    assert fleet.client.results() == {2: "done"}
    assert fleet.node_status("b") == "offline"
    assert fleet.node_status("a") == "online"


@pytest.mark.parametrize("seed", range(10))
def test_an_agent_that_says_anything_at_any_time_breaks_nothing(seed: int) -> None:
    world = World(seed)
    world.manager(HEARTBEATS)
    client = world.client()
    world.agent("a")
    odd = OddAgent(world, "b", MANAGER)
    odd.register("b")
    world.run(1.0)
    monitor = client.manager("CreateMonitor")
    world.run(0.1)
    path = client.relative(monitor.values[0])
    client.call(path, client.dialect.interface("Monitor"), "Subscribe", "ss", "*", "*")
    mine = []
    for _ in range(60):
        number = world.chance.randint(1, 40)
        word = world.chance.choice(("done", "running", "", "ü", "x" * 300))
        sayings = (
            ("JobDone", "us", number, word),
            ("JobStateChanged", "us", number, word),
            ("JobDone", "s", word),
            ("UnitNew", "ss", word, word),
            ("UnitStateChanged", "ssss", "*", word, word, word),
            ("UnitPropertiesChanged", "ssa{sv}", word, word, {"x": ("s", word)}),
            ("UnitRemoved", "s", word),
            ("Heartbeat", ""),
            ("Nonsense", "u", number),
        )
        odd.say(*world.chance.choice(sayings))
        mine.append(client.start(world.chance.choice(NODES), "slow-0.service"))
        world.run(world.chance.random() / 20)
        for call in odd.calls:
            odd.reply(call, *world.chance.choice((("",), ("s", "x"), ("o", "/"))))
        odd.calls.clear()
    odd.kill()
    world.run(60.0)
    on_a = {client.relative(a.values[0]) for a in mine if a.node == "a"}
    ended = {heard.values[1]: heard.values[2:] for heard in client.signals("JobRemoved")}
    assert {client.relative(path) for path in ended} >= on_a
    # No word of the odd agent ended a job of the other node.
    assert all(
        values == ("a", "slow-0.service", "done")
        for path, values in ended.items()
        if client.relative(path) in on_a
    )
    world.check()


def test_an_agent_serves_calls_before_its_registration_is_answered(world: World) -> None:
    world.manager()
    client = world.client()
    monitor = client.manager("CreateMonitor")
    world.run(0.1)
    path = client.relative(monitor.values[0])
    interface = client.dialect.interface("Monitor")
    client.call(path, interface, "Subscribe", "ss", "a", "quick-0.service")
    client.call(path, interface, "Subscribe", "ss", "a", "*")
    world.run(0.1)
    world.agent("a")
    world.run(0.5)
    assert [heard.values for heard in client.signals("UnitNew")] == [("a", "*", "virtual")]
    client.start("a", "quick-0.service")
    world.run(0.2)
    states = [heard.values[2:] for heard in client.signals("UnitStateChanged")]
    assert states == [("activating", "start", "real"), ("active", "running", "real")]


def test_a_client_of_libsystemd_may_say_hello_first(world: World) -> None:
    world.manager()
    odd = OddAgent(world, "a", MANAGER, COMPATIBLE)
    odd.link.call("/org/freedesktop/DBus", "org.freedesktop.DBus", "Hello", odd.replies.append)
    odd.register("a")
    world.run(1.0)
    assert odd.replies[0].values() == (":1.0",)
    assert odd.replies[1].type == METHOD_RETURN
    assert odd.replies[1].sender == "org.eclipse.bluechi"


def test_our_agent_finds_the_dialect_of_a_manager_that_knows_only_the_other(world: World) -> None:
    def serve(connection: Connection, message: Message) -> None:
        if message.path.startswith(COMPATIBLE.root):
            connection.reply(message)
        else:
            connection.error(message, errors.UNKNOWN_OBJECT, "Unknown object")

    world.host("primary")
    odd = OddManager(world, "primary", MANAGER, serve)
    agent = world.agent("a")
    world.run(11.0)
    assert agent.agent.uplink.status == "online"
    asked = [(call.interface, call.member) for call in odd.calls]
    assert asked == [
        (NATIVE.interface("internal.Manager"), "Register"),
        (COMPATIBLE.interface("internal.Manager"), "Register"),
    ]
    beats = {signal.interface for signal in odd.signals if signal.member == "Heartbeat"}
    assert beats == {COMPATIBLE.interface("internal.Agent")}


def test_a_manager_that_never_answers_a_registration_is_tried_again_at_each_tick(
    world: World,
) -> None:
    world.host("primary")
    odd = OddManager(world, "primary", MANAGER, lambda connection, message: None)
    agent = world.agent("a")
    world.run(11.0)
    assert agent.agent.uplink.status == "offline"
    assert [call.member for call in odd.calls] == ["Register"] * 6
    assert [connection.open for connection in odd.connections] == [False] * 5 + [True]


def test_a_call_on_an_unregistered_connection_gets_an_error_not_an_effect(world: World) -> None:
    world.manager()
    odd = OddAgent(world, "a", MANAGER)
    for path in (NATIVE.root, NATIVE.path("node/a"), NATIVE.path("internal/agent")):
        odd.link.call(path, NATIVE.interface("Manager"), "ListNodes", odd.replies.append)
    odd.say("JobDone", "us", 1, "done")
    odd.say("Heartbeat")
    world.run(1.0)
    assert [reply.type for reply in odd.replies] == [ERROR] * 3


@pytest.mark.parametrize(
    ("context", "error"),
    [
        ("system_u:system_r:hirte_agent_t:s0", ""),
        ("system_u:system_r:init_t:s0", errors.ACCESS_DENIED),
        ("", errors.ACCESS_DENIED),
    ],
)
def test_a_node_may_need_a_type_of_selinux(world: World, context: str, error: str) -> None:
    node = "[node a]\nAllowed=true\nRequiredSelinuxContext=hirte_agent_t"
    world.manager(node, nodes="")
    world.on_connected = lambda one, other: setattr(other, "context", context)
    odd = OddAgent(world, PRIMARY, SOCKET_ADDRESS)
    odd.register("a")
    world.run(1.0)
    assert [reply.error_name for reply in odd.replies] == [error]


def test_beyond_the_limit_the_newest_stranger_is_turned_away(world: World) -> None:
    manager = world.manager(nodes="a")
    world.host("somewhere")
    strangers = [Stranger(world, "somewhere", MANAGER) for _ in range(3)]
    world.run(1.0)
    for _ in range(UNREGISTERED_MAX - len(strangers)):
        Stranger(world, PRIMARY, SOCKET_ADDRESS)
    newest = Stranger(world, PRIMARY, SOCKET_ADDRESS)
    world.run(0.1)
    assert newest.lost_because
    assert not any(stranger.lost_because for stranger in strangers)
    assert len(manager.ends) == len(("bus",)) + UNREGISTERED_MAX
