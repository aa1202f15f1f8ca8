"""Bodies: what is written is read again; what is judged is judged the same by all judges."""

from __future__ import annotations

import struct
import sys

from hypothesis import given
from hypothesis import strategies as st

from hirte.wire import check as wire_check
from hirte.wire import splice
from hirte.wire.check import check
from hirte.wire.decode import decode
from hirte.wire.encode import NATIVE, encode
from hirte.wire.errors import PeerError
from hirte.wire.message import Message

from .oracles import jeepney_body
from .strategies import ARGUMENTS, BASIC, ORDERS, TEXTS, TYPES, faulty

FOREIGN = ">" if NATIVE == "<" else "<"
MUTATED = ARGUMENTS.flatmap(lambda both: st.tuples(st.just(both[0]), faulty(encode(*both))))
SOUP = st.binary(max_size=64) | st.lists(
    st.sampled_from(
        [bytes(4), b"\1\0\0\0", b"\0\0\0\1", b"\4\0\0\0", b"a\0", b"\1s\0", b"\1v\0", b"/\0"]
    )
).map(b"".join)


def verdict(judge, signature, body, order):
    """What a judge says; any other exception than PeerError fails the test."""
    try:
        return (judge(signature, body, order),)
    except PeerError:
        return None


def count_values(value):
    if isinstance(value, dict):
        return 1 + sum(count_values(key) + count_values(item) for key, item in value.items())
    if isinstance(value, (list, tuple)):
        return 1 + sum(map(count_values, value))
    return 1


def count_calls(function, *arguments):
    """How many functions are called, of Python and of C: time, but the same on every machine."""
    calls = 0

    def count(frame, event, argument):
        nonlocal calls
        calls += event in ("call", "c_call")

    before = sys.getprofile()
    sys.setprofile(count)
    try:
        function(*arguments)
    except PeerError:
        pass
    finally:
        sys.setprofile(before)
    return calls


@given(ARGUMENTS)
def test_what_is_encoded_decodes_to_the_same_and_is_valid(both):
    signature, values = both
    body = encode(signature, values)
    assert decode(signature, body, NATIVE) == values
    check(signature, body, NATIVE)
    assert encode(signature, decode(signature, body, NATIVE)) == body


@given(ARGUMENTS)
def test_the_foreign_byte_order_is_read_and_converted(both):
    signature, values = both
    body = jeepney_body(signature, values, FOREIGN)
    assert decode(signature, body, FOREIGN) == values
    check(signature, body, FOREIGN)
    message = Message(1, order=FOREIGN)
    message.signature, message.body = signature, body
    assert splice.native_body(message) == encode(signature, values)


@given(MUTATED)
def test_judges_agree_about_bodies_with_faults(both):
    signature, body = both
    decoded = verdict(decode, signature, body, NATIVE)
    assert (verdict(check, signature, body, NATIVE) is None) == (decoded is None)


@given(MUTATED)
def test_what_is_accepted_is_the_same_bytes_when_written_again(both):
    # Only dictionaries may shrink: a key that comes twice is kept once.
    signature, body = both
    decoded = verdict(decode, signature, body, NATIVE)
    if decoded and "{" not in signature and b"{" not in body:
        again = encode(signature, decoded[0])
        # A double that is not a number keeps its place, but maybe not its bits.
        assert again == body or ("d" in signature or b"d" in body)
        assert len(again) == len(body)


@given(st.lists(TYPES, min_size=1, max_size=3), SOUP, ORDERS)
def test_judges_agree_about_any_bytes(types, body, order):
    signature = "".join(typed.signature for typed in types)[:255]
    decoded = verdict(decode, signature, body, order)
    assert (verdict(check, signature, body, order) is None) == (decoded is None)


@given(st.text(alphabet="ybnqiuxtdhsogva(){}z\u00e4", max_size=40), SOUP, ORDERS)
def test_judges_agree_about_any_signature(signature, body, order):
    decoded = verdict(decode, signature, body, order)
    assert (verdict(check, signature, body, order) is None) == (decoded is None)


@given(MUTATED, ORDERS)
def test_work_is_bounded_by_the_bytes(both, order):
    signature, body = both
    decoded = verdict(decode, signature, body, order)
    if decoded:
        assert count_values(decoded[0]) <= 1 + len(signature) + 2 * len(body)
    for judge in (decode, check):
        assert count_calls(judge, signature, body, order) <= 200 + 60 * (len(body) + len(signature))


@given(st.integers(1, 400))
def test_work_grows_with_the_bytes_and_not_with_their_square(count):
    # Shapes that invite rescanning: nested arrays, empty arrays, variants in variants, texts.
    bodies = {
        "aas": encode("aas", ([[]] * count,)),
        "av": encode("av", ([("v", ("v", ("y", 1)))] * count,)),
        "a(ay)": encode("a(ay)", ([(b"",)] * count,)),
        "a{s(ss)}": encode("a{s(ss)}", ({str(n): ("", "") for n in range(count)},)),
    }
    for signature, body in bodies.items():
        for judge in (decode, wire_check._walk):
            arguments = (signature, body, NATIVE)[: 2 + (judge is decode)]
            assert count_calls(judge, *arguments) <= 200 + 6 * len(body)


@given(st.dictionaries(TEXTS, st.lists(st.tuples(TEXTS, TEXTS), max_size=5), max_size=6))
def test_arrays_are_put_into_a_dictionary_by_copying(arrays):
    bodies = [(key, encode("a(ss)", (array,))) for key, array in arrays.items()]
    assert splice.dict_of_arrays(bodies) == encode("a{sa(ss)}", (arrays,))


@given(
    st.lists(st.sampled_from(BASIC), max_size=4).flatmap(
        lambda types: st.dictionaries(
            TEXTS, st.lists(st.tuples(st.just(1), *[typed.values for typed in types])), max_size=3
        ).map(lambda arrays: ("y" + "".join(typed.signature for typed in types), arrays))
    )
)
def test_the_type_of_the_structs_does_not_matter(example):
    fields, arrays = example
    bodies = [(key, encode(f"a({fields})", (array,))) for key, array in arrays.items()]
    assert splice.dict_of_arrays(bodies) == encode(f"a{{sa({fields})}}", (arrays,))


@given(st.floats())
def test_doubles_keep_their_value(number):
    (again,) = decode("d", encode("d", (number,)), NATIVE)
    assert struct.pack("d", again) == struct.pack("d", number)
