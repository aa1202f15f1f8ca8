"""Five hundred units start and stop on three nodes: a monitor of everything hears everything.

What each node's systemd says on its private socket is recorded at the same time, and what the
monitor must have said is derived from it, event by event. Many such monitors are more than the bus
can keep up with; then everybody waits, and each hears the same.
"""

from __future__ import annotations

import selectors
import socket
import threading
from collections.abc import Iterator
from typing import Any

from jeepney import DBusAddress, HeaderFields, Parser, new_method_call

from hirte.api.dialect import NATIVE
from hirte.wire.encode import encode
from hirte.wire.framing import Framer
from hirte.wire.limits import MESSAGE_BYTES
from tests.bed import Fleet
from tests.fleet.statemanager import BUS, BUS_PATH, PROPERTIES, StateManager
from tests.fleet.units import UNITS

NODES = ("node1", "node2", "node3")
UNIT_COUNT = 500
# So many that a manager which does not wait for the bus has more for it than it can keep.
MONITORS = 60
FEWER_UNITS = 250
# dbus-daemon allows a connection 128 calls that wait for an answer.
IN_FLIGHT = 100
SECONDS = 120.0
SYSTEMD = "org.freedesktop.systemd1"
SYSTEMD_PATH = "/org/freedesktop/systemd1"
OPENING = b"\0AUTH EXTERNAL 30\r\nNEGOTIATE_UNIX_FD\r\nBEGIN\r\n"
OPENING_ANSWERS = 2
PREFIX = "one@storm"
END = "one@end.service"
# Longer than any mark.
MARK_BYTES = 64
READ_BYTES = 1 << 18


class Recorder(threading.Thread):
    """Keeps what arrives on sockets, until on each all of its marks have arrived; closes them."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.bytes: dict[str, bytearray] = {}
        self._marks: dict[str, list[bytes]] = {}
        self._selector = selectors.DefaultSelector()

    def add(self, name: str, sock: socket.socket, marks: list[bytes], begin: bytes = b"") -> None:
        """Records `sock` as well, before the thread is started."""
        self.bytes[name] = bytearray(begin)
        self._marks[name] = list(marks)
        self._selector.register(sock, selectors.EVENT_READ, name)

    def run(self) -> None:
        while any(self._marks.values()):
            for key, _ in self._selector.select():
                data = self.bytes[key.data]
                # A mark may have come in two pieces.
                old = max(0, len(data) - MARK_BYTES)
                data += key.fileobj.recv(READ_BYTES)
                fresh = bytes(data[old:])
                marks = self._marks[key.data]
                self._marks[key.data] = [mark for mark in marks if mark not in fresh]
        for key in list(self._selector.get_map().values()):
            key.fileobj.close()
        self._selector.close()


def subscribed(fleet: Fleet, node: str) -> socket.socket:
    """A connection to the node's systemd that gets all its signals from now on."""
    sock = fleet[node].private_socket()
    sock.settimeout(SECONDS)
    manager = DBusAddress(SYSTEMD_PATH, bus_name=SYSTEMD, interface=f"{SYSTEMD}.Manager")
    call = new_method_call(manager, "Subscribe")
    sock.sendall(OPENING + call.serialise(serial=1))
    lines = b""
    while lines.count(b"\r\n") < OPENING_ANSWERS:
        lines += sock.recv(1)
    return sock


def messages(data: bytes) -> Iterator[tuple[str, str, str, tuple[Any, ...]]]:
    """The signals among the messages: path, interface, member, values."""
    parser = Parser()
    parser.add_data(data)
    while (message := parser.get_next_message()) is not None:
        fields = message.header.fields
        if HeaderFields.reply_serial not in fields:
            yield (
                fields[HeaderFields.path],
                fields[HeaderFields.interface],
                fields[HeaderFields.member],
                message.body,
            )


def expected(data: bytes) -> dict[str, list[tuple[Any, ...]]]:
    """What a monitor must say of each unit of the storm, after what its systemd said."""
    events: dict[str, list[tuple[Any, ...]]] = {}
    names: dict[str, str] = {}
    states: dict[str, tuple[str, str]] = {}
    for path, interface, member, values in messages(data):
        if member == "UnitNew" and values[0].startswith(PREFIX):
            unit, path = values
            names[path] = unit
            states[path] = ("inactive", "dead")
            events.setdefault(unit, []).append(("UnitNew", unit, "real"))
        elif member == "UnitRemoved" and values[1] in names:
            events[values[0]].append(("UnitRemoved", values[0], "real"))
        elif interface == PROPERTIES and path in names:
            unit = names[path]
            about, changed, _ = values
            if about == f"{SYSTEMD}.Unit":
                state = (changed["ActiveState"][1], changed["SubState"][1])
                if state != states[path]:
                    states[path] = state
                    events[unit].append(("UnitStateChanged", unit, *state, "real"))
            events[unit].append(("UnitPropertiesChanged", unit, about, changed))
    return events


def told(data: bytes, monitor: str) -> dict[str, dict[str, list[tuple[Any, ...]]]]:
    """What the monitor said of each unit of the storm, by node."""
    events: dict[str, dict[str, list[tuple[Any, ...]]]] = {node: {} for node in NODES}
    for path, _, member, values in messages(data):
        if path == monitor and values[1].startswith(PREFIX):
            node, unit, *rest = values
            events[node].setdefault(unit, []).append((member, unit, *rest))
    return events


def storm(caller: StateManager, member: str, count: int) -> None:
    """Asks for a job of every unit, many at a time, and waits for the end of the last one."""
    waiting = [
        (NODES[number % len(NODES)], f"{PREFIX}{number}.service") for number in range(count)
    ]
    open_calls: list[int] = []
    paths = []
    while waiting or open_calls:
        while waiting and len(open_calls) < IN_FLIGHT:
            node, unit = waiting.pop(0)
            open_calls.append(
                caller.send(
                    NATIVE.bus_name, caller.path(f"node/{node}"), caller.full("Node"),
                    member, "ss", unit, "replace",
                )
            )  # fmt: skip
        answer = caller.answer(open_calls.pop(0))
        assert not answer.error, answer
        paths.append(answer.values[0])
    results: dict[str, str] = {}
    while len(results) < count:
        caller.until(lambda heard: heard.member == "JobRemoved", SECONDS)
        for heard in caller.heard:
            if heard.member == "JobRemoved":
                assert heard.values[1] not in results
                results[heard.values[1]] = heard.values[4]
        caller.forget()
    assert set(results) == set(paths)
    assert set(results.values()) == {"done"}


def test_a_monitor_of_everything_loses_nothing(trio: Fleet) -> None:
    for node in NODES:
        trio[node].units({"one@.service": UNITS["one@.service"]})
    one = trio["node1"]
    with StateManager(one, NATIVE) as owner, StateManager(one, NATIVE) as caller:
        monitor = owner.manager("CreateMonitor")
        owner.object(monitor, "Monitor", "Subscribe", "ss", "*", "*")
        for node in NODES:
            owner.hear("UnitNew", node, "*", "virtual")
        recorder = Recorder()
        ends = [encode("ss", (node, END)) for node in NODES]
        sock, begin = owner.detach()
        recorder.add("monitor", sock, ends, begin)
        for node in NODES:
            recorder.add(node, subscribed(trio, node), [encode("s", (END,))])
        recorder.start()
        storm(caller, "StartUnit", UNIT_COUNT)
        storm(caller, "StopUnit", UNIT_COUNT)
        # A unit is said to be gone after its job is; behind another one's coming all is told.
        for node in NODES:
            trio[node].systemctl("start", END)
        recorder.join(SECONDS)
        assert not recorder.is_alive()
    heard = told(bytes(recorder.bytes["monitor"]), monitor)
    total = 0
    for node in NODES:
        said = expected(bytes(recorder.bytes[node]))
        assert heard[node].keys() == said.keys()
        for unit, events in said.items():
            assert heard[node][unit] == events
            assert (events[0][0], events[-1][0]) == ("UnitNew", "UnitRemoved")
            total += len(events)
    # Each starts and stops: it comes, changes its state at least twice, and goes.
    assert total > UNIT_COUNT * 8


def test_sixty_monitors_of_everything_all_hear_the_same(trio: Fleet) -> None:
    for node in NODES:
        trio[node].units({"one@.service": UNITS["one@.service"]})
    one = trio["node1"]
    with StateManager(one, NATIVE) as owner, StateManager(one, NATIVE) as caller:
        before = caller.ask(BUS, BUS_PATH, BUS, "GetNameOwner", "s", NATIVE.bus_name)
        monitors = [owner.manager("CreateMonitor") for _ in range(MONITORS)]
        for monitor in monitors:
            owner.object(monitor, "Monitor", "Subscribe", "ss", "*", "*")
        recorder = Recorder()
        sock, begin = owner.detach()
        recorder.add("monitors", sock, [encode("ss", (node, END)) for node in NODES], begin)
        recorder.start()
        storm(caller, "StartUnit", FEWER_UNITS)
        for node in NODES:
            trio[node].systemctl("start", END)
        recorder.join(SECONDS)
        assert not recorder.is_alive()
        # The manager has not lost the bus over it.
        assert caller.ask(BUS, BUS_PATH, BUS, "GetNameOwner", "s", NATIVE.bus_name) == before
    told: dict[str, list[bytes]] = {monitor: [] for monitor in monitors}
    framer = Framer(MESSAGE_BYTES)
    framer.feed(bytes(recorder.bytes["monitors"]))
    for message in iter(framer.take, None):
        if message.path in told and PREFIX.encode() in message.body:
            told[message.path].append(message.body)
    first = told[monitors[0]]
    assert len(first) > FEWER_UNITS * 5
    assert all(heard == first for heard in told.values())
