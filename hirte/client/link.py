"""D-Bus over one Unix socket: authentication, then whole messages. Bytes are jeepney's work.

The other end is the bus, which has checked what it delivers, or the manager itself, so jeepney may
read what comes.
"""

from __future__ import annotations

import select
import socket
from time import monotonic

from jeepney import AuthenticationError, Parser
from jeepney.auth import BEGIN, Authenticator

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

# Bytes at a time. The parser copies what is left over with every message it cuts off.
_READ = 16384
# A line of the authentication is far shorter.
_AUTH_READ = 1024
# Seconds. A socket whose time-out is 0 would not wait at all, and not say TimeoutError.
_AUTH_POLL = 0.001
# Milliseconds, 24 days: more is no number for the kernel.
_POLL_MAX = 2**31 - 1


class Link:
    """A connected, authenticated socket. All methods raise OSError when the other end is gone."""

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock
        self._poll = select.poll()
        self._poll.register(sock, select.POLLIN)
        self._parser = Parser()
        self._serial = 0

    def fileno(self) -> int:
        """Return the descriptor of the socket."""
        return self._socket.fileno()

    def send(self, message: Any) -> int:
        """Send a message and return its serial number."""
        self._serial += 1
        self._socket.sendall(message.serialise(serial=self._serial))
        return self._serial

    def buffered(self) -> Any:
        """Return the next message of those that were read already, or None."""
        return self._parser.get_next_message()

    def receive(self, timeout: float | None) -> Any:
        """Return the next message, or None if none is complete within `timeout` seconds.

        A `timeout` of None is for ever.
        """
        deadline = None if timeout is None else monotonic() + timeout
        message = self._parser.get_next_message()
        while message is None:
            left = None if deadline is None else max(0.0, deadline - monotonic())
            if not self._poll.poll(None if left is None else min(left * 1000, _POLL_MAX)):
                return None
            self._read()
            message = self._parser.get_next_message()
        return message

    def _read(self) -> None:
        data = self._socket.recv(_READ)
        if not data:
            raise ConnectionResetError("the connection was closed")
        self._parser.add_data(data)

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()


def open_link(address: str, timeout: float) -> Link:
    """Connect to the Unix socket at `address`, as the kernel spells it, and authenticate.

    Raises OSError, TimeoutError among them, and jeepney's AuthenticationError.
    """
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    deadline = monotonic() + timeout
    try:
        sock.settimeout(timeout)
        sock.connect(address)
        authenticator = Authenticator()
        for data in authenticator:
            sock.sendall(data)
            sock.settimeout(max(_AUTH_POLL, deadline - monotonic()))
            authenticator.feed(_line(sock))
        sock.sendall(BEGIN)
    except (OSError, AuthenticationError):
        sock.close()
        raise
    sock.settimeout(None)
    return Link(sock)


def _line(sock: socket.socket) -> bytes:
    data = sock.recv(_AUTH_READ)
    if not data:
        raise ConnectionResetError("the connection was closed")
    return data
