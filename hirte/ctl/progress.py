"""A line on the terminal that says what is waited for, once that takes longer than a second.

Rules of this file:
- The line is no part of any output: it is drawn over when it changes, and gone before anything else
  is printed.
- Nothing is drawn while something is printed, which a pager may hold up for as long as somebody
  reads, nor within a second after it: what is printed is never torn.
- In the background nothing is drawn: the line with the cursor is the shell's.
- The timer is a signal, so that it ticks wherever the tool waits, also in the handshake with a bus
  that hangs.
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]
from time import monotonic

from hirte.ctl.text import head, shorten
from hirte.printable import printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Callable

    from hirte.ctl.terminal import Terminal

    # What has been waited for the longest, since when on the clock, and how many there are in all.
    Wait = tuple[str, float, int]

# Seconds: who waits for less does not wonder.
_PATIENCE = 1.0
# Seconds between looks at the clock: waits do not begin when the timer does.
_TICK = 0.25
# Carriage return, and erase to the end of the line (ECMA-48 EL).
_ERASE = "\r\x1b[K"


class Progress:
    """The line of `program` on a terminal that has escape sequences."""

    def __init__(self, terminal: Terminal, program: str) -> None:
        self._terminal = terminal
        self._program = program
        self._shown = ""
        self._printed = monotonic()
        self._whom: Callable[[], Wait | None] = lambda: None

    def begin(self) -> None:
        """Let time pass; nothing special is waited for, but the manager."""
        self.wait_for(None)
        _signal.signal(_signal.SIGALRM, self._tick)
        _signal.setitimer(_signal.ITIMER_REAL, _TICK, _TICK)

    def end(self) -> None:
        """Leave nothing behind."""
        _signal.setitimer(_signal.ITIMER_REAL, 0)
        _signal.signal(_signal.SIGALRM, _signal.SIG_DFL)
        self.erase()

    def wait_for(self, whom: Callable[[], Wait | None] | None) -> None:
        """From now on this tells what is waited for; None is the manager."""
        since = monotonic()
        self._whom = whom or (lambda: ("the manager", since, 1))

    def erase(self) -> None:
        """Make room for something that is printed, until :meth:`printed`."""
        self._printed = float("inf")
        if self._shown:
            self._shown = ""
            self._write(_ERASE)

    def printed(self) -> None:
        """Take note that it is printed."""
        self._printed = monotonic()

    def _tick(self, number: int, frame: object) -> None:
        wait = self._whom()
        now = monotonic()
        if wait is None or now - wait[1] < _PATIENCE or now - self._printed < _PATIENCE:
            return
        line = self._line(*wait, now)
        if line != self._shown and self._terminal.is_ours():
            self._write(_ERASE + line)
            self._shown = line

    def _line(self, what: str, since: float, count: int, now: float) -> str:
        more = f" +{count - 1} more" if count > 1 else ""
        before, after = f"{self._program}: waiting for ", f" ({int(now - since)} s){more}"
        # A line that is full makes some terminals begin the next.
        width = self._terminal.width - 1
        room = max(0, width - len(before) - len(after))
        return head(before + shorten(printable(what), room, self._terminal.ellipsis) + after, width)

    def _write(self, text: str) -> None:
        try:
            self._terminal.write(text)
        except OSError:
            # The terminal is gone, or stopped: the line is not worth an error.
            pass
