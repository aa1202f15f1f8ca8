"""The conversation with systemd, which may restart itself or its bus at any time.

After every (re)connection the agent subscribes first and then asks for the units and jobs that
are there, so that nothing is missed in between: what the lists tell is newer than what was known,
and the signals that follow are newer than the lists.
"""

from __future__ import annotations

from hirte.dbus import errors
from hirte.dbus.bus import DRIVER, Bus
from hirte.dbus.connection import local_error
from hirte.wire.encode import NATIVE
from hirte.wire.message import ERROR, Message

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

    from hirte.dbus.connection import Connection
    from hirte.dbus.ports import Log, Timer, Timers

    # The arguments of a call that waits for systemd.
    Held = tuple[str, Callable[[Message], None], str, bytes, str, str, str]
    Dial = Callable[[Callable[["Connection | None", str], None]], object]

NAME = "org.freedesktop.systemd1"
PATH = "/org/freedesktop/systemd1"
UNIT_PATH = PATH + "/unit/"
JOB_PATH = PATH + "/job/"
MANAGER = NAME + ".Manager"
UNIT = NAME + ".Unit"
JOB = NAME + ".Job"
PROPERTIES = "org.freedesktop.DBus.Properties"

# Seconds between attempts to reach a systemd that is away. `daemon-reexec` takes about 0.1 s.
RETRY = 0.1

# Seconds for which calls wait for a systemd that is away, as those of systemctl do; then they
# fail, well before their callers' own time-out of 30 s.
HOLD = 5.0
# Calls that may wait so; the manager alone could have a thousand callers.
_HELD_CALLS = 1024

# libsystemd takes a longer object path for a broken message, and closes the connection.
_PATH_LENGTH = 1 << 16

# What the agent listens to when a bus daemon stands between; systemd's private socket sends all.
_MATCHES = (
    f"type='signal',sender='{NAME}',path='{PATH}',interface='{MANAGER}'",
    f"type='signal',sender='{NAME}',interface='{PROPERTIES}',path_namespace='{PATH}/unit'",
    f"type='signal',sender='{NAME}',interface='{PROPERTIES}',path_namespace='{PATH}/job'",
)


class Systemd:
    """systemd's Manager object and what lies below it.

    `over_bus` tells whether `dial` leads to a message bus or to systemd itself. The owner sets
    `on_signal(message)`; `on_units(units)` and then `on_jobs(jobs)` with the replies of ListUnits
    and ListJobs after each connection; and `on_refused(why)` for a failure before the first one.
    """

    def __init__(self, dial: Dial, over_bus: bool, timers: Timers, log: Log) -> None:
        self.on_signal: Callable[[Message], None] | None = None
        self.on_units: Callable[[Iterable[Any]], None] | None = None
        self.on_jobs: Callable[[list[Any]], None] | None = None
        self.on_refused: Callable[[str], None] | None = None
        self._dial = dial
        self._over_bus = over_bus
        self._timers = timers
        self._log = log
        self._connection: Connection | None = None
        self._unique_name = ""
        self._was_synced = False
        self._is_away = False
        self._closed = False
        self._held: list[Held] = []
        self._hold_timer: Timer | None = None

    def start(self) -> None:
        """Connect; from now on there is always either a connection or an attempt."""
        if not self._closed:
            self._dial(self._dialled)

    def close(self) -> None:
        """End the conversation for good."""
        self._closed = True
        self._refuse_held()
        if self._connection:
            self._connection.close("shutdown")

    def call(
        self,
        member: str,
        on_reply: Callable[[Message], None],
        signature: str = "",
        body: bytes = b"",
        order: str = NATIVE,
        path: str = PATH,
        interface: str = MANAGER,
    ) -> None:
        """Call a method of systemd; `on_reply` gets the one answer, NoReply after 30 s.

        A call that comes while systemd restarts itself is made when it is back.
        """
        if len(path) > _PATH_LENGTH:
            on_reply(local_error(errors.INVALID_ARGS, "The name is too long"))
            return
        if self._connection is None:
            self._hold((member, on_reply, signature, body, order, path, interface))
            return
        destination = NAME if self._over_bus else ""
        self._connection.call(
            path, interface, member, on_reply, signature, body, destination, order
        )

    def _hold(self, call: Held) -> None:
        if self._closed or len(self._held) >= _HELD_CALLS:
            _refuse(call)
            return
        if not self._held:
            self._hold_timer = self._timers.call_later(HOLD, self._refuse_held)
        self._held.append(call)

    def _refuse_held(self) -> None:
        held, self._held = self._held, []
        for call in held:
            _refuse(call)

    def _release_held(self) -> None:
        if self._hold_timer:
            self._hold_timer.cancel()
        held, self._held = self._held, []
        for call in held:
            self.call(*call)

    def refresh(self) -> None:
        """Ask for all units and jobs again; `on_units` and `on_jobs` get them."""
        if self._connection is not None:
            self.call("ListUnits", self._checked(self._take_units))

    def _dialled(self, connection: Connection | None, error: str) -> None:
        if connection is None:
            self._away(error)
            return
        if self._closed:
            connection.close("shutdown")
            return
        connection.on_lost = self._lost
        connection.on_call = lambda call: connection.error(
            call, errors.UNKNOWN_OBJECT, f"Unknown object '{call.path}'."
        )
        if self._over_bus:
            connection.on_ready = lambda: self._join(Bus(connection))
        else:
            connection.on_ready = lambda: self._subscribe(connection, lambda: None)

    def _join(self, bus: Bus) -> None:
        connection = bus.connection

        def heard(message: Message) -> None:
            # Anybody on the bus can send us what looks like a signal of systemd.
            if message.sender == DRIVER:
                bus.heard(message)
            elif message.sender == self._unique_name and self.on_signal:
                self.on_signal(message)

        def joined() -> None:
            for rule in _MATCHES:
                bus.match(rule)
            self._subscribe(connection, watch)
            connection.on_signal = heard

        def watch() -> None:
            # Not earlier: our call may be what makes the systemd of a user join its bus.
            bus.watch(NAME, lambda: connection.close("systemd has left the bus"))

        bus.hello(joined)

    def _subscribe(self, connection: Connection, on_done: Callable[[], None]) -> None:
        self._connection = connection
        if self.on_signal:
            connection.on_signal = self.on_signal

        def subscribed(reply: Message) -> None:
            self._unique_name = reply.sender
            on_done()
            self.refresh()

        self.call("Subscribe", self._checked(subscribed))

    def _take_units(self, reply: Message) -> None:
        # At once: signals that come before the next reply are newer than this list.
        if self.on_units:
            self.on_units(reply.each())
        self.call("ListJobs", self._checked(self._take_jobs))

    def _take_jobs(self, reply: Message) -> None:
        (jobs,) = reply.values()
        self._was_synced = True
        if self._is_away:
            self._is_away = False
            self._log.info("systemd is back")
        if self.on_jobs:
            self.on_jobs(jobs)
        self._release_held()

    def _checked(self, proceed: Callable[[Message], None]) -> Callable[[Message], None]:
        def answered(reply: Message) -> None:
            if reply.type != ERROR:
                proceed(reply)
            elif self._connection:
                self._connection.close(f"{reply.error_name}: {reply.error_text()}")

        return answered

    def _lost(self, reason: str) -> None:
        self._connection = None
        self._away(reason)

    def _away(self, why: str) -> None:
        if self._closed:
            return
        if not self._was_synced and self.on_refused:
            self.on_refused(f"cannot talk to systemd: {why}")
            return
        if not self._is_away:
            self._is_away = True
            self._log.info(f"systemd is away: {why}")
        self._timers.call_later(RETRY, self.start)


def _refuse(call: Held) -> None:
    on_reply = call[1]
    on_reply(local_error(errors.FAILED, "systemd cannot be reached at the moment"))
