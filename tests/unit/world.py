"""Helpers for tests on the real loop with real sockets."""

from __future__ import annotations

import time

# Long enough for a busy machine; nobody waits for it when all is well.
PATIENCE = 20.0


class Receiver:
    """Keeps what a stream brings."""

    def __init__(self):
        self.data = b""
        self.lost_reasons = []
        self.on_data = None
        self.transport = None

    def received(self, data):
        self.data += data
        if self.on_data:
            self.on_data()

    def lost(self, reason):
        self.lost_reasons.append(reason)


def turn_until(loop, condition):
    """Run the loop until `condition()` is true."""
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, "nothing happens"
        # Wakes the loop, should nothing else happen.
        timer = loop.call_later(0.05, lambda: None)
        loop.turn()
        timer.cancel()
