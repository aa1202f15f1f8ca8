"""Streams: any bytes, in any pieces, are messages or the peer's fault, and nothing else."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from hirte.wire.check import check
from hirte.wire.encode import NATIVE, encode
from hirte.wire.errors import PeerError
from hirte.wire.framing import Framer
from tests.unit.wire_raw import CALL, message

from .strategies import ARGUMENTS, HEADERS, MEMBERS, SERIALS, faulty
from .test_wire_bodies import count_calls

LIMIT = 1 << 12

VALID = st.builds(
    lambda arguments, member, serial: message(
        ((1, "o", "/a"), (3, "s", member)),
        encode(*arguments),
        serial=serial,
        order=NATIVE,
        signature=arguments[0],
    ),
    ARGUMENTS,
    MEMBERS,
    SERIALS,
).filter(lambda data: len(data) <= LIMIT)
BROKEN = VALID.flatmap(faulty) | HEADERS | st.binary(max_size=40)
STREAMS = st.lists(VALID | BROKEN, max_size=5).map(b"".join)


@st.composite
def pieces(draw, streams):
    """A stream and the same stream cut into pieces, some of them empty."""
    stream = draw(streams)
    cuts = sorted(draw(st.lists(st.integers(0, len(stream)), max_size=8)))
    return stream, [stream[a:b] for a, b in zip([0, *cuts], [*cuts, len(stream)])]


def read(parts):
    """All that the parts hold, as texts that can be compared, and whether the peer is at fault."""
    framer = Framer(LIMIT)
    found = []
    for part in parts:
        framer.feed(part)
        try:
            while True:
                taken = framer.take()
                if taken is None:
                    break
                check(taken.signature, taken.body, taken.order)
                taken.values()
                found.append([getattr(taken, name) for name in taken.__slots__])
        except PeerError as error:
            return found, str(error)
    return found, ""


@given(pieces(STREAMS))
def test_pieces_do_not_matter(example):
    stream, parts = example
    whole = read([stream])
    assert read(parts) == whole
    assert read([stream[at : at + 1] for at in range(len(stream))]) == whole


@given(st.lists(VALID, max_size=4), BROKEN)
def test_what_comes_before_a_fault_is_delivered(good, broken):
    before, fault = read([b"".join(good)])
    assert (len(before), fault) == (len(good), "")
    found, _ = read([b"".join([*good, broken])])
    assert found[: len(good)] == before


@given(pieces(STREAMS))
def test_work_is_bounded_by_the_bytes_and_the_pieces(example):
    stream, parts = example
    assert count_calls(read, parts) <= 200 + 100 * (len(stream) + len(parts))


@given(st.lists(VALID, min_size=1, max_size=4), st.data())
def test_messages_that_are_fed_without_taking_are_all_there(good, data):
    framer = Framer(LIMIT)
    taken = []
    for part in data.draw(pieces(st.just(b"".join(good))))[1]:
        framer.feed(part)
        if data.draw(st.booleans()):
            taken.append(framer.take())
    taken += [framer.take() for _ in range(len(good) + 1)]
    assert len([found for found in taken if found is not None]) == len(good)


@given(VALID, st.integers(0, 1 << 12))
def test_bytes_behind_a_message_do_not_change_it(data, behind):
    # Neither what a header field or the body could reach into, nor what looks like more of it.
    alone = read([data])
    for byte in (b"\0", b"a", b"\xff"):
        found, _ = read([data + byte * behind])
        assert found[:1] == alone[0]


@given(VALID.flatmap(lambda data: st.tuples(st.just(data), faulty(data))))
def test_a_broken_message_is_judged_without_what_follows(example):
    _, broken = example
    found, fault = read([broken])
    if fault:
        again, fault_again = read([broken + message(CALL) * 3])
        assert (again[: len(found)], bool(fault_again)) == (found, True)
