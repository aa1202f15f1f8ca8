"""What broke a parser that was made for a trusted bus: here each ends in PeerError, at once.

The names of the tests say the input. Where it is safe and quick, jeepney is shown to do worse,
which is the reason that bytes from a peer never reach its parser.
"""

from __future__ import annotations

import struct
import tracemalloc

import pytest
from jeepney.low_level import Message as JeepneyMessage
from jeepney.low_level import Parser

from hirte.wire.check import check
from hirte.wire.decode import decode
from hirte.wire.errors import PeerError
from hirte.wire.framing import Framer
from hirte.wire.limits import UNREGISTERED_MESSAGE_BYTES

from .wire_raw import CALL, message

GOOD = message(serial=7)


def take_all(data, limit=1 << 20):
    framer = Framer(limit)
    framer.feed(data)
    messages = []
    while True:
        found = framer.take()
        if found is None:
            return messages
        messages.append((found, found.values(), check(found.signature, found.body, found.order)))


def nested_variant(depth):
    return b"\1v\0" * depth + b"\1y\0" + b"\7"


EMPTY_STRUCTS = {
    "array of empty structs": ("a()", struct.pack("<II", 8, 0) + bytes(8)),
    "the same in a variant": ("v", b"\3a()\0" + bytes(3) + struct.pack("<II", 8, 0) + bytes(8)),
    "empty dict entries": ("a{}", struct.pack("<II", 8, 0) + bytes(8)),
    "array of arrays of them": ("aa()", struct.pack("<II", 8, 0) + bytes(8)),
}


@pytest.mark.parametrize("signature, body", EMPTY_STRUCTS.values(), ids=EMPTY_STRUCTS)
def test_array_of_empty_struct_ends(signature, body):
    # jeepney never comes back from this, so it is not asked.
    with pytest.raises(PeerError):
        take_all(message(signature=signature, body=body))
    with pytest.raises(PeerError):
        decode(signature, body, "<")


def test_array_of_empty_struct_in_an_unknown_header_field_ends():
    value = b"\3a()\0" + bytes(1) + struct.pack("<I", 8) + bytes(8)
    unknown = struct.pack("B", 77) + value
    with pytest.raises(PeerError):
        take_all(message((*CALL, unknown)))


@pytest.mark.parametrize("limit", [UNREGISTERED_MESSAGE_BYTES, 1 << 24])
def test_body_length_of_4_gib_is_refused_after_16_bytes(limit):
    start = message(body_size=0xFFFFFFF0)[:16]
    jeepney = Parser()
    assert jeepney.feed(start) == []
    assert jeepney.bytes_desired() > 0xFFFFFFF0, "it would buffer all of it"
    framer = Framer(limit)
    framer.feed(start)
    with pytest.raises(PeerError, match="4294967"):
        framer.take()


def test_header_length_of_4_gib_is_refused_after_16_bytes():
    framer = Framer(1 << 27)
    framer.feed(message(fields_size=0xFFFFFFFF)[:16])
    with pytest.raises(PeerError):
        framer.take()


def test_messages_before_a_broken_one_are_delivered_and_the_broken_one_stays_broken():
    broken = message(signature="b", body=b"\1\0\0\0", letter=b"x")
    framer = Framer()
    framer.feed(GOOD + GOOD + broken + GOOD)
    assert [framer.take().serial, framer.take().serial] == [7, 7]
    for _ in range(3):
        with pytest.raises(PeerError, match="byte order 0x78"):
            framer.take()


def test_a_broken_header_in_a_well_measured_message_stays_broken():
    framer = Framer()
    framer.feed(GOOD + message(serial=0) + GOOD)
    assert framer.take().serial == 7
    for _ in range(3):
        with pytest.raises(PeerError):
            framer.take()


def test_an_exception_in_jeepney_loses_the_messages_around_it():
    broken = message(signature="z", body=bytes(200))
    jeepney = Parser()
    with pytest.raises(KeyError):
        jeepney.feed(GOOD + broken + GOOD + GOOD)
    # The first is gone, the broken one is read, and yet its size is taken for the next one's.
    assert jeepney.bytes_desired() == len(broken) - 2 * len(GOOD)


def test_variant_nested_2000_deep():
    body = nested_variant(2000)
    bad = message(signature="v", body=body)
    with pytest.raises(RecursionError):
        JeepneyMessage.from_buffer(bad)
    with pytest.raises(PeerError, match="nested too deeply"):
        take_all(bad)
    with pytest.raises(PeerError, match="nested too deeply"):
        check("v", body, "<")


def test_variant_nested_2000_deep_in_an_unknown_header_field():
    with pytest.raises(PeerError, match="nested too deeply"):
        take_all(message((*CALL, b"\x4d" + nested_variant(2000))))


# What jeepney answers with exceptions of no common kind. The last column is its exception.
CRASHES = {
    "bad endian byte": (message(letter=b"?"), KeyError),
    "unknown header field of a bad type": (message((*CALL, (77, "z", 1))), KeyError),
    "truncated string": (
        message(signature="s", body=struct.pack("<I", 9) + b"abc"),
        AssertionError,
    ),
    "string without its NUL": (
        message(signature="s", body=struct.pack("<I", 3) + b"abcd"),
        AssertionError,
    ),
    "truncated number": (message(signature="u", body=b"\1\2"), struct.error),
    "signature that ends too early": (message(signature="(u", body=b"\1\0\0\0"), None),
    "signature that closes nothing": (message(signature=")", body=b"\1\0\0\0"), None),
    "array without a type": (message(signature="a", body=bytes(4)), Exception),
    "variant without its signature's end": (message(signature="v", body=b"\7u"), Exception),
    "text that is not UTF-8": (
        message(signature="s", body=struct.pack("<I", 2) + b"\xc0\x80\0"),
        UnicodeDecodeError,
    ),
}


@pytest.mark.parametrize("data, theirs", CRASHES.values(), ids=CRASHES)
def test_what_crashes_jeepney_is_the_peers_fault(data, theirs):
    if theirs is not None:
        with pytest.raises(theirs):
            Parser().feed(data)
    with pytest.raises(PeerError):
        take_all(data)


def test_unknown_message_types_and_header_fields_are_legal():
    with pytest.raises(ValueError, match="MessageType"):
        Parser().feed(message(kind=99))
    with pytest.raises(ValueError, match="HeaderFields"):
        Parser().feed(message((*CALL, (77, "u", 1))))
    (unknown_type, _, _), (unknown_field, _, _) = take_all(
        message(kind=99) + message((*CALL, (77, "u", 1)))
    )
    assert (unknown_type.type, unknown_field.member) == (99, "Ping")


ACCEPTED_BY_JEEPNEY = {
    "boolean of 7": message(signature="b", body=struct.pack("<I", 7)),
    "NUL inside a string": message(signature="s", body=struct.pack("<I", 3) + b"a\0b\0"),
    "bad object path": message(signature="o", body=struct.pack("<I", 4) + b"a//b\0"),
    "bad object path in the header": message(((1, "o", "a//b"), (3, "s", "Ping"))),
    "element that crosses the end of its array": message(
        signature="as", body=struct.pack("<II", 5, 3) + b"abc\0"
    ),
    "number that crosses the end of its array": message(
        signature="au", body=struct.pack("<III", 5, 1, 2)
    ),
    "call without a path": message(((3, "s", "Ping"),)),
    "call without a member": message(((1, "o", "/a"),)),
    "serial of 0": message(serial=0),
    "protocol version of 2": message(version=2),
    "padding that is not zero": message(signature="yu", body=b"\1\2\0\0\1\0\0\0"),
    "bytes behind the last value": message(signature="y", body=b"\1\2"),
    "body without a signature": message(body=b"abcd"),
    "return without a reply serial": message((), kind=2),
    "error without a name": message(((5, "u", 1),), kind=3),
    "signal without an interface": message(CALL, kind=4),
    "header field of another type": message(((1, "s", "/a"), (3, "s", "Ping"))),
}


@pytest.mark.parametrize("data", ACCEPTED_BY_JEEPNEY.values(), ids=ACCEPTED_BY_JEEPNEY)
def test_what_jeepney_accepts_silently_is_refused(data):
    assert len(Parser().feed(data)) == 1
    with pytest.raises(PeerError):
        take_all(data)


def test_a_message_above_the_limit_is_refused_and_one_at_the_limit_is_not():
    at_limit = message(signature="s", body=struct.pack("<I", 200) + b"x" * 200 + b"\0")
    assert len(take_all(at_limit, limit=len(at_limit))) == 1
    with pytest.raises(PeerError, match="are allowed"):
        take_all(at_limit, limit=len(at_limit) - 1)


def test_waiting_for_a_message_byte_by_byte_takes_little_more_than_its_size():
    size = 200_000
    data = message(signature="ay", body=struct.pack("<I", size) + bytes(size))
    framer = Framer(1 << 20)
    tracemalloc.start()
    try:
        for start in range(0, len(data) - 2, 2):
            framer.feed(data[start : start + 2])
            assert framer.take() is None
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert held < 1.5 * size
    framer.feed(data[-2:])
    assert framer.take().body[4:] == bytes(size)


def test_an_idle_connection_holds_no_message():
    data = message(signature="ay", body=struct.pack("<I", 60_000) + bytes(60_000))
    framer = Framer(1 << 20)
    tracemalloc.start()
    try:
        framer.feed(bytes(bytearray(data)))
        framer.take()
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert held < 30_000
