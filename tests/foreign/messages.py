"""sd-bus messages as Python values, and back.

Arrays are lists, dictionaries dicts, structures tuples, a variant is (signature, value).
"""

from __future__ import annotations

import ctypes
from ctypes import (
    byref,
    c_char,
    c_char_p,
    c_double,
    c_int,
    c_int16,
    c_int32,
    c_int64,
    c_uint8,
    c_uint16,
    c_uint32,
    c_uint64,
    c_void_p,
)
from dataclasses import dataclass
from typing import Any

from .libsystemd import TEXT_GETTERS, check, library

NO_REPLY_EXPECTED = 1
NO_AUTO_START = 2
ALLOW_INTERACTIVE_AUTHORIZATION = 4

KINDS = {1: "call", 2: "return", 3: "error", 4: "signal"}

_BASIC_TYPES: dict[str, Any] = {
    "y": c_uint8,
    "b": c_int,
    "n": c_int16,
    "q": c_uint16,
    "i": c_int32,
    "u": c_uint32,
    "x": c_int64,
    "t": c_uint64,
    "d": c_double,
    "s": c_char_p,
    "o": c_char_p,
    "g": c_char_p,
}


@dataclass(frozen=True)
class Record:
    """One received message.

    `handle` is nonzero for a method call that waits for an answer of the script.
    """

    kind: str
    serial: int
    reply_serial: int
    flags: int
    path: str | None
    interface: str | None
    member: str | None
    sender: str | None
    destination: str | None
    error: str | None
    signature: str
    body: tuple[Any, ...]
    handle: int = 0

    def __str__(self) -> str:
        what = self.error if self.kind == "error" else f"{self.interface}.{self.member}"
        return f"{self.kind} {what} {self.path} {self.signature} {self.body!r} flags={self.flags}"


def split(signature: str) -> list[str]:
    """The complete types of a well-formed signature."""
    types = []
    rest = signature
    while rest:
        end = _end_of_type(rest)
        types.append(rest[:end])
        rest = rest[end:]
    return types


def _end_of_type(signature: str) -> int:
    if signature[0] == "a":
        return 1 + _end_of_type(signature[1:])
    if signature[0] not in "({":
        return 1
    depth = 0
    for position, letter in enumerate(signature):
        depth += (letter in "({") - (letter in ")}")
        if depth == 0:
            return position + 1
    raise ValueError(f"unbalanced signature {signature!r}")


def append(message: int, kind: str, value: Any) -> None:
    """Append one value of a complete type."""
    if kind in ("s", "o", "g"):
        check("sd_bus_message_append_basic", message, kind.encode(), value.encode())
    elif kind in _BASIC_TYPES:
        check(
            "sd_bus_message_append_basic",
            message,
            kind.encode(),
            ctypes.cast(byref(_BASIC_TYPES[kind](value)), c_void_p),
        )
    elif kind == "v":
        signature, inner = value
        _append_container(message, b"v", signature, [(signature, inner)])
    elif kind.startswith("a{"):
        key, item = split(kind[2:-1])
        check("sd_bus_message_open_container", message, b"a", kind[1:].encode())
        for pair in value.items():
            _append_container(message, b"e", key + item, zip((key, item), pair))
        check("sd_bus_message_close_container", message)
    elif kind[0] == "a":
        _append_container(message, b"a", kind[1:], [(kind[1:], item) for item in value])
    else:
        _append_container(message, b"r", kind[1:-1], zip(split(kind[1:-1]), value))


def _append_container(message: int, kind: bytes, contents: str, items: Any) -> None:
    check("sd_bus_message_open_container", message, kind, contents.encode())
    for item_kind, item in items:
        append(message, item_kind, item)
    check("sd_bus_message_close_container", message)


def _read(message: int) -> list[Any]:
    """All values up to the end of the current container."""
    values: list[Any] = []
    kind, contents = c_char(), c_char_p()
    while check("sd_bus_message_peek_type", message, byref(kind), byref(contents)) > 0:
        values.append(_read_one(message, kind.value, contents.value))
    return values


def _read_one(message: int, kind: bytes, contents: bytes | None) -> Any:
    basic = _BASIC_TYPES.get(kind.decode())
    if basic is not None:
        holder = basic()
        check("sd_bus_message_read_basic", message, kind, ctypes.cast(byref(holder), c_void_p))
        value = holder.value
        if isinstance(value, bytes):
            return value.decode()
        return bool(value) if kind == b"b" else value
    assert contents is not None
    signature = contents.decode()
    check("sd_bus_message_enter_container", message, kind, contents)
    items = _read(message)
    check("sd_bus_message_exit_container", message)
    if kind == b"v":
        return (signature, items[0])
    if kind == b"a":
        return dict(items) if signature.startswith("{") else items
    return tuple(items)


def _text(value: bytes | None) -> str | None:
    return None if value is None else value.decode()


def record(message: int, handle: int = 0) -> Record:
    """Everything the library says about a message."""
    kind, serial, reply_serial = c_uint8(), c_uint64(), c_uint64()
    check("sd_bus_message_get_type", message, byref(kind))
    library.sd_bus_message_get_cookie(message, byref(serial))
    library.sd_bus_message_get_reply_cookie(message, byref(reply_serial))
    flags = 0
    if not check("sd_bus_message_get_expect_reply", message):
        flags |= NO_REPLY_EXPECTED
    if not check("sd_bus_message_get_auto_start", message):
        flags |= NO_AUTO_START
    if check("sd_bus_message_get_allow_interactive_authorization", message):
        flags |= ALLOW_INTERACTIVE_AUTHORIZATION
    texts = {
        getter: _text(getattr(library, f"sd_bus_message_get_{getter}")(message))
        for getter in TEXT_GETTERS
    }
    error = None
    if KINDS[kind.value] == "error":
        error = _text(library.sd_bus_message_get_error(message).contents.name)
    check("sd_bus_message_rewind", message, 1)
    signature = library.sd_bus_message_get_signature(message, 1).decode()
    body = tuple(_read(message))
    check("sd_bus_message_rewind", message, 1)
    return Record(
        kind=KINDS[kind.value],
        serial=serial.value,
        reply_serial=reply_serial.value,
        flags=flags,
        error=error,
        signature=signature,
        body=body,
        handle=handle,
        **texts,
    )


def reply_serial_of(message: int) -> int:
    """The serial of the call that this message answers."""
    serial = c_uint64()
    check("sd_bus_message_get_reply_cookie", message, byref(serial))
    return serial.value
