"""A stream of bytes cut into messages.

Feed whatever arrived; take messages until there is none. A message that is broken raises when its
turn comes, after all messages before it were taken, and again whenever it is asked for. What
waits for its end is held in one growing buffer, so that neither a large message nor one that comes
byte by byte costs repeated copying; never more than one message's limit waits, because the size is
judged as soon as the first 16 bytes are there. Nothing is held for a peer that owes nothing.
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
        # What came behind `_data`, and how much of it the message at `_position` needs.
        self._behind = bytearray()
        self._missing = 0

    def feed(self, data: bytes) -> None:
        """Take the bytes that the peer sent next."""
        if self._data:
            self._behind += data
        else:
            self._data = data
            self._missing = 0

    def take(self) -> Message | None:
        """Return the next complete message, or None until more was fed. Raises PeerError."""
        if self._behind:
            if len(self._behind) < self._missing:
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
        message = parse(data, start, size)
        if available == size:
            self._data = b""
            self._position = 0
        else:
            self._position = start + size
        return message

    def _join(self) -> None:
        self._data = self._data[self._position :] + self._behind
        self._position = 0
        self._behind = bytearray()
        self._missing = 0
