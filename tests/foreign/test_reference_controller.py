"""Our agent with the reference's controller: on a booted node, with the node's real systemd."""

from __future__ import annotations

import contextlib
import os
import select
import socket
from collections.abc import Iterator
from typing import Callable

import pytest

from tests.bed import Fleet, Node
from tests.bed.kernel import CLONE_NEWNET, setns
from tests.bed.product import AGENT_UNIT, configure, install_hirte

from .apart import apart
from .messages import Record
from .names import COMPATIBLE, DIALECTS, NATIVE, Names
from .peers import PATIENCE, ReferenceController
from .privatebus import BusClient
from .rawpeer import OPENING_TCP, SD_BUS_ERRORS, TRANSPORTS, VALUES_OF, everything, exactly

ERROR = "org.freedesktop.DBus.Error"
UNIT = "org.freedesktop.systemd1.Unit"

PORT = 842
SOCKET = "/run/controller"

UNITS = {
    "lasting.service": "[Service]\nExecStart=/bin/sleep infinity\n",
    "failing.service": "[Service]\nType=oneshot\nExecStart=/bin/false\n",
    "slow.service": "[Service]\nType=oneshot\nExecStart=/bin/sleep infinity\n",
}

OPENING_ANSWER = b"DATA\r\nOK " + b"0123456789abcdef" * 2 + b"\r\n"


@pytest.fixture(scope="module")
def node() -> Iterator[Node]:
    """A node with hirte installed; no agent runs."""
    with Fleet() as fleet:
        (booted,) = fleet.boot("node1")
        install_hirte(booted)
        booted.units(UNITS)
        yield booted


@pytest.fixture(params=DIALECTS, ids=lambda names: names.bus_name)
def names(request: pytest.FixtureRequest) -> Names:
    chosen = request.param
    assert isinstance(chosen, Names)
    return chosen


@contextlib.contextmanager
def listening_in(node: Node, transport: str) -> Iterator[tuple[Callable[[], socket.socket], str]]:
    """How to make the listening socket in the process that is to have it, and its address."""
    path = f"{node.root}{SOCKET}"

    def on_tcp() -> socket.socket:
        with open(f"/proc/{node.pid}/ns/net") as namespace:
            setns(namespace.fileno(), CLONE_NEWNET)
        return socket.create_server(("127.0.0.1", PORT))

    def on_unix() -> socket.socket:
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(path)
        listener.listen()
        return listener

    if transport == "tcp":
        yield on_tcp, f"tcp:host=127.0.0.1,port={PORT}"
        return
    try:
        yield on_unix, f"unix:path={SOCKET}"
    finally:
        os.unlink(path)


class Scene:
    """Our agent on a node, and the controller that it has just connected to."""

    def __init__(self, node: Node, names: Names, controller: ReferenceController) -> None:
        self.node = node
        self.names = names
        self.controller = controller

    def admit(self) -> None:
        """Take the registration, which a compatible controller is asked for after a native one."""
        self.controller.admit(self.register_call())

    def register_call(self) -> Record:
        call = self.controller.expect("Register")
        if self.names is COMPATIBLE:
            assert call.interface == NATIVE.internal_manager
            call = self.controller.expect("Register")
        assert call.interface == self.names.internal_manager
        return call

    def start(self, unit: str, number: int) -> None:
        """A job that systemd has accepted."""
        asked = self.controller.ask("StartUnit", "ssu", unit, "replace", number)
        answer = self.controller.answer(asked)
        assert answer.kind == "return", answer

    def result(self, number: int) -> str:
        """Take the signals of one job up to its end, and nothing else."""
        while True:
            message = self.controller.next()
            assert message.member in ("JobStateChanged", "JobDone"), message
            assert message.body[0] == number
            if message.member == "JobDone":
                return str(message.body[1])
            # The stop half of a restart is over: the job waits for its start half
            assert message.body[1] in ("running", "waiting")


@contextlib.contextmanager
def agent_on(node: Node, address: str, **options: str) -> Iterator[None]:
    """Run the agent as a service; what it logged is shown when the test fails."""
    settings = {"NodeName": "node1", "ManagerAddress": address, **options}
    configure(node, "/etc/hirte/agent.conf", "hirte-agent", settings)
    started = node.run(["date", "+%s.%N"]).stdout.strip()
    node.systemctl("start", AGENT_UNIT)
    try:
        yield
    finally:
        node.systemctl("stop", AGENT_UNIT, *UNITS)
        node.systemctl("reset-failed")
        print(node.journal("-u", AGENT_UNIT, "--since", f"@{started}"))


@contextlib.contextmanager
def scene_of(
    node: Node, names: Names = COMPATIBLE, transport: str = "tcp", **options: str
) -> Iterator[Scene]:
    with contextlib.ExitStack() as stack:
        listen, address = stack.enter_context(listening_in(node, transport))
        controller = stack.enter_context(
            apart(lambda: ReferenceController(names, listen(), ignore=("Heartbeat",)))
        )
        stack.enter_context(agent_on(node, address, **options))
        controller.accept()
        yield Scene(node, names, controller)


@pytest.fixture
def scene(node: Node) -> Iterator[Scene]:
    """A registered agent of a compatible controller."""
    with scene_of(node) as made:
        made.admit()
        yield made


# The opening


@pytest.fixture
def raw_listener(node: Node) -> Iterator[socket.socket]:
    """A Unix socket on the node that the agent is going to connect to."""
    with listening_in(node, "unix") as (listen, address), listen() as listener:
        listener.settimeout(PATIENCE)
        with agent_on(node, address, HeartbeatInterval="300"):
            yield listener


def accepted(listener: socket.socket) -> socket.socket:
    connection = listener.accept()[0]
    connection.settimeout(PATIENCE)
    return connection


@pytest.mark.parametrize("answer", [OPENING_ANSWER, OPENING_ANSWER[len(b"DATA\r\n") :]])
def test_the_agent_opens_without_descriptors_and_waits_for_the_answer(
    raw_listener: socket.socket, answer: bytes
) -> None:
    with accepted(raw_listener) as connection:
        assert exactly(connection, len(OPENING_TCP)) == OPENING_TCP
        for byte in answer:
            assert not select.select([connection], [], [], 0)[0]
            connection.send(bytes([byte]))
        first = exactly(connection, 16)
        assert first[:4] == b"l\x01\x00\x01"


@pytest.mark.parametrize(
    "answer",
    [b"REJECTED EXTERNAL ANONYMOUS\r\n", b"ERROR\r\n", b"nonsense\r\n", b"x" * 100_000],
    ids=["rejected", "error", "nonsense", "endless"],
)
def test_an_opening_that_fails_is_tried_again(raw_listener: socket.socket, answer: bytes) -> None:
    with accepted(raw_listener) as connection:
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            connection.sendall(answer)
        assert everything(connection) == OPENING_TCP
    with accepted(raw_listener) as again:
        assert exactly(again, len(OPENING_TCP)) == OPENING_TCP


@pytest.mark.parametrize("garbage", [b"x" * 64, b"l\1\0\1" + b"\xff" * 60])
def test_garbage_from_the_manager_ends_the_connection_only(
    node: Node, raw_listener: socket.socket, garbage: bytes
) -> None:
    with accepted(raw_listener) as connection:
        connection.sendall(OPENING_ANSWER + garbage)
        everything(connection)
    with accepted(raw_listener) as again:
        assert exactly(again, len(OPENING_TCP)) == OPENING_TCP
    assert node.systemctl("show", "-P", "NRestarts", AGENT_UNIT).stdout == "0\n"


# Registration


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_the_agent_registers_native_first(node: Node, names: Names, transport: str) -> None:
    with scene_of(node, names, transport) as scene:
        tried = [scene.controller.expect("Register")]
        if names is COMPATIBLE:
            tried.append(scene.controller.expect("Register"))
        for register, spoken in zip(tried, (NATIVE, COMPATIBLE)):
            assert (register.kind, register.flags) == ("call", 0)
            assert (register.path, register.interface) == (
                spoken.internal_manager_path,
                spoken.internal_manager,
            )
            assert (register.sender, register.destination) == (None, spoken.bus_name)
            assert (register.signature, register.body) == ("s", ("node1",))
        assert [register.serial for register in tried] == list(range(1, len(tried) + 1))
        scene.controller.admit(tried[-1])
        assert scene.controller.settle() == []
        assert status_of(node) == "online"


def status_of(node: Node) -> str:
    """The agent's status on the node's bus."""
    with apart(lambda: BusClient(node.bus_address)) as client:
        interface = NATIVE.agent_bus_name
        return str(client.get(NATIVE.agent_bus_name, NATIVE.root, interface, "Status"))


def test_one_dialect_by_setting(node: Node) -> None:
    with scene_of(node, COMPATIBLE, ManagerDialect="compatible") as scene:
        register = scene.controller.expect("Register")
        assert register.interface == COMPATIBLE.internal_manager
        assert register.serial == 1


def test_calls_before_the_answer_to_register(node: Node) -> None:
    with scene_of(node) as scene:
        controller = scene.controller
        register = scene.register_call()
        controller.order("Subscribe", "s", "*")
        asked = controller.ask("GetUnitProperty", "sss", "lasting.service", UNIT, "Id")
        assert controller.answer(asked).body == (("s", "lasting.service"),)
        assert status_of(node) == "offline"
        news = controller.expect("UnitNew")
        assert (news.body, news.flags) == (("*", "virtual"), 1)
        controller.admit(register)
        controller.settle()
        assert status_of(node) == "online"


def test_a_refused_agent_tries_again_on_a_new_connection(node: Node) -> None:
    with scene_of(node, HeartbeatInterval="300") as scene:
        scene.controller.refuse(scene.register_call(), f"{ERROR}.ServiceUnknown")
        assert scene.controller.lost()
        scene.controller.accept()
        scene.admit()
        scene.start("lasting.service", 1)


# Jobs


def test_a_job(node: Node, names: Names) -> None:
    with scene_of(node, names) as scene:
        scene.admit()
        asked = scene.controller.ask("StartUnit", "ssu", "lasting.service", "replace", 7)
        answer = scene.controller.answer(asked)
        assert (answer.kind, answer.signature, answer.flags) == ("return", "", 1)
        assert (answer.sender, answer.destination) == (None, names.bus_name)
        signals = [scene.controller.next()]
        while signals[-1].member != "JobDone":
            signals.append(scene.controller.next())
        for message in signals:
            assert (message.kind, message.flags, message.signature) == ("signal", 1, "us")
            assert (message.path, message.interface) == (
                names.internal_agent_path,
                names.internal_agent,
            )
            assert (message.sender, message.destination) == (None, None)
        assert signals[-1].body == (7, "done")
        assert {message.body for message in signals[:-1]} <= {(7, "running")}
        assert node.systemctl("is-active", "lasting.service").stdout == "active\n"


def test_each_kind_of_job_and_each_end(scene: Scene) -> None:
    controller = scene.controller
    for number, member in enumerate(("StartUnit", "RestartUnit", "StopUnit"), start=1):
        controller.answer(controller.ask(member, "ssu", "lasting.service", "replace", number))
        assert scene.result(number) == "done"
    scene.start("failing.service", 4)
    assert scene.result(4) == "failed"


def test_a_job_that_is_cancelled(scene: Scene) -> None:
    controller = scene.controller
    scene.start("slow.service", 3)
    cancelled = controller.answer(controller.ask("JobCancel", "u", 3))
    assert (cancelled.kind, cancelled.body) == ("return", ())
    assert scene.result(3) == "canceled"
    assert controller.answer(controller.ask("JobCancel", "u", 3)).error == f"{ERROR}.Failed"


def test_errors_of_systemd_come_as_they_are(scene: Scene) -> None:
    controller = scene.controller
    asked = controller.ask("StartUnit", "ssu", "nowhere.service", "replace", 1)
    refusal = controller.answer(asked)
    assert refusal.error == "org.freedesktop.systemd1.NoSuchUnit"
    assert "nowhere.service" in refusal.body[0]
    asked = controller.ask("StartUnit", "ssu", "lasting.service", "no such mode", 2)
    assert controller.answer(asked).error == f"{ERROR}.InvalidArgs"
    assert controller.settle() == []


# Calls that want no answer


def test_orders_are_obeyed_and_not_answered(scene: Scene) -> None:
    controller = scene.controller
    controller.order("Subscribe", "s", "lasting.service")
    controller.order("Subscribe", "s", "lasting.service")
    controller.order("SetLogLevel", "s", "no such level")
    controller.order("NoSuchMember")
    controller.order("Subscribe", "u", 1)
    controller.order("StartUnit", "ssu", "failing.service", "replace", 9)
    assert scene.result(9) == "failed"
    assert controller.settle() == []


# Other calls


def test_units_and_properties(scene: Scene) -> None:
    controller = scene.controller
    listed = controller.answer(controller.ask("ListUnits"))
    assert listed.signature == "a(ssssssouso)"
    assert "dbus.service" in [unit[0] for unit in listed.body[0]]
    got = controller.answer(controller.ask("GetUnitProperties", "ss", "lasting.service", ""))
    assert got.signature == "a{sv}"
    assert got.body[0]["Id"] == ("s", "lasting.service")
    asked = controller.ask("GetUnitProperty", "sss", "lasting.service", UNIT, "NoSuchProperty")
    assert controller.answer(asked).error == f"{ERROR}.UnknownProperty"


@pytest.mark.parametrize("path, interface, member, signature, error", SD_BUS_ERRORS)
def test_errors_are_those_of_the_reference(
    scene: Scene, path: str, interface: str | None, member: str, signature: str, error: str
) -> None:
    """In `test_sdbus_peers` sd-bus itself answers the same calls."""
    asked = scene.controller.call(
        path.format(agent=COMPATIBLE.internal_agent_path),
        interface and interface.format(interface=COMPATIBLE.internal_agent),
        member,
        signature,
        *VALUES_OF[signature],
    )
    assert scene.controller.answer(asked).error == f"{ERROR}.{error}"


# Liveness and loss


def test_heartbeats(node: Node) -> None:
    with scene_of(node, HeartbeatInterval="100") as scene:
        scene.admit()
        assert scene.controller.heard("Heartbeat", 3)


def test_a_silent_controller_is_left_and_tried_again(node: Node) -> None:
    with scene_of(node, HeartbeatInterval="100", ManagerHeartbeatThreshold="400") as scene:
        scene.admit()
        scene.controller.beat()
        assert scene.controller.lost()
        scene.controller.accept()
        scene.admit()


def test_a_lost_connection_is_replaced_at_once_and_forgets(scene: Scene) -> None:
    controller = scene.controller
    controller.order("Subscribe", "s", "dbus.service")
    assert controller.expect("UnitNew").body == ("dbus.service", "virtual")
    state = ("dbus.service", "active", "running", "virtual")
    assert controller.expect("UnitStateChanged").body == state
    scene.start("slow.service", 1)
    controller.close()
    # The tick comes every two seconds
    controller.accept(within=1.5)
    scene.admit()
    assert controller.answer(controller.ask("JobCancel", "u", 1)).error == f"{ERROR}.Failed"
    controller.order("Subscribe", "s", "dbus.service")
    news = [message.body for message in controller.settle()]
    assert news == [("dbus.service", "virtual"), state]


def test_the_end_of_the_agent_closes_the_connection(scene: Scene) -> None:
    scene.node.systemctl("stop", AGENT_UNIT)
    assert scene.controller.lost()
    result = scene.node.systemctl("show", "-P", "Result", AGENT_UNIT).stdout
    assert result == "success\n"


def test_the_manager_is_switched_on_the_bus(scene: Scene) -> None:
    with contextlib.ExitStack() as stack:
        listen, address = stack.enter_context(listening_in(scene.node, "unix"))
        other = stack.enter_context(apart(lambda: ReferenceController(NATIVE, listen())))
        client = stack.enter_context(apart(lambda: BusClient(scene.node.bus_address)))
        agent = (NATIVE.agent_bus_name, NATIVE.root, NATIVE.agent_bus_name)
        client.listen(NATIVE.agent_bus_name, NATIVE.root)
        same = client.answer(
            client.ask(*agent, "SwitchManager", "s", f"tcp:host=127.0.0.1,port={PORT}")
        )
        assert same.error == f"{ERROR}.Failed"
        asked = client.ask(*agent, "SwitchManager", "s", address)
        assert client.answer(asked).kind == "return"
        assert scene.controller.lost()
        other.accept()
        other.admit(other.expect("Register"))
        other.settle()
        changes = [
            (name, value)
            for message in client.arrived(NATIVE.agent_bus_name)
            if message.member == "PropertiesChanged"
            for name, (_, value) in message.body[1].items()
        ]
        assert changes == [
            ("ManagerAddress", address),
            ("Status", "offline"),
            ("Status", "online"),
        ]
