"""Examples of D-Bus: types with values, names, messages, and messages with faults.

The types are made here and not by the code under test: a type is a pair of its signature and the
strategy of its values.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from hypothesis import strategies as st

from tests.unit.wire_raw import message

LETTERS = "abcxyzABCXYZ_"
WORDS = st.text(LETTERS + "0189", min_size=1, max_size=12)
MEMBERS = st.builds(str.__add__, st.sampled_from(LETTERS), st.text(LETTERS + "0189", max_size=12))
INTERFACES = st.lists(MEMBERS, min_size=2, max_size=5).map(".".join)
BUS_NAMES = INTERFACES | st.integers(0, 1 << 40).map(":1.{}".format)
PATHS = st.lists(WORDS, max_size=5).map(lambda words: "/" + "/".join(words))
TEXTS = st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="\0"), max_size=20)
SIGNATURES = st.sampled_from(["", "s", "a{sv}", "(yv)", "aas", "ssu", "a(ssssssouso)"])

# No two of them may be equal: they become keys of Python's dictionaries. So no NaN, no zero that
# is negative.
DOUBLES = st.floats(allow_nan=False).map(lambda number: number + 0.0)


class Typed(NamedTuple):
    """A type, and a strategy of values that fit it."""

    signature: str
    values: st.SearchStrategy[Any]


BASIC = [
    Typed("y", st.integers(0, 0xFF)),
    Typed("b", st.booleans()),
    Typed("n", st.integers(-(1 << 15), (1 << 15) - 1)),
    Typed("q", st.integers(0, (1 << 16) - 1)),
    Typed("i", st.integers(-(1 << 31), (1 << 31) - 1)),
    Typed("u", st.integers(0, (1 << 32) - 1)),
    Typed("x", st.integers(-(1 << 63), (1 << 63) - 1)),
    Typed("t", st.integers(0, (1 << 64) - 1)),
    Typed("d", DOUBLES),
    Typed("s", TEXTS),
    Typed("o", PATHS),
    Typed("g", SIGNATURES),
]


def _array(element: Typed) -> Typed:
    if element.signature == "y":
        return Typed("ay", st.binary(max_size=20))
    return Typed("a" + element.signature, st.lists(element.values, max_size=4))


def _struct(fields: list[Typed]) -> Typed:
    signature = "(" + "".join(field.signature for field in fields) + ")"
    return Typed(signature, st.tuples(*[field.values for field in fields]))


def _dictionary(key: Typed, value: Typed) -> Typed:
    return Typed(
        f"a{{{key.signature}{value.signature}}}",
        st.dictionaries(key.values, value.values, max_size=4),
    )


def _variant(inner: st.SearchStrategy[Typed]) -> Typed:
    values = inner.flatmap(lambda typed: st.tuples(st.just(typed.signature), typed.values))
    return Typed("v", values)


def _containers(inner: st.SearchStrategy[Typed]) -> st.SearchStrategy[Typed]:
    return st.one_of(
        inner.map(_array),
        st.lists(inner, min_size=1, max_size=4).map(_struct),
        st.builds(_dictionary, st.sampled_from(BASIC), inner),
        st.just(_variant(inner)),
    )


# Not st.recursive(): a variant keeps the strategy of what is in it for later.
TYPES = st.sampled_from(BASIC)
for _ in range(3):
    TYPES = st.sampled_from(BASIC) | _containers(TYPES)


def _together(types: list[Typed]) -> st.SearchStrategy[tuple[str, tuple[Any, ...]]]:
    signature = "".join(typed.signature for typed in types)
    return st.tuples(st.just(signature), st.tuples(*[typed.values for typed in types]))


# Pairs of a signature and its arguments.
ARGUMENTS = (
    st.lists(TYPES, max_size=4)
    .filter(lambda types: sum(len(typed.signature) for typed in types) <= 255)
    .flatmap(_together)
)

ORDERS = st.sampled_from("<>")
SERIALS = st.integers(1, 0xFFFFFFFF)


@st.composite
def faulty(draw: Any, data: bytes) -> bytes:
    """Return `data` with a few of the faults that hide well: each keeps most of it valid."""
    broken = bytearray(data)
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, max(0, len(broken) - 1)))
        fault = draw(st.integers(0, 4))
        if fault == 0 and broken:
            broken[at] ^= 1 << draw(st.integers(0, 7))
        elif fault == 1 and broken:
            broken[at] = draw(st.sampled_from(b"\0\1\2\4\7\x7f\x80\xff()av{}sy/lB"))
        elif fault == 2:
            del broken[at:]
        elif fault == 3:
            broken[at:at] = draw(st.binary(min_size=1, max_size=8))
        else:
            del broken[at : at + draw(st.integers(1, 8))]
    return bytes(broken)


# Headers written by hand: each of the fields right, wrong, or missing.
FIELDS = st.one_of(
    st.tuples(st.just(1), st.just("o"), PATHS),
    st.tuples(st.sampled_from([2, 4]), st.just("s"), INTERFACES),
    st.tuples(st.just(3), st.just("s"), MEMBERS),
    st.tuples(st.sampled_from([6, 7]), st.just("s"), BUS_NAMES),
    st.tuples(st.just(5), st.just("u"), st.integers(0, 3)),
    st.tuples(st.just(8), st.just("g"), SIGNATURES),
    st.tuples(st.integers(0, 255), st.sampled_from("sogu"), st.binary(max_size=8)),
    st.binary(max_size=12),
)
HEADERS = st.builds(
    message,
    st.lists(FIELDS, max_size=6),
    st.binary(max_size=16),
    kind=st.integers(0, 5),
    flags=st.integers(0, 255),
    serial=st.integers(0, 2),
    order=ORDERS,
    version=st.sampled_from([1, 1, 1, 0]),
)
