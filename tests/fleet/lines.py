"""What a running command prints, line by line, with an end to every wait."""

from __future__ import annotations

import os
import select
import time

from tests.bed.bus import WAIT_SECONDS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from subprocess import Popen


class Lines:
    """The lines on stdout of a command that was started with `Node.popen`."""

    def __init__(self, process: Popen[str]) -> None:
        assert process.stdout is not None
        self._process = process
        self._out = process.stdout.fileno()
        self._data = b""
        self.seen: list[str] = []

    def next(self, seconds: float = WAIT_SECONDS) -> str:
        """The next line. Raises TimeoutError with all lines before it; fails at the end."""
        deadline = time.monotonic() + seconds
        while b"\n" not in self._data:
            left = max(0.0, deadline - time.monotonic())
            if not select.select([self._out], [], [], left)[0]:
                raise TimeoutError(f"no further line within {seconds} s: {self.seen}")
            more = os.read(self._out, 65536)
            if not more:
                raise AssertionError(f"it has ended: {self._process.communicate()[1]}")
            self._data += more
        line, _, self._data = self._data.partition(b"\n")
        self.seen.append(line.decode())
        return self.seen[-1]

    def until(self, wanted: str, seconds: float = WAIT_SECONDS) -> None:
        """Reads up to a line. Raises TimeoutError."""
        deadline = time.monotonic() + seconds
        while self.next(max(0.0, deadline - time.monotonic())) != wanted:
            pass

    def end(self) -> None:
        """Kills the command."""
        self._process.kill()
        self._process.communicate(timeout=WAIT_SECONDS)
