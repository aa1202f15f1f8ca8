"""Bodies: values to bytes, bytes to values, and bytes proven valid; one table for all three."""

from __future__ import annotations

import struct

import pytest

from hirte.wire import check as wire_check
from hirte.wire import signature as wire_signature
from hirte.wire.check import check
from hirte.wire.decode import decode
from hirte.wire.encode import NATIVE, encode
from hirte.wire.errors import EncodeError, PeerError
from hirte.wire.limits import CACHE_SIGNATURE_BYTES, CACHE_SIGNATURES

LITTLE_ONLY = pytest.mark.skipif(NATIVE == ">", reason="encode() writes this machine's byte order")

# Signature, values, little-endian bytes in hexadecimal.
VECTORS = [
    ("", (), ""),
    ("y", (255,), "ff"),
    ("b", (True,), "01000000"),
    ("n", (-2,), "feff"),
    ("q", (65535,), "ffff"),
    ("i", (-1,), "ffffffff"),
    ("u", (1,), "01000000"),
    ("h", (3,), "03000000"),
    ("x", (-1,), "ffffffffffffffff"),
    ("t", (1,), "0100000000000000"),
    ("d", (1.0,), "000000000000f03f"),
    ("s", ("",), "00000000 00"),
    ("s", ("\u00e4",), "02000000 c3a4 00"),
    ("o", ("/",), "01000000 2f 00"),
    ("g", ("a{sv}",), "05 617b73767d 00"),
    ("g", ("",), "00 00"),
    ("v", (("y", 1),), "01 79 00 01"),
    ("v", (("u", 1),), "01 75 00 00 01000000"),
    ("v", (("v", ("s", "a")),), "01 76 00 01 73 00 0000 01000000 61 00"),
    ("yu", (1, 2), "01 000000 02000000"),
    ("yt", (1, 2), "01 00000000000000 0200000000000000"),
    ("ay", (b"\1\2",), "02000000 0102"),
    ("ay", (b"",), "00000000"),
    ("as", (["a", "bc"],), "0f000000 01000000 61 00 0000 02000000 6263 00"),
    ("at", ([],), "00000000 00000000"),
    ("at", ([1],), "08000000 00000000 0100000000000000"),
    ("a(yu)", ([(1, 2)],), "08000000 00000000 01 000000 02000000"),
    ("a(yu)", ([],), "00000000 00000000"),
    ("a{sv}", ({},), "00000000 00000000"),
    ("a{sv}", ({"a": ("b", False)},), "10000000 00000000 01000000 61 00 01 62 00 000000 00000000"),
    ("a{yy}", ({1: 2, 3: 4},), "0a000000 00000000 0102 000000000000 0304"),
    ("aay", ([b"a", b""],), "0c000000 01000000 61 000000 00000000"),
    ("y(y)", (1, (2,)), "01 00000000000000 02"),
    ("(y(y)y)", ((1, (2,), 3),), "01 00000000000000 02 03"),
    ("aai", ([[], [-1]],), "0c000000 00000000 04000000 ffffffff"),
]
IDS = [f"{signature or 'nothing'}-{raw}" for signature, _, raw in VECTORS]


@pytest.mark.parametrize("signature, values, raw", VECTORS, ids=IDS)
def test_bytes_are_those_of_the_specification(signature, values, raw):
    body = bytes.fromhex(raw)
    assert decode(signature, body, "<") == values
    check(signature, body, "<")


@LITTLE_ONLY
@pytest.mark.parametrize("signature, values, raw", VECTORS, ids=IDS)
def test_values_become_those_bytes(signature, values, raw):
    assert encode(signature, values) == bytes.fromhex(raw)


@pytest.mark.parametrize("signature, values, raw", VECTORS, ids=IDS)
def test_a_body_cut_or_lengthened_anywhere_is_refused(signature, values, raw):
    body = bytes.fromhex(raw)
    others = [body[:size] for size in range(len(body))] + [body + b"\0"]
    for other in others:
        for judge in (decode, check):
            with pytest.raises(PeerError):
                judge(signature, other, "<")


def test_both_byte_orders():
    body = struct.pack(">BxxxIhxxI", 1, 2, -3, 2) + b"\xc3\xa4\0"
    assert decode("yuns", body, ">") == (1, 2, -3, "\u00e4")
    check("yuns", body, ">")
    with pytest.raises(PeerError):
        check("yuns", body, "<")


FORBIDDEN = {
    "boolean of 2": ("b", "02000000"),
    "boolean of 256": ("b", "00010000"),
    "boolean in an array": ("ab", "08000000 01000000 02000000"),
    "padding before a word": ("yu", "01 000001 00000000"),
    "padding before eight bytes": ("yt", "01 01000000000000 0000000000000000"),
    "padding before two bytes": ("yn", "01 01 0000"),
    "padding before an array": ("yas", "01 010000 00000000"),
    "padding of an empty array of structs": ("a(yy)", "00000000 00000001"),
    "padding of an empty dictionary": ("a{ss}", "00000000 01000000"),
    "padding between structs": ("a(y)", "09000000 00000000 01 00000000010000 02"),
    "padding before a struct": ("y(y)", "01 00000000000001 02"),
    "NUL inside": ("s", "03000000 610062 00"),
    "NUL first": ("s", "01000000 00 00"),
    "no NUL": ("s", "01000000 6161"),
    "string of 4 GiB": ("s", "ffffffff 00"),
    "path of 4 GiB": ("o", "ffffffff 00"),
    "overlong UTF-8": ("s", "02000000 c080 00"),
    "surrogate in UTF-8": ("s", "03000000 eda080 00"),
    "half a character": ("s", "01000000 c3 00"),
    "above the last code point": ("s", "04000000 f4908080 00"),
    "empty path": ("o", "00000000 00"),
    "path with an end slash": ("o", "03000000 2f612f 00"),
    "path with a hyphen": ("o", "03000000 2f612d 00"),
    "path that is not UTF-8": ("o", "02000000 2fff 00"),
    "bad signature": ("g", "01 7a 00"),
    "signature with a NUL": ("g", "02 7900 00"),
    "signature without its NUL": ("g", "01 7979"),
    "signature not ASCII": ("g", "01 e9 00"),
    "signature too long for the body": ("g", "ff 79 00"),
    "variant without a type": ("v", "00 00 00"),
    "variant of two types": ("v", "02 7979 00 0101"),
    "variant of a dict entry": ("v", "04 7b79797d 00 0000 0101"),
    "variant of a bad type": ("v", "01 7a 00 01"),
    "array length within an element": ("an", "03000000 010002"),
    "array length within a struct": ("a(yy)", "01000000 00000000 0102"),
    "array length within a string": ("as", "05000000 02000000 6162 00"),
    "array length within a padding": ("a(yu)", "02000000 00000000 01 000000 02000000"),
    "inner array longer than the outer": ("aay", "05000000 02000000 0102"),
    "inner array of nothing crosses the outer": ("aa(y)", "04000000 00000000 00000000"),
    "array of 4 GiB": ("ay", "ffffffff 00"),
    "array above 64 MiB": ("ay", "01000004 00"),
}


@pytest.mark.parametrize("signature, raw", FORBIDDEN.values(), ids=FORBIDDEN)
def test_forbidden_bytes(signature, raw):
    body = bytes.fromhex(raw)
    for judge in (decode, check):
        with pytest.raises(PeerError):
            judge(signature, body, "<")


def test_noncharacters_of_unicode_are_allowed():
    body = encode("s", ("\uffff\ufdd0\U0010ffff",))
    check("s", body, NATIVE)
    assert decode("s", body, NATIVE) == ("\uffff\ufdd0\U0010ffff",)


def test_large_bodies_are_judged_again_after_one_was_proven():
    body = encode("as", (["abc"] * 1000,))
    check("as", body, NATIVE)
    check("as", body, NATIVE)
    with pytest.raises(PeerError):
        check("as", body[:-1] + b"x", NATIVE)
    with pytest.raises(PeerError):
        check("ao", body, NATIVE)
    for _ in range(2):
        with pytest.raises(PeerError):
            check("as", body + b"\0", NATIVE)


def variants_around(count, signature, value):
    """A value inside of `count` variants."""
    for _ in range(count - 1):
        signature, value = "v", (signature, value)
    return (signature, value)


NESTS = {
    "arrays": ("a", "", lambda value: [value]),
    "structs": ("(", ")", lambda value: (value,)),
    "dictionaries": ("a{y", "}", lambda value: {1: value}),
}


def nest(count, opening, closing, wrap):
    """The signature of `count` containers around a text, and their value."""
    value = "deep"
    for _ in range(count):
        value = wrap(value)
    return opening * count + "s" + closing * count, value


@pytest.mark.parametrize("kind", NESTS.values(), ids=NESTS)
def test_32_containers_of_one_kind_are_allowed_and_33_are_not(kind):
    signature, value = nest(32, *kind)
    body = encode(signature, (value,))
    assert decode(signature, body, NATIVE) == (value,)
    check(signature, body, NATIVE)
    signature, value = nest(33, *kind)
    with pytest.raises(EncodeError, match="nested too deeply"):
        encode(signature, (value,))
    for judge in (decode, check):
        with pytest.raises(PeerError, match="nested too deeply"):
            judge(signature, bytes(400), NATIVE)


# Innermost values, and how many containers of their own they open.
INNER = {
    "byte": (("y", 1), 0),
    "word": (("u", 1), 0),
    "array of bytes": (("ay", b""), 1),
    "array of longs": (("at", []), 1),
    "array of words": (("au", []), 1),
    "array of strings": (("as", ["a"]), 1),
    "struct": (("(y)", (1,)), 1),
    "array of structs": (("a(y)", [(1,)]), 2),
    "dictionary": (("a{yy}", {1: 1}), 2),
    "empty dictionary": (("a{yy}", {}), 2),
    "empty array of structs": (("a(y)", []), 1),
    "array of arrays": (("aay", [b""]), 2),
}


@pytest.mark.parametrize("inner, own", INNER.values(), ids=INNER)
def test_64_containers_of_all_kinds_are_allowed_and_65_are_not(inner, own):
    values = (variants_around(64 - own, *inner),)
    body = encode("v", values)
    assert decode("v", body, NATIVE) == values
    check("v", body, NATIVE)
    values = (variants_around(65 - own, *inner),)
    with pytest.raises(EncodeError, match="nested too deeply"):
        encode("v", values)
    signature, value = inner
    start = b"\1v\0" * (64 - own) + bytes([len(signature)]) + signature.encode() + b"\0"
    shift = len(start) % 8
    body = start + encode("y" * shift + signature, (0,) * shift + (value,))[shift:]
    for judge in (decode, check):
        with pytest.raises(PeerError, match="nested too deeply"):
            judge("v", body, NATIVE)


MISFITS = {
    "too few values": ("ss", ("a",)),
    "too many values": ("s", ("a", "b")),
    "too large": ("y", (256,)),
    "negative": ("u", (-1,)),
    "a text for a number": ("u", ("1",)),
    "a number beyond floats": ("d", (10**400,)),
    "a number for a text": ("s", (1,)),
    "bytes for a text": ("s", (b"a",)),
    "NUL in a text": ("s", ("a\0",)),
    "lone surrogate": ("s", ("\udcff",)),
    "bad path": ("o", ("a",)),
    "bad signature as a value": ("g", ("z",)),
    "a number for a signature": ("g", (1,)),
    "a text for an array": ("as", ("abc",)),
    "a number for bytes": ("ay", (5,)),
    "a text for bytes": ("ay", ("abc",)),
    "bytes out of range": ("ay", ([256],)),
    "a list for a dictionary": ("a{ss}", ([],)),
    "a struct too short": ("(ss)", (("a",),)),
    "a number for a struct": ("(ss)", (1,)),
    "a text for a struct": ("(ss)", ("ab",)),
    "a variant without a type": ("v", ("a",)),
    "a variant of two types": ("v", (("ss", "a"),)),
    "a bad signature": ("z", ("a",)),
    "an empty struct": ("()", ((),)),
    "none": ("s", (None,)),
}


@pytest.mark.parametrize("signature, values", MISFITS.values(), ids=MISFITS)
def test_values_that_do_not_fit_are_the_callers_fault(signature, values):
    with pytest.raises(EncodeError):
        encode(signature, values)


def test_the_complaint_about_a_large_value_is_short():
    with pytest.raises(EncodeError) as caught:
        encode("u", (["x" * 100_000],))
    assert len(str(caught.value)) < 300


def test_bytes_can_be_given_in_any_form():
    for value in (b"\1\2", bytearray(b"\1\2"), [1, 2], (1, 2), memoryview(b"\1\2")):
        assert encode("ay", (value,)) == struct.pack("=I", 2) + b"\1\2"


def distinct_signatures(count, length):
    """Valid signatures, all different, of one length."""
    width = count.bit_length()
    for number in range(count):
        digits = f"{number:0{width}b}".replace("0", "y").replace("1", "q")
        yield digits + "s" * (length - width)


def test_a_peer_that_invents_signatures_does_not_fill_the_memory():
    tables = (wire_signature._parsed, wire_check._compiled, wire_check._compiled_variants)
    count = 3 * CACHE_SIGNATURES
    for length in (CACHE_SIGNATURE_BYTES - 2, CACHE_SIGNATURE_BYTES + 1, 200):
        for signature in distinct_signatures(count, length):
            variant = f"({signature})".encode()
            bodies = {signature: b"", "v": bytes([len(variant)]) + variant + b"\0"}
            for body_signature, body in bodies.items():
                with pytest.raises(PeerError):
                    check(body_signature, body, NATIVE)
        for table in tables:
            assert 0 < len(table) <= CACHE_SIGNATURES
            assert all(len(known) <= CACHE_SIGNATURE_BYTES for known in table)
