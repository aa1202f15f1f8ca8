"""Listening sockets: TCP on both IP families, a Unix socket, and one that was inherited."""

from __future__ import annotations

import _socket
import errno
import os
import stat

from hirte.runtime.stream import Stream

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Callable

    from hirte.runtime.loop import Loop
    from hirte.runtime.stream import TcpOptions

    OnStream = Callable[[Stream, bool], None]

# Seconds of rest when nothing can be accepted, mostly because descriptors or memory have run out.
_REST = 0.5
_EXHAUSTED = (errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOBUFS)

# Connections taken in one turn of the loop; the rest waits in the kernel for the next turn, so
# that a thousand agents that come at once do not hold up those that are there.
_ACCEPTS_PER_TURN = 64


class ListenError(Exception):
    """A listening socket cannot be made; the text says which and why."""


class Listener:
    """One listening socket.

    `on_stream(stream, unix)` gets every accepted connection. `own_path` is the Unix socket's file
    if it is ours to remove.
    """

    def __init__(
        self,
        loop: Loop,
        sock: _socket.socket,
        options: TcpOptions,
        on_stream: OnStream,
        own_path: str = "",
    ) -> None:
        sock.setblocking(False)
        self._unix = sock.family == _socket.AF_UNIX
        self._own_path = own_path
        self._loop = loop
        self._socket = sock
        self._options = options
        self._on_stream = on_stream
        loop.add_reader(sock.fileno(), self._accept)

    def close(self) -> None:
        """Stop listening, and remove our socket's file."""
        self._loop.remove_reader(self._socket.fileno())
        self._socket.close()
        if self._own_path:
            try:
                os.unlink(self._own_path)
            except OSError:
                # What is left over does no harm, the next start replaces it; an exception here
                # would keep the rest from ending in order.
                return

    def _accept(self) -> None:
        for _ in range(_ACCEPTS_PER_TURN):
            try:
                fd, peer = self._socket._accept()  # type: ignore[attr-defined]
            except (BlockingIOError, ConnectionAbortedError):
                return
            except OSError as error:
                # Try again when others may have ended, rather than spin on a socket that stays
                # readable.
                self._loop.remove_reader(self._socket.fileno())
                self._loop.call_later(_REST, self._resume)
                if error.errno not in _EXHAUSTED:
                    raise
                return
            sock = _socket.socket(self._socket.family, self._socket.type, 0, fileno=fd)
            if not self._unix:
                self._options.apply(sock)
            stream = Stream(self._loop, sock, "" if self._unix else peer[0])
            self._on_stream(stream, self._unix)

    def _resume(self) -> None:
        if self._socket.fileno() >= 0:
            self._loop.add_reader(self._socket.fileno(), self._accept)


def open_listeners(
    loop: Loop,
    inherited: _socket.socket | None,
    port: int | None,
    path: str | None,
    options: TcpOptions,
    on_stream: OnStream,
) -> list[Listener]:
    """Listen on everything that is asked for: the inherited socket, a TCP port, a Unix path.

    What the inherited socket listens on already is not opened again. Raises ListenError when a
    socket cannot be made, or none is asked for.
    """
    sockets: list[tuple[_socket.socket, str]] = []
    taken: object = None
    if inherited is not None:
        sockets.append((inherited, ""))
        name = inherited.getsockname()
        taken = name if inherited.family == _socket.AF_UNIX else name[1]
    if port is not None and (port == 0 or port != taken):
        sockets.append((tcp_socket(port), ""))
    if path is not None and path != taken:
        sockets.append((unix_socket(path), path))
    if not sockets:
        raise ListenError("nothing to listen on: UseTCP and UseUDS are off, no socket was passed")
    return [Listener(loop, sock, options, on_stream, own) for sock, own in sockets]


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


def private_socket(path: str) -> _socket.socket:
    """Return a socket that listens on `path` for our own user and root. Raises ListenError."""
    before = os.umask(0o177)
    try:
        return unix_socket(path)
    finally:
        os.umask(before)


def unix_socket(path: str) -> _socket.socket:
    """Return a socket that listens on `path`, in place of a left-over one. Raises ListenError."""
    sock = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM | _socket.SOCK_CLOEXEC)
    try:
        try:
            sock.bind(path)
        except OSError as error:
            # Only a socket is a left-over: a wrong path must not cost somebody's file.
            if error.errno != errno.EADDRINUSE or not stat.S_ISSOCK(os.lstat(path).st_mode):
                raise
            os.unlink(path)
            sock.bind(path)
        sock.listen(_socket.SOMAXCONN)
    except OSError as error:
        sock.close()
        raise ListenError(f"cannot listen on {path}: {error.strerror or error}") from error
    return sock
