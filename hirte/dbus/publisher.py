"""What the public sees: objects and signals, in every dialect that is served.

Everything is published once per dialect, under that dialect's paths and names, on the public bus
and to the guests, who are connected without a bus. While the bus is away its signals are dropped,
because nobody can listen; objects stay.
"""

from __future__ import annotations

from hirte.wire.encode import encode

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from hirte.api.dialect import Dialect
    from hirte.dbus.connection import Connection
    from hirte.dbus.objects import Service, Tree

PROPERTIES = "org.freedesktop.DBus.Properties"


class Publisher:
    """Exports and announces objects. Object paths are given relative to the dialect's root.

    `connection` tells the public bus's connection, or None while it is away.
    """

    def __init__(self, tree: Tree, connection: Callable[[], Connection | None]) -> None:
        self._tree = tree
        self._services: list[tuple[Dialect, Mapping[str, Service]]] = []
        self._connection = connection
        self._guests: dict[Connection, bool] = {}

    def welcome(self, connection: Connection) -> None:
        """Serve the same objects on a connection without a bus, and send it all signals."""
        self._guests[connection] = True

    def part(self, connection: Connection) -> None:
        """Forget a guest that is gone."""
        self._guests.pop(connection, None)

    @property
    def guests(self) -> tuple[Connection, ...]:
        """Return the guests, in the order in which they came."""
        return tuple(self._guests)

    def speak(self, dialect: Dialect, services: Mapping[str, Service]) -> None:
        """Publish in `dialect` too; `services` are found by their interfaces' native names."""
        self._services.append((dialect, services))

    def export(self, path: str, target: object, interface: str) -> None:
        """Serve `target` at `path` with one interface."""
        for dialect, services in self._services:
            self._tree.export(dialect.path(path), target, services[interface])

    def remove(self, path: str) -> None:
        """Stop to serve `path`."""
        for dialect, _ in self._services:
            self._tree.remove(dialect.path(path))

    def emit(
        self, path: str, interface: str, name: str, values: Callable[[Dialect], tuple[Any, ...]]
    ) -> None:
        """Send a signal; `values` makes its arguments, which may hold the dialect's paths."""
        for dialect, services in self._services:
            service = services[interface]
            signature = service.interface.signals[name].signature
            body = encode(signature, values(dialect))
            self._send(dialect.path(path), service.name, dialect.member(name), signature, body)

    def changed(self, path: str, interface: str, target: object, name: str) -> None:
        """Tell that a property of `target` has a new value."""
        for dialect, services in self._services:
            body = services[interface].changed(target, name)
            self._send(dialect.path(path), PROPERTIES, "PropertiesChanged", "sa{sv}as", body)

    def _send(self, path: str, interface: str, name: str, signature: str, body: bytes) -> None:
        public = self._connection()
        if public is not None:
            public.signal(path, interface, name, signature, body)
        for guest in self._guests:
            guest.signal(path, interface, name, signature, body)
