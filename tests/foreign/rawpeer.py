"""Bytes of the reference, written down by hand: openings, headers, listening sockets.

What sd-bus sends is checked against these in `test_sdbus_peers`; other tests send them.
"""

from __future__ import annotations

import contextlib
import re
import socket
import struct
from collections.abc import Iterator
from pathlib import Path

from .names import Names

OPENING_TCP = b"\0AUTH EXTERNAL\r\nDATA\r\nBEGIN\r\n"
OPENING_UNIX = b"\0AUTH EXTERNAL\r\nDATA\r\nNEGOTIATE_UNIX_FD\r\nBEGIN\r\n"

TRANSPORTS = ("tcp", "unix")

# Lines sent after the NUL byte, and what the reference answers. OK stands for OK and an id,
# DESCRIPTORS for AGREE_UNIX_FD on a Unix socket and for ERROR on TCP.
ANSWERS: list[tuple[list[bytes], list[str]]] = [
    ([b"AUTH"], ["REJECTED EXTERNAL ANONYMOUS"]),
    ([b"AUTH DBUS_COOKIE_SHA1 00"], ["REJECTED EXTERNAL ANONYMOUS"]),
    ([b"AUTH EXTERNAL"], ["DATA"]),
    ([b"AUTH ANONYMOUS"], ["DATA"]),
    ([b"AUTH EXTERNAL 30"], ["OK"]),
    ([b"AUTH EXTERNAL 3939393939"], ["OK"]),
    ([b"AUTH ANONYMOUS 74657374"], ["OK"]),
    ([b"AUTH EXTERNAL zz"], ["REJECTED"]),
    ([b"AUTH EXTERNAL 303"], ["REJECTED"]),
    ([b"AUTH EXTERNAL 6162"], ["REJECTED"]),
    ([b"AUTH EXTERNAL", b"DATA"], ["DATA", "OK"]),
    ([b"AUTH EXTERNAL", b"DATA 30"], ["DATA", "OK"]),
    ([b"AUTH ANONYMOUS", b"DATA"], ["DATA", "OK"]),
    ([b"AUTH EXTERNAL", b"CANCEL"], ["DATA", "REJECTED"]),
    ([b"AUTH EXTERNAL", b"ERROR"], ["DATA", "REJECTED"]),
    ([b"AUTH EXTERNAL", b"ERROR no reason"], ["DATA", "REJECTED"]),
    ([b"BEGIN"], ["ERROR"]),
    ([b"NEGOTIATE_UNIX_FD"], ["ERROR"]),
    ([b"WHATEVER"], ["ERROR"]),
    ([b"AUTH EXTERNAL", b"DATA", b"BEGIN"], ["DATA", "OK"]),
    ([b"AUTH EXTERNAL", b"DATA", b"NEGOTIATE_UNIX_FD", b"BEGIN"], ["DATA", "OK", "DESCRIPTORS"]),
]

# Calls of the internal agent that no method serves (path, interface, member, signature), and the
# standard error that sd-bus answers them with.
SD_BUS_ERRORS: list[tuple[str, str | None, str, str, str]] = [
    ("/nowhere", "a.b", "C", "", "UnknownObject"),
    ("{agent}/below", "{interface}", "StartUnit", "ssu", "UnknownObject"),
    ("{agent}", "a.b", "C", "", "UnknownMethod"),
    ("{agent}", "{interface}", "C", "", "UnknownMethod"),
    ("{agent}", "{interface}", "StartUnit", "", "InvalidArgs"),
    ("{agent}", "{interface}", "StartUnit", "s", "InvalidArgs"),
    ("{agent}", "{interface}", "ListUnits", "s", "InvalidArgs"),
    ("{agent}", "org.freedesktop.DBus", "Hello", "", "UnknownMethod"),
    ("{agent}", "org.freedesktop.DBus.Peer", "C", "", "UnknownMethod"),
    ("{agent}", "org.freedesktop.DBus.Properties", "C", "", "UnknownMethod"),
    ("{agent}", "org.freedesktop.DBus.Properties", "Get", "s", "InvalidArgs"),
    ("{agent}", None, "StartUnit", "ssu", "UnknownObject"),
    ("{agent}", None, "C", "", "UnknownObject"),
]

VALUES_OF: dict[str, tuple[str | int, ...]] = {"": (), "s": ("a",), "ssu": ("a", "b", 1)}


def opening_bytes(lines: list[bytes]) -> bytes:
    """What a client sends that says these lines."""
    return b"\0" + b"".join(line + b"\r\n" for line in lines)


def shown(received: bytes) -> list[str]:
    """Answer lines as in `ANSWERS`: the id after OK is left out."""
    if received and not received.endswith(b"\r\n"):
        raise AssertionError(f"an unfinished line: {received!r}")
    return [re.sub(r"^OK [0-9a-f]{32}$", "OK", line) for line in received.decode().splitlines()]


def expected_answers(answers: list[str], transport: str) -> list[str]:
    """A row of `ANSWERS` on one transport."""
    descriptors = "AGREE_UNIX_FD" if transport == "unix" else "ERROR"
    return [descriptors if answer == "DESCRIPTORS" else answer for answer in answers]


@contextlib.contextmanager
def listening(transport: str, directory: Path) -> Iterator[tuple[socket.socket, str]]:
    """A listening socket, for TCP on the IPv6 wildcard, and its D-Bus address."""
    if transport == "tcp":
        with socket.create_server(("::", 0), family=socket.AF_INET6, dualstack_ipv6=True) as server:
            yield server, f"tcp:host=127.0.0.1,port={server.getsockname()[1]}"
        return
    path = str(directory / "s")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(path)
        server.listen()
        yield server, f"unix:path={path}"


def everything(connection: socket.socket) -> bytes:
    """What the other side sends until it closes."""
    received = b""
    with contextlib.suppress(ConnectionResetError):
        while chunk := connection.recv(4096):
            received += chunk
    return received


def exactly(connection: socket.socket, length: int) -> bytes:
    """That many bytes, or fewer when the other side closes."""
    return connection.recv(length, socket.MSG_WAITALL)


def _field(order: str, code: int, kind: bytes, text: str) -> bytes:
    size = struct.pack(f"{order}I", len(text))
    return _aligned(bytes([code, 1]) + kind + b"\0" + size + text.encode() + b"\0")


def _aligned(data: bytes) -> bytes:
    return data + bytes(-len(data) % 8)


def register_call(names: Names, node: str, order: str = "<") -> bytes:
    """The first message of the reference agent; `order` as in struct, `<` being the reference's."""
    body = struct.pack(f"{order}I", len(node)) + node.encode() + b"\0"
    fields = (
        _field(order, 1, b"o", names.internal_manager_path)
        + _field(order, 3, b"s", "Register")
        + _field(order, 2, b"s", names.internal_manager)
        + _field(order, 6, b"s", names.bus_name)
        + b"\x08\x01g\0\x01s\0"
    )
    mark = b"l" if order == "<" else b"B"
    head = mark + bytes([1, 0, 1]) + struct.pack(f"{order}III", len(body), 1, len(fields))
    return _aligned(head + fields) + body
