"""The event loop: one thread, one selector, timers, signals, and the writes of a turn put together.

Rules of this file:
- Nothing polls: with no timer and no traffic the process sleeps.
- Time is CLOCK_BOOTTIME, so time spent in suspend counts (a node that slept is late, not on time).
- What callbacks want to send is sent at the end of the turn: one system call for many messages.
- An exception that leaves a callback is our bug; `on_bug` is told and the loop goes on.
"""

from __future__ import annotations

import _heapq
import _signal  # type: ignore[import-not-found]
import _socket
import selectors
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Callable

    Callback = Callable[[], None]

# Timers, cancelled ones among them, from which on it pays to look for those: two for each of a
# thousand agents. Later that is whenever their number has doubled.
_SWEEP_TIMERS = 2048

READ, WRITE = selectors.EVENT_READ, selectors.EVENT_WRITE


class Timer:
    """A callback and when it is due, in seconds on the loop's clock."""

    __slots__ = ("callback", "due")

    def __init__(self, due: float, callback: Callback) -> None:
        self.due = due
        self.callback: Callback | None = callback

    def cancel(self) -> None:
        """Make sure that the callback does not run; harmless when it already ran."""
        self.callback = None


class Loop:
    """The one event loop of a process."""

    def __init__(self, on_bug: Callable[[Exception], None]) -> None:
        self._selector = selectors.DefaultSelector()
        self._handlers: dict[int, dict[int, Callback]] = {}
        self._timers: list[tuple[float, int, Timer]] = []
        self._timer_count = 0
        self._sweep_at = _SWEEP_TIMERS
        self._turn_end: list[Callback] = []
        self._signals: dict[int, Callback] = {}
        self._wakeup: _socket.socket | None = None
        self._stopped = False
        self._on_bug = on_bug

    # Time

    def now(self) -> float:
        """Return seconds on CLOCK_BOOTTIME."""
        return time.clock_gettime(time.CLOCK_BOOTTIME)

    def realtime_us(self) -> int:
        """Return microseconds since the epoch."""
        return time.time_ns() // 1000

    def monotonic_us(self) -> int:
        """Return microseconds on CLOCK_MONOTONIC."""
        return time.monotonic_ns() // 1000

    def call_later(self, delay: float, callback: Callback) -> Timer:
        """Call `callback` once, `delay` seconds from now; equal times keep their order."""
        timer = Timer(self.now() + delay, callback)
        if len(self._timers) >= self._sweep_at:
            self._sweep()
        self._timer_count += 1
        _heapq.heappush(self._timers, (timer.due, self._timer_count, timer))
        return timer

    def _sweep(self) -> None:
        """Forget cancelled timers that are not due yet: strangers who come and go leave many."""
        self._timers = [entry for entry in self._timers if entry[2].callback is not None]
        _heapq.heapify(self._timers)
        self._sweep_at = max(_SWEEP_TIMERS, 2 * len(self._timers))

    def at_turn_end(self, callback: Callback) -> None:
        """Call `callback` once, after everything that this turn of the loop brought."""
        self._turn_end.append(callback)

    # File descriptors

    def add_reader(self, fd: int, callback: Callback) -> None:
        """Call `callback` whenever `fd` is readable or broken."""
        self._watch(fd, READ, callback)

    def remove_reader(self, fd: int) -> None:
        """Forget the reader of `fd`; harmless when there is none."""
        self._unwatch(fd, READ)

    def add_writer(self, fd: int, callback: Callback) -> None:
        """Call `callback` whenever `fd` is writable or broken."""
        self._watch(fd, WRITE, callback)

    def remove_writer(self, fd: int) -> None:
        """Forget the writer of `fd`; harmless when there is none."""
        self._unwatch(fd, WRITE)

    def _watch(self, fd: int, event: int, callback: Callback) -> None:
        handlers = self._handlers.setdefault(fd, {})
        known = bool(handlers)
        handlers[event] = callback
        change = self._selector.modify if known else self._selector.register
        change(fd, sum(handlers), handlers)

    def _unwatch(self, fd: int, event: int) -> None:
        handlers = self._handlers.get(fd)
        if handlers is None or handlers.pop(event, None) is None:
            return
        if handlers:
            self._selector.modify(fd, sum(handlers), handlers)
        else:
            del self._handlers[fd]
            self._selector.unregister(fd)

    # Signals

    def on_signal(self, number: int, callback: Callback) -> None:
        """Call `callback` from the loop when the process gets the signal."""
        if self._wakeup is None:
            self._open_wakeup()
        self._signals[number] = callback
        _signal.signal(number, _noticed)
        _signal.siginterrupt(number, False)

    def _open_wakeup(self) -> None:
        # The C handler writes the signal's number there: the only thing that is safe in it.
        self._wakeup, writer = _socket.socketpair()
        self._wakeup.setblocking(False)
        writer.setblocking(False)
        _signal.set_wakeup_fd(writer.detach(), warn_on_full_buffer=False)
        self.add_reader(self._wakeup.fileno(), self._take_signals)

    def _take_signals(self) -> None:
        if self._wakeup is None:
            return
        for number in self._wakeup.recv(512):
            callback = self._signals.get(number)
            if callback is not None:
                self._guard(callback)

    # Running

    def stop(self) -> None:
        """Let :meth:`run` return at the end of this turn."""
        self._stopped = True

    def run(self) -> None:
        """Run until :meth:`stop`."""
        while not self._stopped:
            self.turn()

    def turn(self) -> None:
        """Wait for whatever comes next and serve all of it."""
        for key, events in self._selector.select(self._patience()):
            # A callback may have closed what another one of this turn was about.
            for event in (READ, WRITE):
                callback = key.data.get(event)
                if events & event and callback is not None:
                    self._guard(callback)
        self._run_timers()
        while self._turn_end:
            callbacks, self._turn_end = self._turn_end, []
            for callback in callbacks:
                self._guard(callback)

    def _patience(self) -> float | None:
        if self._turn_end:
            return 0.0
        while self._timers and self._timers[0][2].callback is None:
            _heapq.heappop(self._timers)
        if not self._timers:
            return None
        return max(0.0, self._timers[0][0] - self.now())

    def _run_timers(self) -> None:
        if not self._timers:
            return
        now = self.now()
        while self._timers and self._timers[0][0] <= now:
            timer = _heapq.heappop(self._timers)[2]
            callback, timer.callback = timer.callback, None
            if callback is not None:
                self._guard(callback)

    def _guard(self, callback: Callback) -> None:
        try:
            callback()
        except Exception as error:  # noqa: BLE001 - one bug must not end the others
            self._on_bug(error)


def _noticed(number: int, frame: object) -> None:
    """Python's half of a signal handler: the wake-up descriptor has carried the news already."""
