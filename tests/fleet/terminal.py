"""A pseudo-terminal with a command of a node on it, and a screen that shows what it writes."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import struct
import termios
from collections.abc import Callable
from time import monotonic

from tests.bed import Node
from tests.screen import Screen

# More than anything here takes on a slow machine.
_SECONDS = 20.0
CTRL_C, CTRL_Z = b"\x03", b"\x1a"


class Terminal:
    """A context manager; at its end the command is killed if it has not ended by itself."""

    def __init__(self, node: Node, argv: list[str], columns: int = 80, rows: int = 24) -> None:
        self._master, slave = pty.openpty()
        self.screen = Screen(columns, rows)
        self.written = ""
        self.resize(columns, rows)
        self._process = node.popen_on(slave, argv, {"TERM": "xterm-256color"})
        os.close(slave)

    def __enter__(self) -> Terminal:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()
        os.close(self._master)

    def resize(self, columns: int, rows: int) -> None:
        """Have another size, as if somebody had pulled at the window."""
        size = struct.pack("HHHH", rows, columns, 0, 0)
        fcntl.ioctl(self._master, termios.TIOCSWINSZ, size)
        self.screen.resize(columns, rows)

    def press(self, keys: bytes) -> None:
        """Type."""
        os.write(self._master, keys)

    def until(self, wanted: Callable[[list[str]], bool]) -> list[str]:
        """Wait until the lines of the screen are as wanted, and return them."""
        deadline = monotonic() + _SECONDS
        while not wanted(self.screen.lines):
            assert self._read(deadline), f"it ended; its screen:\n{self._shown()}"
        return self.screen.lines

    def until_line(self, text: str) -> list[str]:
        """Wait until a line of the screen has this text; return the lines."""
        return self.until(lambda lines: any(text in line for line in lines))

    def end(self) -> int:
        """Wait for the end of the command and return its exit code."""
        deadline = monotonic() + _SECONDS
        while self._read(deadline):
            pass
        return self._process.wait()

    def _read(self, deadline: float) -> bool:
        """Show what is written next; return False at the end."""
        left = deadline - monotonic()
        assert left > 0 and select.select([self._master], [], [], left)[0], (
            f"nothing more within {_SECONDS:g} s; the screen:\n{self._shown()}"
        )
        try:
            data = os.read(self._master, 65536)
        except OSError:
            # Nobody has the other end any more.
            return False
        text = data.decode()
        self.written += text
        self.screen.feed(text)
        return True

    def _shown(self) -> str:
        return "\n".join(self.screen.lines)
