"""The exported objects of one connection, served after the interface tables.

A :class:`Service` is one interface table in one dialect, with the functions that serve it. A
:class:`Tree` holds which services an object path has, and answers calls, together with the
standard interfaces Peer, Introspectable and Properties.

The order of checks is that of the reference, whose callers see it: the path, the interface, the
service's guard (a node that is offline answers so whatever was asked), the member, the right to
call, the arguments.
"""

from __future__ import annotations

from hirte.api.table import EXPLICIT
from hirte.dbus import errors
from hirte.wire.encode import encode
from hirte.wire.message import Message

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any, Callable

    from hirte.api.dialect import Dialect
    from hirte.api.table import Interface, Method, Property
    from hirte.dbus.connection import Connection

    Handler = Callable[[Any, "Call"], None]
    Getter = Callable[[Any], Any]
    Guard = Callable[[Any], "tuple[str, str] | None"]
    Authorize = Callable[["Call", Callable[[], None]], None]

PEER = "org.freedesktop.DBus.Peer"
INTROSPECTABLE = "org.freedesktop.DBus.Introspectable"
PROPERTIES = "org.freedesktop.DBus.Properties"


class Call:
    """A method call that waits for its one answer."""

    __slots__ = ("answered", "connection", "dialect", "message", "method")

    def __init__(
        self, connection: Connection, message: Message, method: Method, dialect: Dialect
    ) -> None:
        self.connection = connection
        self.message = message
        self.method = method
        self.dialect = dialect
        self.answered = False

    @property
    def caller(self) -> str:
        """Return who called, for the log: the name on the bus, or of the connection."""
        return self.message.sender or self.connection.name

    def reply(self, *values: Any) -> None:
        """Answer with the method's results."""
        result = self.method.result
        self.reply_body(encode(result, values) if result or values else b"")

    def reply_body(self, body: bytes) -> None:
        """Answer with a body that already has the results in it."""
        self.connection.reply(self.message, self.method.result, body)
        self.answered = True

    def relay(self, answer: Message) -> None:
        """Answer with what another peer answered, error or return, without reading it."""
        self.connection.relay(self.message, answer)
        self.answered = True

    def fail(self, name: str, text: str) -> None:
        """Answer with an error."""
        self.connection.error(self.message, name, text)
        self.answered = True

    def guard(self, function: Callable[..., None]) -> Callable[..., None]:
        """Return `function`, which serves this call or goes on to, such that a bug of ours in it is
        an answer too: the caller must not wait for one until his own time-out.
        """

        def guarded(*arguments: Any) -> None:
            try:
                function(*arguments)
            except Exception:
                # For the connection to log.
                if not self.answered:
                    self.fail(*_BUG)
                raise

        return guarded


class Service:
    """One interface in one dialect and what serves it.

    `methods` and `properties` map native names to functions of the target object; a method gets
    the :class:`Call` too. `guard` tells the error (name, text) that answers everything, or None.
    Raises KeyError when the functions and the table's rows are not the same names.
    """

    __slots__ = ("dialect", "getters", "guard", "handlers", "interface", "name", "rows")

    def __init__(
        self,
        interface: Interface,
        dialect: Dialect,
        methods: Mapping[str, Handler],
        properties: Mapping[str, Getter] | None = None,
        guard: Guard | None = None,
    ) -> None:
        getters = properties or {}
        different = set(methods) ^ set(interface.methods) | set(getters) ^ set(interface.properties)
        if different:
            raise KeyError(f"{interface.name}: rows and functions differ: {sorted(different)}")
        self.interface = interface
        self.dialect = dialect
        self.name = dialect.interface(interface.name)
        self.guard = guard
        self.rows: dict[str, tuple[Method, Handler]] = {
            dialect.member(name): (row, methods[name]) for name, row in interface.methods.items()
        }
        self.getters: dict[str, tuple[Property, Getter]] = {
            dialect.member(name): (row, getters[name]) for name, row in interface.properties.items()
        }

    def value(self, target: object, name: str) -> tuple[str, Any]:
        """Return a property's (signature, value), as a variant is written; KeyError if unknown."""
        row, getter = self.getters[name]
        return row.signature, getter(target)

    def changed(self, target: object, name: str) -> bytes:
        """Return the body of the PropertiesChanged signal for the native property `name`."""
        member = self.dialect.member(name)
        changes = {member: self.value(target, member)}
        return encode("sa{sv}as", (self.name, changes, ()))


class Tree:
    """The objects that one side of a connection exports.

    `authorize(call, proceed)` is asked before a method of an exported interface runs and calls
    `proceed` or answers the call; None lets everybody. `machine_id` tells this machine's id.
    """

    def __init__(self, machine_id: Callable[[], str], authorize: Authorize | None = None) -> None:
        self._objects: dict[str, tuple[object, dict[str, Service]]] = {}
        self._machine_id = machine_id
        self._authorize = authorize

    def export(self, path: str, target: object, *services: Service) -> None:
        """Serve `services` at `path` for `target`; more services may join the same path."""
        entry = self._objects.get(path)
        known = entry[1] if entry else {}
        known.update({service.name: service for service in services})
        self._objects[path] = (target, known)

    def remove(self, path: str) -> None:
        """Stop to serve `path`."""
        self._objects.pop(path, None)

    def dispatch(self, connection: Connection, message: Message) -> None:
        """Answer a method call, now or later."""
        interface = message.interface
        if interface == PEER:
            return self._peer(connection, message)
        entry = self._objects.get(message.path)
        if entry is None:
            return self._missing(connection, message)
        target, services = entry
        service = services.get(interface)
        if service is not None:
            return self._serve(connection, message, target, service)
        handler = _STANDARD.get((interface, message.member))
        if handler is not None:
            signature, function = handler
            if message.signature != signature:
                return connection.error(message, errors.INVALID_ARGS, _wrong(message, signature))
            try:
                return function(self, connection, message)
            except Exception:
                # Our bug, in what tells a property; the caller must not wait for it.
                connection.error(message, *_BUG)
                raise
        if not interface:
            return connection.error(
                message, errors.UNKNOWN_OBJECT, f"Unknown object '{message.path}'."
            )
        return connection.error(message, errors.UNKNOWN_METHOD, _unknown_method(message))

    def _serve(
        self, connection: Connection, message: Message, target: object, service: Service
    ) -> None:
        refusal = service.guard(target) if service.guard else None
        if refusal:
            return connection.error(message, *refusal)
        found = service.rows.get(message.member)
        if found is None:
            return connection.error(message, errors.UNKNOWN_METHOD, _unknown_method(message))
        method, handler = found
        call = Call(connection, message, method, service.dialect)
        if self._authorize is None:
            return _run(service, handler, target, call)
        return self._authorize(call, lambda: _run(service, handler, target, call))

    # Standard interfaces

    def _peer(self, connection: Connection, message: Message) -> None:
        if message.member == "Ping":
            return connection.reply(message)
        if message.member == "GetMachineId":
            return connection.reply(message, "s", encode("s", (self._machine_id(),)))
        return connection.error(message, errors.UNKNOWN_METHOD, _unknown_method(message))

    def _missing(self, connection: Connection, message: Message) -> None:
        asked = (message.interface, message.member)
        if asked == (INTROSPECTABLE, "Introspect") and self.children(message.path):
            return self._introspect(connection, message)
        text = f"Unknown object '{message.path}'."
        return connection.error(message, errors.UNKNOWN_OBJECT, text)

    def children(self, path: str) -> list[str]:
        """Return the names of the elements directly below `path` that lead to objects."""
        prefix = path if path == "/" else path + "/"
        names = {p[len(prefix) :].split("/", 1)[0] for p in self._objects if p.startswith(prefix)}
        return sorted(name for name in names if name)

    def _introspect(self, connection: Connection, message: Message) -> None:
        from hirte.dbus.introspect import document

        entry = self._objects.get(message.path)
        services = list(entry[1].values()) if entry else None
        text = document(services, self.children(message.path))
        connection.reply(message, "s", encode("s", (text,)))

    def _get(self, connection: Connection, message: Message) -> None:
        interface, name = message.values()
        target, services = self._objects[message.path]
        service = services.get(interface)
        if service is None or name not in service.getters:
            text = f"Unknown property {interface}.{name}"
            return connection.error(message, errors.UNKNOWN_PROPERTY, text)
        return connection.reply(message, "v", encode("v", (service.value(target, name),)))

    def _get_all(self, connection: Connection, message: Message) -> None:
        (interface,) = message.values()
        target, services = self._objects[message.path]
        if interface and interface not in services:
            if interface in _STANDARD_INTERFACES:
                return connection.reply(message, "a{sv}", encode("a{sv}", ({},)))
            text = f"Unknown interface {interface}"
            return connection.error(message, errors.UNKNOWN_INTERFACE, text)
        values = {}
        for service in [services[interface]] if interface else services.values():
            for name, (row, _) in service.getters.items():
                if row.change != EXPLICIT:
                    values[name] = service.value(target, name)
        return connection.reply(message, "a{sv}", encode("a{sv}", (values,)))

    def _set(self, connection: Connection, message: Message) -> None:
        interface, name, _ = message.values()
        _, services = self._objects[message.path]
        service = services.get(interface)
        if service is None or name not in service.getters:
            text = f"Unknown property {interface}.{name}"
            return connection.error(message, errors.UNKNOWN_PROPERTY, text)
        text = f"Property {interface}.{name} is not writable"
        return connection.error(message, errors.PROPERTY_READ_ONLY, text)


_STANDARD: dict[tuple[str, str], tuple[str, Callable[[Tree, Connection, Message], None]]] = {
    (INTROSPECTABLE, "Introspect"): ("", Tree._introspect),
    (PROPERTIES, "Get"): ("ss", Tree._get),
    (PROPERTIES, "GetAll"): ("s", Tree._get_all),
    (PROPERTIES, "Set"): ("ssv", Tree._set),
}
_STANDARD_INTERFACES = (PEER, INTROSPECTABLE, PROPERTIES)
_BUG = (errors.FAILED, "Internal error")


def _run(service: Service, handler: Handler, target: object, call: Call) -> None:
    # Asking who the caller is may have taken a while: the guard has the last word.
    refusal = service.guard(target) if service.guard else None
    if refusal:
        call.fail(*refusal)
        return
    if call.message.signature != call.method.signature:
        call.fail(errors.INVALID_ARGS, _wrong(call.message, call.method.signature))
        return
    call.guard(handler)(target, call)


def _wrong(message: Message, signature: str) -> str:
    return (
        f"Invalid arguments '{message.signature}' to call "
        f"{message.interface}.{message.member}(), expecting '{signature}'."
    )


def _unknown_method(message: Message) -> str:
    return f"Unknown method {message.member} or interface {message.interface}."
