"""The grammar of signatures."""

from __future__ import annotations

import pytest

from hirte.wire.errors import PeerError
from hirte.wire.signature import ALIGNMENT, BASIC, parse, parse_single

STRING = ("s",)


def test_trees():
    assert parse("") == ()
    assert parse("su") == (STRING, ("u",))
    assert parse("as") == (("a", STRING),)
    assert parse("(s(sv))") == (("(", (STRING, ("(", (STRING, ("v",))))),)
    assert parse("a{sa{sv}}") == (("a", ("{", STRING, ("a", ("{", STRING, ("v",))))),)


@pytest.mark.parametrize("code", BASIC)
def test_every_basic_type_can_be_a_dictionary_key(code):
    assert parse(f"a{{{code}v}}") == (("a", ("{", (code,), ("v",))),)


def test_every_type_has_an_alignment():
    assert sorted(ALIGNMENT) == sorted(BASIC + "va({")


@pytest.mark.parametrize(
    "text",
    [
        "a", "aa", "(", ")", "()", "(s", "s)", "((s)", "(())", "a()",
        "{", "}", "{ss}", "({ss})", "a{", "a{s", "a{ss", "a{}", "a{s}", "a{sss}", "a{vs}",
        "a{(s)s}", "a{ass}", "a{a{ss}s}", "a{s)", "(s}",
        "z", "m", "r", "e", "s\0", "\0", " ", "s s", "*", "\u00e4", "S", "&s",
        "a" * 33 + "s", "(" * 33 + "s" + ")" * 33, "s" * 256,
    ],
)  # fmt: skip
def test_what_the_specification_does_not_allow(text):
    for _ in range(2):
        with pytest.raises(PeerError):
            parse(text)


@pytest.mark.parametrize(
    "text",
    [
        "s" * 255,
        "a" * 32 + "s",
        "(" * 32 + "s" + ")" * 32,
        "a" * 32 + "(" * 32 + "s" + ")" * 32,
        "a(" * 32 + "s" + ")" * 32,
        "a{s" * 31 + "a(s)" + "}" * 31,
        # Beside each other they are not nested.
        "as" * 127,
        "(s)" * 85,
    ],
)
def test_what_is_just_allowed(text):
    assert parse(text) == parse(text)


def test_dictionaries_count_as_arrays_and_as_structs():
    parse("a{s" * 32 + "s" + "}" * 32)
    with pytest.raises(PeerError):
        parse("a{s" * 32 + "as" + "}" * 32)
    with pytest.raises(PeerError):
        parse("a{s" * 32 + "(s)" + "}" * 32)


@pytest.mark.parametrize("text", ["", "ss", "s(s)", "{ss}"])
def test_not_a_single_complete_type(text):
    with pytest.raises(PeerError):
        parse_single(text)


def test_a_single_complete_type():
    assert parse_single("a{sv}") == parse("a{sv}")[0]
