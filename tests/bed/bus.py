"""A client for a node's system bus: calls, properties, and waits that always end.

Built on jeepney's blocking connection. Values are jeepney's: a variant is a pair of signature and
value, `call` returns the body as a tuple.
"""

from __future__ import annotations

import time
from collections import deque

from jeepney import DBusAddress, HeaderFields, MatchRule, MessageType, message_bus, new_method_call
from jeepney.io.blocking import DBusConnection, open_dbus_connection

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType
    from typing import Any

PROPERTIES = "org.freedesktop.DBus.Properties"
# Longer than the longest wait that the programs under test have for an answer of a node.
CALL_SECONDS = 40.0
WAIT_SECONDS = 20.0
_OWNERS = MatchRule(type="signal", interface="org.freedesktop.DBus", member="NameOwnerChanged")


class BusError(Exception):
    """A call was answered by an error. `name` is the D-Bus error's name, `text` its message."""

    def __init__(self, name: str, text: str) -> None:
        super().__init__(f"{name}: {text}")
        self.name = name
        self.text = text


class Signals:
    """What came in of the signals that were subscribed to with `Bus.listen`, oldest first."""

    def __init__(self, bus: Bus, *rules: MatchRule) -> None:
        self._bus = bus
        self._rules = rules
        self._filters: list[Any] = []
        self._queue: deque[Any] = deque()

    def __enter__(self) -> Signals:
        for rule in self._rules:
            self._filters.append(self._bus.connection.filter(rule, queue=self._queue))
            self._bus.call_bus(message_bus.AddMatch(rule))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for rule, filter_ in zip(self._rules, self._filters):
            filter_.close()
            self._bus.call_bus(message_bus.RemoveMatch(rule))

    def next(self, seconds: float = WAIT_SECONDS) -> Any:
        """The body of the next signal, a tuple. Raises TimeoutError."""
        return self.next_message(seconds).body

    def next_message(self, seconds: float = WAIT_SECONDS) -> Any:
        """The next signal as jeepney's Message. Raises TimeoutError."""
        return self._bus.connection.recv_until_filtered(self._queue, timeout=seconds)

    def until(self, wanted: Callable[[Any], bool], seconds: float = WAIT_SECONDS) -> Any:
        """The body of the first `wanted` signal; drops those before it. Raises TimeoutError."""
        deadline = time.monotonic() + seconds
        while True:
            body = self.next(max(0.0, deadline - time.monotonic()))
            if wanted(body):
                return body


class Bus:
    """A connection to a bus, a context manager. `address` is a D-Bus address of a Unix socket."""

    def __init__(self, address: str) -> None:
        self.connection: DBusConnection = open_dbus_connection(address, auth_timeout=CALL_SECONDS)

    def __enter__(self) -> Bus:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.connection.close()

    def call(
        self,
        destination: str,
        path: str,
        interface: str,
        member: str,
        signature: str = "",
        *values: Any,
        seconds: float = CALL_SECONDS,
    ) -> tuple[Any, ...]:
        """Calls a method and returns the body of the answer. Raises BusError, TimeoutError."""
        address = DBusAddress(path, bus_name=destination, interface=interface)
        message = new_method_call(address, member, signature or None, values)
        return self.call_bus(message, seconds)

    def call_bus(self, message: Any, seconds: float = CALL_SECONDS) -> tuple[Any, ...]:
        """Sends a prepared call and returns the body of the answer."""
        reply = self.connection.send_and_get_reply(message, timeout=seconds)
        body: tuple[Any, ...] = reply.body
        if reply.header.message_type is MessageType.error:
            name = reply.header.fields[HeaderFields.error_name]
            raise BusError(name, str(body[0]) if body else "")
        return body

    def get(
        self,
        destination: str,
        path: str,
        interface: str,
        name: str,
        seconds: float = CALL_SECONDS,
    ) -> Any:
        """The value of a property. Raises BusError, TimeoutError."""
        (variant,) = self.call(
            destination, path, PROPERTIES, "Get", "ss", interface, name, seconds=seconds
        )
        return variant[1]

    def listen(
        self,
        *,
        path: str | None = None,
        interface: str | None = None,
        member: str | None = None,
        sender: str | None = None,
    ) -> Signals:
        """Subscribes to signals for as long as the result's `with` block lasts.

        `sender` has to be a unique name: jeepney compares it with the signals' header.
        """
        return Signals(
            self,
            MatchRule(type="signal", path=path, interface=interface, member=member, sender=sender),
        )

    def has_owner(self, name: str) -> bool:
        """Whether somebody owns the bus name."""
        return bool(self.call_bus(message_bus.NameHasOwner(name))[0])

    def wait_for_name(self, name: str, owned: bool = True, seconds: float = WAIT_SECONDS) -> None:
        """Until the bus name has an owner, or none. Raises TimeoutError."""
        with Signals(self, _OWNERS) as changes:
            if self.has_owner(name) != owned:
                changes.until(lambda body: body[0] == name and bool(body[2]) == owned, seconds)

    def wait_for_property(
        self,
        destination: str,
        path: str,
        interface: str,
        name: str,
        wanted: Callable[[Any], bool],
        seconds: float = WAIT_SECONDS,
    ) -> Any:
        """Until a property that announces its changes has a `wanted` value; returns the value.

        The owner of `destination` may come and go meanwhile. Raises TimeoutError with the last
        value seen.
        """
        deadline = time.monotonic() + seconds
        value: Any = None
        with Signals(
            self, MatchRule(type="signal", path=path, interface=PROPERTIES), _OWNERS
        ) as reasons:
            while True:
                left = max(0.0, deadline - time.monotonic())
                try:
                    value = self.get(destination, path, interface, name, left)
                except BusError as error:
                    value = error
                else:
                    if wanted(value):
                        return value
                try:
                    reasons.next(max(0.0, deadline - time.monotonic()))
                except TimeoutError:
                    raise TimeoutError(f"{path} {name} is {value!r} after {seconds} s") from None
