"""Our presence on a message bus: connect, own the names, and come back when the bus was away.

The first time everything must work, because a service that cannot own its name is useless: the
owner is told why not, and ends. Later the bus may go away (it is restarted, or crashed) and come
back at any time; what is exported stays exported.
"""

from __future__ import annotations

from hirte.dbus.bus import Bus
from hirte.dbus.traffic import Traffic
from hirte.wire.limits import BUS_MESSAGE_BYTES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from hirte.dbus.connection import Connection
    from hirte.dbus.objects import Call, Tree
    from hirte.dbus.ports import Log, Timers

    Dial = Callable[[Callable[["Connection | None", str], None]], object]

# Seconds between attempts to reach a bus that is away. A restart takes less than one.
RETRY = 0.5


class Presence:
    """Serves `tree` under `names` on the bus that `dial` connects to.

    `on_up()` is called each time all names are owned, `on_down(connection)` each time the bus is
    gone, `on_refused(why)` when that happens before it worked once. `uid` is the user who may call
    besides root; None lets everybody (on a bus that belongs to one user anyway). `connection` is
    there for signals while all names are owned; `traffic` counts on all connections to the bus.
    """

    def __init__(
        self,
        dial: Dial,
        names: Sequence[str],
        timers: Timers,
        log: Log,
        uid: int | None,
    ) -> None:
        self.on_up: Callable[[], None] = _nothing
        self.on_down: Callable[[Connection], None] = _ignore
        self.on_refused: Callable[[str], None] = _nobody
        self.tree: Tree | None = None
        self.connection: Connection | None = None
        self.traffic = Traffic()
        self._dial = dial
        self._names = names
        self._timers = timers
        self._log = log
        self._uid = uid
        self._bus: Bus | None = None
        self._was_up = False
        self._is_away = False
        self._closed = False

    def start(self, tree: Tree) -> None:
        """Connect; from now on there is always either a connection or an attempt."""
        self.tree = tree
        self._connect()

    def close(self) -> None:
        """Leave the bus for good."""
        self._closed = True
        if self._bus is not None:
            self._bus.connection.close("shutdown")

    def authorize(self, call: Call, proceed: Callable[[], None]) -> None:
        """Ask the bus who the caller is; the object tree's `authorize`."""
        bus = self._bus
        if self._uid is None or bus is None or call.connection is not bus.connection:
            # Who is not on the bus was let in, or not, when the connection was accepted.
            proceed()
        else:
            bus.authorize(call, proceed, self._uid)

    def watch(self, name: str, on_gone: Callable[[], None]) -> Callable[[], None]:
        """Call `on_gone` when `name` leaves the bus; return what ends the watch.

        When the bus itself goes away, the watch ends with it: see `on_down`.
        """
        return self._bus.watch(name, on_gone) if self._bus else _nothing

    def _connect(self) -> None:
        if not self._closed:
            self._dial(self._dialled)

    def _dialled(self, connection: Connection | None, error: str) -> None:
        if connection is None:
            self._failed(f"cannot connect to the bus: {error}")
            return
        if self._closed:
            connection.close("shutdown")
            return
        connection.traffic = self.traffic
        connection.allow(BUS_MESSAGE_BYTES)
        bus = Bus(connection)
        connection.on_lost = self._lost
        connection.on_ready = lambda: bus.hello(lambda: self._own(bus, 0))
        if self.tree is not None:
            tree = self.tree
            connection.on_call = lambda message: tree.dispatch(connection, message)
        self._bus = bus

    def _own(self, bus: Bus, index: int) -> None:
        if index == len(self._names):
            self._up(bus)
            return

        def owned(error: str) -> None:
            if error:
                bus.connection.close(error)
            else:
                self._own(bus, index + 1)

        bus.own(self._names[index], owned)

    def _up(self, bus: Bus) -> None:
        self._was_up = True
        if self._is_away:
            self._is_away = False
            self._log.info("Back on the bus")
        # Not earlier: a bus throws out who sends a signal before Hello.
        self.connection = bus.connection
        self.on_up()

    def _lost(self, reason: str) -> None:
        bus, self._bus, self.connection = self._bus, None, None
        if bus is not None:
            self.on_down(bus.connection)
        self._failed(reason)

    def _failed(self, why: str) -> None:
        if self._closed:
            return
        if not self._was_up:
            self.on_refused(why)
            return
        if not self._is_away:
            self._is_away = True
            self._log.warning(f"Away from the bus: {why}")
        self._timers.call_later(RETRY, self._connect)


def _nothing() -> None:
    pass


def _ignore(_: Connection) -> None:
    pass


def _nobody(why: str) -> None:
    raise LookupError(f"nobody handles the refusal: {why}")
