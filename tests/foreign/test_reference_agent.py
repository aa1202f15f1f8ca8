"""Agents of the reference with our manager: the real process, sd-bus on every other end."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from .apart import apart
from .messages import Record
from .names import COMPATIBLE, DIALECTS, NATIVE, Names
from .ourmanager import OurManager, our_manager
from .peers import PATIENCE, ReferenceAgent
from .privatebus import PROPERTIES, BusClient, private_bus
from .rawpeer import (
    ANSWERS,
    OPENING_TCP,
    OPENING_UNIX,
    TRANSPORTS,
    everything,
    exactly,
    expected_answers,
    listening,
    opening_bytes,
    register_call,
    shown,
)

ERROR = "org.freedesktop.DBus.Error"
UNIT = ("a.service", "replace")

# A unit as systemd lists it; what is in it is nobody's business between agent and caller
LISTED = ("a.service", "A", "loaded", "active", "running", "", "/u/a", 0, "", "/")
LIST_OF_UNITS = "a(ssssssouso)"


class Scene:
    """Our manager with node1 and node2 configured, a client on its bus, and agents as wanted."""

    def __init__(
        self, names: Names, manager: OurManager, client: BusClient, address: str, bus: str
    ) -> None:
        self.names = names
        self.manager = manager
        self.client = client
        self.address = address
        self.bus = bus
        self._agents = contextlib.ExitStack()

    def agent(self, *ignore: str) -> ReferenceAgent:
        """An agent that has connected and not yet registered."""
        names, address = self.names, self.address
        return self._agents.enter_context(apart(lambda: ReferenceAgent(names, address, ignore)))

    def node(self, name: str) -> ReferenceAgent:
        """An agent that has registered."""
        agent = self.agent()
        assert agent.register(name).kind == "return"
        return agent

    def raw(self) -> socket.socket:
        """A connection that says what the test says, over TCP."""
        return socket.create_connection(
            ("127.0.0.1", int(self.address.rsplit("=", 1)[1])), PATIENCE
        )

    def end(self) -> None:
        self._agents.close()

    def ask_node(self, node: str, member: str, *arguments: Any) -> int:
        names = self.names
        path = names.node_path(node)
        return self.client.ask(names.bus_name, path, names.node, member, *arguments)

    def ask_manager(self, member: str, *arguments: Any) -> int:
        names = self.names
        return self.client.ask(names.bus_name, names.root, names.public_manager, member, *arguments)

    def node_property(self, node: str, name: str) -> Any:
        names = self.names
        return self.client.get(names.bus_name, names.node_path(node), names.node, name)

    def told(self) -> list[Any]:
        """What the client saw, shortened: signals as member and values, answers as their serial."""
        return [short(message) for message in self.client.arrived(self.names.bus_name)]

    def told_since(self, mark: int) -> list[Any]:
        return self.told()[mark:]

    def mark(self) -> int:
        """A point in what the client sees: later messages are `told_since` it."""
        return len(self.told())

    def start(self, agent: ReferenceAgent, node: str = "node1", number: int = 1) -> str:
        """A job that systemd has accepted; its public path."""
        asked = self.ask_node(node, "StartUnit", "ss", *UNIT)
        call = agent.expect("StartUnit")
        assert call.body == (*UNIT, number)
        agent.reply(call)
        answer = self.client.answer(asked)
        assert answer.body == (f"{self.names.root}/job/{number}",)
        return str(answer.body[0])


def short(message: Record) -> Any:
    if message.kind == "signal" and message.member == "PropertiesChanged":
        ((name, (_signature, value)),) = message.body[1].items()
        return f"{name}={value}"
    if message.kind == "signal":
        return (message.member, *message.body)
    return message.reply_serial


@contextlib.contextmanager
def scene_of(
    directory: Path, names: Names = COMPATIBLE, transport: str = "tcp", *settings: str
) -> Iterator[Scene]:
    with contextlib.ExitStack() as stack:
        bus = stack.enter_context(private_bus(directory))
        listener, address = stack.enter_context(listening(transport, directory))
        lines = ("AllowedNodeNames=node1,node2", *settings)
        manager = stack.enter_context(our_manager(directory, bus, listener, *lines))
        client = stack.enter_context(apart(lambda: BusClient(bus)))
        client.listen(names.bus_name, names.root)
        scene = Scene(names, manager, client, address, bus)
        stack.callback(scene.end)
        yield scene


@pytest.fixture(params=TRANSPORTS)
def transport(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(params=DIALECTS, ids=lambda names: names.bus_name)
def names(request: pytest.FixtureRequest) -> Names:
    chosen = request.param
    assert isinstance(chosen, Names)
    return chosen


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    with scene_of(tmp_path) as made:
        yield made


@pytest.fixture
def every_scene(tmp_path: Path, names: Names, transport: str) -> Iterator[Scene]:
    """Both dialects, both transports."""
    with scene_of(tmp_path, names, transport) as made:
        yield made


# Authentication


@pytest.fixture(scope="module", params=TRANSPORTS)
def door(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[str, socket.socket]]:
    """A manager that keeps running, and its listening socket."""
    directory = tmp_path_factory.mktemp("door")
    with contextlib.ExitStack() as stack:
        bus = stack.enter_context(private_bus(directory))
        listener, _address = stack.enter_context(listening(request.param, directory))
        stack.enter_context(our_manager(directory, bus, listener, "AllowedNodeNames=node1"))
        yield request.param, listener


@contextlib.contextmanager
def raw_connection(listener: socket.socket) -> Iterator[socket.socket]:
    with socket.socket(listener.family) as client:
        client.settimeout(PATIENCE)
        client.connect(listener.getsockname())
        yield client


@pytest.mark.parametrize(
    "lines, answers", [pytest.param(*row, id=b", ".join(row[0]).decode()) for row in ANSWERS]
)
@pytest.mark.parametrize("pieces", ["at once", "byte by byte"])
def test_each_line_is_answered_as_by_the_reference(
    door: tuple[str, socket.socket], lines: list[bytes], answers: list[str], pieces: str
) -> None:
    transport, listener = door
    sent = opening_bytes(lines)
    size = len(sent) if pieces == "at once" else 1
    with raw_connection(listener) as client:
        for start in range(0, len(sent), size):
            client.send(sent[start : start + size])
        client.shutdown(socket.SHUT_WR)
        assert shown(everything(client)) == expected_answers(answers, transport)


def test_a_connection_without_the_nul_byte_is_closed(door: tuple[str, socket.socket]) -> None:
    with raw_connection(door[1]) as client:
        client.sendall(b"AUTH EXTERNAL\r\n")
        assert everything(client) == b""


@pytest.mark.parametrize("opening", [OPENING_TCP, OPENING_UNIX])
def test_bytes_after_begin_are_messages(door: tuple[str, socket.socket], opening: bytes) -> None:
    with raw_connection(door[1]) as client:
        client.sendall(opening + register_call(COMPATIBLE, "node2"))
        client.shutdown(socket.SHUT_WR)
        assert b"Unexpected node name" in everything(client)


@pytest.mark.parametrize(
    "garbage",
    [b"x" * 64, b"l\1\0\1" + b"\xff" * 12, register_call(COMPATIBLE, "node2")[:-1] + b"x"],
    ids=["no message", "endless", "string without its end"],
)
def test_garbage_ends_the_connection_and_nothing_else(
    door: tuple[str, socket.socket], garbage: bytes
) -> None:
    for _ in range(2):
        with raw_connection(door[1]) as client:
            client.sendall(OPENING_TCP + garbage)
            answers = everything(client)
            assert shown(answers) == ["DATA", "OK"]


# Registration


def test_an_agent_registers(every_scene: Scene, transport: str) -> None:
    scene, names = every_scene, every_scene.names
    agent = scene.agent()
    mark = scene.mark()
    answer = agent.register("node1")
    assert (answer.kind, answer.flags, answer.signature) == ("return", 1, "")
    assert (answer.sender, answer.destination) == (names.bus_name, None)
    assert scene.told_since(mark) == ["Status=online", "Status=degraded"]
    peer = "::ffff:127.0.0.1" if transport == "tcp" else ""
    listed = scene.client.answer(scene.ask_manager("ListNodes")).body
    assert listed == (
        [
            ("node1", names.node_path("node1"), "online", peer),
            ("node2", names.node_path("node2"), "offline", ""),
        ],
    )
    assert scene.node_property("node1", "PeerIp") == peer
    assert scene.node_property("node1", "LastSeenTimestamp") > 0
    assert agent.settle() == []


def test_an_agent_of_the_other_dialect_is_addressed_in_its_own(scene: Scene) -> None:
    address = scene.address
    with apart(lambda: ReferenceAgent(NATIVE, address)) as agent:
        answer = agent.register("node1")
        assert (answer.kind, answer.sender) == ("return", NATIVE.bus_name)
        scene.ask_node("node1", "ListUnits")
        call = agent.expect("ListUnits")
        assert (call.path, call.interface) == (NATIVE.internal_agent_path, NATIVE.internal_agent)
        assert (call.sender, call.destination) == (NATIVE.bus_name, NATIVE.agent_bus_name)


@pytest.mark.parametrize("name", ["node3", "Node1", "", "node1 "])
def test_an_unknown_name_is_refused_and_the_agent_may_try_again(scene: Scene, name: str) -> None:
    agent = scene.agent()
    refusal = agent.register(name)
    assert (refusal.kind, refusal.error) == ("error", f"{ERROR}.ServiceUnknown")
    assert refusal.body == ("Unexpected node name",)
    assert (refusal.sender, refusal.destination, refusal.flags) == (
        COMPATIBLE.bus_name,
        None,
        1,
    )
    assert agent.register("node1").kind == "return"


def test_the_first_agent_of_a_node_stays(scene: Scene) -> None:
    first = scene.node("node1")
    second = scene.agent()
    refusal = second.register("node1")
    assert refusal.error == f"{ERROR}.AddressInUse"
    assert refusal.body == ("The node is already connected",)
    scene.start(first)


def test_register_wants_one_string(scene: Scene) -> None:
    agent = scene.agent()
    path, interface = COMPATIBLE.internal_manager_path, COMPATIBLE.internal_manager
    answer = agent.answer(agent.call(path, interface, "Register", "u", 1))
    assert answer.error == f"{ERROR}.InvalidArgs"
    assert agent.register("node1").kind == "return"


def test_a_second_register_finds_no_object(scene: Scene) -> None:
    agent = scene.node("node1")
    assert agent.register("node1").error == f"{ERROR}.UnknownObject"
    assert agent.register("node2").error == f"{ERROR}.UnknownObject"


def test_the_bus_look_alike_and_introspection(scene: Scene) -> None:
    agent = scene.agent()
    path = COMPATIBLE.internal_manager_path
    for _ in range(2):
        hello = agent.call("/org/freedesktop/DBus", "org.freedesktop.DBus", "Hello")
        assert agent.answer(hello).body == (":1.0",)
        agent.register("node1")
    with apart(lambda: ReferenceAgent(COMPATIBLE, scene.address)) as other:
        asked = other.call(path, "org.freedesktop.DBus.Introspectable", "Introspect")
        assert '<method name="Register">' in other.answer(asked).body[0]


@pytest.mark.parametrize("order", ["<", ">"])
def test_both_byte_orders_are_understood(scene: Scene, order: str) -> None:
    with scene.raw() as agent:
        agent.sendall(OPENING_TCP + register_call(NATIVE, "node1", order))
        assert exactly(agent, len("DATA\r\nOK \r\n") + 32).startswith(b"DATA\r\nOK ")
        head = exactly(agent, 16)
        assert head[1] == 2  # a method return


# Jobs


@pytest.mark.parametrize(
    "member, kind",
    [
        ("StartUnit", "start"),
        ("StopUnit", "stop"),
        ("RestartUnit", "restart"),
        ("ReloadUnit", "reload"),
    ],
)
def test_a_job_from_its_start_to_its_end(every_scene: Scene, member: str, kind: str) -> None:
    scene, names, client = every_scene, every_scene.names, every_scene.client
    agent = scene.node("node1")
    mark = scene.mark()
    asked = scene.ask_node("node1", member, "ss", *UNIT)
    call = agent.expect(member)
    assert (call.flags, call.signature, call.body) == (0, "ssu", (*UNIT, 1))
    assert (call.path, call.interface) == (names.internal_agent_path, names.internal_agent)
    assert (call.sender, call.destination) == (names.bus_name, names.agent_bus_name)
    assert scene.told_since(mark) == []
    agent.reply(call)
    job = f"{names.root}/job/1"
    assert client.answer(asked).body == (job,)
    got = {
        name: client.get(names.bus_name, job, names.job, name)
        for name in ("Id", "Node", "Unit", "JobType", "State")
    }
    assert got == {
        "Id": 1,
        "Node": "node1",
        "Unit": "a.service",
        "JobType": kind,
        "State": "waiting",
    }
    agent.tell("JobStateChanged", "us", 1, "running")
    agent.tell("JobStateChanged", "us", 1, "running")
    agent.tell("JobDone", "us", 1, "done")
    agent.settle()
    signals = [entry for entry in scene.told_since(mark) if not isinstance(entry, int)]
    assert signals == [
        ("JobNew", 1, job),
        "State=running",
        "State=running",
        ("JobRemoved", 1, job, "node1", "a.service", "done"),
    ]
    told = scene.told_since(mark)
    assert told.index(("JobNew", 1, job)) + 1 == told.index(asked)
    gone = client.ask(names.bus_name, job, PROPERTIES, "Get", "ss", names.job, "Id")
    assert client.answer(gone).error == f"{ERROR}.UnknownObject"


def test_a_request_that_systemd_refuses_is_no_job_and_burns_its_id(scene: Scene) -> None:
    agent = scene.node("node1")
    mark = scene.mark()
    asked = scene.ask_node("node1", "StartUnit", "ss", *UNIT)
    agent.refuse(agent.expect("StartUnit"), "org.freedesktop.systemd1.NoSuchUnit", "not there")
    answer = scene.client.answer(asked)
    assert (answer.error, answer.body) == ("org.freedesktop.systemd1.NoSuchUnit", ("not there",))
    assert scene.told_since(mark) == [asked]
    scene.start(agent, number=2)


def test_a_fast_job_ends_after_its_answer(scene: Scene) -> None:
    agent = scene.node("node1")
    mark = scene.mark()
    asked = scene.ask_node("node1", "StartUnit", "ss", *UNIT)
    agent.reply(agent.expect("StartUnit"))
    agent.tell("JobDone", "us", 1, "failed")
    agent.settle()
    job = f"{COMPATIBLE.root}/job/1"
    assert scene.told_since(mark) == [
        ("JobNew", 1, job),
        asked,
        ("JobRemoved", 1, job, "node1", "a.service", "failed"),
    ]


def test_cancel_is_passed_on_and_answered_at_once(scene: Scene) -> None:
    agent = scene.node("node1")
    job = scene.start(agent)
    asked = scene.client.ask(COMPATIBLE.bus_name, job, COMPATIBLE.job, "Cancel")
    cancel = agent.expect("JobCancel")
    assert (cancel.signature, cancel.body) == ("u", (1,))
    assert scene.client.answer(asked).kind == "return"
    agent.refuse(cancel, f"{ERROR}.Failed")
    agent.tell("JobDone", "us", 1, "canceled")
    removed = ("JobRemoved", 1, job, "node1", "a.service", "canceled")
    agent.settle()
    assert scene.told()[-1] == removed


def test_only_the_jobs_own_node_ends_it(scene: Scene) -> None:
    one, two = scene.node("node1"), scene.node("node2")
    job = scene.start(one)
    mark = scene.mark()
    two.tell("JobDone", "us", 1, "done")
    two.tell("JobStateChanged", "us", 1, "running")
    two.settle()
    one.tell("JobDone", "us", 2, "done")
    one.tell("JobDone", "s", "1")
    one.settle()
    assert scene.told_since(mark) == []
    one.tell("JobDone", "us", 1, "done")
    one.settle()
    assert scene.told_since(mark) == [("JobRemoved", 1, job, "node1", "a.service", "done")]


def test_signals_before_registration_are_lost(scene: Scene) -> None:
    one = scene.node("node1")
    scene.start(one)
    stranger = scene.agent()
    mark = scene.mark()
    stranger.tell("JobDone", "us", 1, "done")
    stranger.settle()
    assert scene.told_since(mark) == []


# Calls that are passed on


def test_units_of_one_node(scene: Scene) -> None:
    agent = scene.node("node1")
    asked = scene.ask_node("node1", "ListUnits")
    agent.reply(agent.expect("ListUnits"), LIST_OF_UNITS, [LISTED, LISTED])
    answer = scene.client.answer(asked)
    assert (answer.signature, answer.body) == (LIST_OF_UNITS, ([LISTED, LISTED],))


def test_units_of_all_nodes(scene: Scene) -> None:
    asked = scene.ask_manager("ListUnits")
    assert scene.client.answer(asked).body == ({},)
    one, two = scene.node("node1"), scene.node("node2")
    asked = scene.ask_manager("ListUnits")
    two.reply(two.expect("ListUnits"), LIST_OF_UNITS, [LISTED])
    call = one.expect("ListUnits")
    two.settle()
    assert not scene.client.answered(asked)
    one.reply(call, LIST_OF_UNITS, [])
    answer = scene.client.answer(asked)
    assert answer.signature == "a{sa(ssssssouso)}"
    assert answer.body == ({"node1": [], "node2": [LISTED]},)


def test_one_node_that_fails_fails_the_list(scene: Scene) -> None:
    one, two = scene.node("node1"), scene.node("node2")
    asked = scene.ask_manager("ListUnits")
    one.reply(one.expect("ListUnits"), LIST_OF_UNITS, [LISTED])
    two.refuse(two.expect("ListUnits"), "a.b", "no")
    answer = scene.client.answer(asked)
    assert answer.error == f"{ERROR}.Failed"
    assert "Request to at least one node failed" in answer.body[0]


def test_properties_of_a_unit(scene: Scene) -> None:
    agent = scene.node("node1")
    asked = scene.ask_node("node1", "GetUnitProperties", "ss", "a.service", "")
    call = agent.expect("GetUnitProperties")
    assert call.body == ("a.service", "")
    values = {"A": ("s", "ä"), "B": ("a(sx)", [("c", -1)]), "C": ("v", ("t", 2**64 - 1))}
    agent.reply(call, "a{sv}", values)
    assert scene.client.answer(asked).body == (values,)
    asked = scene.ask_node("node1", "GetUnitProperty", "sss", "a.service", "i.f", "A")
    call = agent.expect("GetUnitProperty")
    assert call.body == ("a.service", "i.f", "A")
    agent.reply(call, "v", ("as", ["x"]))
    assert scene.client.answer(asked).body == (("as", ["x"]),)


@pytest.mark.parametrize("member", ["StartUnit", "ListUnits", "NoSuchMember"])
def test_a_node_that_is_offline_says_so_first(every_scene: Scene, member: str) -> None:
    answer = every_scene.client.answer(every_scene.ask_node("node1", member, "u", 1))
    assert answer.error == f"{every_scene.names.bus_name}.Offline"


# Liveness


def test_a_heartbeat_is_seen(scene: Scene) -> None:
    agent = scene.node("node1")
    before = scene.node_property("node1", "LastSeenTimestampMonotonic")
    agent.settle()
    assert scene.node_property("node1", "LastSeenTimestampMonotonic") == before
    agent.tell("Heartbeat")
    agent.settle()
    assert scene.node_property("node1", "LastSeenTimestampMonotonic") > before


def test_our_heartbeats_and_the_threshold(tmp_path: Path) -> None:
    beats = ("HeartbeatInterval=100", "NodeHeartbeatThreshold=300")
    with scene_of(tmp_path, COMPATIBLE, "tcp", *beats) as scene:
        agent = scene.node("node1")
        beat = agent.expect("Heartbeat")
        assert (beat.kind, beat.path, beat.interface) == (
            "signal",
            COMPATIBLE.internal_manager_path,
            COMPATIBLE.internal_manager,
        )
        assert (beat.flags, beat.sender, beat.body) == (1, COMPATIBLE.bus_name, ())
        assert agent.lost()
        assert scene.told()[-2:] == ["Status=offline", "Status=down"]


# The end


def test_a_lost_agent_ends_what_was_asked_of_it(scene: Scene) -> None:
    agent = scene.node("node1")
    job = scene.start(agent)
    mark = scene.mark()
    pending = scene.ask_node("node1", "ListUnits")
    agent.expect("ListUnits")
    agent.close()
    assert scene.client.answer(pending).error == f"{ERROR}.NoReply"
    assert scene.client.heard("PropertiesChanged", 4)
    told = scene.told_since(mark)
    assert told[:1] == [pending]
    assert told[1][:5] == ("JobRemoved", 1, job, "node1", "a.service")
    assert told[2:] == ["Status=offline", "Status=down"]
    again = scene.node("node1")
    scene.start(again, number=2)


def test_malformed_bytes_of_a_registered_agent_cost_only_its_connection(scene: Scene) -> None:
    other = scene.node("node2")
    with scene.raw() as agent:
        agent.sendall(OPENING_TCP + register_call(COMPATIBLE, "node1"))
        agent.recv(4096)
        agent.sendall(b"\0" * 16)
        everything(agent)
    assert scene.client.heard("PropertiesChanged", 6)
    assert scene.node_property("node1", "Status") == "offline"
    scene.start(other, node="node2")
    assert scene.manager.running()


def test_an_agent_that_does_not_read_hinders_nobody(scene: Scene) -> None:
    """The stopped agent's socket fills up; the other node is served all the while."""
    stopped, other = scene.node("node1"), scene.node("node2")
    process = stopped.process_id()
    os.kill(process, signal.SIGSTOP)
    try:
        # Fewer than a dbus-daemon allows to be pending, more bytes than sockets hold
        for _ in range(100):
            scene.ask_node("node1", "GetUnitProperties", "ss", "x" * 100_000, "")
        scene.start(other, node="node2", number=1)
    finally:
        os.kill(process, signal.SIGCONT)


def test_shutdown_says_goodbye_in_order(scene: Scene) -> None:
    one, two = scene.node("node1"), scene.node("node2")
    job = scene.start(two, node="node2")
    mark = scene.mark()
    pending = scene.ask_node("node1", "ListUnits")
    one.expect("ListUnits")
    assert scene.manager.terminate() == 0
    assert scene.client.answer(pending).body == ("Request cancelled",)
    assert scene.client.heard("PropertiesChanged", 7)
    assert [short(message) for message in scene.client.history()][mark:] == [
        ("JobRemoved", 1, job, "node2", "a.service", "cancelled due to shutdown"),
        pending,
        "Status=offline",
        "Status=offline",
        "Status=down",
    ]
    assert one.lost() and two.lost()
