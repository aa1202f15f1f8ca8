"""Non-blocking stream sockets: connecting, accepting, reading, and bounded writing.

Rules of this file:
- Writes are collected and sent at the end of the loop's turn. What the kernel does not take waits
  in memory, up to a limit; a peer that does not read loses its connection, not our memory. The
  one that is an outlet (`outlet.py`) has no such limit: others are kept from filling it.
- A stream tells its end exactly once, with a reason.
"""

from __future__ import annotations

import _socket
import errno
import os
import struct

from hirte.runtime.outlet import Outlet
from hirte.wire.address import Address

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Callable, Protocol

    from hirte.runtime.loop import Loop

    class Receiver(Protocol):
        """Who gets what a stream brings."""

        def received(self, data: bytes) -> None: ...

        def lost(self, reason: str) -> None: ...


# One read. Bulk reads pay, but from 128 KiB on the C library maps and unmaps memory for each.
_READ_BYTES = 1 << 16
# Waiting output of one peer. ListUnits of 100 nodes with 300 units is 6 MiB; nobody who reads at
# all ever gets there.
QUEUE_BYTES = 1 << 26
_UNREAD = "the peer does not read what it is sent"
# A connection attempt ends here even if the network swallows everything: the reference's agent
# gives up after one heartbeat interval, kernels only after minutes.
CONNECT_TIMEOUT = 20.0


class TcpOptions:
    """What is set on both ends of a TCP connection; 0 leaves the system's value."""

    __slots__ = ("count", "idle", "interval", "receive_errors")

    def __init__(self, idle: int, interval: int, count: int, receive_errors: bool) -> None:
        self.idle = idle
        self.interval = interval
        self.count = count
        self.receive_errors = receive_errors

    @property
    def patience_ms(self) -> int:
        """Return after how long a dead peer is given up, in milliseconds; 0 if that is open.

        While bytes wait to be acknowledged, Linux sends no probes: without this limit a call to a
        dead peer would keep the connection for a quarter of an hour (tcp(7), tcp_retries2).
        """
        if not (self.idle and self.interval and self.count):
            return 0
        return (self.idle + self.interval * self.count) * 1000

    def apply(self, sock: _socket.socket) -> None:
        """Set the options; one that the kernel does not know is left out."""
        options = [
            (_socket.IPPROTO_TCP, _socket.TCP_NODELAY, 1),
            (_socket.SOL_SOCKET, _socket.SO_KEEPALIVE, 1),
            (_socket.IPPROTO_IP, _IP_RECVERR, int(self.receive_errors)),
            (_socket.IPPROTO_TCP, _socket.TCP_KEEPIDLE, self.idle),
            (_socket.IPPROTO_TCP, _socket.TCP_KEEPINTVL, self.interval),
            (_socket.IPPROTO_TCP, _socket.TCP_KEEPCNT, self.count),
            (_socket.IPPROTO_TCP, _socket.TCP_USER_TIMEOUT, self.patience_ms),
        ]
        for level, option, value in options:
            if value:
                try:
                    sock.setsockopt(level, option, value)
                except OSError:
                    continue


# linux/in.h; Python's socket module does not name it.
_IP_RECVERR = 11
# asm-generic/socket.h, likewise.
_SO_PEERSEC = 31
# struct ucred of unix(7): process, user, group.
_UCRED = struct.Struct("3i")
# A context is user:role:type:level; the kernel's own limit is one page.
_CONTEXT_BYTES = 4096


class Stream:
    """One connected stream socket; gives its bytes to a receiver."""

    def __init__(self, loop: Loop, sock: _socket.socket, peer_ip: str = "") -> None:
        sock.setblocking(False)
        self.peer_ip = peer_ip
        self._loop = loop
        self._socket = sock
        self._fd = sock.fileno()
        self._receiver: Receiver | None = None
        self._outlet: Outlet | None = None
        # What is being sent, what comes after it, and the bytes of both.
        self._front: memoryview | bytes = b""
        self._queue: list[bytes] = []
        self._queued = 0
        self._flush_planned = False
        self._waiting = False
        self._open = True
        self._finishing = False

    def start(
        self, receiver: Receiver, *, is_patient: bool = False, is_outlet: bool = False
    ) -> None:
        """Begin to read; everything goes to `receiver`.

        One of many that mostly tell what leads to nothing `is_patient`, see `loop.py`; what the
        patient tell leaves mostly by that which `is_outlet`.
        """
        self._receiver = receiver
        if is_outlet:
            self._outlet = Outlet(self._loop, lambda: self._end(_UNREAD))
        self._loop.add_reader(self._fd, self._readable, is_patient)

    def write(self, data: bytes) -> None:
        """Queue bytes for the end of this turn."""
        if not self._open:
            return
        self._queue.append(data)
        self._queued += len(data)
        if self._outlet:
            self._outlet.grew(self._queued)
        # While the kernel takes nothing, only too much of a queue is a reason to try.
        if not self._flush_planned and (not self._waiting or self._queued > QUEUE_BYTES):
            self._flush_planned = True
            self._loop.at_turn_end(self._flush)

    @property
    def queued(self) -> int:
        """Return how many bytes wait to be sent."""
        return self._queued

    def finish(self) -> None:
        """Read no more, and close when everything that is queued was sent.

        The receiver is told of the end as if the peer had closed.
        """
        if self._open:
            self._finishing = True
            self._loop.remove_reader(self._fd)
            self._loop.at_turn_end(self._flush)

    def close(self) -> None:
        """Send what the kernel takes at once, then close; the receiver is not told."""
        if self._open:
            self._send()
            self._release()

    def peer_uid(self) -> int:
        """Return the user of the process at the other end of a Unix socket."""
        raw = self._socket.getsockopt(_socket.SOL_SOCKET, _socket.SO_PEERCRED, _UCRED.size)
        return int(_UCRED.unpack(raw)[1])

    def security_context(self) -> str:
        """Return the SELinux context of the peer's process; empty if there is none."""
        try:
            raw = self._socket.getsockopt(_socket.SOL_SOCKET, _SO_PEERSEC, _CONTEXT_BYTES)
        except OSError:
            return ""
        return raw.rstrip(b"\0").decode("ascii", "replace")

    def _readable(self) -> None:
        try:
            data = self._socket.recv(_READ_BYTES)
        except (BlockingIOError, InterruptedError):
            return
        except OSError as error:
            self._end(_reason(error))
            return
        if not data:
            self._end("the peer closed the connection")
        elif self._receiver:
            self._receiver.received(data)

    def _flush(self) -> None:
        self._flush_planned = False
        if not self._open:
            return
        before = self._queued
        error = self._send()
        if self._outlet and self._queued < before:
            self._outlet.shrank(self._queued)
        if error:
            self._end(error)
        elif self._queued > QUEUE_BYTES and not self._outlet:
            self._end(_UNREAD)
        elif self._finishing and not self._queued:
            self._end("everything was sent")
        elif self._waiting != bool(self._queued):
            self._waiting = bool(self._queued)
            if self._waiting:
                self._loop.add_writer(self._fd, self._flush)
            else:
                self._loop.remove_writer(self._fd)

    def _send(self) -> str:
        """Send as much as the kernel takes; return why it failed, or nothing."""
        while self._queued:
            if not self._front:
                joined = self._queue[0] if len(self._queue) == 1 else b"".join(self._queue)
                self._front, self._queue = joined, []
            try:
                sent = self._socket.send(self._front, _socket.MSG_NOSIGNAL)
            except (BlockingIOError, InterruptedError):
                return ""
            except OSError as error:
                return _reason(error)
            self._queued -= sent
            # A view: what is left of a long message is not copied for every piece.
            rest = len(self._front) - sent
            self._front = memoryview(self._front)[sent:] if rest else b""
        return ""

    def _end(self, reason: str) -> None:
        receiver = self._receiver
        self._release()
        if receiver:
            receiver.lost(reason)

    def _release(self) -> None:
        self._open = False
        # The receiver refers to us: let go without waiting for the garbage collector.
        self._receiver = None
        self._front, self._queue, self._queued = b"", [], 0
        if self._outlet:
            self._outlet.close()
            self._outlet = None
        self._loop.remove_reader(self._fd)
        self._loop.remove_writer(self._fd)
        self._socket.close()


def connect(
    loop: Loop,
    address: Address,
    on_done: Callable[[Stream | None, str], None],
    options: TcpOptions | None = None,
) -> Callable[[], None]:
    """Connect to `address`, whose host must be a literal IP address.

    `on_done` gets the stream, or None and why it failed; never before this returns. Returns a
    function that gives the attempt up, after which `on_done` is not called.
    """
    return _Attempt(loop, address, on_done, options).cancel


class _Attempt:
    def __init__(
        self,
        loop: Loop,
        address: Address,
        on_done: Callable[[Stream | None, str], None],
        options: TcpOptions | None,
    ) -> None:
        self._loop = loop
        self._on_done: Callable[[Stream | None, str], None] | None = on_done
        self._peer_ip = address.host
        self._socket: _socket.socket | None = None
        self._deadline = loop.call_later(CONNECT_TIMEOUT, lambda: self._finish("timed out"))
        error = self._start(address, options)
        if error is not None:
            loop.at_turn_end(lambda: self._finish(error))

    def _start(self, address: Address, options: TcpOptions | None) -> str | None:
        """Begin to connect; return how it ended if that is known already, as `_finish` takes it."""
        family = _socket.AF_UNIX if address.path else _family(address.host)
        kind = _socket.SOCK_STREAM | _socket.SOCK_CLOEXEC | _socket.SOCK_NONBLOCK
        try:
            self._socket = _socket.socket(family, kind)
            if options and not address.path:
                options.apply(self._socket)
            code = self._socket.connect_ex(address.path or (address.host, address.port))
        except OSError as error:
            return _reason(error)
        if code == errno.EINPROGRESS:
            self._loop.add_writer(self._socket.fileno(), self._writable)
            return None
        return os.strerror(code) if code else ""

    def cancel(self) -> None:
        if self._on_done:
            self._on_done = None
            self._let_go()
            self._close()

    def _writable(self) -> None:
        if self._socket:
            code = self._socket.getsockopt(_socket.SOL_SOCKET, _socket.SO_ERROR)
            self._finish(os.strerror(code) if code else "")

    def _finish(self, error: str) -> None:
        on_done, self._on_done = self._on_done, None
        if on_done is None:
            return
        self._let_go()
        if error or not self._socket:
            self._close()
            on_done(None, error)
        else:
            on_done(Stream(self._loop, self._socket, self._peer_ip), "")

    def _let_go(self) -> None:
        self._deadline.cancel()
        if self._socket:
            self._loop.remove_writer(self._socket.fileno())

    def _close(self) -> None:
        if self._socket:
            self._socket.close()


def _family(host: str) -> int:
    return _socket.AF_INET6 if ":" in host else _socket.AF_INET


def _reason(error: OSError) -> str:
    return error.strerror or str(error)
