"""A stream of bytes cut into messages.

Feed whatever arrived; take messages until there is none. A message that is broken raises when its
turn comes, after all messages before it were taken. What waits for its end is held as the pieces
that came, so a large message costs no repeated copying, and never more than one message's limit
is held, because the size is judged as soon as the first 16 bytes are there.
"""

from __future__ import annotations

from hirte.wire.limits import UNREGISTERED_MESSAGE_BYTES
from hirte.wire.message import FIXED_BYTES, Message, measure, parse


class Framer:
    """Cuts one direction of one connection. `limit` is the largest message allowed, in bytes."""

    def __init__(self, limit: int = UNREGISTERED_MESSAGE_BYTES) -> None:
        self.limit = limit
        self._data = b""
        self._position = 0
        self._pieces: list[bytes] = []
        self._missing = 0

    def feed(self, data: bytes) -> None:
        """Take the bytes that the peer sent next."""
        if self._position < len(self._data) or self._pieces:
            self._pieces.append(data)
            self._missing -= len(data)
        else:
            self._data = data
            self._position = 0

    def take(self) -> Message | None:
        """Return the next complete message, or None until more was fed. Raises PeerError."""
        if self._pieces:
            if self._missing > 0:
                return None
            self._join()
        data, start = self._data, self._position
        available = len(data) - start
        if available < FIXED_BYTES:
            self._missing = FIXED_BYTES - available
            return None
        size = measure(data, start, self.limit)
        if available < size:
            self._missing = size - available
            return None
        self._position = start + size
        return parse(data, start, size)

    def rest(self) -> bytes:
        """Return and forget what no message was made of yet."""
        self._join()
        rest, self._data = self._data, b""
        return rest

    def _join(self) -> None:
        self._pieces.insert(0, self._data[self._position :])
        self._data = b"".join(self._pieces)
        self._position = 0
        self._pieces = []
