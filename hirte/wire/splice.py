"""Bodies put together from other bodies, without decoding what is inside.

An array's elements start on the same boundary wherever the array stands, if that boundary is
eight bytes, as it is for structs and dict entries. So the bytes of `a(ssssssouso)` from every
node become one `a{sa(ssssssouso)}` by copying.
"""

from __future__ import annotations

import struct

from hirte.wire.encode import NATIVE, encode

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from hirte.wire.message import Message

_U32 = struct.Struct(NATIVE + "I")
# An array of structs starts with its length and the padding up to the first struct.
_ARRAY_HEAD = 8


def native_body(message: Message) -> bytes:
    """Return the body of `message` in this machine's byte order. Raises PeerError."""
    if message.order == NATIVE:
        return message.body
    return encode(message.signature, message.values())


def dict_of_arrays(arrays: Iterable[tuple[str, bytes]]) -> bytes:
    """Return an `a{sa(…)}` body from pairs of key and `a(…)` body, in their order.

    The bodies must be valid and in native byte order. The structs' type does not matter.
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
    parts[0] = _U32.pack(size) + b"\0\0\0\0"
    return b"".join(parts)


def append(signature: str, body: bytes, number: int) -> tuple[str, bytes]:
    """Return `signature` and `body` with one more argument of type u behind them."""
    return signature + "u", body + bytes(-len(body) % 4) + _U32.pack(number)
