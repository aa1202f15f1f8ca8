"""The outlet: the stream by which most of what the patient bring leaves, for the manager the bus.

Twenty monitors of everything make twenty messages of one; the bus takes its time for each. When it
cannot keep up, the patient are not read until it can: the queue stays short, nothing is dropped,
and the kernel holds up who sends. One that takes nothing at all for a while is given up.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Callable

    from hirte.runtime.loop import Loop, Timer

# Bytes that wait from which on the patient wait too, and down to which. The bus takes some 50 MB a
# second: they wait for a few hundredths of a second at a time.
HIGH_BYTES = 1 << 20
LOW_BYTES = 1 << 18
# In seconds. A bus that is alive takes something every few milliseconds. With one that is dead the
# nodes' heartbeats are not read either: it is given up before they are, by default after six.
STALL_SECONDS = 5.0
# Looks in that time, all of which must have seen nothing move: after a suspend the first comes at
# once, before the bus was able to run.
_LOOKS = 2


class Outlet:
    """Follows the queue of one stream. `on_stall()` is called when nothing of it is taken."""

    def __init__(self, loop: Loop, on_stall: Callable[[], None]) -> None:
        self._loop = loop
        self._on_stall = on_stall
        # Runs while the patient are held.
        self._timer: Timer | None = None
        self._has_moved = False
        self._idle_looks = 0

    def grew(self, queued: int) -> None:
        """Take note that something was queued; `queued` bytes wait now."""
        if self._timer is None and queued > HIGH_BYTES:
            self._loop.hold()
            self._watch()

    def shrank(self, queued: int) -> None:
        """Take note that something was sent; `queued` bytes wait still."""
        self._has_moved = True
        if queued <= LOW_BYTES:
            self.close()

    def close(self) -> None:
        """Hold nobody any more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
            self._idle_looks = 0
            self._loop.release()

    def _watch(self) -> None:
        self._has_moved = False
        self._timer = self._loop.call_later(STALL_SECONDS / _LOOKS, self._look)

    def _look(self) -> None:
        self._idle_looks = 0 if self._has_moved else self._idle_looks + 1
        if self._idle_looks < _LOOKS:
            self._watch()
        else:
            self._on_stall()
