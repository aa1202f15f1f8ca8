"""The bus as seen by somebody who asks whether a service is online."""

from __future__ import annotations

from time import monotonic

from jeepney import (
    DBusAddress,
    HeaderFields,
    MatchRule,
    MessageFlag,
    message_bus,
    new_method_call,
)

from hirte.client.connection import strange
from hirte.client.errors import CallError, Error
from hirte.online.state import State

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from hirte.client.connection import Connection

BUS_NAME = "org.freedesktop.DBus"
BUS_PATH = "/org/freedesktop/DBus"
PROPERTIES = "org.freedesktop.DBus.Properties"
STATUS = "Status"
# Seconds. Who does not tell its own status within that is not online.
CALL_TIMEOUT = 25.0


class Target:
    """What is watched: a property Status at a bus name, and the value that means online.

    `address`, if any, is the property that tells which manager an agent uses.
    """

    def __init__(
        self, name: str, path: str, interface: str, online: str, address: str = ""
    ) -> None:
        self.name = name
        self.path = path
        self.interface = interface
        self.online = online
        self.address = address


class Watch:
    """Watches a target over a connection to the bus; `online` is what is known.

    All methods raise the client's Error.
    """

    def __init__(self, connection: Connection, target: Target) -> None:
        self.online = False
        self._state: State | None = None
        self._connection = connection
        self._target = target
        self._owner = ""
        connection.on_signal = self._signal

    def ask(self) -> None:
        """Ask for the status; from before on, changes are heard. Who has no owner is offline."""
        target = self._target
        owners = _rule(BUS_PATH, BUS_NAME, "NameOwnerChanged", BUS_NAME, target.name)
        changes = _rule(target.path, PROPERTIES, "PropertiesChanged", target.name, target.interface)
        for rule in (owners, changes):
            self._request(message_bus.AddMatch(rule), _nothing)
        try:
            self._request(message_bus.GetNameOwner(target.name), self._owned)
        except CallError:
            return
        address = DBusAddress(target.path, bus_name=target.name, interface=PROPERTIES)
        message = new_method_call(address, "Get", "ss", (target.interface, STATUS))
        message.header.flags = MessageFlag.no_auto_start
        self._request(message, self._told)

    @property
    def has_owner(self) -> bool:
        """Tell whether the service itself is there, whatever it tells of its status."""
        return self._owner != ""

    def run(self, monitor: bool, wait: float, switch: float) -> bool:
        """Watch as long as it makes sense; return whether it is online then.

        For `monitor`, `wait` and `switch` see :class:`State`.
        """
        state = self._state = State(monotonic(), self.online, monitor, wait, switch)
        while not state.over:
            end = state.deadline
            timeout = None if end is None else max(0.0, end - monotonic())

            def has_news(end: float | None = end) -> bool:
                return state.over or state.deadline != end

            self._connection.wait(has_news, timeout)
            state.tick(monotonic())
        return state.online

    def _request(self, message: Any, take: Callable[[str, tuple[Any, ...]], None]) -> None:
        self._connection.request(message, take, _explain, CALL_TIMEOUT).result()

    def _owned(self, signature: str, values: tuple[Any, ...]) -> None:
        (self._owner,) = values

    def _told(self, signature: str, values: tuple[Any, ...]) -> None:
        if signature != "v" or values[0][0] != "s":
            raise strange(STATUS, signature)
        self.online = values[0][1] == self._target.online

    def _signal(self, message: Any) -> None:
        fields = message.header.fields
        sender, member = fields.get(HeaderFields.sender), fields[HeaderFields.member]
        path = fields[HeaderFields.path]
        if sender == BUS_NAME and member == "NameOwnerChanged":
            name, _, owner = message.body
            if name == self._target.name:
                self._owner = owner
                self._status(False)
        elif sender == self._owner and member == "PropertiesChanged":
            interface, changed, _ = message.body
            if interface == self._target.interface and path == self._target.path:
                self._changed(changed)

    def _changed(self, changed: dict[str, tuple[str, Any]]) -> None:
        if self._state is not None and self._target.address in changed:
            self._state.switching(monotonic())
        if STATUS in changed:
            self._status(changed[STATUS][1] == self._target.online)

    def _status(self, online: bool) -> None:
        self.online = online
        if self._state is not None:
            self._state.status(online)


def _rule(path: str, interface: str, member: str, sender: str, first: str) -> MatchRule:
    rule = MatchRule(type="signal", sender=sender, path=path, interface=interface, member=member)
    rule.add_arg_condition(0, first)
    return rule


def _nothing(signature: str, values: tuple[Any, ...]) -> None:
    pass


def _explain(name: str, text: str, sender: str) -> Error:
    return CallError(name, text)
