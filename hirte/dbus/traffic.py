"""Counters of what goes over connections. They only ever grow."""

from __future__ import annotations


class Traffic:
    """Messages and their bytes in both directions, and peers that broke the protocol.

    Connections may share one: then it tells of all of them, also of those that have ended.
    """

    __slots__ = (
        "protocol_errors", "received_bytes", "received_messages", "sent_bytes", "sent_messages",
    )  # fmt: skip

    def __init__(self) -> None:
        self.protocol_errors = 0
        self.received_bytes = 0
        self.received_messages = 0
        self.sent_bytes = 0
        self.sent_messages = 0
