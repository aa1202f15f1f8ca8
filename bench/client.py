"""The caller: a D-Bus client that costs as little as possible, and the same for floor and hirte.

It looks at the fixed part of each message and searches the rest for a text, so that the seventeen
messages which systemd's private socket sends for one start do not make the floor look slow. It
blocks; every wait has an end. Times are those of the caller: from the first byte sent until the
last message was read.
"""

from __future__ import annotations

import socket
import time

from hirte.wire import build
from hirte.wire.encode import encode
from hirte.wire.limits import MESSAGE_BYTES
from hirte.wire.message import ERROR, FIXED_BYTES, SIGNAL, measure, parse
from hirte.wire.sasl import CLIENT_OPENING
from hirte.wire.sasl import Client as Authentication

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

DRIVER = "org.freedesktop.DBus"
DRIVER_PATH = "/org/freedesktop/DBus"
# Longer than the longest wait of the programs under test for an answer of a node.
WAIT_SECONDS = 40.0
# More than the longest answer here, so that most answers come with one read.
_READ_BYTES = 1 << 18
# dbus-daemon allows 128 pending answers per connection.
IN_FLIGHT = 100

# Where a message has its serial, and how an answer's header carries that of its call.
_SERIAL = slice(8, 12)
_ANSWER_TO = b"\5\1u\0"
# The header of any answer fits.
_HEAD_BYTES = 512

_JOB_REMOVED = b"JobRemoved\0"
# The result is the last argument, of systemd's signal and of hirte's.
_DONE = b"done\0"


class CallFailed(Exception):
    """What is measured did not work, so there is nothing to measure."""


class Target:
    """An object on a connection: where calls go to. No destination: the peer itself."""

    def __init__(self, path: str, interface: str, destination: str = "") -> None:
        self.path = path
        self.interface = interface
        self.destination = destination


class Client:
    """A connection over a stream socket on which nothing was said yet. A context manager."""

    def __init__(self, stream: socket.socket) -> None:
        stream.settimeout(WAIT_SECONDS)
        self._socket = stream
        self._data = b""
        self._at = 0
        self._serial = 0
        authentication = Authentication()
        stream.sendall(CLIENT_OPENING)
        while not authentication.done:
            authentication.feed(self._receive())
        self._data = authentication.rest()

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *reason: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection."""
        self._socket.close()

    def prepare(self, target: Target, member: str, signature: str = "", *values: Any) -> bytes:
        """Return a call, to be sent on this connection once."""
        self._serial += 1
        return build.call(
            self._serial, target.path, target.interface, member, signature,
            encode(signature, values), target.destination,
        )  # fmt: skip

    def fileno(self) -> int:
        """Return the descriptor of the connection, for select."""
        return self._socket.fileno()

    def drop(self, size: int) -> None:
        """Read and forget up to `size` bytes of what has come."""
        if not self._socket.recv(size):
            raise CallFailed("the connection was closed")

    def match(self, rule: str) -> None:
        """Subscribe to signals on a bus."""
        self.ask(self.prepare(Target(DRIVER_PATH, DRIVER, DRIVER), "AddMatch", "s", rule))

    def ask(self, call: bytes) -> bytes:
        """Send a call and return the message that answers it. Raises CallFailed."""
        self._socket.sendall(call)
        answer = _ANSWER_TO + call[_SERIAL]
        while True:
            message = self._take()
            if message[1] != SIGNAL and answer in message[:_HEAD_BYTES]:
                _raise_error(message)
                return message

    def time_call(self, call: bytes) -> float:
        """Return the seconds until a call is answered. Raises CallFailed."""
        begin = time.perf_counter()
        self.ask(call)
        return time.perf_counter() - begin

    def time_jobs(self, calls: Sequence[bytes], unit: bytes) -> float:
        """Return the seconds until as many jobs were removed as `calls` asked for.

        At most IN_FLIGHT calls are without an answer. Counted are the jobs of units whose name
        holds `unit`. Raises CallFailed when one does not end as done.
        """
        begin = time.perf_counter()
        self._socket.sendall(b"".join(calls[:IN_FLIGHT]))
        waiting = list(calls[IN_FLIGHT:])
        open_calls = open_jobs = len(calls)
        while open_calls or open_jobs:
            message = self._take()
            if message[1] != SIGNAL:
                _raise_error(message)
                open_calls -= 1
                if waiting:
                    self._socket.sendall(waiting.pop(0))
            elif _JOB_REMOVED in message and unit in message:
                if not message.endswith(_DONE):
                    raise CallFailed(f"a job did not end as done: {message!r}")
                open_jobs -= 1
        return time.perf_counter() - begin

    def time_of_signal(self, is_wanted: Callable[[bytes], bool]) -> float:
        """Wait for a signal; return the time on CLOCK_MONOTONIC. Raises TimeoutError."""
        while True:
            message = self._take()
            if message[1] == SIGNAL and is_wanted(message):
                return time.monotonic()

    def _take(self) -> bytes:
        while True:
            available = len(self._data) - self._at
            if available >= FIXED_BYTES:
                size = measure(self._data, self._at, MESSAGE_BYTES)
                if available >= size:
                    message = self._data[self._at : self._at + size]
                    self._at += size
                    return message
            self._data = self._data[self._at :] + self._receive()
            self._at = 0

    def _receive(self) -> bytes:
        data = self._socket.recv(_READ_BYTES)
        if not data:
            raise CallFailed("the connection was closed")
        return data


def open_bus(path: str) -> Client:
    """Return a client of the message bus that listens on the Unix socket `path`."""
    stream = socket.socket(socket.AF_UNIX)
    stream.connect(path)
    client = Client(stream)
    client.ask(client.prepare(Target(DRIVER_PATH, DRIVER, DRIVER), "Hello"))
    return client


def body_size(message: bytes) -> int:
    """Return the length of a message's body."""
    return len(parse(message, 0, len(message)).body)


def _raise_error(message: bytes) -> None:
    if message[1] == ERROR:
        error = parse(message, 0, len(message))
        raise CallFailed(f"{error.error_name}: {error.error_text()}")
