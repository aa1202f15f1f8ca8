"""The way up: the connection to the manager, from the first attempt to the next.

A tick every heartbeat interval drives everything: it sends the heartbeat while connected and
starts the next attempt while not; only a look-up of the manager's name is left the time that it
takes. A connection that is lost is tried again at once, once.
"""

from __future__ import annotations

from hirte.api import internal
from hirte.api.dialect import CHOICES, Dialect
from hirte.dbus import errors
from hirte.wire.address import Address
from hirte.wire.encode import encode
from hirte.wire.limits import REGISTERED_MESSAGE_BYTES
from hirte.wire.message import ERROR, Message

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Protocol

    from hirte.dbus.connection import Connection
    from hirte.dbus.objects import Tree
    from hirte.dbus.ports import Log, Timers
    from hirte.settings.table import AgentSettings

    class Attempt(Protocol):
        def cancel(self) -> None: ...

    Dial = Callable[[str, Callable[["Connection | None", str], None]], Attempt]
    Resolve = Callable[[str, Callable[["str | None", str], None]], "Attempt | None"]

RESOLVING, CONNECTING, CONNECTED, RETRY = "resolving", "connecting", "connected", "retry"

# Seconds between attempts when heartbeats are switched off: the default heartbeat interval.
_DEFAULT_TICK = 2.0

# The errors of a manager that does not know a dialect's Register.
_NOT_SPOKEN = (errors.UNKNOWN_OBJECT, errors.UNKNOWN_METHOD, errors.UNKNOWN_INTERFACE)


class Uplink:
    """The agent's connection to its manager.

    `dial` connects to an address, `resolve` finds the address of a host name. `tree` serves the
    manager's calls. `on_change(name)` is told of changed public properties, `on_lost()` when a
    registered connection is gone.
    """

    def __init__(
        self,
        settings: AgentSettings,
        timers: Timers,
        log: Log,
        dial: Dial,
        resolve: Resolve,
        tree: Tree,
    ) -> None:
        self.state = RETRY
        self.address = settings.manager_address
        self.last_seen_us = 0
        self.last_seen_monotonic_us = 0
        self.disconnected_us = 0
        self.disconnected_monotonic_us = 0
        self.on_change: Callable[[str], None] = _ignore
        self.on_lost: Callable[[], None] = _nothing
        self._settings = settings
        self._address_is_fixed = bool(settings.manager_address)
        self._timers = timers
        self._log = log
        self._dial = dial
        self._resolve = resolve
        self._tree = tree
        self._dialect: Dialect = CHOICES[settings.manager_dialect][0]
        self._connection: Connection | None = None
        self._attempt: Attempt | None = None
        self._retries = 0
        self._quiet = False
        self._closed = False

    @property
    def status(self) -> str:
        """Return `online` while registered with a manager, else `offline`."""
        return "online" if self.state == CONNECTED else "offline"

    # Starting and stopping

    def find(self, on_done: Callable[[str], None]) -> None:
        """Find the manager's address; `on_done` gets the empty text, or why there is none."""
        if self._address_is_fixed:
            on_done("")
            return

        def resolved(host: str | None, error: str) -> None:
            if host is not None:
                self.address = self._address_of(host)
            on_done(error)

        self._resolve(self._settings.manager_host, resolved)

    def start(self) -> None:
        """Begin to tick, and connect for the first time."""
        self._timers.call_later(self._interval, self._tick)
        self._connect()

    def close(self) -> None:
        """Leave the manager for good."""
        self._closed = True
        was_connected = self.state == CONNECTED
        self._drop("shutdown")
        self.state = RETRY
        if was_connected:
            self.on_change("Status")

    def switch(self, address: str) -> None:
        """Leave the manager for the one at `address`, which stays until the process ends."""
        self.address = address
        self._address_is_fixed = True
        self.on_change("ManagerAddress")
        self._drop("switched to another manager")
        self._disconnected()

    # What goes up

    def emit(self, name: str, signature: str = "", body: bytes = b"") -> None:
        """Send a signal of the internal agent interface, if there is a connection."""
        self._emit(internal.AGENT_PATH, internal.AGENT.name, name, signature, body)

    def emit_metrics(self, name: str, signature: str, body: bytes) -> None:
        """Send a signal of the internal metrics interface, if there is a connection."""
        self._emit(internal.AGENT_METRICS_PATH, internal.AGENT_METRICS.name, name, signature, body)

    def _emit(self, path: str, interface: str, name: str, signature: str, body: bytes) -> None:
        if self._connection is not None and self._connection.ready:
            dialect = self._dialect
            self._connection.signal(
                dialect.path(path), dialect.interface(interface), name, signature, body
            )

    # The tick

    @property
    def _interval(self) -> float:
        return max(self._settings.heartbeat_interval / 1000, 0) or _DEFAULT_TICK

    def _tick(self) -> None:
        if self._closed:
            return
        self._timers.call_later(self._interval, self._tick)
        if self.state != CONNECTED:
            self._retry()
        elif self._manager_is_silent():
            reason = "no heartbeat within the threshold"
            self._log.warning(f"Lost the connection to the manager: {reason}", PEER=self.address)
            self._drop(reason)
            self._disconnected()
        elif self._settings.heartbeat_interval > 0:
            self.emit("Heartbeat")

    def _manager_is_silent(self) -> bool:
        threshold = self._settings.manager_heartbeat_threshold * 1000
        return 0 < threshold < self._timers.monotonic_us() - self.last_seen_monotonic_us

    def _retry(self) -> None:
        if self.state == RESOLVING:
            # A look-up ends by itself. Begun anew at every tick, a slow one never would.
            return
        self._retries += 1
        if self._retries == self._settings.connection_retry_count_until_quiet:
            self._log.warning("The manager cannot be reached; silent until it can")
            self._quiet = True
            self._log.set_quiet(True)
        self._connect()

    # One attempt

    def _connect(self) -> None:
        self._drop("a new attempt")
        if self._address_is_fixed:
            self._dial_address()
        else:
            self.state = RESOLVING
            attempt = self._resolve(self._settings.manager_host, self._resolved)
            if attempt is not None:
                self._attempt = attempt

    def _resolved(self, host: str | None, error: str) -> None:
        if host is None:
            self._failed(error)
            return
        address = self._address_of(host)
        if address != self.address:
            self.address = address
            self.on_change("ManagerAddress")
        self._dial_address()

    def _address_of(self, host: str) -> str:
        return str(Address(host=host, port=self._settings.manager_port))

    def _dial_address(self) -> None:
        self.state = CONNECTING
        self._attempt = self._dial(self.address, self._dialled)

    def _dialled(self, connection: Connection | None, error: str) -> None:
        self._attempt = None
        if connection is None:
            self._failed(error)
            return
        self._connection = connection
        connection.allow(REGISTERED_MESSAGE_BYTES)
        connection.on_call = lambda message: self._tree.dispatch(connection, message)
        connection.on_signal = self._signalled
        connection.on_lost = self._lost
        connection.on_ready = lambda: self._register(connection, 0)

    def _failed(self, why: str) -> None:
        self.state = RETRY
        self._log.warning(f"Cannot connect to the manager: {why}", PEER=self.address)

    def _register(self, connection: Connection, choice: int) -> None:
        dialects = CHOICES[self._settings.manager_dialect]
        self._dialect = dialects[choice]

        def answered(reply: Message) -> None:
            if connection is not self._connection or not connection.open:
                return
            if reply.type != ERROR:
                self._registered()
            elif reply.error_name in _NOT_SPOKEN and choice + 1 < len(dialects):
                self._register(connection, choice + 1)
            else:
                self._log.warning(
                    f"The manager refused node {self._settings.node_name!r}: {reply.error_text()}",
                    PEER=self.address,
                )

        connection.call(
            self._dialect.path(internal.MANAGER_PATH),
            self._dialect.interface(internal.MANAGER.name),
            "Register",
            answered,
            "s",
            encode("s", (self._settings.node_name,)),
            self._dialect.bus_name,
        )

    def _registered(self) -> None:
        self.state = CONNECTED
        self._retries = 0
        if self._quiet:
            self._quiet = False
            self._log.set_quiet(self._settings.log_is_quiet)
        self._seen()
        self.disconnected_us = self.disconnected_monotonic_us = 0
        self._log.info(
            f"Connected to the manager as {self._settings.node_name}",
            NODE=self._settings.node_name,
            PEER=self.address,
        )
        self.on_change("Status")

    # What comes down

    def _signalled(self, message: Message) -> None:
        if message.member == "Heartbeat" and message.interface == self._dialect.interface(
            internal.MANAGER.name
        ):
            self._seen()

    def _seen(self) -> None:
        self.last_seen_us = self._timers.realtime_us()
        self.last_seen_monotonic_us = self._timers.monotonic_us()

    # The end of a connection

    def _lost(self, reason: str) -> None:
        was_connected = self.state == CONNECTED
        self._connection = None
        self._log.warning(f"Lost the connection to the manager: {reason}", PEER=self.address)
        self.on_lost()
        if was_connected:
            self._disconnected()

    def _drop(self, why: str) -> None:
        """Give up the connection or attempt that there is."""
        if self._attempt is not None:
            self._attempt.cancel()
            self._attempt = None
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.on_lost = _ignore
            connection.close(why)
            self.on_lost()

    def _disconnected(self) -> None:
        self.state = RETRY
        self.disconnected_us = self._timers.realtime_us()
        self.disconnected_monotonic_us = self._timers.monotonic_us()
        self.on_change("Status")
        self._connect()


def _ignore(_: str) -> None:
    pass


def _nothing() -> None:
    pass
