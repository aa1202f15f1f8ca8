"""Listening sockets: TCP on both IP families, a Unix socket, and one that was inherited."""

from __future__ import annotations

import _socket
import errno
import os

from hirte.runtime.stream import Stream

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Callable

    from hirte.runtime.loop import Loop
    from hirte.runtime.stream import TcpOptions

    OnStream = Callable[[Stream], None]

# Connections taken in one turn of the loop; the rest waits in the kernel for the next turn, so
# that a thousand agents that come at once do not hold up those that are there.
_ACCEPTS_PER_TURN = 64


class ListenError(Exception):
    """A listening socket cannot be made; the text says which and why."""


class Listener:
    """One listening socket; `on_stream` gets every accepted connection."""

    def __init__(
        self, loop: Loop, sock: _socket.socket, options: TcpOptions, on_stream: OnStream
    ) -> None:
        sock.setblocking(False)
        self.unix = sock.family == _socket.AF_UNIX
        self._loop = loop
        self._socket = sock
        self._options = options
        self._on_stream = on_stream
        loop.add_reader(sock.fileno(), self._accept)

    def close(self) -> None:
        """Stop listening."""
        self._loop.remove_reader(self._socket.fileno())
        self._socket.close()

    @property
    def port(self) -> int:
        """The TCP port that is listened on, which the kernel may have chosen."""
        return int(self._socket.getsockname()[1])

    def _accept(self) -> None:
        for _ in range(_ACCEPTS_PER_TURN):
            try:
                fd, peer = self._socket._accept()  # type: ignore[attr-defined]
            except (BlockingIOError, ConnectionAbortedError):
                return
            except OSError as error:
                if error.errno not in (errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOBUFS):
                    raise
                # No descriptors or memory left: try again when others may have ended, rather
                # than spin on a socket that stays readable.
                self._loop.remove_reader(self._socket.fileno())
                self._loop.call_later(_REST, self._resume)
                return
            os.set_inheritable(fd, False)
            sock = _socket.socket(self._socket.family, self._socket.type, 0, fileno=fd)
            if not self.unix:
                self._options.apply(sock)
            self._on_stream(Stream(self._loop, sock, "" if self.unix else peer[0]))

    def _resume(self) -> None:
        if self._socket.fileno() >= 0:
            self._loop.add_reader(self._socket.fileno(), self._accept)


# Seconds of rest when the process has run out of descriptors.
_REST = 0.5


def tcp_socket(port: int) -> _socket.socket:
    """Return a socket that listens on `port` of all addresses of both IP families.

    Raises ListenError.
    """
    kind = _socket.SOCK_STREAM | _socket.SOCK_CLOEXEC
    try:
        sock = _socket.socket(_socket.AF_INET6, kind)
        sock.setsockopt(_socket.IPPROTO_IPV6, _socket.IPV6_V6ONLY, 0)
        host = "::"
    except OSError:
        sock = _socket.socket(_socket.AF_INET, kind)
        host = "0.0.0.0"
    try:
        sock.setsockopt(_socket.SOL_SOCKET, _socket.SO_REUSEADDR, 1)
        sock.bind((host, port))
        sock.listen(_socket.SOMAXCONN)
    except OSError as error:
        sock.close()
        raise ListenError(f"cannot listen on TCP port {port}: {error.strerror}") from error
    return sock


def unix_socket(path: str) -> _socket.socket:
    """Return a socket that listens on `path`, in place of a left-over one. Raises ListenError."""
    sock = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM | _socket.SOCK_CLOEXEC)
    try:
        try:
            sock.bind(path)
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
            os.unlink(path)
            sock.bind(path)
        sock.listen(_socket.SOMAXCONN)
    except OSError as error:
        sock.close()
        raise ListenError(f"cannot listen on {path}: {error.strerror}") from error
    return sock
