"""A live view: the terminal shows a frame, and of a new one only the lines that are not as before.

Rules of this file:
- It has the alternate screen, so that nothing that was shown before is lost. When it ends, however
  it ends, the terminal is as it was, and the last frame is the last thing printed.
- A line of the frame is a line of the screen: what is too long is cut, what is too much is counted.
- Signals draw too. One that comes while something is drawn is heeded right after.
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]
import os

from hirte.ctl.text import clip

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from hirte.ctl.terminal import Terminal

# DEC private modes as xterm has them: 1049 alternate screen, 25 cursor, 7 wrap at the right margin.
_ENTER = "\x1b[?1049h\x1b[?25l\x1b[?7l"
_LEAVE = "\x1b[?7h\x1b[?25h\x1b[?1049l"
# ECMA-48: cursor to the beginning of a row that is erased, and erase the screen. Erasing what is
# behind a line that is as wide as the screen would take its last character.
_ROW, _ERASE = "\x1b[{row};1H\x1b[K", "\x1b[H\x1b[J"
# Whoever ends us finds the terminal as it was.
_ENDS = (_signal.SIGINT, _signal.SIGTERM, _signal.SIGHUP)


class Live:
    """The frame on a terminal; a context manager."""

    def __init__(self, terminal: Terminal) -> None:
        self._terminal = terminal
        self._size = (0, 0)
        self._shown: list[str] = []
        # Makes the text, for the width that the terminal has then.
        self._parts: Sequence[Callable[[], str]] = ()
        self._status = self._remark = ""
        self._is_drawing = self._again = False
        self._before: dict[int, object] = {}

    def __enter__(self) -> Live:
        handlers = {_signal.SIGWINCH: self._resized, _signal.SIGTSTP: self._suspend}
        handlers.update(dict.fromkeys(_ENDS, self._end))
        for number, handler in handlers.items():
            # What was ignored from the start, as by nohup or without job control, stays so.
            if _signal.getsignal(number) != _signal.SIG_IGN:
                self._before[number] = _signal.signal(number, handler)
        self._terminal.write(_ENTER)
        return self

    def __exit__(self, *_: object) -> None:
        self._ignore_signals()
        text = "".join(part() for part in self._parts) + self._remark
        self._parts = ()
        self._leave(text)
        for number, handler in self._before.items():
            _signal.signal(number, handler)

    def show(self, parts: Sequence[Callable[[], str]], status: str) -> None:
        """Show a frame, made of texts of whole lines, and a line at the bottom."""
        self._parts, self._remark = parts, ""
        self._status = status
        self._draw()

    def tell(self, status: str) -> None:
        """Leave the frame, which is of before, and show another line at the bottom.

        What is printed at the end says that as well.
        """
        self._status, self._remark = status, f"{status}\n"
        self._draw()

    def _draw(self) -> None:
        if self._is_drawing:
            self._again = True
            return
        while True:
            self._again, self._is_drawing = False, True
            try:
                self._terminal.write(self._changes())
            finally:
                self._is_drawing = False
            if not self._again:
                return

    def _changes(self) -> str:
        """Return what makes the screen show the frame."""
        size = self._terminal.size()
        written = []
        if size != self._size:
            self._size = size
            self._shown = [""] * size[1]
            written.append(_ERASE)
        lines = self._lines(*size)
        for row, (line, before) in enumerate(zip(lines, self._shown), start=1):
            if line != before:
                written.append(_ROW.format(row=row) + line)
        self._shown = lines
        return "".join(written)

    def _lines(self, width: int, rows: int) -> list[str]:
        """Return the line of every row of the screen."""
        lines = "".join(part() for part in self._parts).split("\n")[:-1]
        room = rows - 1
        if len(lines) > room:
            kept = lines[: max(0, room - 1)]
            hidden = f"{self._terminal.ellipsis} and {len(lines) - len(kept)} more lines"
            lines = [*kept, hidden][:room]
        lines += [""] * (room - len(lines))
        return [clip(line, width) for line in [*lines, self._status]]

    def _resized(self, number: int, frame: object) -> None:
        self._draw()

    def _suspend(self, number: int, frame: object) -> None:
        """Lend the terminal to the shell until it lets us go on."""
        self._leave("")
        os.kill(os.getpid(), _signal.SIGSTOP)
        self._terminal.write(_ENTER)
        self._size = (0, 0)
        self._draw()

    def _end(self, number: int, frame: object) -> None:
        """Let this signal end the view, and no other one break off what that takes.

        Login sessions are ended with two at once, and people press Ctrl-C twice.
        """
        self._ignore_signals()
        # A session that ends is told of as shells do; the others mean the view only.
        raise SystemExit(128 + number) if number == _signal.SIGHUP else KeyboardInterrupt

    def _ignore_signals(self) -> None:
        for number in self._before:
            _signal.signal(number, _signal.SIG_IGN)

    def _leave(self, text: str) -> None:
        try:
            # A terminal without an alternate screen shows nothing twice.
            self._terminal.write(_ERASE + _LEAVE + text)
        except OSError:
            # The terminal is gone; who sees that is told by SIGHUP.
            pass
