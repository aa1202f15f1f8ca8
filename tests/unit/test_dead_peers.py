"""How long the kernel waits for a peer that is gone, whether bytes are under way or not."""

from __future__ import annotations

import socket

import pytest

from hirte.runtime.stream import TcpOptions


@pytest.mark.parametrize(
    ("idle", "interval", "count", "patience_ms"),
    [(1, 1, 6, 7_000), (7, 3, 4, 19_000), (0, 1, 6, 0), (1, 0, 6, 0), (1, 1, 0, 0)],
)
def test_unacknowledged_bytes_wait_as_long_as_probes(
    idle: int, interval: int, count: int, patience_ms: int
) -> None:
    with socket.socket(socket.AF_INET6, socket.SOCK_STREAM) as sock:
        TcpOptions(idle, interval, count, receive_errors=True).apply(sock)
        assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == patience_ms
