"""A descriptor for loops that poll: what lies in memory is as visible as what lies in a socket."""

from __future__ import annotations

import os
import select


class Bell:
    """One descriptor that is readable when another one is, or when it was rung."""

    def __init__(self, other: int) -> None:
        self._epoll = select.epoll()
        self._reader, self._writer = os.pipe()
        self._rung = False
        for fd in (other, self._reader):
            self._epoll.register(fd, select.EPOLLIN)

    def fileno(self) -> int:
        """Return the one descriptor."""
        return self._epoll.fileno()

    def ring(self) -> None:
        """Make it readable."""
        if not self._rung:
            self._rung = True
            os.write(self._writer, b"!")

    def silence(self) -> None:
        """Leave it to the other descriptor whether it is readable."""
        if self._rung:
            self._rung = False
            os.read(self._reader, 1)

    def close(self) -> None:
        """Close it; the other descriptor stays open."""
        self._epoll.close()
        os.close(self._reader)
        os.close(self._writer)
