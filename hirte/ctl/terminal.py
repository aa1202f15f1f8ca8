"""What a stream can show: whether somebody looks at it, how wide it is, colours, characters.

The customs are systemctl's: a pipe has no width, no colours, and nothing is left out in it; COLUMNS
overrules the width of the terminal. NO_COLOR is that of no-color.org.
"""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import TextIO

# Of a terminal that does not know its own size, as a serial line.
_COLUMNS, _ROWS = 80, 24
# TERM of terminals that know no escape sequences.
_DUMB = ("", "dumb")
# Locales that have ASCII only, whatever Python makes of them.
_ASCII = ("C", "POSIX")


class Terminal:
    """An output stream. `has_escapes` tells whether it moves the cursor, `has_colour` of colours.

    `ellipsis` is what stands for text that is left out.
    """

    __slots__ = (
        "_columns", "_encoding", "_fd", "ellipsis", "has_colour", "has_escapes", "is_terminal",
    )  # fmt: skip

    def __init__(self, stream: TextIO | None, environ: Mapping[str, str]) -> None:
        self.is_terminal = stream is not None and stream.isatty()
        self._fd = stream.fileno() if stream is not None and self.is_terminal else -1
        self._encoding = getattr(stream, "encoding", None) or "ascii"
        self.has_escapes = self.is_terminal and environ.get("TERM", "") not in _DUMB
        self.has_colour = self.has_escapes and not environ.get("NO_COLOR")
        locale = environ.get("LC_ALL") or environ.get("LC_CTYPE") or environ.get("LANG")
        self.ellipsis = "..." if locale in _ASCII or not self._knows("…") else "…"
        columns = environ.get("COLUMNS", "")
        self._columns = int(columns) if columns.isascii() and columns.isdigit() else 0

    def size(self) -> tuple[int, int]:
        """Return columns and rows; of what is no terminal 0 columns, which means endless lines."""
        if not self.is_terminal:
            return 0, 0
        try:
            columns, rows = os.get_terminal_size(self._fd)
        except OSError:
            # The terminal was taken away.
            columns = rows = 0
        return self._columns or columns or _COLUMNS, rows or _ROWS

    @property
    def width(self) -> int:
        """Return how many columns a line may have; 0 is endless."""
        return self.size()[0]

    def is_ours(self) -> bool:
        """Tell whether we may draw on what is a terminal: not in the background of a shell."""
        try:
            return os.tcgetpgrp(self._fd) == os.getpgrp()
        except OSError:
            # It is not the one that we are controlled from, so there is no shell on it.
            return True

    def write(self, text: str) -> None:
        """Write to what is a terminal, past Python's buffers. Raises OSError.

        Handlers of signals may come while a buffer is in use.
        """
        data = text.encode(self._encoding, "backslashreplace")
        while data:
            data = data[os.write(self._fd, data) :]

    def _knows(self, text: str) -> bool:
        try:
            text.encode(self._encoding)
        except UnicodeEncodeError:
            return False
        return True
