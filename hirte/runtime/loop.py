"""The event loop: one thread, one selector, timers, signals, and the writes of a turn put together.

Rules of this file:
- Nothing polls: with no timer and no traffic the process sleeps.
- Time is CLOCK_BOOTTIME, so time spent in suspend counts (a node that slept is late, not on time).
- What callbacks want to send is sent at the end of the turn: one system call for many messages.
- A turn that sent nothing was of no consequence to anybody. Where such turns pour in (heartbeats
  of many agents) and nobody has asked for anything lately, those marked as patient wait a
  few milliseconds and are then served together: most of what a heartbeat costs is to be woken.
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
    _Ready = tuple[selectors.SelectorKey, int]

# Timers, cancelled ones among them, from which on it pays to look for those: two for each of a
# thousand agents. Later that is whenever their number has doubled.
_SWEEP_TIMERS = 2048

READ, WRITE = selectors.EVENT_READ, selectors.EVENT_WRITE

# How long the patient wait, in seconds: 125 times a second instead of once for each message. Far
# below what people notice, and below the 250 ms of lateness that heartbeats are granted anyway.
REST = 0.008
# After a turn of consequence nobody waits for so long, in seconds: an answer or the end of a job
# that was asked for is most probably on its way.
CALM = 0.05


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
        # Those of the same descriptors that are never kept waiting.
        self._prompt = selectors.DefaultSelector()
        self._patient: set[int] = set()
        self._are_held = False
        # Patient ones that had something to say when the hold began, and their places.
        self._passed_over: dict[int, int] = {}
        self._rest_until = 0.0
        self._idle_at = self._busy_at = 0.0
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

    def add_reader(self, fd: int, callback: Callback, is_patient: bool = False) -> None:
        """Call `callback` whenever `fd` is readable or broken.

        One that `is_patient` is called up to REST later when many of them come to no consequence.
        """
        if is_patient and fd not in self._handlers:
            self._patient.add(fd)
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

    def hold(self) -> None:
        """Do not call the patient's readers until :meth:`release`, whatever they have to say."""
        self._are_held = True

    def release(self) -> None:
        """Call the patient's readers again."""
        self._are_held = False

    def _watch(self, fd: int, event: int, callback: Callback) -> None:
        handlers = self._handlers.setdefault(fd, {})
        known = bool(handlers)
        handlers[event] = callback
        for selector in self._selectors(fd):
            change = selector.modify if known else selector.register
            change(fd, sum(handlers), handlers)

    def _unwatch(self, fd: int, event: int) -> None:
        handlers = self._handlers.get(fd)
        if handlers is None or handlers.pop(event, None) is None:
            return
        for selector in self._selectors(fd):
            if handlers:
                selector.modify(fd, sum(handlers), handlers)
            else:
                selector.unregister(fd)
        if not handlers:
            del self._handlers[fd]
            self._patient.discard(fd)

    def _selectors(self, fd: int) -> tuple[selectors.BaseSelector, ...]:
        return (self._selector,) if fd in self._patient else (self._selector, self._prompt)

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
        if self._rest_until or self._are_held:
            ready = self._prompt.select(self._patience())
        else:
            ready = self._in_turn(self._selector.select(self._patience()))
        for key, events in ready:
            if self._are_held and key.fd in self._patient:
                self._passed_over[key.fd] = len(self._passed_over)
                continue
            # A callback may have closed what another one of this turn was about.
            for event in (READ, WRITE):
                callback = key.data.get(event)
                if events & event and callback is not None:
                    self._guard(callback)
        now = self.now()
        self._run_timers(now)
        self._consider_rest(now, bool(ready))
        while self._turn_end:
            callbacks, self._turn_end = self._turn_end, []
            for callback in callbacks:
                self._guard(callback)

    def _in_turn(self, ready: list[_Ready]) -> list[_Ready]:
        """Return what is ready, those first that were passed over the last time.

        The kernel names the same ones first each time: one that pours would leave the others none.
        """
        places, self._passed_over = self._passed_over, {}
        if places:
            ready.sort(key=lambda item: places.get(item[0].fd, len(places)))
        return ready

    def _consider_rest(self, now: float, was_woken: bool) -> None:
        """Begin or end the patient ones' rest, by what this turn came to."""
        if self._turn_end:
            self._busy_at, self._rest_until = now, 0.0
        elif self._rest_until <= now:
            self._rest_until = 0.0
            if was_woken:
                since, self._idle_at = now - self._idle_at, now
                if self._patient and since < 2 * REST and now - self._busy_at > CALM:
                    self._rest_until = now + REST

    def _patience(self) -> float | None:
        if self._turn_end:
            return 0.0
        while self._timers and self._timers[0][2].callback is None:
            _heapq.heappop(self._timers)
        due = self._timers[0][0] if self._timers else None
        if self._rest_until and (due is None or self._rest_until < due):
            due = self._rest_until
        return None if due is None else max(0.0, due - self.now())

    def _run_timers(self, now: float) -> None:
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
