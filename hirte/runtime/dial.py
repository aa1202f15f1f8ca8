"""Ways out: from a D-Bus address to the connection that comes of it."""

from __future__ import annotations

from hirte.dbus.connection import Connection
from hirte.runtime.resolve import resolve
from hirte.runtime.stream import connect
from hirte.wire.address import Address, parse
from hirte.wire.errors import AddressError
from hirte.wire.sasl import Client

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from hirte.runtime.log import Log
    from hirte.runtime.loop import Loop
    from hirte.runtime.resolve import Resolution
    from hirte.runtime.stream import Stream, TcpOptions

    OnDone = Callable[["Connection | None", str], None]

SYSTEMD_PRIVATE = "unix:path=/run/systemd/private"


class Dial:
    """One attempt to reach `address`, all its alternatives in order.

    `on_done` gets a connection, whose handlers are to be set at once, or None and why not; never
    before the constructor returns.
    """

    def __init__(
        self,
        loop: Loop,
        log: Log,
        address: str,
        on_done: OnDone,
        name: str,
        trusted: bool = False,
        options: TcpOptions | None = None,
        is_outlet: bool = False,
    ) -> None:
        self._loop = loop
        self._log = log
        self._on_done: OnDone | None = on_done
        self._name = name
        self._trusted = trusted
        self._options = options
        self._is_outlet = is_outlet
        self._left: list[Address] = []
        self._error = ""
        self._give_up: Callable[[], None] | None = None
        try:
            self._left = parse(address)
        except AddressError as error:
            self._error = str(error)
        loop.at_turn_end(self._next)

    def cancel(self) -> None:
        """Give the attempt up; `on_done` is not called any more."""
        self._on_done = None
        if self._give_up:
            self._give_up()

    def _next(self) -> None:
        if self._on_done is None:
            return
        if not self._left:
            self._on_done(None, self._error)
            return
        address = self._left.pop(0)
        if address.path:
            self._connect(address)
            return

        def resolved(host: str | None, error: str) -> None:
            if host is None:
                self._error = error
                self._next()
            else:
                self._connect(Address(host=host, port=address.port))

        self._hold(resolve(self._loop, address.host, resolved))

    def _hold(self, resolution: Resolution | None) -> None:
        if resolution is not None:
            self._give_up = resolution.cancel

    def _connect(self, address: Address) -> None:
        def connected(stream: Stream | None, error: str) -> None:
            if stream is None:
                self._error = f"{address}: {error}"
                self._next()
            elif self._on_done:
                self._on_done(self._talk(stream), "")

        self._give_up = connect(self._loop, address, connected, self._options)

    def _talk(self, stream: Stream) -> Connection:
        connection = Connection(Client(), self._loop, self._log, self._name, self._trusted)
        connection.attach(stream)
        stream.start(connection, is_outlet=self._is_outlet)
        return connection
