"""Values to the bytes of a message body, in native byte order.

Values are Python's own: `str` for s, o and g, `int` for the integers, `float`, `bool`, lists for
arrays (`bytes` for `ay`), dicts for arrays of dict entries, tuples for structs, and a pair
`(signature, value)` for a variant. The same shapes come out of :mod:`hirte.wire.decode`.
"""

from __future__ import annotations

import struct
import sys

from hirte.wire.errors import EncodeError, PeerError
from hirte.wire.limits import ARRAY_BYTES, TOTAL_DEPTH
from hirte.wire.names import is_object_path
from hirte.wire.signature import ALIGNMENT, parse, parse_single

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable

    from hirte.wire.signature import Type

NATIVE = "<" if sys.byteorder == "little" else ">"
_FIXED = {
    "y": struct.Struct(NATIVE + "B"), "n": struct.Struct(NATIVE + "h"),
    "q": struct.Struct(NATIVE + "H"), "i": struct.Struct(NATIVE + "i"),
    "u": struct.Struct(NATIVE + "I"), "x": struct.Struct(NATIVE + "q"),
    "t": struct.Struct(NATIVE + "Q"), "d": struct.Struct(NATIVE + "d"),
    "h": struct.Struct(NATIVE + "I"),
}  # fmt: skip
_PACK_U32 = _FIXED["u"].pack
# What Python raises when a value is not of the kind that its type needs.
_MISFITS = (PeerError, struct.error, TypeError, ValueError, AttributeError, OverflowError)
_PADDING = (b"", b"\0", b"\0\0", b"\0\0\0", b"\0" * 4, b"\0" * 5, b"\0" * 6, b"\0" * 7)


def encode(signature: str, values: tuple[Any, ...]) -> bytes:
    """Return the body that carries `values`, one for each complete type of `signature`.

    Raises EncodeError when a value does not fit its type.
    """
    try:
        types = parse(signature)
        if len(types) != len(values):
            raise EncodeError(f"{len(values)} values for signature {signature!r}")
        out = bytearray()
        for kind, value in zip(types, values):
            _WRITERS[kind[0]](out, kind, value, 0)
    except _MISFITS as error:
        if isinstance(error, EncodeError):
            raise
        raise EncodeError(f"{repr(values)[:80]} does not fit {signature!r}: {error}") from error
    return bytes(out)


def _fixed(out: bytearray, kind: Type, value: Any, depth: int) -> None:
    packer = _FIXED[kind[0]]
    out += _PADDING[-len(out) % packer.size]
    out += packer.pack(value)


def _boolean(out: bytearray, kind: Type, value: Any, depth: int) -> None:
    out += _PADDING[-len(out) % 4]
    out += _PACK_U32(1 if value else 0)


def _string(out: bytearray, kind: Type, value: Any, depth: int) -> None:
    raw = value.encode()
    if b"\0" in raw:
        raise EncodeError("a string holds a NUL character")
    out += _PADDING[-len(out) % 4]
    out += _PACK_U32(len(raw))
    out += raw
    out.append(0)


def _object_path(out: bytearray, kind: Type, value: Any, depth: int) -> None:
    if not is_object_path(value.encode()):
        raise EncodeError(f"not an object path: {value!r}")
    _string(out, kind, value, depth)


def _signature(out: bytearray, kind: Type, value: Any, depth: int) -> None:
    parse(value)
    out.append(len(value))
    out += value.encode()
    out.append(0)


def _variant(out: bytearray, kind: Type, value: Any, depth: int) -> None:
    signature, inner = value
    child = parse_single(signature)
    _signature(out, kind, signature, depth)
    _WRITERS[child[0]](out, child, inner, _deeper(depth))


def _struct(out: bytearray, kind: Type, value: Any, depth: int) -> None:
    fields = kind[1]
    if isinstance(value, str) or len(fields) != len(value):
        raise EncodeError(f"not {len(fields)} values for a struct: {repr(value)[:80]}")
    out += _PADDING[-len(out) % 8]
    depth = _deeper(depth)
    for field, item in zip(fields, value):
        _WRITERS[field[0]](out, field, item, depth)


def _array(out: bytearray, kind: Type, value: Any, depth: int) -> None:
    element = kind[1]
    if isinstance(value, str):
        raise EncodeError(f"a text where an array is expected: {value[:80]!r}")
    depth = _deeper(depth)
    out += _PADDING[-len(out) % 4]
    length_at = len(out)
    out += b"\0\0\0\0"
    out += _PADDING[-len(out) % ALIGNMENT[element[0]]]
    start = len(out)
    if element[0] == "{":
        _entries(out, element, value, depth)
    elif element[0] == "y":
        # By way of iter(), because bytes(5) means five NUL bytes.
        out += value if isinstance(value, bytes) else bytes(iter(value))
    else:
        write = _WRITERS[element[0]]
        for item in value:
            write(out, element, item, depth)
    size = len(out) - start
    if size > ARRAY_BYTES:
        raise EncodeError("an array is longer than 64 MiB")
    out[length_at : length_at + 4] = _PACK_U32(size)


def _entries(out: bytearray, kind: Type, value: Any, depth: int) -> None:
    _, key_kind, value_kind = kind
    depth = _deeper(depth)
    for key, item in value.items():
        out += _PADDING[-len(out) % 8]
        _WRITERS[key_kind[0]](out, key_kind, key, depth)
        _WRITERS[value_kind[0]](out, value_kind, item, depth)


def _deeper(depth: int) -> int:
    if depth == TOTAL_DEPTH:
        raise EncodeError("containers are nested too deeply")
    return depth + 1


_WRITERS: dict[str, Callable[[bytearray, Type, Any, int], None]] = {
    **dict.fromkeys(_FIXED, _fixed),
    "b": _boolean, "s": _string, "o": _object_path, "g": _signature,
    "v": _variant, "(": _struct, "a": _array,
}  # fmt: skip
