"""Messages to bytes.

The bytes of a header field are remembered: the few names that hirte sends repeat all the time.
"""

from __future__ import annotations

import struct

from hirte.wire.encode import NATIVE
from hirte.wire.errors import EncodeError
from hirte.wire.limits import CACHE_ENTRIES, MESSAGE_BYTES
from hirte.wire.message import ERROR, METHOD_CALL, METHOD_RETURN, NO_REPLY_EXPECTED, SIGNAL

_FIXED = {"<": struct.Struct("<BBBBIII"), ">": struct.Struct(">BBBBIII")}
_REPLY_SERIAL = {"<": struct.Struct("<BBBBI"), ">": struct.Struct(">BBBBI")}
_LETTERS = {"<": ord("l"), ">": ord("B")}
_TYPES = {1: ord("o"), 2: ord("s"), 3: ord("s"), 4: ord("s"), 6: ord("s"), 7: ord("s")}
_PADDING = tuple(bytes(count) for count in range(8))

_fields: dict[tuple[int, str, str], bytes] = {}


def call(
    serial: int,
    path: str,
    interface: str,
    member: str,
    signature: str = "",
    body: bytes = b"",
    destination: str = "",
    sender: str = "",
    flags: int = 0,
    order: str = NATIVE,
) -> bytes:
    """Return a method call. Empty texts leave their header field out."""
    names = ((1, path), (2, interface), (3, member), (6, destination), (7, sender))
    return _message(METHOD_CALL, flags, serial, 0, names, signature, body, order)


def signal(
    serial: int,
    path: str,
    interface: str,
    member: str,
    signature: str = "",
    body: bytes = b"",
    destination: str = "",
    sender: str = "",
    order: str = NATIVE,
) -> bytes:
    """Return a signal."""
    names = ((1, path), (2, interface), (3, member), (6, destination), (7, sender))
    return _message(SIGNAL, NO_REPLY_EXPECTED, serial, 0, names, signature, body, order)


def method_return(
    serial: int,
    reply_serial: int,
    signature: str = "",
    body: bytes = b"",
    destination: str = "",
    sender: str = "",
    order: str = NATIVE,
) -> bytes:
    """Return the answer to the call with the serial `reply_serial`."""
    names = ((6, destination), (7, sender))
    return _message(
        METHOD_RETURN, NO_REPLY_EXPECTED, serial, reply_serial, names, signature, body, order
    )


def error(
    serial: int,
    reply_serial: int,
    name: str,
    signature: str = "",
    body: bytes = b"",
    destination: str = "",
    sender: str = "",
    order: str = NATIVE,
) -> bytes:
    """Return the error `name` as the answer to the call with the serial `reply_serial`."""
    names = ((4, name), (6, destination), (7, sender))
    return _message(ERROR, NO_REPLY_EXPECTED, serial, reply_serial, names, signature, body, order)


def _message(
    kind: int,
    flags: int,
    serial: int,
    reply_serial: int,
    names: tuple[tuple[int, str], ...],
    signature: str,
    body: bytes,
    order: str,
) -> bytes:
    parts = [b""]
    size = 0
    if reply_serial:
        parts.append(_REPLY_SERIAL[order].pack(5, 1, ord("u"), 0, reply_serial))
        size = 8
    for code, text in names:
        if text:
            field = _fields.get((code, text, order)) or _field(code, text, order)
            parts.append(_PADDING[-size % 8])
            parts.append(field)
            size += -size % 8 + len(field)
    if signature:
        field = _fields.get((8, signature, order)) or _field(8, signature, order)
        parts.append(_PADDING[-size % 8])
        parts.append(field)
        size += -size % 8 + len(field)
    if size + len(body) > MESSAGE_BYTES - 24:
        raise EncodeError("a message is longer than 128 MiB")
    parts[0] = _FIXED[order].pack(_LETTERS[order], kind, flags, 1, len(body), serial, size)
    parts.append(_PADDING[-size % 8])
    parts.append(body)
    return b"".join(parts)


def _field(code: int, text: str, order: str) -> bytes:
    raw = text.encode("ascii")
    if code == 8:
        field = struct.pack("BBBBB", 8, 1, ord("g"), 0, len(raw)) + raw + b"\0"
    else:
        head = struct.pack(order + "BBBBI", code, 1, _TYPES[code], 0, len(raw))
        field = head + raw + b"\0"
    if len(_fields) >= CACHE_ENTRIES:
        _fields.clear()
    _fields[code, text, order] = field
    return field
