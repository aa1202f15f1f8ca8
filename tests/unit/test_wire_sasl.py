"""Authentication: the table of answers, the limits, and bytes that come in any pieces."""

from __future__ import annotations

import pytest

from hirte.wire.errors import PeerError
from hirte.wire.limits import SASL_LINE_BYTES, SASL_LINES
from hirte.wire.sasl import CLIENT_OPENING, Client, Server

GUID = "0123456789abcdef0123456789abcdef"
OK = f"OK {GUID}"
REFUSED = "REJECTED EXTERNAL ANONYMOUS"

# Lines of the client, and the answers to them on a TCP socket; BEGIN has none.
DIALOGUES = {
    "libsystemd over TCP": (["AUTH EXTERNAL", "DATA", "BEGIN"], ["DATA", OK]),
    "libsystemd over a Unix socket": (
        ["AUTH EXTERNAL", "DATA", "NEGOTIATE_UNIX_FD", "BEGIN"],
        ["DATA", OK, "ERROR"],
    ),
    "libdbus": (["AUTH EXTERNAL 31303030", "NEGOTIATE_UNIX_FD", "BEGIN"], [OK, "ERROR"]),
    "AUTH alone": (["AUTH"], [REFUSED]),
    "AUTH of another mechanism": (["AUTH DBUS_COOKIE_SHA1 30"], [REFUSED]),
    "AUTH of a mechanism in small letters": (["AUTH external"], [REFUSED]),
    "AUTH without a space": (["AUTHEXTERNAL"], ["ERROR"]),
    "AUTH EXTERNAL": (["AUTH EXTERNAL"], ["DATA"]),
    "AUTH ANONYMOUS": (["AUTH ANONYMOUS"], ["DATA"]),
    "AUTH EXTERNAL with a uid": (["AUTH EXTERNAL 30"], [OK]),
    "AUTH EXTERNAL with a large uid": (["AUTH EXTERNAL 34323934393637323935"], [OK]),
    "AUTH ANONYMOUS with a trace": (["AUTH ANONYMOUS 6a6565706e6579"], [OK]),
    "AUTH EXTERNAL, not hexadecimal": (["AUTH EXTERNAL 3z"], ["REJECTED"]),
    "AUTH EXTERNAL, odd length": (["AUTH EXTERNAL 303"], ["REJECTED"]),
    "AUTH EXTERNAL, not a number": (["AUTH EXTERNAL 726f6f74"], ["REJECTED"]),
    "AUTH EXTERNAL, a sign": (["AUTH EXTERNAL 2d31"], ["REJECTED"]),
    "AUTH EXTERNAL, blanks": (["AUTH EXTERNAL 30 30", "AUTH EXTERNAL 30\t"], ["REJECTED"] * 2),
    "AUTH EXTERNAL, not ASCII": (["AUTH EXTERNAL \u0663\u0660"], ["REJECTED"]),
    "AUTH EXTERNAL, nothing behind the blank": (["AUTH EXTERNAL "], ["REJECTED"]),
    "AUTH ANONYMOUS, not hexadecimal": (["AUTH ANONYMOUS zz"], ["REJECTED"]),
    "DATA": (["AUTH EXTERNAL", "DATA"], ["DATA", OK]),
    "DATA with a uid": (["AUTH EXTERNAL", "DATA 30"], ["DATA", OK]),
    "DATA, not hexadecimal": (["AUTH EXTERNAL", "DATA 3"], ["DATA", "REJECTED"]),
    "DATA before AUTH": (["DATA", "DATA 30"], ["ERROR", "ERROR"]),
    "DATA after a refusal": (["AUTH EXTERNAL zz", "DATA"], ["REJECTED", "ERROR"]),
    "CANCEL": (["AUTH EXTERNAL", "CANCEL"], ["DATA", "REJECTED"]),
    "CANCEL after OK takes it back": (
        ["AUTH EXTERNAL 30", "CANCEL", "BEGIN"],
        [OK, "REJECTED", "ERROR"],
    ),
    "CANCEL before AUTH": (["CANCEL"], ["REJECTED"]),
    "ERROR": (["AUTH EXTERNAL", "ERROR"], ["DATA", "REJECTED"]),
    "ERROR with a text": (["AUTH EXTERNAL", "ERROR what"], ["DATA", "REJECTED"]),
    "BEGIN before AUTH": (["BEGIN"], ["ERROR"]),
    "BEGIN before OK": (["AUTH EXTERNAL", "BEGIN"], ["DATA", "ERROR"]),
    "BEGIN with an argument": (["AUTH EXTERNAL 30", "BEGIN now"], [OK, "ERROR"]),
    "NEGOTIATE_UNIX_FD before AUTH": (["NEGOTIATE_UNIX_FD"], ["ERROR"]),
    "unknown lines": (["", "HELLO", "begin", " AUTH EXTERNAL", "OK"], ["ERROR"] * 5),
    "a second attempt": (["AUTH", "AUTH EXTERNAL", "DATA", "BEGIN"], [REFUSED, "DATA", OK]),
    "AUTH after OK starts again": (
        ["AUTH EXTERNAL 30", "AUTH FOO", "BEGIN", "AUTH EXTERNAL 30", "BEGIN"],
        [OK, REFUSED, "ERROR", OK],
    ),
}


def lines(texts):
    return "".join(text + "\r\n" for text in texts).encode()


@pytest.mark.parametrize("said, answers", DIALOGUES.values(), ids=DIALOGUES)
def test_every_line_has_its_answer(said, answers):
    server = Server(GUID, unix=False)
    assert server.feed(b"\0" + lines(said)) == lines(answers)
    assert server.done == (len(answers) < len(said))


@pytest.mark.parametrize("said, answers", DIALOGUES.values(), ids=DIALOGUES)
def test_bytes_may_come_in_any_two_pieces_and_one_by_one(said, answers):
    stream = b"\0" + lines(said)
    for cut in range(len(stream) + 1):
        server = Server(GUID, unix=False)
        assert server.feed(stream[:cut]) + server.feed(stream[cut:]) == lines(answers)
    server = Server(GUID, unix=False)
    got = b"".join(server.feed(stream[at : at + 1]) for at in range(len(stream)))
    assert got == lines(answers)


def test_descriptors_are_agreed_to_on_unix_sockets_only_after_auth():
    server = Server(GUID, unix=True)
    said = ["NEGOTIATE_UNIX_FD", "AUTH EXTERNAL", "DATA", "NEGOTIATE_UNIX_FD", "BEGIN"]
    assert server.feed(b"\0" + lines(said)) == lines(["ERROR", "DATA", OK, "AGREE_UNIX_FD"])
    assert server.done


@pytest.mark.parametrize("first", [b"A", b"\1", b"AUTH EXTERNAL\r\n", b"\xff"])
def test_the_first_byte_must_be_nul(first):
    with pytest.raises(PeerError, match="not NUL"):
        Server(GUID, unix=False).feed(first)


def test_a_second_nul_is_part_of_a_line():
    assert Server(GUID, unix=False).feed(b"\0\0AUTH\r\n") == b"ERROR\r\n"


def test_lone_carriage_returns_and_line_feeds_are_part_of_a_line():
    server = Server(GUID, unix=False)
    assert server.feed(b"\0AUTH EXTERNAL\nDATA\rBEGIN\r\n") == lines([REFUSED])


def test_what_follows_begin_belongs_to_the_messages():
    for cut in range(len(CLIENT_OPENING), len(CLIENT_OPENING) + 7):
        server = Server(GUID, unix=False)
        stream = CLIENT_OPENING + b"l\1\r\nBEGIN\r\n"
        server.feed(stream[:cut])
        assert server.done
        assert server.rest() + stream[cut:] == b"l\1\r\nBEGIN\r\n"
        assert server.rest() == b""


@pytest.mark.parametrize("whole", [True, False])
def test_the_longest_line_and_one_byte_more(whole):
    def feed(server, stream):
        size = len(stream) if whole else 1
        return b"".join(server.feed(stream[at : at + size]) for at in range(0, len(stream), size))

    longest = b"X" * SASL_LINE_BYTES
    assert feed(Server(GUID, unix=False), b"\0" + longest + b"\r\n") == b"ERROR\r\n"
    for longer in (longest + b"X\r\n", longest + b"XX", longest + b"\rX"):
        with pytest.raises(PeerError, match="too long"):
            feed(Server(GUID, unix=False), b"\0" + longer)
        with pytest.raises(PeerError, match="too long"):
            feed(Client(), longer)


def test_the_last_line_and_one_more():
    server = Server(GUID, unix=False)
    server.feed(b"\0" + b"AUTH\r\n" * SASL_LINES)
    with pytest.raises(PeerError, match="come to an end"):
        server.feed(b"AUTH\r\n")
    client = Client()
    client.feed(b"DATA\r\n" * SASL_LINES)
    with pytest.raises(PeerError, match="come to an end"):
        client.feed(b"DATA\r\n")


# What servers say to our opening, and whether that lets us in.
ANSWERS = {
    "libsystemd and libdbus": (["DATA", OK], True),
    "no DATA": ([OK], True),
    "OK alone": (["OK"], True),
    "not yet": (["DATA"], False),
}


@pytest.mark.parametrize("answers, done", ANSWERS.values(), ids=ANSWERS)
def test_the_client_waits_for_ok(answers, done):
    stream = lines(answers)
    for cut in range(len(stream) + 1):
        client = Client()
        assert client.feed(stream[:cut]) + client.feed(stream[cut:]) == b""
        assert client.done == done


@pytest.mark.parametrize(
    "line",
    ["REJECTED", REFUSED, "ERROR", "ERROR why", "", "OKAY", "AGREE_UNIX_FD", "\0", "HTTP/1.1 400"],
)
def test_the_client_is_refused(line):
    with pytest.raises(PeerError, match="refused"):
        Client().feed(lines(["DATA", line]))


def test_what_follows_ok_belongs_to_the_messages():
    client = Client()
    client.feed(lines(["DATA", OK]) + b"l\2\r\n")
    assert (client.done, client.rest(), client.rest()) == (True, b"l\2\r\n", b"")


@pytest.mark.parametrize("unix", [True, False])
@pytest.mark.parametrize("size", [1, 3, 1000])
def test_both_roles_against_each_other(unix, size):
    client, server = Client(), Server(GUID, unix)
    answers = b""
    for at in range(0, len(CLIENT_OPENING), size):
        answers += server.feed(CLIENT_OPENING[at : at + size])
    for at in range(0, len(answers), size):
        assert client.feed(answers[at : at + size]) == b""
    assert client.done
    assert server.done
    assert client.rest() == server.rest() == b""
