"""Messages written, and bodies put together from other bodies."""

from __future__ import annotations

import struct

import pytest

from hirte.wire import build, splice
from hirte.wire.encode import NATIVE, encode
from hirte.wire.errors import EncodeError
from hirte.wire.framing import Framer
from hirte.wire.limits import ARRAY_BYTES, CACHE_ENTRIES
from hirte.wire.message import NO_REPLY_EXPECTED

from .wire_raw import message

FOREIGN = ">" if NATIVE == "<" else "<"


def read(data):
    framer = Framer(1 << 20)
    framer.feed(data)
    return framer.take()


@pytest.mark.parametrize("order", ["<", ">"])
def test_the_bytes_are_those_of_a_message_written_by_hand(order):
    body = struct.pack(order + "I", 9)
    assert build.call(1, "/a", "a.b", "C", "u", body, "d.e", ":1.1", 1, order) == message(
        ((1, "o", "/a"), (2, "s", "a.b"), (3, "s", "C"), (6, "s", "d.e"), (7, "s", ":1.1")),
        body, flags=1, signature="u", order=order,
    )  # fmt: skip
    assert build.call(1, "/a", "", "C", order=order) == message(
        ((1, "o", "/a"), (3, "s", "C")), order=order
    )
    assert build.signal(2, "/a", "a.b", "C", "u", body, order=order) == message(
        ((1, "o", "/a"), (2, "s", "a.b"), (3, "s", "C")),
        body, kind=4, flags=1, serial=2, signature="u", order=order,
    )  # fmt: skip
    assert build.method_return(3, 7, "u", body, "d.e", order=order) == message(
        ((5, "u", 7), (6, "s", "d.e")), body, kind=2, flags=1, serial=3, signature="u", order=order
    )
    assert build.error(4, 8, "a.E", sender="f.g", order=order) == message(
        ((5, "u", 8), (4, "s", "a.E"), (7, "s", "f.g")), kind=3, flags=1, serial=4, order=order
    )


def test_what_needs_no_reply_says_so():
    assert read(build.signal(1, "/a", "a.b", "C")).flags == NO_REPLY_EXPECTED
    assert read(build.method_return(1, 1)).flags == NO_REPLY_EXPECTED
    assert read(build.error(1, 1, "a.E")).flags == NO_REPLY_EXPECTED
    assert read(build.call(1, "/a", "a.b", "C")).flags == 0


def test_more_names_than_are_remembered():
    for number in range(CACHE_ENTRIES + 10):
        assert read(build.call(1, f"/n{number}", "a.b", "C")).path == f"/n{number}"
    assert len(build._fields) <= CACHE_ENTRIES


def test_a_message_above_128_mib_is_our_fault():
    with pytest.raises(EncodeError):
        build.call(1, "/a", "a.b", "C", "ay", bytes(1 << 27))


def test_serials_and_names_that_do_not_fit_raise():
    with pytest.raises(struct.error):
        build.call(1 << 32, "/a", "a.b", "C")
    with pytest.raises(ValueError, match="ascii"):
        build.call(1, "/\u00e4", "a.b", "C")


@pytest.mark.parametrize("order", ["<", ">"])
def test_a_body_is_relayed_untouched_behind_any_header(order):
    body = struct.pack(order + "BxxxIQ", 1, 2, 3)
    came = read(message(signature="yut", body=body, order=order))
    for path in ("/", "/a", "/abcdefg", "/abcdefghijklmno"):
        sent = read(build.call(9, path, "a.b", "C", came.signature, came.body, order=came.order))
        assert sent.values() == came.values() == (1, 2, 3)


def test_a_body_in_the_other_byte_order_becomes_native():
    came = read(message(signature="yu", body=struct.pack(FOREIGN + "BxxxI", 1, 2), order=FOREIGN))
    assert splice.native_body(came) == encode("yu", (1, 2))
    mine = read(message(signature="yu", body=encode("yu", (1, 2)), order=NATIVE))
    assert splice.native_body(mine) is mine.body


UNIT = ("a.service", "A", "loaded", "active", "running", "", "/a", 0, "", "/")
NODES = {
    "none": {},
    "one without units": {"node": []},
    "one": {"node": [UNIT]},
    "names of every length": {"n" * size: [UNIT] * (size % 3) for size in range(1, 20)},
    "not ASCII": {"\u00e4": [UNIT], "": []},
}


@pytest.mark.parametrize("nodes", NODES.values(), ids=NODES)
def test_units_of_all_nodes_are_put_together_by_copying(nodes):
    arrays = ((name, encode("a(ssssssouso)", (units,))) for name, units in nodes.items())
    assert splice.dict_of_arrays(arrays) == encode("a{sa(ssssssouso)}", (nodes,))


@pytest.mark.parametrize("count", [0, 1, 9])
def test_structs_are_put_into_an_array_by_copying(count):
    structs = [("n" * size, size) for size in range(count)]
    bodies = [encode("(sy)", (values,)) for values in structs]
    assert splice.array_of_structs(bodies) == encode("a(sy)", (structs,))


def test_more_units_than_fit_into_an_array_are_our_fault():
    half = struct.pack(NATIVE + "II", ARRAY_BYTES // 2, 0) + bytes(ARRAY_BYTES // 2)
    with pytest.raises(EncodeError, match="64 MiB"):
        splice.dict_of_arrays([("a", half), ("b", half)])
