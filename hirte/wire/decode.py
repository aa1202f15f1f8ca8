"""The bytes of a message body to values, checked; the shapes are those of encode.py.

Whatever the specification forbids raises PeerError: a boolean of 7, a NUL inside a string, text
that is not UTF-8, a bad object path, an element that crosses the end of its array, padding that
is not zero, bytes left over. Each element takes at least one byte of the body, so time and
memory are bounded by its length.
"""

from __future__ import annotations

import struct

from hirte.wire.errors import PeerError
from hirte.wire.limits import ARRAY_BYTES, TOTAL_DEPTH
from hirte.wire.names import is_object_path
from hirte.wire.signature import ALIGNMENT, parse, parse_single

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any, Callable

    from hirte.wire.signature import Type


def _readers(order: str) -> dict[str, struct.Struct]:
    formats = {
        "y": "B", "n": "h", "q": "H", "i": "i", "u": "I", "x": "q", "t": "Q", "d": "d", "h": "I",
    }  # fmt: skip
    return {code: struct.Struct(order + letter) for code, letter in formats.items()}


_FIXED = {"<": _readers("<"), ">": _readers(">")}


def decode(signature: str, body: bytes, order: str) -> tuple[Any, ...]:
    """Return the values in `body`, one for each complete type of `signature`.

    `order` is the byte order as struct writes it: `<` or `>`. Raises PeerError.
    """
    cursor = _Cursor(body, order)
    values = []
    for kind in parse(signature):
        values.append(_READERS[kind[0]](cursor, kind, 0))
    if cursor.position != len(body):
        raise PeerError("bytes are left over behind the last value")
    return tuple(values)


def decode_each(signature: str, body: bytes, order: str) -> Iterator[Any]:
    """Yield the elements of the one array, of anything but dict entries, that `body` holds.

    Only one element is in memory at a time. Raises PeerError, perhaps after the first elements.
    """
    kind = parse_single(signature)
    cursor = _Cursor(body, order)
    size = cursor.length()
    cursor.align(ALIGNMENT[kind[1][0]])
    if kind[0] != "a" or cursor.position + size != cursor.end:
        raise PeerError("the body is not one array")
    read = _READERS[kind[1][0]]
    while cursor.position < cursor.end:
        yield read(cursor, kind[1], 1)


def skip_variant(data: bytes, position: int, order: str) -> int:
    """Return the position behind the variant of a header field. Raises PeerError."""
    cursor = _Cursor(data, order)
    cursor.position = position
    # It is nested in the array of fields and in its field.
    _variant(cursor, ("v",), 2)
    return cursor.position


class _Cursor:
    __slots__ = ("body", "end", "fixed", "position", "u32")

    def __init__(self, body: bytes, order: str) -> None:
        self.body = body
        self.position = 0
        self.end = len(body)
        self.fixed = _FIXED[order]
        self.u32 = self.fixed["u"].unpack_from

    def align(self, alignment: int) -> None:
        gap = -self.position % alignment
        if gap:
            if self.body[self.position : self.position + gap] != bytes(gap):
                raise PeerError("padding is missing or not zero")
            self.position += gap

    def length(self) -> int:
        self.align(4)
        if self.position + 4 > self.end:
            raise PeerError("the body ends inside a length")
        size: int = self.u32(self.body, self.position)[0]
        self.position += 4
        return size

    def text(self, size: int) -> bytes:
        stop = self.position + size
        if stop >= self.end:
            raise PeerError("the body ends inside a string")
        raw = self.body[self.position : stop]
        if self.body[stop] or b"\0" in raw:
            raise PeerError("a string is not terminated by its only NUL byte")
        self.position = stop + 1
        return raw


def _fixed(cursor: _Cursor, kind: Type, depth: int) -> Any:
    reader = cursor.fixed[kind[0]]
    cursor.align(reader.size)
    if cursor.position + reader.size > cursor.end:
        raise PeerError("the body ends inside a number")
    value = reader.unpack_from(cursor.body, cursor.position)[0]
    cursor.position += reader.size
    return value


def _boolean(cursor: _Cursor, kind: Type, depth: int) -> bool:
    value = cursor.length()
    if value > 1:
        raise PeerError(f"a boolean is {value}")
    return value == 1


def _string(cursor: _Cursor, kind: Type, depth: int) -> str:
    raw = cursor.text(cursor.length())
    try:
        return raw.decode()
    except UnicodeDecodeError as error:
        raise PeerError("a string is not UTF-8") from error


def _object_path(cursor: _Cursor, kind: Type, depth: int) -> str:
    raw = cursor.text(cursor.length())
    if not is_object_path(raw):
        raise PeerError(f"not an object path: {raw[:80]!r}")
    return raw.decode()


def _signature(cursor: _Cursor, kind: Type, depth: int) -> str:
    if cursor.position >= cursor.end:
        raise PeerError("the body ends before a signature")
    size = cursor.body[cursor.position]
    cursor.position += 1
    text = cursor.text(size).decode("latin-1")
    parse(text)
    return text


def _variant(cursor: _Cursor, kind: Type, depth: int) -> tuple[str, Any]:
    signature = _signature(cursor, kind, depth)
    child = parse_single(signature)
    return signature, _READERS[child[0]](cursor, child, _deeper(depth))


def _struct(cursor: _Cursor, kind: Type, depth: int) -> tuple[Any, ...]:
    cursor.align(8)
    depth = _deeper(depth)
    return tuple([_READERS[field[0]](cursor, field, depth) for field in kind[1]])


def _array(cursor: _Cursor, kind: Type, depth: int) -> Any:
    element = kind[1]
    code = element[0]
    depth = _deeper(depth)
    size = cursor.length()
    cursor.align(ALIGNMENT[code])
    stop = cursor.position + size
    if size > ARRAY_BYTES or stop > cursor.end:
        raise PeerError("an array is longer than its body")
    if code == "y":
        raw = cursor.body[cursor.position : stop]
        cursor.position = stop
        return raw
    whole, cursor.end = cursor.end, stop
    values = _entries(cursor, element, depth) if code == "{" else _items(cursor, element, depth)
    cursor.end = whole
    return values


def _items(cursor: _Cursor, kind: Type, depth: int) -> list[Any]:
    read = _READERS[kind[0]]
    values = []
    while cursor.position < cursor.end:
        values.append(read(cursor, kind, depth))
    return values


def _entries(cursor: _Cursor, kind: Type, depth: int) -> dict[Any, Any]:
    _, key, value = kind
    depth = _deeper(depth)
    values = {}
    while cursor.position < cursor.end:
        cursor.align(8)
        name = _READERS[key[0]](cursor, key, depth)
        values[name] = _READERS[value[0]](cursor, value, depth)
    return values


def _deeper(depth: int) -> int:
    if depth == TOTAL_DEPTH:
        raise PeerError("containers are nested too deeply")
    return depth + 1


_READERS: dict[str, Callable[[_Cursor, Type, int], Any]] = {
    **dict.fromkeys("ynqiuxtdh", _fixed),
    "b": _boolean, "s": _string, "o": _object_path, "g": _signature,
    "v": _variant, "(": _struct, "a": _array,
}  # fmt: skip
