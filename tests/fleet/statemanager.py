"""A state manager for the tests: calls the public API and keeps all that it hears, in order.

Signatures and names of members are written by the tests, from the contract, and never taken from
hirte's own tables: what a table has wrong must not make a test right. Values are jeepney's: a
variant is a pair of signature and value.
"""

from __future__ import annotations

import time

from jeepney import DBusAddress, HeaderFields, MatchRule, MessageType, message_bus, new_method_call
from jeepney.io.blocking import open_dbus_connection

from tests.bed.bus import CALL_SECONDS, PROPERTIES, WAIT_SECONDS, BusError

TYPE_CHECKING = False
if TYPE_CHECKING:
    import socket
    from collections.abc import Callable
    from typing import Any

    from hirte.api.dialect import Dialect
    from tests.bed import Node

INTROSPECTABLE = "org.freedesktop.DBus.Introspectable"
BUS = "org.freedesktop.DBus"
BUS_PATH = "/org/freedesktop/DBus"
ERROR = "org.freedesktop.DBus.Error"
ANSWERS = (MessageType.method_return, MessageType.error)


class Heard:
    """A message that arrived. `error` is empty unless it is an error.

    The `values` of PropertiesChanged are a dictionary without the variants' signatures.
    """

    def __init__(self, message: Any) -> None:
        fields = message.header.fields
        self.is_signal = message.header.message_type is MessageType.signal
        self.answers = fields.get(HeaderFields.reply_serial, 0)
        self.error = fields.get(HeaderFields.error_name, "")
        self.path = fields.get(HeaderFields.path, "")
        self.interface = fields.get(HeaderFields.interface, "")
        self.member = fields.get(HeaderFields.member, "")
        self.destination = fields.get(HeaderFields.destination, "")
        self.signature = fields.get(HeaderFields.signature, "")
        self.values = message.body
        if self.member == "PropertiesChanged":
            interface, changed, invalidated = message.body
            assert invalidated == []
            self.about = interface
            self.values = {name: value for name, (_, value) in changed.items()}

    @property
    def event(self) -> tuple[Any, ...]:
        """The signal as tests compare it: its member, then its values."""
        if self.member == "PropertiesChanged":
            return (self.member, self.path, self.values)
        return (self.member, *self.values)

    def __repr__(self) -> str:
        return f"<{self.error or self.member or 'answer'} {self.path} {self.values!r}>"


class StateManager:
    """A program on the system bus of `node` that speaks `dialect`. A context manager.

    Calls return the answer's single value, or all of them as a tuple, or None; they raise BusError
    and TimeoutError. `heard` has every signal and answer since the last `forget`.
    """

    def __init__(self, node: Node, dialect: Dialect, address: str = "") -> None:
        self.dialect = dialect
        self.heard: list[Heard] = []
        self._connection = open_dbus_connection(
            address or node.bus_address, auth_timeout=CALL_SECONDS
        )
        self.name = self._connection.unique_name
        # Who owns both names sends everything twice: by path it is only what this dialect says.
        self.listen(sender=dialect.bus_name, path_namespace=dialect.root)
        self.listen(sender=dialect.agent_bus_name, path_namespace=dialect.root)

    def __enter__(self) -> StateManager:
        return self

    def __exit__(self, *reason: object) -> None:
        self._connection.close()

    def detach(self) -> tuple[socket.socket, bytes]:
        """The connection for somebody who wants bytes, and what was read of it but not looked at.

        Nothing else of this object works any more, but its end.
        """
        waiting = self._connection.parser.buf
        return self._connection.sock, b"".join(waiting.chunks)

    # Names

    def path(self, relative: str) -> str:
        """The full path of an object of the manager."""
        return self.dialect.path(relative)

    def full(self, interface: str) -> str:
        """The full name of an interface or error."""
        return self.dialect.interface(interface)

    # Calls

    def send(
        self,
        destination: str,
        path: str,
        interface: str | None,
        member: str,
        signature: str = "",
        *values: Any,
    ) -> int:
        """Sends a call; its serial is for `answer`."""
        address = DBusAddress(path, bus_name=destination, interface=interface)
        return self.send_message(new_method_call(address, member, signature or None, values))

    def send_message(self, message: Any) -> int:
        """Sends a prepared message; its serial is for `answer`."""
        serial = next(self._connection.outgoing_serial)
        self._connection.send(message, serial)
        return serial

    def answer(self, serial: int, seconds: float = CALL_SECONDS) -> Heard:
        """The answer to a call, error or not."""
        return self.until(lambda heard: heard.answers == serial, seconds)

    def ask(self, destination: str, path: str, interface: str | None, *call: Any) -> Any:
        """Calls a method, `call` being its name, its arguments' signature and the arguments."""
        answer = self.answer(self.send(destination, path, interface, *call))
        if answer.error:
            raise BusError(answer.error, answer.values[0] if answer.values else "")
        return answer.values[0] if len(answer.values) == 1 else answer.values or None

    def manager(self, *call: Any) -> Any:
        """Calls a method of the Manager interface."""
        return self.ask(self.dialect.bus_name, self.path(""), self.full("Manager"), *call)

    def node(self, name: str, *call: Any) -> Any:
        """Calls a method of a node whose name needs no escaping."""
        return self.ask(self.dialect.bus_name, self.path(f"node/{name}"), self.full("Node"), *call)

    def object(self, path: str, interface: str, *call: Any) -> Any:
        """Calls a method of the object at a full path."""
        return self.ask(self.dialect.bus_name, path, self.full(interface), *call)

    def agent(self, *call: Any) -> Any:
        """Calls a method of the agent on this bus."""
        name = self.dialect.agent_bus_name
        return self.ask(name, self.path(""), self.full("Agent"), *call)

    def get(self, path: str, interface: str, name: str) -> tuple[str, Any]:
        """A property of the manager's object at a full path: signature and value."""
        destination = self.dialect.agent_bus_name if interface == "Agent" else self.dialect.bus_name
        return self.ask(destination, path, PROPERTIES, "Get", "ss", self.full(interface), name)

    def get_all(self, path: str, interface: str) -> dict[str, Any]:
        """What GetAll tells of a manager's object, without signatures."""
        told = self.ask(
            self.dialect.bus_name, path, PROPERTIES, "GetAll", "s", self.full(interface)
        )
        return {name: value for name, (_, value) in told.items()}

    # What is heard

    def listen(self, **rule: Any) -> None:
        """Subscribes to signals."""
        serial = self.send_message(message_bus.AddMatch(MatchRule(type="signal", **rule)))
        assert not self.answer(serial).error

    def forget(self) -> None:
        """Lets go of all that was heard."""
        self.heard.clear()

    def until(self, wanted: Callable[[Heard], bool], seconds: float = WAIT_SECONDS) -> Heard:
        """The first message since the last `forget` that is `wanted`, waiting for it.

        Raises TimeoutError with what was heard instead.
        """
        deadline = time.monotonic() + seconds
        seen = 0
        while True:
            for heard in self.heard[seen:]:
                if wanted(heard):
                    return heard
            seen = len(self.heard)
            left = deadline - time.monotonic()
            try:
                self._receive(max(0.0, left))
            except TimeoutError:
                raise TimeoutError(f"after {seconds} s heard {self.heard[-30:]!r}") from None

    def hear(self, member: str, *begin: Any, seconds: float = WAIT_SECONDS) -> Heard:
        """The first signal `member` whose values begin with `begin`, waiting for it."""
        return self.until(
            lambda heard: heard.member == member and tuple(heard.values)[: len(begin)] == begin,
            seconds,
        )

    def changed(self, path: str, name: str, value: Any, seconds: float = WAIT_SECONDS) -> Heard:
        """The PropertiesChanged of the object at `path` that gives a property this value."""
        return self.until(
            lambda heard: (
                heard.member == "PropertiesChanged"
                and heard.path == path
                and heard.values.get(name) == value
            ),
            seconds,
        )

    def settle(self, destination: str = "") -> list[tuple[Any, ...]]:
        """All signals heard, up to what the manager had sent to the bus before now, as events."""
        self.ask(destination or self.dialect.bus_name, "/", "org.freedesktop.DBus.Peer", "Ping")
        return self.events()

    def events(self) -> list[tuple[Any, ...]]:
        """All signals heard of the manager, as events."""
        return [heard.event for heard in self.heard if heard.is_signal]

    def _receive(self, seconds: float) -> None:
        message = self._connection.receive(timeout=seconds)
        heard = Heard(message)
        if heard.member not in ("NameAcquired", "NameLost"):
            self.heard.append(heard)

    def wait_for_name(self, name: str) -> None:
        """Until somebody owns a bus name."""
        self.listen(interface=BUS, member="NameOwnerChanged")
        if not self.ask(BUS, BUS_PATH, BUS, "NameHasOwner", "s", name):
            self.until(
                lambda heard: (
                    heard.member == "NameOwnerChanged"
                    and heard.values[0] == name
                    and heard.values[2] != ""
                )
            )

    def wait_for_systemd(self, node: str) -> None:
        """Until the agent has found its systemd again, which takes it a tenth of a second."""
        deadline = time.monotonic() + WAIT_SECONDS
        while True:
            try:
                self.node(node, "GetDefaultTarget")
                return
            except BusError as error:
                assert error.name in (f"{ERROR}.Failed", f"{ERROR}.NoReply")
                assert time.monotonic() < deadline

    # Jobs

    def job(self, node: str, member: str, unit: str, mode: str = "replace") -> str:
        """Asks for a job and returns its result, once it was removed."""
        path = self.node(node, member, "ss", unit, mode)
        return self.removed(path)

    def removed(self, path: str, seconds: float = WAIT_SECONDS) -> str:
        """The result of a job, waiting for its end."""
        gone = self.until(
            lambda heard: heard.member == "JobRemoved" and heard.values[1] == path, seconds
        )
        return str(gone.values[4])
