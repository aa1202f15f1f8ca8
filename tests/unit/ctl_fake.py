"""A system bus with a manager on it, as the client's link would show them.

It stands for the world outside of the client and of the tool. Every message goes through jeepney's
bytes and back, so that what cannot be sent, or does not fit its signature, fails here as it would
there.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from jeepney import (
    DBusAddress,
    HeaderFields,
    Message,
    MessageFlag,
    Parser,
    new_error,
    new_method_return,
    new_signal,
)

from hirte.api.dialect import NATIVE, Dialect
from hirte.client.connection import Connection
from hirte.client.errors import BUS_GONE
from hirte.client.manager import Manager
from hirte.client.session import Session
from hirte.ctl.main import run

NAME = "org.containers.hirte"
ROOT = "/org/containers/hirte"
OWNER = ":1.7"
DRIVER = "org.freedesktop.DBus"
DRIVER_PATH = "/org/freedesktop/DBus"
ERROR = "org.freedesktop.DBus.Error."


class Refusal(Exception):
    """The answer is an error: its name, its text and who says so."""


def sent(message: Message, sender: str, serial: int = 1) -> Message:
    """Return the message as it arrives when `sender` has sent it."""
    message.header.fields[HeaderFields.sender] = sender
    parser = Parser()
    parser.add_data(message.serialise(serial=serial))
    return parser.get_next_message()


class FakeBus:
    """The bus and the manager; has the methods of the client's Link.

    `calls` records what was asked for, the bus's own methods too. What happens while the tool waits
    for signals is in `to_come`: signals, exceptions, or what is called then.
    """

    def __init__(self) -> None:
        self.calls: list[tuple[str, ...]] = []
        self.to_come: deque[Message | BaseException | Callable[[], object]] = deque()
        self.incoming: deque[Message] = deque()
        # Whether calls may let the bus start who is called.
        self.may_start = False
        self._ignored: set[tuple[str, str]] = set()
        self.closed = False
        self._serial = 0
        self._answers: dict[tuple[str, str], Callable[[tuple[Any, ...]], tuple[str, tuple]]] = {}
        self.on_call: Callable[[str], None] = lambda member: None
        self.answer(DRIVER_PATH, "GetNameOwner", "s", OWNER)
        self.answer(DRIVER_PATH, "AddMatch")

    # What the tests say

    def answer(self, path: str, member: str, signature: str = "", *values: Any) -> None:
        """From now on answer a call so."""
        self._answers[path, member] = lambda _: (signature, values)

    def refuse(
        self, path: str, member: str, name: str, text: str = "", sender: str = OWNER
    ) -> None:
        """From now on answer a call with an error."""

        def answer(_: tuple[Any, ...]) -> tuple[str, tuple]:
            raise Refusal(name, text, sender)

        self._answers[path, member] = answer

    def ignore(self, path: str, member: str) -> None:
        """From now on leave a call without an answer."""
        self._ignored.add((path, member))

    def owned(self, *names: str) -> None:
        """Let these names have owners, and no other ones."""
        self._answers[DRIVER_PATH, "NameHasOwner"] = lambda asked: ("b", (asked[0] in names,))

    def nodes(self, *rows: tuple[str, str, str]) -> None:
        """Configure nodes: (name, status, IP)."""
        listed = [(name, node_path(name), status, ip) for name, status, ip in rows]
        self.answer(ROOT, "ListNodes", "a(soss)", listed)

    def signal(
        self,
        member: str,
        signature: str,
        *values: Any,
        path: str = ROOT,
        interface: str = f"{NAME}.Manager",
        sender: str = OWNER,
    ) -> Message:
        """Return a signal, to be put into `to_come`, or to be `deliver`ed."""
        address = DBusAddress(path, interface=interface)
        return sent(new_signal(address, member, signature, values), sender)

    def job_removed(
        self, result: str, job: int = 1, node: str = "node1", unit: str = "a.service", **who: str
    ) -> Message:
        """Return the manager's signal for the end of a job."""
        return self.signal(
            "JobRemoved", "uosss", job, f"{ROOT}/job/{job}", node, unit, result, **who
        )

    def owner_changed(self, name: str = NAME, old: str = OWNER, new: str = "") -> Message:
        """Return the bus's signal for a name that changes hands."""
        return self.signal(
            "NameOwnerChanged", "sss", name, old, new,
            path=DRIVER_PATH, interface=DRIVER, sender=DRIVER,
        )  # fmt: skip

    def status_changed(self, node: str, status: str) -> Message:
        """Return the manager's signal for a node that is online or offline now."""
        values = (f"{NAME}.Node", {"Status": ("s", status)}, [])
        where = {"path": node_path(node), "interface": f"{DRIVER}.Properties"}
        return self.signal("PropertiesChanged", "sa{sv}as", *values, **where)

    def deliver(self, message: Message) -> None:
        """Let a signal arrive."""
        self.incoming.append(message)

    # What the client sees

    def fileno(self) -> int:
        raise AssertionError("nothing here can be polled")

    def close(self) -> None:
        self.closed = True

    def buffered(self) -> Message | None:
        return self.incoming.popleft() if self.incoming else None

    def receive(self, timeout: float | None) -> Message | None:
        while not self.incoming:
            if not self.to_come:
                assert timeout is not None, "this would wait for ever"
                return None
            event = self.to_come.popleft()
            if isinstance(event, BaseException):
                raise event
            if callable(event):
                event()
            else:
                self.deliver(event)
        return self.incoming.popleft()

    def send(self, message: Message) -> int:
        self._serial += 1
        received = sent(message, ":1.99", self._serial)
        fields = received.header.fields
        path, member = fields[HeaderFields.path], fields[HeaderFields.member]
        if path == DRIVER_PATH:
            self.calls.append((member, *received.body))
        else:
            assert bool(received.header.flags & MessageFlag.no_auto_start) != self.may_start
            interface = fields[HeaderFields.interface]
            destination = fields.get(HeaderFields.destination, "")
            self.calls.append((destination, path, interface, member, *received.body))
        self.on_call(member)
        wanted = not received.header.flags & MessageFlag.no_reply_expected
        if wanted and (path, member) not in self._ignored:
            self.incoming.append(self._answer(received, path, member))
        return self._serial

    def _answer(self, received: Message, path: str, member: str) -> Message:
        try:
            if (path, member) not in self._answers:
                raise Refusal(ERROR + "UnknownObject", f"Unknown object '{path}'.", OWNER)
            signature, values = self._answers[path, member](received.body)
        except Refusal as refusal:
            name, text, sender = refusal.args
            body = ("s", (text,)) if text else (None, ())
            return sent(new_error(received, name, *body), sender)
        return sent(new_method_return(received, signature or None, values), OWNER)


def node_path(name: str) -> str:
    """Return a node's object path, for names that need no escaping."""
    return f"{ROOT}/node/{name}"


def ctl(bus: FakeBus, *argv: str) -> int:
    """Run the tool with `argv` against the fake; return its exit code."""
    return run(argv, "hirte ctl", connect=lambda: client(bus))


def client(bus: FakeBus, dialect: Dialect = NATIVE, private: bool = False) -> Manager:
    """Return a client of the manager on the fake."""
    return Manager(Session(Connection(bus, BUS_GONE), dialect, private))


def unit(name: str, active: str = "active", sub: str = "running", load: str = "loaded") -> Sequence:
    """Return a unit as systemd lists it."""
    path = "/org/freedesktop/systemd1/unit/x"
    return (name, "A thing", load, active, sub, "", path, 0, "", "/")
