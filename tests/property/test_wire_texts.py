"""Authentication, addresses and escaped names: any input, in any pieces."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from hirte.wire.address import Address, parse
from hirte.wire.errors import AddressError, PeerError
from hirte.wire.escape import escape
from hirte.wire.limits import SASL_LINE_BYTES, SASL_LINES
from hirte.wire.names import is_object_path
from hirte.wire.sasl import Client, Server

from .strategies import TEXTS

GUID = "0" * 32
SAID = [
    b"AUTH", b"AUTH EXTERNAL", b"AUTH EXTERNAL 30", b"AUTH ANONYMOUS", b"AUTH ANONYMOUS 61",
    b"DATA", b"DATA 30", b"DATA 3", b"NEGOTIATE_UNIX_FD", b"CANCEL", b"ERROR", b"ERROR x",
    b"BEGIN", b"BEGIN ", b"", b"\0", b"\r", b"\xff",
]  # fmt: skip
LINES = st.lists(st.sampled_from(SAID) | st.binary(max_size=12), max_size=12)
JOINED = LINES.map(lambda lines: b"".join(line + b"\r\n" for line in lines))
STREAMS = JOINED | st.binary(max_size=60)


def converse(side, parts):
    """What was answered, what is left for the messages, and whether the peer was at fault."""
    answers, rest = b"", b""
    for part in parts:
        if side.done:
            rest += part
            continue
        try:
            answers += side.feed(part)
        except PeerError:
            return None
        if side.done:
            rest += side.rest()
    return answers, rest, side.done


@given(STREAMS, st.integers(0, 100), st.booleans(), st.booleans())
def test_the_pieces_of_an_authentication_do_not_matter(stream, cut, unix, nul):
    if nul:
        stream = b"\0" + stream
    ways = [[stream], [stream[:cut], stream[cut:]], [bytes([byte]) for byte in stream]]
    for make in (lambda: Server(GUID, unix), Client):
        first, *others = [converse(make(), way) for way in ways]
        assert others == [first, first]


@given(LINES, st.booleans())
def test_the_server_answers_each_line_with_one_line(lines, unix):
    lines = [line.replace(b"\r\n", b"") for line in lines]
    stream = b"\0" + b"".join(line.rstrip(b"\r") + b"\r\n" for line in lines)
    server = Server(GUID, unix)
    answers = server.feed(stream)
    rest = server.rest()
    taken = stream[: len(stream) - len(rest)].count(b"\r\n")
    assert answers.count(b"\r\n") == taken - server.done
    assert not server.done or b"OK " in answers


@given(st.lists(st.integers(0, 2 * SASL_LINE_BYTES), max_size=2 * SASL_LINES))
def test_an_endless_authentication_is_ended(sizes):
    server = Server(GUID, unix=False)
    ended = False
    try:
        server.feed(b"\0")
        for size in sizes:
            server.feed(b"x" * size)
            server.feed(b"\r\n")
    except PeerError:
        ended = True
    assert ended == (len(sizes) > SASL_LINES or any(size > SASL_LINE_BYTES for size in sizes))


@given(st.text(st.characters(blacklist_categories=["Cs"])))
def test_escaped_names_are_elements_of_paths(name):
    element = escape(name)
    assert is_object_path(b"/" + element.encode())
    assert "/" not in element


@given(TEXTS, TEXTS)
def test_different_names_have_different_escapes(one, other):
    assert (escape(one) == escape(other)) == (one == other)


@given(TEXTS.filter(bool), st.integers(1, 65535), st.booleans())
def test_addresses_come_back(text, port, abstract):
    for address in (Address(host=text, port=port), Address(path="\0" * abstract + text)):
        assert parse(str(address)) == [address]
        (again,) = parse(str(address))
        assert (again.host, again.port, again.path) == (address.host, address.port, address.path)


SOUP = st.lists(
    st.sampled_from(
        [
            "unix:",
            "tcp:",
            "path=",
            "host=",
            "port=",
            "abstract=",
            ",",
            ";",
            "%",
            "%2f",
            "1",
            "/",
            "=",
        ]
    )
).map("".join)


@given(SOUP | st.text())
def test_any_text_is_an_address_or_refused(text):
    try:
        found = parse(text)
    except AddressError as error:
        assert str(error)
        return
    assert found
    assert parse(";".join(map(str, found))) == found
