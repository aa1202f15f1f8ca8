"""What the objects of one conversation with a manager share: calls after the tables, signals.

Over the bus, nothing binds us to one manager until something is subscribed to: from then on we
speak to that process, because another one would know nothing of our jobs and monitors, and when it
leaves the bus the session fails. Over the private socket the other end is the manager anyway, and
sends all signals without being asked.
"""

from __future__ import annotations

from jeepney import (
    DBusAddress,
    HeaderFields,
    MatchRule,
    MessageFlag,
    message_bus,
    new_method_call,
)

from hirte.api import public
from hirte.client.bell import Bell
from hirte.client.connection import Reply, strange
from hirte.client.errors import (
    MANAGER_GONE,
    MANAGER_STOPPED,
    NOT_RUNNING,
    CallError,
    Error,
    ManagerAway,
    NodeOffline,
    NodeUnknown,
    NotPermitted,
    UnitUnknown,
)
from hirte.client.values import READERS, plain

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable

    from hirte.api.dialect import Dialect
    from hirte.api.table import Interface, Method
    from hirte.client.connection import Connection
    from hirte.client.events import Event, Source

    # Takes object path, member and arguments of a signal.
    Handler = Callable[[str, str, tuple[Any, ...]], None]
    # Takes object path and new values of properties, by native name.
    OnChanged = Callable[[str, dict[str, Any]], None]

# The bus's own name, and the sender of what it says itself.
BUS_NAME = "org.freedesktop.DBus"
BUS_PATH = "/org/freedesktop/DBus"
PROPERTIES = "org.freedesktop.DBus.Properties"
_INTROSPECTABLE = "org.freedesktop.DBus.Introspectable"
_CHANGED = "sa{sv}as"

_STANDARD = "org.freedesktop.DBus.Error."
ACCESS_DENIED = _STANDARD + "AccessDenied"
UNKNOWN_OBJECT = _STANDARD + "UnknownObject"
# How buses say that nobody owns a name, or that the owner left before it answered.
NO_REPLY = _STANDARD + "NoReply"
AWAY = (_STANDARD + "NameHasNoOwner", _STANDARD + "ServiceUnknown", NO_REPLY)
# How a manager that stops answers what it has not answered yet: name and text.
_STOPPED = (_STANDARD + "Failed", "Request cancelled")
NO_SUCH_UNIT = "org.freedesktop.systemd1.NoSuchUnit"

# Seconds. The manager gives an agent 30 to answer and then answers itself, which tells more than
# our giving up.
CALL_TIMEOUT = 45.0
# A bus keeps no more than 128 open calls for one client.
CALLS_AT_ONCE = 100


class Session:
    """A conversation in `dialect` over `connection`; `private` if that leads to the manager itself.

    `timeout` is how many seconds a call may take, `unique_name` is ours on the bus.
    """

    def __init__(
        self,
        connection: Connection,
        dialect: Dialect,
        private: bool = False,
        timeout: float = CALL_TIMEOUT,
        unique_name: str = "",
    ) -> None:
        self.unique_name = unique_name
        self.connection = connection
        self.dialect = dialect
        self.private = private
        self.timeout = timeout
        self._owner = ""
        self._rules: dict[str, int] = {}
        self._handlers: dict[str, tuple[Interface, list[Handler]]] = {}
        self._on_changed: dict[str, list[OnChanged]] = {}
        self._sources: list[Source[Any]] = []
        self._number = 0
        self._bell: Bell | None = None
        connection.on_signal = self._signal
        connection.on_failure = self._ring

    # Calls

    def begin(
        self,
        path: str,
        interface: Interface,
        member: str,
        values: tuple[Any, ...] = (),
        node: str = "",
    ) -> Reply[Any]:
        """Call a method of the table; `node` is whose object it is, if it is a node's."""
        row = interface.methods[member]
        name = self.dialect.interface(interface.name)
        message = self._call(path, name, self.dialect.member(member), row.signature, values)
        return self._request(message, lambda *answer: _read(row, *answer), node)

    def get(self, path: str, interface: Interface, name: str, node: str = "") -> Reply[Any]:
        """Ask for the value of a property of the table."""
        row = interface.properties[name]
        asked = (self.dialect.interface(interface.name), self.dialect.member(name))

        def read(signature: str, values: tuple[Any, ...]) -> Any:
            if signature != "v" or values[0][0] != row.signature:
                raise strange(name, values[0][0] if signature == "v" else signature)
            return values[0][1]

        return self._request(self._call(path, PROPERTIES, "Get", "ss", asked), read, node)

    def get_all(self, path: str, interface: Interface) -> Reply[Any]:
        """Ask for all properties that announce their changes, or never change."""
        asked = (self.dialect.interface(interface.name),)
        return self._request(self._call(path, PROPERTIES, "GetAll", "s", asked), _read_any, "")

    def children(self, path: str) -> list[str]:
        """Return the names of the objects right below `path`; none if there is no such path."""
        message = self._call(path, _INTROSPECTABLE, "Introspect", "", ())
        try:
            document = self._request(message, _read_any, "").result()
        except CallError as error:
            if error.name == UNKNOWN_OBJECT:
                return []
            raise
        from xml.etree import ElementTree

        try:
            nodes = ElementTree.fromstring(document).findall("node")
        except ElementTree.ParseError as error:
            raise Error(f"{path} describes itself in what is no XML: {error}") from error
        return [node.get("name", "") for node in nodes]

    def _call(
        self, path: str, interface: str, member: str, signature: str, values: tuple[Any, ...]
    ) -> Any:
        destination = self._owner or self.dialect.bus_name
        address = DBusAddress(path, bus_name=destination, interface=interface)
        message = new_method_call(address, member, signature or None, values)
        # Asking for the state of the manager must not start one.
        message.header.flags = MessageFlag.no_auto_start
        return message

    def _request(
        self, message: Any, read: Callable[[str, tuple[Any, ...]], Any], node: str
    ) -> Reply[Any]:
        path = message.header.fields[HeaderFields.path]

        def explain(name: str, text: str, sender: str) -> Error:
            return self._explain(name, text, sender == BUS_NAME, path, node)

        return self.connection.request(message, read, explain, self.timeout)

    def _explain(self, name: str, text: str, by_bus: bool, path: str, node: str) -> Error:
        if by_bus and name in AWAY:
            return self._away()
        if (name, text) == _STOPPED:
            return ManagerAway(MANAGER_STOPPED)
        if name == ACCESS_DENIED:
            # The bus tells the rules that it applied, over several lines of a terminal.
            refusal = "the system bus refuses it; try as root" if by_bus else text
            return NotPermitted(name, refusal, node)
        if name == self.dialect.interface("Offline"):
            return NodeOffline(name, text, node)
        # The agent's systemd may say the same of an object of its own.
        if name == UNKNOWN_OBJECT and f"'{path}'" in text:
            if node:
                return NodeUnknown(name, text, node)
            if path == self.dialect.root:
                # Another service has the name, or the manager does not speak this dialect.
                return self._away()
        kind = UnitUnknown if name == NO_SUCH_UNIT else CallError
        return kind(name, text, node)

    def _away(self) -> Error:
        name = self.dialect.bus_name
        if self._owner:
            self.connection.fail(ManagerAway(MANAGER_GONE))
            return ManagerAway(MANAGER_GONE)
        if self.private:
            return ManagerAway(f"{NOT_RUNNING} under the name {name}")
        return ManagerAway(f"{NOT_RUNNING}: nobody owns {name} on the system bus")

    def is_there(self) -> bool:
        """Tell whether a manager that speaks our dialect is at the other end now."""
        if not self.private:
            return bool(self._ask_bus(message_bus.NameHasOwner(self.dialect.bus_name)))
        try:
            self.get(self.dialect.root, public.MANAGER, "Status").result()
        except ManagerAway:
            # It has no such object, or there is no connection any more.
            self.connection.check()
            return False
        return True

    # Signals

    def attach(self) -> None:
        """Bind the session to the manager that is there now; notice when it leaves the bus."""
        if self.private or self._owner:
            return
        name = self.dialect.bus_name
        self._owner = self._ask_bus(message_bus.GetNameOwner(name))
        rule = MatchRule(
            type="signal", sender=BUS_NAME, path=BUS_PATH, interface=BUS_NAME,
            member="NameOwnerChanged",
        )  # fmt: skip
        rule.add_arg_condition(0, name)
        self._ask_bus(message_bus.AddMatch(rule))

    def listen(
        self, path: str, interface: str, member: str, namespace: bool = False, first: str = ""
    ) -> Callable[[], None]:
        """Subscribe to a signal of the manager; return what ends the subscription.

        `namespace` means the objects below `path` as well, `first` the first argument.
        """
        self.attach()
        if self.private:
            return _nothing
        where = {"path_namespace" if namespace else "path": path}
        rule = MatchRule(
            type="signal", sender=self._owner, interface=interface, member=member, **where
        )
        if first:
            rule.add_arg_condition(0, first)
        text = rule.serialise()
        if not self._rules.get(text):
            self._ask_bus(message_bus.AddMatch(text))
        self._rules[text] = self._rules.get(text, 0) + 1
        return lambda: self._unlisten(text)

    def _unlisten(self, rule: str) -> None:
        self._rules[rule] -= 1
        if not self._rules[rule]:
            message = message_bus.RemoveMatch(rule)
            message.header.flags = MessageFlag.no_reply_expected
            self.connection.tell(message)

    def handle(self, interface: Interface, handler: Handler) -> Callable[[], None]:
        """Let `handler` have the signals of an interface; return what ends that."""
        name = self.dialect.interface(interface.name)
        _, handlers = self._handlers.setdefault(name, (interface, []))
        handlers.append(handler)
        return lambda: handlers.remove(handler)

    def handle_changes(self, interface: Interface, handler: OnChanged) -> Callable[[], None]:
        """Let `handler` have the properties that changed; return what ends that."""
        handlers = self._on_changed.setdefault(self.dialect.interface(interface.name), [])
        handlers.append(handler)
        return lambda: handlers.remove(handler)

    def _ask_bus(self, message: Any) -> Any:
        return self._request(message, _read_any, "").result()

    def _signal(self, message: Any) -> None:
        fields = message.header.fields
        sender = fields.get(HeaderFields.sender)
        if not self.private:
            if sender == BUS_NAME:
                self._bus_signal(message)
                return
            # Anybody may send us what looks like it.
            if sender != self._owner:
                return
        name, member = fields[HeaderFields.interface], fields[HeaderFields.member]
        path, signature = fields[HeaderFields.path], fields.get(HeaderFields.signature, "")
        if name == PROPERTIES and signature == _CHANGED:
            interface, changes, _ = message.body
            for on_changed in self._on_changed.get(interface, ()):
                on_changed(path, plain(changes))
        elif name in self._handlers:
            table, handlers = self._handlers[name]
            row = table.signals.get(member)
            if row is None:
                return
            if row.signature != signature:
                self.connection.fail(strange(member, signature))
                return
            for handler in handlers:
                handler(path, member, message.body)

    def _bus_signal(self, message: Any) -> None:
        if message.header.fields[HeaderFields.member] == "NameOwnerChanged":
            name, old, _ = message.body
            if name == self.dialect.bus_name and old == self._owner:
                self.connection.fail(ManagerAway(MANAGER_GONE))

    # Events, and somebody else's loop

    def add_source(self, source: Source[Any]) -> None:
        """Take the events of `source` into account."""
        self._sources.append(source)

    def remove_source(self, source: Source[Any]) -> None:
        """Forget a source that is closed."""
        if source in self._sources:
            self._sources.remove(source)

    def next_number(self) -> int:
        """Return the place of the next event in the order of all."""
        self._ring()
        self._number += 1
        return self._number

    def _ring(self) -> None:
        if self._bell is not None:
            self._bell.ring()

    def fileno(self) -> int:
        """Return a descriptor that is readable as long as `process` has something to do."""
        if self._bell is None:
            self._bell = Bell(self.connection.link.fileno())
            if any(source.queue for source in self._sources) or self.connection.failure:
                self._bell.ring()
        return self._bell.fileno()

    def process(self) -> list[Event]:
        """Take what has come, without waiting; return the events, in order.

        Raises the failure of the connection when all events were taken.
        """
        self.connection.drain()
        found = sorted(
            [item for source in self._sources for item in source.queue], key=lambda item: item[0]
        )
        for source in list(self._sources):
            source.queue.clear()
            if source.closed:
                self._sources.remove(source)
        if not found:
            self.connection.check()
        if self._bell is not None and self.connection.failure is None:
            self._bell.silence()
        return [event for _, event in found]

    def close(self) -> None:
        """End the conversation."""
        self.connection.fail(Error("the client was closed"))
        self.connection.link.close()
        if self._bell is not None:
            self._bell.close()
            self._bell = None


def _read(row: Method, signature: str, values: tuple[Any, ...]) -> Any:
    if signature != row.result:
        raise strange(row.name, signature)
    return _read_any(signature, values)


def _read_any(signature: str, values: tuple[Any, ...]) -> Any:
    reader = READERS.get(signature)
    return reader(*values) if reader else values[0]


def _nothing() -> None:
    pass
