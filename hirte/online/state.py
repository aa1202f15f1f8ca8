"""When to stop watching, and what the answer is then.

All that can happen comes in as a method call with the time it happened at; `deadline` is when
:meth:`State.tick` wants to be called next. Times are seconds on a clock that never goes back.
"""

from __future__ import annotations


class State:
    """What is known, and whether the watch is over (`over`).

    `monitor`: keep watching while it is online; `wait`: seconds to wait for it to come online;
    `switch`: seconds that an agent may be offline after it was told to use another manager.
    """

    def __init__(self, now: float, online: bool, monitor: bool, wait: float, switch: float) -> None:
        self.online = online
        self.over = not (monitor if online else wait > 0)
        self._monitor = monitor
        self._switch = switch
        self._wait_ends = now + wait if not online and wait > 0 else None
        self._switch_ends: float | None = None
        self._tolerant = False

    @property
    def deadline(self) -> float | None:
        """Return when time alone changes something, None for never."""
        ends = [end for end in (self._wait_ends, self._switch_ends) if end is not None]
        return min(ends) if ends else None

    def status(self, online: bool) -> None:
        """Take note of a status: told, or known because the service is gone."""
        was_online, self.online = self.online, online
        if online:
            self._wait_ends = self._switch_ends = None
            self.over = not self._monitor
        elif was_online:
            self.over = not self._tolerant
            self._tolerant = False

    def switching(self, now: float) -> None:
        """Take note that the agent uses another manager from now on, and will be offline soon."""
        if self._switch > 0:
            self._switch_ends = now + self._switch
            self._tolerant = self.online

    def tick(self, now: float) -> None:
        """Take note of the time."""
        ends, self._wait_ends, self._switch_ends = (
            (self._wait_ends, self._switch_ends),
            _future(self._wait_ends, now),
            _future(self._switch_ends, now),
        )
        if ends != (self._wait_ends, self._switch_ends):
            self._tolerant = False
            self.over = not self.online


def _future(end: float | None, now: float) -> float | None:
    return end if end is not None and now < end else None
