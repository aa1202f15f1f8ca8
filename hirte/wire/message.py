"""One D-Bus message: the header read and checked, the body kept as bytes.

The header is read with precompiled structs straight from the stream's bytes. Names are checked
once and remembered, because the same few hundred travel all the time. The body stays what it is:
it can be relayed behind another header of the same byte order, since a body always starts on a
boundary of eight bytes (D-Bus specification, "Message Format").
"""

from __future__ import annotations

import struct

from hirte.wire.decode import decode, decode_each, skip_variant
from hirte.wire.encode import NATIVE
from hirte.wire.errors import PeerError
from hirte.wire.limits import (
    CACHE_ENTRIES,
    CACHE_HEADER_BYTES,
    CACHE_HEADERS,
    CACHE_NAME_BYTES,
    HEADER_FIELDS_BYTES,
)
from hirte.wire.names import is_bus_name, is_interface, is_member, is_object_path
from hirte.wire.signature import parse as parse_signature

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any, Callable

METHOD_CALL, METHOD_RETURN, ERROR, SIGNAL = 1, 2, 3, 4

NO_REPLY_EXPECTED = 0x1

# The fixed part: byte order, type, flags, version, body length, serial, length of the fields.
FIXED_BYTES = 16
_FIXED = {ord("l"): struct.Struct("<BBBBIII"), ord("B"): struct.Struct(">BBBBIII")}
_ORDERS = {ord("l"): "<", ord("B"): ">"}
_U32 = {"<": struct.Struct("<I"), ">": struct.Struct(">I")}

_PATH, _INTERFACE, _MEMBER, _ERROR_NAME, _REPLY_SERIAL = 1, 2, 3, 4, 5
_DESTINATION, _SENDER, _SIGNATURE, _UNIX_FDS = 6, 7, 8, 9

# What libraries put on the messages that they make up for their own program, such as the news that
# the connection is lost. The specification forbids them on the wire, or peers could forge them.
_LOCAL_PATH = b"/org/freedesktop/DBus/Local"
_LOCAL_INTERFACE = b"org.freedesktop.DBus.Local"


def _is_remote_path(path: bytes) -> bool:
    return is_object_path(path) and path != _LOCAL_PATH


def _is_remote_interface(name: bytes) -> bool:
    return is_interface(name) and name != _LOCAL_INTERFACE


# For the fields that are texts: the attribute, the type that the field must have, the grammar.
_TEXT_FIELDS: dict[int, tuple[str, bytes, Callable[[bytes], bool]]] = {
    _PATH: ("path", b"\1o\0", _is_remote_path),
    _INTERFACE: ("interface", b"\1s\0", _is_remote_interface),
    _MEMBER: ("member", b"\1s\0", is_member),
    _ERROR_NAME: ("error_name", b"\1s\0", is_interface),
    _DESTINATION: ("destination", b"\1s\0", is_bus_name),
    _SENDER: ("sender", b"\1s\0", is_bus_name),
}

# What the specification demands of each type of message: the fields that must not be absent.
_REQUIRED = {
    METHOD_CALL: ("path", "member"),
    METHOD_RETURN: ("reply_serial",),
    ERROR: ("error_name", "reply_serial"),
    SIGNAL: ("path", "interface", "member"),
}

# Whole headers, because most messages are signals of the same few objects: six for each start of
# a unit differ in their bodies alone.
_known_headers: dict[tuple[str, bytes], tuple[str, str, str, str, str, str, str]] = {}
_known: dict[tuple[int, bytes], str] = {}


class Message:
    """A message as it was received, or as it is handed to a reply handler.

    Absent header fields are empty strings, `reply_serial` 0. `order` is `<` or `>`.
    """

    __slots__ = (
        "body", "destination", "error_name", "flags", "interface", "member", "order",
        "path", "reply_serial", "sender", "serial", "signature", "type",
    )  # fmt: skip

    def __init__(self, kind: int, flags: int = 0, serial: int = 0, order: str = NATIVE) -> None:
        self.type = kind
        self.flags = flags
        self.serial = serial
        self.order = order
        self.path = ""
        self.interface = ""
        self.member = ""
        self.error_name = ""
        self.reply_serial = 0
        self.destination = ""
        self.sender = ""
        self.signature = ""
        self.body = b""

    def values(self) -> tuple[Any, ...]:
        """Return the decoded body. Raises PeerError."""
        return decode(self.signature, self.body, self.order)

    def each(self) -> Iterator[Any]:
        """Yield the elements of the one array that the body holds. Raises PeerError."""
        return decode_each(self.signature, self.body, self.order)

    def expect(self, signature: str) -> tuple[Any, ...]:
        """Return the decoded body of a message that must have `signature`. Raises PeerError."""
        if self.signature != signature:
            raise PeerError(f"{self} carries {self.signature!r} instead of {signature!r}")
        return self.values()

    def error_text(self) -> str:
        """Return the text of an error: its first argument if that is a string, else nothing."""
        if not self.signature.startswith("s"):
            return ""
        text = self.values()[0]
        return text if isinstance(text, str) else ""

    def __repr__(self) -> str:
        name = self.error_name or f"{self.interface}.{self.member}"
        return f"<Message {self.type} {name} {self.path} serial={self.serial}>"


def measure(data: bytes, start: int, limit: int) -> int:
    """Return how many bytes the message has that starts at `start`.

    At least FIXED_BYTES must be there. Raises PeerError when the fixed part is invalid or announces
    more than `limit` bytes.
    """
    fixed = _FIXED.get(data[start])
    if fixed is None:
        raise PeerError(f"unknown byte order {data[start]:#04x}")
    _, _, _, version, body_size, _, fields_size = fixed.unpack_from(data, start)
    if version != 1:
        raise PeerError(f"protocol version {version}")
    size: int = FIXED_BYTES + ((fields_size + 7) & ~7) + body_size
    if fields_size > HEADER_FIELDS_BYTES or size > limit:
        raise PeerError(f"a message of {size} bytes, {limit} are allowed")
    return size


def parse(data: bytes, start: int, size: int) -> Message:
    """Return the message in `data[start:start + size]`, as :func:`measure` told.

    Raises PeerError for everything that the specification forbids in a header. Unknown header
    fields are skipped, as it demands.
    """
    order = _ORDERS[data[start]]
    _, kind, flags, _, body_size, serial, fields_size = _FIXED[data[start]].unpack_from(data, start)
    message = Message(kind, flags, serial, order)
    fields_end = start + FIXED_BYTES + fields_size
    fields = data[start + FIXED_BYTES : fields_end]
    known = _known_headers.get((order, fields))
    if known is not None:
        (
            message.path, message.interface, message.member, message.error_name,
            message.destination, message.sender, message.signature,
        ) = known  # fmt: skip
    else:
        _read_header(message, fields)
    body_start = start + size - body_size
    if data[fields_end:body_start].strip(b"\0"):
        raise PeerError("padding is not zero")
    message.body = data[body_start : start + size]
    _check_required(message)
    return message


def _read_header(message: Message, fields: bytes) -> None:
    try:
        _read_fields(message, fields, _U32[message.order])
    except (struct.error, IndexError) as error:
        raise PeerError("the header ends inside a field") from error
    if message.reply_serial or len(fields) > CACHE_HEADER_BYTES:
        return
    if len(_known_headers) >= CACHE_HEADERS:
        _known_headers.clear()
    _known_headers[message.order, fields] = (
        message.path, message.interface, message.member, message.error_name,
        message.destination, message.sender, message.signature,
    )  # fmt: skip


def _read_fields(message: Message, data: bytes, u32: struct.Struct) -> None:
    # `data` is the fields alone: no length in it can reach into what follows, and positions in it
    # are aligned as in the message, where it starts behind 16 bytes.
    position = 0
    seen = 0
    while position < len(data):
        gap = -position & 7
        if gap:
            if data[position : position + gap].strip(b"\0"):
                raise PeerError("padding is not zero")
            position += gap
        code = data[position]
        if code == 0 or seen >> code & 1:
            raise PeerError(f"header field {code} is invalid or repeated")
        seen |= 1 << code
        if code in _TEXT_FIELDS:
            position = _read_text(message, data, position, u32)
        elif code == _SIGNATURE:
            position = _read_signature(message, data, position)
        elif code in (_REPLY_SERIAL, _UNIX_FDS):
            position = _read_number(message, data, position, u32)
        else:
            position = skip_variant(data, position + 1, message.order)


def _read_text(message: Message, data: bytes, position: int, u32: struct.Struct) -> int:
    code = data[position]
    attribute, field_type, is_valid = _TEXT_FIELDS[code]
    start = position + 8
    stop = start + u32.unpack_from(data, position + 4)[0]
    if data[position + 1 : position + 4] != field_type or data[stop]:
        raise PeerError(f"header field {code} has the wrong type or no end")
    raw = data[start:stop]
    text = _known.get((code, raw))
    if text is None:
        if not is_valid(raw):
            raise PeerError(f"header field {code} is invalid: {raw[:80]!r}")
        text = raw.decode("ascii")
        if len(raw) <= CACHE_NAME_BYTES:
            if len(_known) >= CACHE_ENTRIES:
                _known.clear()
            _known[code, raw] = text
    setattr(message, attribute, text)
    return int(stop + 1)


def _read_signature(message: Message, data: bytes, position: int) -> int:
    start = position + 5
    stop = start + data[position + 4]
    if data[position + 1 : position + 4] != b"\1g\0" or data[stop]:
        raise PeerError("the signature has the wrong type or no end")
    message.signature = data[start:stop].decode("latin-1")
    parse_signature(message.signature)
    return stop + 1


def _read_number(message: Message, data: bytes, position: int, u32: struct.Struct) -> int:
    number = u32.unpack_from(data, position + 4)[0]
    if data[position + 1 : position + 4] != b"\1u\0":
        raise PeerError(f"header field {data[position]} has the wrong type")
    if data[position] == _REPLY_SERIAL:
        message.reply_serial = number
    elif number:
        raise PeerError("file descriptors are announced that were never negotiated")
    return position + 8


def _check_required(message: Message) -> None:
    if message.type == 0 or message.serial == 0:
        raise PeerError(f"message type {message.type}, serial {message.serial}")
    for attribute in _REQUIRED.get(message.type, ()):
        if not getattr(message, attribute):
            raise PeerError(f"a message of type {message.type} has no {attribute}")
    if message.body and not message.signature:
        raise PeerError("a body without a signature")
