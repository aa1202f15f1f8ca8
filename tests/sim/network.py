"""Streams between processes, and the cables between hosts.

Rules of this file:
- A stream keeps the order of its bytes and nothing else: it is cut into pieces and put together
  again as chance wants.
- A stream over a cut cable is silent. The kernels find out as Linux does with hirte's options: a
  side that waits for nothing by keepalive; a side whose bytes were not acknowledged not by
  keepalive, but by repeating them at growing intervals until TCP_USER_TIMEOUT.
- What was closed or vanished meanwhile answers the next sign of life with a reset.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from tests.sim.clock import SECOND, Event

if TYPE_CHECKING:
    from tests.sim.process import Process
    from tests.sim.world import World

# The defaults of TCPKeepAliveTime, -Interval and -Count: 1 s idle, then 6 probes, 1 s each.
KEEPALIVE_US = 7 * SECOND
# tcp(7): the first repetition after 200 ms, each after twice as long, as long as hirte allows.
REPEAT_US = SECOND // 5
PATIENCE_US = KEEPALIVE_US
# A connection's first packet is sent again after these times; hirte itself gives up after 20 s.
SYN_US = (0, 1 * SECOND, 3 * SECOND, 7 * SECOND, 15 * SECOND)
CONNECT_US = 20 * SECOND
# One way, between hosts and within one.
FAR_US = (150, 900)
NEAR_US = (20, 120)
# What one read brings at most, hirte.runtime.stream.
READ_BYTES = 1 << 16

END_OF_STREAM = b""


class Receiver(Protocol):
    """Who gets what a stream brings."""

    def received(self, data: bytes) -> None: ...

    def lost(self, reason: str) -> None: ...


class Cable:
    """What connects a host with the others."""

    def __init__(self, world: World) -> None:
        self.whole = True
        self.ends: list[End] = []
        self._world = world
        self._cuts = 0

    def cut(self) -> None:
        """Make it a black hole."""
        if not self.whole:
            return
        self.whole = False
        self._cuts += 1
        cut = self._cuts

        def probe_of(end: End) -> Callable[[], None]:
            def probe() -> None:
                if not self.whole and self._cuts == cut:
                    end.keepalive_failed()

            return probe

        for end in self.ends:
            delay = KEEPALIVE_US + self._world.chance.randrange(SECOND)
            self._world.clock.after(delay, end.lane, probe_of(end))

    def mend(self) -> None:
        """Let everything through again."""
        if self.whole:
            return
        self.whole = True
        for end in list(self.ends):
            delay = self._world.chance.randrange(SECOND)
            self._world.clock.after(delay, end.lane, end.keepalive_answered)


class End:
    """One end of a stream: the Transport port of the process that has it."""

    def __init__(self, process: Process, cables: list[Cable], lane: str, peer_ip: str) -> None:
        self.process = process
        self.cables = cables
        self.lane = lane
        self.peer_ip = peer_ip
        self.context = ""
        self.open = True
        # Sees every byte that the process sends; for those who want to know what a link carried.
        self.tap: Callable[[bytes], None] | None = None
        self._world = process.world
        self._receiver: Receiver | None = None
        self._early: list[bytes] = []
        self._other: End | None = None
        self._out: list[bytes] = []
        self._flying: deque[tuple[int, bytes]] = deque()
        self._arrival_us = 0
        self._arrivals = 0
        self._unacknowledged: list[bytes] = []
        self._repetition: Event | None = None
        process.ends.append(self)
        for cable in cables:
            cable.ends.append(self)

    def peer_uid(self) -> int:
        """Return the user of the process at the other end, as SO_PEERCRED does."""
        return self._other.process.uid if self._other else 0

    def start(self, receiver: Receiver) -> None:
        """Begin to read."""
        self._receiver = receiver
        early, self._early = self._early, []
        for data in early:
            self._arrive(data)

    # The Transport port

    @property
    def queued(self) -> int:
        return sum(map(len, self._out))

    def security_context(self) -> str:
        return self.context

    def write(self, data: bytes) -> None:
        if self.open and data:
            if not self._out:
                self._world.dirty.append(self)
            self._out.append(data)

    def close(self) -> None:
        if self.open:
            self.flush()
            self._release()
            self._send(END_OF_STREAM)

    # The kernel

    def flush(self) -> None:
        """Send what was written in this turn."""
        data, self._out = b"".join(self._out), []
        if data and self.open:
            if self.tap is not None:
                self.tap(data)
            for piece in self._world.pieces(data, READ_BYTES):
                self._send(piece)

    def reset(self) -> None:
        """Break the stream: both sides are told, and what was under way is gone."""
        for end in (self, self._other):
            if end is not None:
                end._flying.clear()
                end._fail_soon("Connection reset by peer")

    def vanish(self) -> None:
        """Be gone without a word."""
        self._release()
        self._flying.clear()
        self._acknowledged()

    def _send(self, data: bytes) -> None:
        low, high = FAR_US if self.cables else NEAR_US
        arrival = self._world.clock.now_us + self._world.chance.randint(low, high)
        self._arrival_us = max(self._arrival_us, arrival)
        self._flying.append((self._arrival_us, data))
        delay = self._arrival_us - self._world.clock.now_us
        self._arrivals += 1
        self._world.clock.after(delay, self.lane, self._arrived)

    def _arrived(self) -> None:
        now = self._world.clock.now_us
        self._arrivals -= 1
        if self._arrivals and not self._world.chance.randrange(4):
            return  # the reader is late: what comes next comes with it
        pieces = []
        while self._flying and self._flying[0][0] <= now:
            pieces.append(self._flying.popleft()[1])
        if not pieces:
            return
        if self._unacknowledged or not self._passable():
            self._unacknowledged += pieces
            if self._repetition is None:
                self._repeat_later(REPEAT_US, now + PATIENCE_US)
            return
        self._deliver(pieces)

    def _passable(self) -> bool:
        return all(cable.whole for cable in self.cables)

    def _deliver(self, pieces: list[bytes]) -> None:
        other = self._other
        if other is None or not other.open:
            if pieces != [END_OF_STREAM]:
                self._fail_soon("Connection reset by peer")
            return
        data = b"".join(pieces)
        if data:
            other._arrive(data)
        if pieces[-1] == END_OF_STREAM:
            other._arrive(END_OF_STREAM)

    def _arrive(self, data: bytes) -> None:
        if self._receiver is None:
            self._early.append(data)
        else:
            self.process.run(lambda: self._take(data))

    def _take(self, data: bytes) -> None:
        if not self.open or self._receiver is None:
            return
        if data:
            self._receiver.received(data)
        else:
            self._fail("the peer closed the connection")

    def _repeat_later(self, delay: int, deadline: int) -> None:
        def repeat() -> None:
            if self._passable():
                pieces, self._unacknowledged = self._unacknowledged, []
                self._repetition = None
                self._deliver(pieces)
            elif self._world.clock.now_us >= deadline:
                self._acknowledged()
                self._fail_soon("Connection timed out")
            else:
                self._repeat_later(2 * delay, deadline)

        left = max(deadline - self._world.clock.now_us, 0)
        self._repetition = self._world.clock.after(min(delay, left), self.lane, repeat)

    def _acknowledged(self) -> None:
        self._unacknowledged = []
        if self._repetition is not None:
            self._repetition.cancel()
            self._repetition = None

    def keepalive_failed(self) -> None:
        """Take note that no probe was answered."""
        if self.open and not self._unacknowledged:
            self._fail_soon("Connection timed out")

    def keepalive_answered(self) -> None:
        """Take note of the answer to a probe: all is well, or a reset."""
        if self.open and not self._unacknowledged and self._passable():
            other = self._other
            if other is not None and not other.open and not other._flying:
                self._fail_soon("Connection reset by peer")

    def _fail_soon(self, reason: str) -> None:
        if self.open:
            low, high = NEAR_US
            delay = self._world.chance.randint(low, high)
            fail = lambda: self.process.run(lambda: self._fail(reason))  # noqa: E731
            self._world.clock.after(delay, self.lane, fail)

    def _fail(self, reason: str) -> None:
        if self.open:
            self._release()
            self._acknowledged()
            if self._receiver is not None:
                self._receiver.lost(reason)

    def _release(self) -> None:
        self.open = False
        self.process.ends.remove(self)
        for cable in self.cables:
            cable.ends.remove(self)


def join(one: End, other: End) -> None:
    """Make both the ends of one stream."""
    one._other, other._other = other, one


class Listener:
    """Somebody who accepts connections at an address, while `open`."""

    def __init__(self, process: Process, accept: Callable[[End], None]) -> None:
        self.process = process
        self.open = True
        self.accept = accept


class Attempt:
    """One attempt to connect; `on_done` gets the end and an empty text, or None and why not."""

    def __init__(
        self,
        process: Process,
        address: str,
        on_done: Callable[[End | None, str], None],
    ) -> None:
        self._process = process
        self._world = process.world
        self._address = address
        self._on_done: Callable[[End | None, str], None] | None = on_done
        local = address.startswith("unix:")
        self._events = []
        for delay in SYN_US[:1] if local else SYN_US:
            low, high = NEAR_US if local else FAR_US
            delay += self._world.chance.randint(low, high)
            self._events.append(self._later(delay, self._knock))
        self._events.append(self._later(CONNECT_US, lambda: self._finish(None, "timed out")))

    def cancel(self) -> None:
        """Give it up; `on_done` is not called any more."""
        self._on_done = None
        for event in self._events:
            event.cancel()

    def _later(self, delay: int, callback: Callable[[], None]) -> Event:
        return self._world.clock.after(delay, self._process.name, callback)

    def _knock(self) -> None:
        if not self._process.alive:
            return
        host, listener = self._world.place(self._process.host, self._address)
        cables = self._world.cables_between(self._process.host, host)
        if not all(cable.whole for cable in cables):
            return
        if listener is None or not (listener.open and listener.process.alive):
            self._finish(None, "Connection refused")
            return
        number = self._world.next_number()
        names = (f"{number}:{self._process.name}", f"{number}:{listener.process.name}")
        mine = End(self._process, cables, names[0], self._world.ip_of(host, bool(cables)))
        theirs = End(
            listener.process, cables, names[1], self._world.ip_of(self._process.host, bool(cables))
        )
        join(mine, theirs)
        self._world.connected(mine, theirs)
        listener.process.run(lambda: listener.accept(theirs))
        self._finish(mine, "")

    def _finish(self, end: End | None, error: str) -> None:
        for event in self._events:
            event.cancel()

        def tell() -> None:
            if self._on_done is not None:
                self._on_done(end, error)
            elif end is not None:
                end.close()

        self._process.run(tell)
