"""Messages written by hand, byte for byte, also those that no library would write.

Nothing here uses hirte.wire: tests that compare the two would prove nothing.
"""

from __future__ import annotations

import struct

CALL = ((1, "o", "/a"), (3, "s", "Ping"))
RETURN = ((5, "u", 1),)
ERROR = ((4, "s", "a.Error"), (5, "u", 1))
SIGNAL = ((1, "o", "/a"), (2, "s", "a.b"), (3, "s", "Tick"))


def pad(data, alignment):
    return data + bytes(-len(data) % alignment)


def field(code, kind, value, order="<"):
    """One header field. `value` is text or a number; bytes are taken as they stand."""
    head = struct.pack("BB", code, len(kind)) + kind.encode() + b"\0"
    if isinstance(value, bytes):
        return head + value
    if kind == "g":
        return head + bytes([len(value)]) + value.encode() + b"\0"
    if kind in "so":
        raw = value.encode()
        return head + struct.pack(order + "I", len(raw)) + raw + b"\0"
    return head + struct.pack(order + "I", value)


def message(
    fields=CALL,
    body=b"",
    kind=1,
    flags=0,
    version=1,
    serial=1,
    order="<",
    letter=None,
    signature="",
    body_size=None,
    fields_size=None,
    padding=b"\0",
):
    """One message; what is announced can differ from what is there."""
    raw = b""
    for item in (*fields, (8, "g", signature)) if signature else fields:
        raw = pad(raw, 8) + (item if isinstance(item, bytes) else field(*item, order=order))
    size = len(raw) if fields_size is None else fields_size
    length = len(body) if body_size is None else body_size
    letter = {"<": b"l", ">": b"B"}[order] if letter is None else letter
    head = letter + struct.pack(order + "BBBIII", kind, flags, version, length, serial, size)
    return head + raw + padding * (-len(raw) % 8) + body
