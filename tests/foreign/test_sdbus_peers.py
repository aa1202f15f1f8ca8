"""The reference peers with raw bytes and with each other: what sd-bus does on a node connection.

These tests hold the facts that hirte is built on. When a newer libsystemd fails one of them, the
wire has changed, not hirte.
"""

from __future__ import annotations

import contextlib
import select
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from .apart import Died, apart
from .names import COMPATIBLE, DIALECTS, Names
from .peers import PATIENCE, ReferenceAgent, ReferenceController
from .rawpeer import (
    ANSWERS,
    OPENING_TCP,
    OPENING_UNIX,
    SD_BUS_ERRORS,
    TRANSPORTS,
    VALUES_OF,
    everything,
    exactly,
    expected_answers,
    listening,
    opening_bytes,
    register_call,
    shown,
)

SERVER_ID = b"0123456789abcdef" * 2
ACCEPTED = b"DATA\r\nOK " + SERVER_ID + b"\r\n"


REGISTER = register_call(COMPATIBLE, "node1")


@pytest.fixture(params=TRANSPORTS)
def transport(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def nothing_arrived(connection: socket.socket) -> bool:
    return not select.select([connection], [], [], 0)[0]


class Raw:
    """A manager made of bytes, and the reference agent that has just connected to it."""

    def __init__(self, agent: ReferenceAgent, connection: socket.socket) -> None:
        self.agent = agent
        self.connection = connection

    def says(self, answer: bytes) -> None:
        self.connection.sendall(answer)
        self.agent.step()


@contextlib.contextmanager
def raw_manager_on(transport: str, directory: Path) -> Iterator[Raw]:
    with contextlib.ExitStack() as stack:
        listener, address = stack.enter_context(listening(transport, directory))
        agent = stack.enter_context(apart(lambda: ReferenceAgent(COMPATIBLE, address)))
        connection = stack.enter_context(listener.accept()[0])
        connection.settimeout(PATIENCE)
        yield Raw(agent, connection)


@pytest.fixture
def raw_manager(transport: str, tmp_path: Path) -> Iterator[Raw]:
    with raw_manager_on(transport, tmp_path) as manager:
        yield manager


@contextlib.contextmanager
def raw_agent_on(
    transport: str, directory: Path
) -> Iterator[tuple[ReferenceController, socket.socket]]:
    """The reference controller, and the raw connection that it has just accepted."""
    with contextlib.ExitStack() as stack:
        listener, _address = stack.enter_context(listening(transport, directory))
        controller = stack.enter_context(apart(lambda: ReferenceController(COMPATIBLE, listener)))
        client = stack.enter_context(socket.socket(listener.family))
        client.settimeout(PATIENCE)
        client.connect(listener.getsockname())
        controller.accept()
        yield controller, client


def opening(transport: str) -> bytes:
    return OPENING_TCP if transport == "tcp" else OPENING_UNIX


def acceptance(transport: str) -> bytes:
    return ACCEPTED if transport == "tcp" else ACCEPTED + b"AGREE_UNIX_FD\r\n"


def test_the_agent_opens_with_one_write_and_waits(raw_manager: Raw, transport: str) -> None:
    raw_manager.agent.ask_to_register("node1")
    assert exactly(raw_manager.connection, len(opening(transport))) == opening(transport)
    raw_manager.agent.step()
    assert nothing_arrived(raw_manager.connection)


def test_the_agent_registers_only_after_the_last_byte_of_the_answer(
    raw_manager: Raw, transport: str
) -> None:
    raw_manager.agent.ask_to_register("node1")
    exactly(raw_manager.connection, len(opening(transport)))
    answer = acceptance(transport)
    for byte in answer[:-1]:
        raw_manager.says(bytes([byte]))
        assert nothing_arrived(raw_manager.connection)
    raw_manager.says(answer[-1:])
    assert exactly(raw_manager.connection, len(REGISTER)) == REGISTER


def test_a_refused_descriptor_negotiation_is_accepted_too(tmp_path: Path) -> None:
    with raw_manager_on("unix", tmp_path) as manager:
        manager.agent.ask_to_register("node1")
        exactly(manager.connection, len(OPENING_UNIX))
        manager.says(ACCEPTED + b"ERROR\r\n")
        assert exactly(manager.connection, len(REGISTER)) == REGISTER


def test_ok_without_the_data_line_makes_the_agent_wait(raw_manager: Raw, transport: str) -> None:
    raw_manager.agent.ask_to_register("node1")
    exactly(raw_manager.connection, len(opening(transport)))
    raw_manager.says(acceptance(transport)[len("DATA\r\n") :])
    assert nothing_arrived(raw_manager.connection)
    assert not raw_manager.agent.lost(within=0)


def test_no_answer_to_the_descriptor_negotiation_makes_the_agent_wait(tmp_path: Path) -> None:
    with raw_manager_on("unix", tmp_path) as manager:
        manager.agent.ask_to_register("node1")
        exactly(manager.connection, len(OPENING_UNIX))
        manager.says(ACCEPTED)
        assert nothing_arrived(manager.connection)
        assert not manager.agent.lost(within=0)


def test_a_surplus_line_kills_the_agent_on_tcp(tmp_path: Path) -> None:
    with raw_manager_on("tcp", tmp_path) as manager:
        exactly(manager.connection, len(OPENING_TCP))
        with pytest.raises(Died, match="SIGABRT"):
            manager.says(ACCEPTED + b"AGREE_UNIX_FD\r\n")


def test_a_surplus_line_is_the_start_of_a_bad_message_on_a_unix_socket(tmp_path: Path) -> None:
    with raw_manager_on("unix", tmp_path) as manager:
        exactly(manager.connection, len(OPENING_UNIX))
        manager.says(ACCEPTED + b"AGREE_UNIX_FD\r\n" * 2)
        assert not manager.agent.lost(within=0)
        manager.says(b"l")  # the sixteenth byte: sd-bus looks at a whole fixed header
        assert manager.agent.lost()


@pytest.mark.parametrize(
    "answer", [b"REJECTED EXTERNAL\r\n", b"DATA\r\nREJECTED\r\n", b"ERROR\r\n"]
)
def test_a_refusal_ends_the_agents_connection(
    raw_manager: Raw, transport: str, answer: bytes
) -> None:
    exactly(raw_manager.connection, len(opening(transport)))
    raw_manager.says(answer + b"ERROR\r\n" * 2)
    assert raw_manager.agent.lost()


def answers_of_the_controller(transport: str, directory: Path, sent: bytes) -> bytes:
    with raw_agent_on(transport, directory) as (_controller, client):
        client.sendall(sent)
        client.shutdown(socket.SHUT_WR)
        return everything(client)


@pytest.mark.parametrize(
    "lines, answers", [pytest.param(*row, id=b", ".join(row[0]).decode()) for row in ANSWERS]
)
def test_the_controller_answers_each_line(
    transport: str, tmp_path: Path, lines: list[bytes], answers: list[str]
) -> None:
    received = answers_of_the_controller(transport, tmp_path, opening_bytes(lines))
    assert shown(received) == expected_answers(answers, transport)


def test_the_controller_wants_a_nul_byte_first(transport: str, tmp_path: Path) -> None:
    assert answers_of_the_controller(transport, tmp_path, b"AUTH EXTERNAL\r\n") == b""


def test_server_ids_differ(tmp_path: Path) -> None:
    first = answers_of_the_controller("tcp", tmp_path, b"\0AUTH EXTERNAL 30\r\n")
    second = answers_of_the_controller("tcp", tmp_path, b"\0AUTH EXTERNAL 30\r\n")
    assert first != second


@pytest.fixture(params=DIALECTS, ids=lambda names: names.bus_name)
def names(request: pytest.FixtureRequest) -> Names:
    chosen = request.param
    assert isinstance(chosen, Names)
    return chosen


class Both:
    """A controller and an agent that has asked it to register."""

    def __init__(self, controller: ReferenceController, agent: ReferenceAgent, asked: int) -> None:
        self.controller = controller
        self.agent = agent
        self.asked = asked


@pytest.fixture
def both(transport: str, tmp_path: Path, names: Names) -> Iterator[Both]:
    with contextlib.ExitStack() as stack:
        listener, address = stack.enter_context(listening(transport, tmp_path))
        controller = stack.enter_context(apart(lambda: ReferenceController(names, listener)))
        agent = stack.enter_context(apart(lambda: ReferenceAgent(names, address)))
        asked = agent.ask_to_register("node1")
        controller.accept()
        yield Both(controller, agent, asked)


def test_register_and_its_answer(both: Both, names: Names) -> None:
    register = both.controller.expect("Register")
    assert (register.kind, register.serial, register.flags) == ("call", 1, 0)
    assert (register.path, register.interface) == (
        names.internal_manager_path,
        names.internal_manager,
    )
    assert (register.sender, register.destination) == (None, names.bus_name)
    assert (register.signature, register.body) == ("s", ("node1",))
    both.controller.admit(register)
    answer = both.agent.answer(both.asked)
    assert (answer.kind, answer.flags, answer.signature) == ("return", 1, "")
    assert (answer.sender, answer.destination) == (names.bus_name, None)


def test_calls_before_the_answer_to_register_are_taken(both: Both, names: Names) -> None:
    register = both.controller.expect("Register")
    both.controller.order("Subscribe", "s", "a.service")
    both.controller.order("EnableMetrics")
    both.controller.admit(register)
    both.agent.answer(both.asked)
    subscribe, metrics = both.agent.waiting()
    assert (subscribe.member, subscribe.flags, subscribe.body) == ("Subscribe", 1, ("a.service",))
    assert (subscribe.sender, subscribe.destination) == (names.bus_name, names.agent_bus_name)
    assert (metrics.member, metrics.flags) == ("EnableMetrics", 1)


def test_a_second_register_finds_no_object(both: Both) -> None:
    both.controller.admit(both.controller.expect("Register"))
    refusal = both.agent.register("node1")
    assert refusal.error == "org.freedesktop.DBus.Error.UnknownObject"


def test_a_refused_agent_may_try_again_on_the_same_connection(both: Both, names: Names) -> None:
    refused = both.controller.expect("Register")
    both.controller.refuse(refused, "org.freedesktop.DBus.Error.ServiceUnknown", "Unexpected")
    answer = both.agent.answer(both.asked)
    assert (answer.kind, answer.error) == ("error", "org.freedesktop.DBus.Error.ServiceUnknown")
    assert (answer.sender, answer.destination, answer.flags) == (names.bus_name, None, 1)
    again = both.agent.ask_to_register("node2")
    both.controller.admit(both.controller.expect("Register"))
    assert both.agent.answer(again).kind == "return"


def test_a_job(both: Both, names: Names) -> None:
    both.controller.admit(both.controller.expect("Register"))
    asked = both.controller.ask("StartUnit", "ssu", "a.service", "replace", 7)
    start = both.agent.expect("StartUnit")
    assert (start.flags, start.signature) == (0, "ssu")
    assert (start.sender, start.destination) == (names.bus_name, names.agent_bus_name)
    both.agent.reply(start)
    answer = both.controller.answer(asked)
    assert (answer.kind, answer.flags) == ("return", 1)
    assert (answer.sender, answer.destination) == (None, names.bus_name)
    both.agent.tell("JobDone", "us", 7, "done")
    done = both.controller.expect("JobDone")
    assert (done.kind, done.flags, done.path) == ("signal", 1, names.internal_agent_path)
    assert (done.sender, done.destination, done.body) == (None, None, (7, "done"))


def test_orders_are_not_answered(both: Both) -> None:
    both.controller.admit(both.controller.expect("Register"))
    both.controller.order("Subscribe", "s", "a.service")
    both.agent.reply(both.agent.expect("Subscribe"))
    both.controller.order("Subscribe", "u", 1)
    assert both.controller.settle() == []


def test_heartbeats(both: Both, names: Names) -> None:
    both.controller.admit(both.controller.expect("Register"))
    both.agent.tell("Heartbeat")
    beat = both.controller.expect("Heartbeat")
    assert (beat.kind, beat.path, beat.interface) == (
        "signal",
        names.internal_agent_path,
        names.internal_agent,
    )
    both.controller.beat()
    beat = both.agent.expect("Heartbeat")
    assert (beat.kind, beat.path, beat.interface, beat.sender) == (
        "signal",
        names.internal_manager_path,
        names.internal_manager,
        names.bus_name,
    )


@pytest.mark.parametrize("path, interface, member, signature, error", SD_BUS_ERRORS)
def test_errors_that_sd_bus_makes_itself(
    both: Both,
    names: Names,
    path: str,
    interface: str | None,
    member: str,
    signature: str,
    error: str,
) -> None:
    asked = both.controller.call(
        path.format(agent=names.internal_agent_path),
        interface and interface.format(interface=names.internal_agent),
        member,
        signature,
        *VALUES_OF[signature],
    )
    assert both.controller.answer(asked).error == f"org.freedesktop.DBus.Error.{error}"


def test_values_of_every_type_arrive(both: Both) -> None:
    both.controller.admit(both.controller.expect("Register"))
    properties = {
        "Many": ("as", ["a", "ä"]),
        "Pairs": ("a(ox)", [("/a", -1)]),
        "Flag": ("b", True),
        "Float": ("d", 0.5),
        "Nested": ("v", ("(ynqiut)", (1, -2, 3, -4, 5, 6))),
        "Nothing": ("a{sv}", {}),
    }
    asked = both.controller.ask("GetUnitProperties", "ss", "a.service", "")
    both.agent.reply(both.agent.expect("GetUnitProperties"), "a{sv}", properties)
    assert both.controller.answer(asked).body == (properties,)


@pytest.mark.parametrize("end", ["agent", "controller"])
def test_a_closed_connection_is_lost_on_the_other_side(both: Both, end: str) -> None:
    both.controller.admit(both.controller.expect("Register"))
    both.agent.answer(both.asked)
    if end == "agent":
        both.agent.close()
        assert both.controller.lost()
    else:
        both.controller.close()
        assert both.agent.lost()


def test_authentication_ends_after_ninety_seconds(raw_manager: Raw, transport: str) -> None:
    exactly(raw_manager.connection, len(opening(transport)))
    raw_manager.says(b"DATA\r\n")
    due = raw_manager.agent.due()
    assert due is not None
    assert 80 < due - time.monotonic() <= 90


def test_garbage_after_the_opening_ends_the_connection(transport: str, tmp_path: Path) -> None:
    with raw_agent_on(transport, tmp_path) as (controller, client):
        client.sendall(OPENING_TCP + b"x" * 64)
        assert controller.lost()


def test_an_actor_that_fails_tells_the_test(tmp_path: Path) -> None:
    with (
        listening("tcp", tmp_path) as (listener, _address),
        apart(lambda: ReferenceController(COMPATIBLE, listener)) as controller,
    ):
        with pytest.raises(AssertionError, match="no connection within"):
            controller.accept(within=0.01)
        with pytest.raises(AssertionError, match="not connected"):
            controller.ask("ListUnits")
