"""Virtual time: what is due happens next, and time jumps to it.

Rules of this file:
- Time is whole microseconds, so that no sum of floats ever decides an order.
- What is due at the same instant keeps its order within a lane (a process, one direction of a
  link); between lanes the seed decides, as the kernel does in the world.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable
from random import Random
from zlib import crc32

SECOND = 1_000_000

# Where the calendar and the monotonic clock stand when the world begins.
EPOCH_US = 1_700_000_000 * SECOND
BOOT_US = 1_000 * SECOND

Callback = Callable[[], None]


class Event:
    """Something that will happen, unless it is cancelled."""

    __slots__ = ("callback",)

    def __init__(self, callback: Callback) -> None:
        self.callback: Callback | None = callback

    def cancel(self) -> None:
        """Make sure that it does not happen; harmless when it already did."""
        self.callback = None


class Clock:
    """The one queue of a world. `turn_end` runs after every event."""

    def __init__(self, chance: Random) -> None:
        self.now_us = 0
        self.turn_end: Callback | None = None
        self._salt = chance.getrandbits(32)
        self._count = 0
        self._queue: list[tuple[int, int, int, Event]] = []

    def after(self, delay_us: int, lane: str, callback: Callback) -> Event:
        """Let `callback` run `delay_us` from now, in order with what else `lane` does then."""
        due = self.now_us + delay_us
        event = Event(callback)
        tie = crc32(f"{self._salt} {lane} {due}".encode())
        self._count += 1
        heapq.heappush(self._queue, (due, tie, self._count, event))
        return event

    def advance(self, until_us: int) -> bool:
        """Let the next event happen if it is due by `until_us`; tell whether there was one.

        If there is none, time stands at `until_us` afterwards.
        """
        while self._queue and self._queue[0][0] <= until_us:
            due, _, _, event = heapq.heappop(self._queue)
            callback, event.callback = event.callback, None
            if callback is None:
                continue
            self.now_us = due
            callback()
            if self.turn_end is not None:
                self.turn_end()
            return True
        self.now_us = max(self.now_us, until_us)
        return False


def microseconds(delay: float) -> int:
    """Return a delay in seconds in whole microseconds; never nothing for something."""
    return max(math.ceil(delay * SECOND), 0)
