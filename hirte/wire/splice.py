"""Bodies put together from other bodies, without decoding what is inside.

An array's elements start on the same boundary wherever the array stands, if that boundary is
eight bytes, as it is for structs and dict entries. So the bytes of `a(ssssssouso)` from every
node become one `a{sa(ssssssouso)}` by copying.
"""

from __future__ import annotations

import struct

from hirte.wire.encode import NATIVE, encode
from hirte.wire.errors import EncodeError
from hirte.wire.limits import ARRAY_BYTES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from hirte.wire.message import Message

_U32 = struct.Struct(NATIVE + "I")
# An array of structs starts with its length and the padding up to the first struct.
_ARRAY_HEAD = 8
_PADDING = tuple(bytes(count) for count in range(8))


def native_body(message: Message) -> bytes:
    """Return the body of `message` in this machine's byte order. Raises PeerError."""
    if message.order == NATIVE:
        return message.body
    return encode(message.signature, message.values())


def dict_of_arrays(arrays: Iterable[tuple[str, bytes]]) -> bytes:
    """Return an `a{sa(…)}` body from pairs of key and `a(…)` body, in their order.

    The bodies must be valid and in native byte order. The structs' type does not matter.
    Raises EncodeError when the result is longer than an array may be.
    """
    parts = [b""]
    size = 0
    for key, array in arrays:
        raw = key.encode()
        gap = -size % 8
        head = bytes(gap) + _U32.pack(len(raw)) + raw + b"\0"
        size += len(head)
        between = bytes(-size % 4) + array[:4]
        size += len(between)
        between += bytes(-size % 8)
        size += -size % 8
        elements = array[_ARRAY_HEAD:]
        parts += (head, between, elements)
        size += len(elements)
    return _array(size, parts)


def array_of_structs(structs: Iterable[bytes]) -> bytes:
    """Return an `a(…)` body from bodies that hold one struct each.

    Raises EncodeError when the result is longer than an array may be.
    """
    parts = [b""]
    size = 0
    for body in structs:
        parts += (_PADDING[-size % 8], body)
        size += -size % 8 + len(body)
    return _array(size, parts)


def _array(size: int, parts: list[bytes]) -> bytes:
    """Return an array of `size` bytes: `parts` behind a first one, which is its head."""
    if size > ARRAY_BYTES:
        raise EncodeError("an array is longer than 64 MiB")
    parts[0] = _U32.pack(size) + b"\0\0\0\0"
    return b"".join(parts)


def array_behind(head: bytes, body: bytes, position: int) -> bytes:
    """Return `head` followed by the array of dict entries or structs that `body` has at `position`.

    Both are valid and in native byte order; `position` need not be aligned.
    """
    position += -position % 4
    (size,) = _U32.unpack_from(body, position)
    start = position + 4
    start += -start % 8
    out = head + bytes(-len(head) % 4) + body[position : position + 4]
    return out + bytes(-len(out) % 8) + body[start : start + size]


def skip_strings(body: bytes, count: int) -> tuple[list[str], int]:
    """Return the first `count` strings of a valid native body, and the position behind them."""
    texts = []
    position = 0
    for _ in range(count):
        position += -position % 4
        (size,) = _U32.unpack_from(body, position)
        start = position + 4
        position = start + size + 1
        texts.append(body[start : position - 1].decode())
    return texts, position
