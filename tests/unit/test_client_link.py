"""The client's side of a real socket: authentication, pieces, the end, and a loop that polls."""

from __future__ import annotations

import select
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from jeepney import AuthenticationError, DBusAddress, new_method_return, new_signal

from hirte.api.dialect import NATIVE
from hirte.client import CallError, ManagerAway, UnitNew, connect
from hirte.client.connecting import open_bus
from hirte.client.connection import Connection
from hirte.client.errors import MANAGER_GONE
from hirte.client.link import Link, open_link
from hirte.client.manager import Manager
from hirte.client.session import Session
from tests.unit.ctl_fake import NAME, ROOT, sent

MONITOR = f"{ROOT}/monitor/1"


@pytest.fixture
def pair() -> Iterator[tuple[Manager, socket.socket]]:
    """A client over the private socket, and the manager's end of that."""
    ours, theirs = socket.socketpair()
    manager = Manager(Session(Connection(Link(ours), MANAGER_GONE), NATIVE, private=True))
    with theirs:
        yield manager, theirs
    manager.close()


def serve(theirs: socket.socket, signature: str, *values: object, more: bytes = b"") -> None:
    """Answer the next call, and send `more` at once with the answer."""

    def answer() -> None:
        from jeepney import Parser

        parser = Parser()
        while (call := parser.get_next_message()) is None:
            parser.add_data(theirs.recv(4096))
        reply = new_method_return(call, signature or None, values)
        theirs.sendall(reply.serialise(serial=1) + more)

    threading.Thread(target=answer, daemon=True).start()


def unit_new(unit: str) -> bytes:
    """Return the bytes of a monitor's signal."""
    address = DBusAddress(MONITOR, interface=f"{NAME}.Monitor")
    signal = new_signal(address, "UnitNew", "sss", ("node1", unit, "real"))
    return sent(signal, ":1.1").serialise(serial=2)


def readable(manager: Manager) -> bool:
    """Tell whether a loop would call `process`."""
    poll = select.poll()
    poll.register(manager, select.POLLIN)
    return bool(poll.poll(0))


def test_a_message_in_pieces(pair: tuple[Manager, socket.socket]) -> None:
    manager, theirs = pair
    serve(theirs, "o", MONITOR)
    manager.create_monitor()
    data = unit_new("a.service")
    for byte in data[:-1]:
        theirs.send(bytes([byte]))
        assert manager.process() == []
    theirs.send(data[-1:])
    assert manager.process() == [UnitNew("node1", "a.service", "real")]


def test_somebody_who_waits_for_a_year(pair: tuple[Manager, socket.socket]) -> None:
    manager, theirs = pair
    serve(theirs, "o", MONITOR)
    monitor = manager.create_monitor()
    theirs.send(unit_new("a.service"))
    assert monitor.next(365 * 86400.0) == UnitNew("node1", "a.service", "real")


def test_the_descriptor_tells_what_lies_unseen(pair: tuple[Manager, socket.socket]) -> None:
    """What came with an answer was read with it: the socket alone would say nothing of it."""
    manager, theirs = pair
    serve(theirs, "o", MONITOR)
    monitor = manager.create_monitor()
    assert not readable(manager)
    serve(theirs, "u", 2, more=unit_new("a.service") + unit_new("b.service"))
    monitor.subscribe("node1", "*")
    assert readable(manager)
    assert [event.unit for event in manager.process()] == ["a.service", "b.service"]
    assert not readable(manager)
    theirs.sendall(unit_new("c.service"))
    assert readable(manager)
    assert [event.unit for event in manager.process()] == ["c.service"]
    assert not readable(manager)


def test_a_descriptor_that_is_asked_for_late(pair: tuple[Manager, socket.socket]) -> None:
    manager, theirs = pair
    serve(theirs, "o", MONITOR, more=unit_new("a.service"))
    manager.create_monitor()
    assert readable(manager) == (manager.process() != [])


def test_the_end_shows_to_a_loop(pair: tuple[Manager, socket.socket]) -> None:
    manager, theirs = pair
    serve(theirs, "o", MONITOR)
    manager.create_monitor()
    theirs.sendall(unit_new("a.service"))
    theirs.shutdown(socket.SHUT_RDWR)
    assert readable(manager)
    assert len(manager.process()) == 1
    for _ in range(2):
        assert readable(manager)
        with pytest.raises(ManagerAway, match=r"^the manager went away$"):
            while True:
                manager.process()


def test_a_failure_that_a_call_found_shows_to_a_loop(
    pair: tuple[Manager, socket.socket],
) -> None:
    """It came with the answer, so the call succeeds, and the socket says nothing of it."""
    manager, theirs = pair
    serve(theirs, "o", MONITOR)
    monitor = manager.create_monitor()
    assert not readable(manager)
    address = DBusAddress(MONITOR, interface=f"{NAME}.Monitor")
    strange = sent(new_signal(address, "UnitNew", "s", ("node1",)), ":1.1").serialise(serial=3)
    serve(theirs, "u", 2, more=strange)
    assert monitor.subscribe("node1", "*") == 2
    assert readable(manager)
    with pytest.raises(CallError, match="of another version"):
        manager.process()


def test_a_call_to_a_manager_that_is_gone(pair: tuple[Manager, socket.socket]) -> None:
    manager, theirs = pair
    theirs.close()
    with pytest.raises(ManagerAway):
        manager.list_nodes()
    with pytest.raises(ManagerAway):
        manager.list_nodes()


# Connecting


@pytest.fixture
def listener(tmp_path: Path) -> Iterator[Callable[[bytes], str]]:
    """A server that answers the first thing that is said; its path."""
    with socket.socket(socket.AF_UNIX) as server:
        path = str(tmp_path / "socket")
        server.bind(path)
        server.listen()

        def say(answer: bytes) -> str:
            def run() -> None:
                peer, _ = server.accept()
                with peer:
                    peer.recv(1024)
                    if answer:
                        peer.sendall(answer)
                    while answer and peer.recv(1024):
                        pass

            threading.Thread(target=run, daemon=True).start()
            return path

        yield say


def test_authentication(listener: Callable[[bytes], str]) -> None:
    open_link(listener(b"OK 1234\r\n"), 5.0).close()


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (b"REJECTED\r\n", AuthenticationError),
        (b"nonsense", OSError),
        (b"", ConnectionResetError),
    ],
)
def test_who_does_not_want_us(
    listener: Callable[[bytes], str], answer: bytes, error: type[Exception]
) -> None:
    with pytest.raises(error):
        open_link(listener(answer), 0.05)


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("garbage", "is not the address of a Unix socket"),
        ("tcp:host=h,port=1", "is not the address of a Unix socket"),
        ("tcp:host=h,port=1;unix:path=/nonexistent/b%c3%a4s", "No such file or directory"),
    ],
)
@pytest.mark.parametrize(("user", "name"), [(False, "SYSTEM"), (True, "SESSION")])
def test_a_bus_elsewhere(
    monkeypatch: pytest.MonkeyPatch, address: str, reason: str, user: bool, name: str
) -> None:
    variable = f"DBUS_{name}_BUS_ADDRESS"
    monkeypatch.setenv(variable, address)
    with pytest.raises(ManagerAway) as raised:
        open_bus(user)
    bus = "user" if user else "system"
    said = f"{variable} {reason}" if reason.startswith("is not") else reason
    assert str(raised.value) == f"the {bus} bus cannot be reached: {said}"


def test_the_path_of_a_bus_may_be_escaped(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, listener: Callable[[bytes], str]
) -> None:
    link = tmp_path / "b\u00e4s"
    link.symlink_to(listener(b"REJECTED no\r\n"))
    monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", f"unix:path={tmp_path}/b%c3%a4s")
    with pytest.raises(ManagerAway, match="it refuses us: "):
        open_bus()


def test_a_bus_that_refuses_us(
    monkeypatch: pytest.MonkeyPatch, listener: Callable[[bytes], str]
) -> None:
    monkeypatch.setenv(
        "DBUS_SYSTEM_BUS_ADDRESS", f"unix:path={listener(b'REJECTED no' + bytes([13, 10]))}"
    )
    with pytest.raises(ManagerAway, match="it refuses us: "):
        connect("bus")
