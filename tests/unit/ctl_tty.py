"""A pseudo-terminal as the tool's stdout and stderr, and a screen that shows what it is written."""

from __future__ import annotations

import fcntl
import io
import os
import pty
import select
import struct
import sys
import termios

import pytest

from tests.screen import Screen
from tests.unit.ctl_fake import FakeBus, ctl


class Tty:
    """The terminal."""

    def __init__(self, columns: int = 80, rows: int = 24) -> None:
        self._master, self._slave = pty.openpty()
        # A line feed is one: nothing is added on the way.
        attributes = termios.tcgetattr(self._slave)
        attributes[1] &= ~termios.OPOST
        termios.tcsetattr(self._slave, termios.TCSANOW, attributes)
        self._streams: list[io.TextIOWrapper] = []
        self.screen = Screen(columns, rows)
        self.piped = ""
        self.resize(columns, rows)

    def resize(self, columns: int, rows: int) -> None:
        """Have another size."""
        fcntl.ioctl(self._slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        self.screen.resize(columns, rows)

    def stream(self, encoding: str = "utf-8") -> io.TextIOWrapper:
        """Return an output stream."""
        made = os.fdopen(os.dup(self._slave), "w", encoding=encoding)
        self._streams.append(made)
        return made

    def ctl(self, bus: FakeBus, *argv: str, only: str = "") -> int:
        """Run the tool on this terminal, or have `only` one of its streams there.

        The other is a pipe, whose text is then in `piped`.
        """
        pipe = io.StringIO()
        with pytest.MonkeyPatch.context() as patch:
            for name in ("stdout", "stderr"):
                patch.setattr(sys, name, self.stream() if only in (name, "") else pipe)
            try:
                return ctl(bus, *argv)
            finally:
                self.piped = pipe.getvalue()

    def read(self) -> str:
        """Return what was written since the last time; it is shown on the screen, too."""
        data = b""
        while select.select([self._master], [], [], 0)[0]:
            data += os.read(self._master, 65536)
        text = data.decode()
        self.screen.feed(text.replace("\n", "\r\n"))
        return text

    def close(self) -> None:
        """Be gone."""
        for stream in self._streams:
            stream.close()
        os.close(self._master)
        os.close(self._slave)
