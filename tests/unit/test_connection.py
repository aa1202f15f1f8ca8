"""One D-Bus connection: every call gets one answer, broken peers go, bugs stay where they are."""

from __future__ import annotations

import gc
import weakref

import pytest

from hirte.dbus import connection as module
from hirte.dbus.connection import local_error
from hirte.dbus.limits import CALL_TIMEOUT
from hirte.wire.encode import encode
from hirte.wire.limits import UNREGISTERED_QUEUE_BYTES
from hirte.wire.message import NO_REPLY_EXPECTED
from tests.unit.talk import (
    GREETING,
    OPENING,
    Clock,
    E,
    ListLog,
    client_connection,
    describe,
    server_connection,
)


class Talk:
    """A connection of ours in the client's role, authenticated, and what its owner hears."""

    def __init__(self, trusted=False):
        self.clock = Clock()
        self.log = ListLog()
        self.connection, self.peer = client_connection(self.clock, self.log, trusted=trusted)
        self.answers = []
        self.lost = []
        self.connection.on_lost = self.lost.append
        self.peer.greet(GREETING)

    def call(self, member="Ask", signature="", body=b""):
        self.connection.call("/x", "a.b", member, self.answers.append, signature, body)

    def heard(self):
        return [describe(message) for message in self.answers]


@pytest.fixture
def talk():
    return Talk()


# Authentication


def test_the_client_opens_in_one_write_and_is_ready_after_ok():
    connection, peer = client_connection(Clock(), ListLog())
    ready = []
    connection.on_ready = lambda: ready.append(True)
    assert peer.raw == OPENING
    connection.received(b"DATA\r\n")
    assert (ready, connection.ready) == ([], False)
    connection.received(b"OK 00\r\n")
    assert (ready, connection.ready) == ([True], True)


def test_the_server_answers_and_takes_what_follows_begin_as_messages():
    connection, peer = server_connection(Clock(), ListLog())
    calls = []
    connection.on_call = calls.append
    peer.say(OPENING[:20])
    assert not connection.ready
    peer.say(OPENING[20:])
    assert connection.ready
    peer.call("/x", "a.b", "Hi")
    assert [message.member for message in calls] == ["Hi"]


@pytest.mark.parametrize("line", [b"REJECTED EXTERNAL\r\n", b"ERROR\r\n", b"what\r\n"])
def test_a_refused_authentication_ends_the_connection(line):
    log = ListLog()
    connection, peer = client_connection(Clock(), log)
    lost = []
    connection.on_lost = lost.append
    connection.received(line)
    assert peer.closed
    assert not connection.open
    assert len(lost) == 1
    assert len(log.of("warning")) == 1


def test_a_call_made_when_ready_goes_out_before_anything_that_came_with_the_greeting():
    connection, peer = client_connection(Clock(), ListLog())
    connection.on_ready = lambda: connection.call("/", "a.b", "First", lambda _: None)
    connection.on_call = lambda call: connection.reply(call)
    peer.greet(GREETING)
    peer.expect_call("First")
    serial = peer.call("/", "a.b", "Second")
    peer.expect_return(serial)


def test_an_owner_that_closes_when_ready_hears_nothing_of_what_came_with_the_greeting():
    connection, _ = client_connection(Clock(), ListLog())
    heard = []
    connection.on_ready = lambda: connection.close("not wanted")
    connection.on_call = heard.append
    from hirte.wire import build

    connection.received(GREETING + build.call(1, "/x", "a.b", "Hi"))
    assert heard == []


# Headers


def test_a_call_carries_its_header_and_an_own_serial(talk):
    talk.connection.call("/x", "a.b", "Ask", talk.answers.append, destination="c.d")
    talk.call()
    first, second = talk.peer.take(), talk.peer.take()
    assert (first.path, first.interface, first.destination, first.sender, first.flags) == (
        "/x",
        "a.b",
        "c.d",
        "",
        0,
    )
    assert (first.serial, second.serial) == (1, 2)


def test_serials_start_again_before_they_do_not_fit(talk):
    talk.connection._serial = 0xFFFFFFFE
    talk.call()
    talk.call()
    assert [talk.peer.take().serial for _ in range(2)] == [0xFFFFFFFF, 1]


def test_what_wants_no_answer_says_so(talk):
    talk.connection.sender = "our.name"
    talk.connection.send("/x", "a.b", "Do", "s", b"\1\0\0\0a\0")
    talk.connection.signal("/x", "a.b", "Done")
    for member in ("Do", "Done"):
        message = talk.peer.take()
        assert (message.member, message.flags, message.sender, message.destination) == (
            member,
            NO_REPLY_EXPECTED,
            "our.name",
            "",
        )


@pytest.mark.parametrize("sender", ["", ":1.9"])
def test_answers_go_to_the_sender_of_the_call(talk, sender):
    talk.connection.sender = "our.name"

    def serve(call):
        if call.member == "Good":
            talk.connection.reply(call, "s", b"\1\0\0\0a\0")
        else:
            talk.connection.error(call, "a.Bad", "why not")

    talk.connection.on_call = serve
    good = talk.peer.call("/x", "a.b", "Good", sender=sender)
    bad = talk.peer.call("/x", "a.b", "Bad", sender=sender)
    for message in (
        talk.peer.expect_return(good, "a"),
        talk.peer.expect_error(bad, "a.Bad", "why not"),
    ):
        assert message.destination == sender
        assert (message.sender, message.flags) == ("our.name", NO_REPLY_EXPECTED)


def test_a_call_that_wants_no_answer_is_served_and_gets_none(talk):
    served = []

    def serve(call):
        served.append(call.member)
        talk.connection.reply(call)
        talk.connection.error(call, "a.Bad", "x")
        talk.connection.relay(call, module.local_error("a.Bad", "x"))

    talk.connection.on_call = serve
    talk.peer.call("/x", "a.b", "Do", flags=NO_REPLY_EXPECTED)
    assert served == ["Do"]
    talk.peer.expect_nothing()


@pytest.mark.parametrize("order", ["<", ">"])
def test_a_relayed_answer_keeps_its_bytes_in_either_byte_order(talk, order):
    asked = []
    talk.connection.on_call = asked.append
    serial = talk.peer.call("/x", "a.b", "Ask", sender=":1.9")
    source = Talk()
    source.call()
    from hirte.wire import build

    question = source.peer.take()
    body = (5).to_bytes(4, "little" if order == "<" else "big")
    source.peer.say(build.method_return(1, question.serial, "u", body, order=order))
    talk.connection.relay(asked[0], source.answers[0])
    message = talk.peer.expect_return(serial, 5)
    assert (message.order, message.body, message.destination) == (order, body, ":1.9")


# Calls and answers


def test_answers_find_their_calls_in_any_order(talk):
    talk.call("A")
    talk.call("B")
    a, b = talk.peer.expect_call("A"), talk.peer.expect_call("B")
    talk.peer.reply(b, "s", "for B")
    talk.peer.refuse(a, "x.Error", "for A")
    assert talk.heard() == ["return ('for B',)", "error x.Error for A"]


def test_a_second_answer_and_an_answer_to_nothing_are_dropped(talk):
    talk.call()
    question = talk.peer.take()
    talk.peer.reply(question)
    talk.peer.reply(question)
    talk.peer.refuse(question, "x.Error")
    assert talk.heard() == ["return ()"]
    assert talk.connection.open


def test_a_call_that_is_not_answered_ends_after_its_time(talk):
    talk.call()
    question = talk.peer.take()
    talk.clock.advance(CALL_TIMEOUT - 0.01)
    assert talk.heard() == []
    talk.clock.advance(0.01)
    assert talk.heard() == [f"error {E}NoReply Method call timed out"]
    talk.peer.reply(question)
    assert len(talk.answers) == 1


def test_each_call_has_its_own_time(talk):
    talk.call("A")
    talk.clock.advance(10)
    talk.call("B")
    talk.clock.advance(20)
    assert len(talk.answers) == 1
    talk.clock.advance(9.99)
    assert len(talk.answers) == 1
    talk.clock.advance(0.01)
    assert len(talk.answers) == 2
    assert talk.clock.waiting == 0


def test_one_timer_serves_all_calls_also_those_made_when_another_runs_out(talk):
    def ask_again(answer):
        talk.answers.append(answer)
        talk.call("Again")

    for _ in range(3):
        talk.connection.call("/x", "a.b", "Ask", ask_again)
        talk.clock.advance(1)
    talk.clock.advance(CALL_TIMEOUT)
    assert len(talk.answers) == 3
    assert talk.clock.waiting == 1


def test_the_loss_answers_all_open_calls_in_their_order_then_tells_the_owner(talk):
    events = []
    for name in "AB":
        talk.connection.call(
            "/x", "a.b", name, lambda answer, name=name: events.append((name, describe(answer)))
        )
    talk.connection.on_lost = events.append
    talk.peer.leave("gone")
    answer = f"error {E}NoReply Connection terminated"
    assert events == [("A", answer), ("B", answer), "gone"]
    assert talk.clock.waiting == 0


def test_the_end_is_told_once(talk):
    talk.connection.close("first")
    talk.connection.close("second")
    talk.connection.lost("third")
    assert talk.lost == ["first"]
    assert talk.peer.closed


def test_closing_can_answer_open_calls_otherwise(talk):
    talk.call()
    talk.connection.close("shutdown", ("a.Error", "Request cancelled"))
    assert talk.heard() == ["error a.Error Request cancelled"]


def test_a_call_after_the_end_is_answered_at_once(talk):
    talk.peer.leave()
    talk.call()
    assert talk.heard() == [f"error {E}NoReply Connection terminated"]


def test_a_handler_that_calls_again_while_the_connection_ends_is_answered(talk):
    talk.connection.call("/x", "a.b", "A", lambda _: talk.call("B"))
    talk.peer.leave()
    assert talk.heard() == [f"error {E}NoReply Connection terminated"]


def test_after_the_end_nothing_is_written(talk):
    talk.peer.leave()
    talk.connection.signal("/x", "a.b", "C")
    talk.connection.send("/x", "a.b", "C")
    talk.peer.expect_nothing()


def test_open_calls_are_limited(talk, monkeypatch):
    monkeypatch.setattr(module, "PENDING_CALLS", 2)
    for _ in range(3):
        talk.call()
    assert talk.heard() == [f"error {E}LimitsExceeded Too many open calls"]
    talk.peer.reply(talk.peer.take())
    talk.call()
    assert len(talk.answers) == 2


def test_a_call_that_is_too_long_is_answered_at_once(talk, monkeypatch):
    from hirte.wire import build

    monkeypatch.setattr(build, "MESSAGE_BYTES", 64)
    talk.call("Ask", "s", b"\x40\0\0\0" + b"a" * 64 + b"\0")
    assert talk.heard() == [f"error {E}Failed a message is longer than 128 MiB"]
    talk.clock.advance(CALL_TIMEOUT)
    assert len(talk.answers) == 1
    talk.peer.expect_nothing()


# Broken peers


def test_what_came_before_the_broken_message_is_served(talk):
    from hirte.wire import build

    calls = []
    talk.connection.on_call = calls.append
    talk.peer.say(build.call(1, "/x", "a.b", "Good") + b"?" * 16)
    assert [call.member for call in calls] == ["Good"]
    assert talk.peer.closed
    assert len(talk.lost) == 1
    assert "protocol" in talk.log.of("warning")[0]


def test_no_body_comes_through_that_does_not_match_its_signature(talk):
    calls = []
    talk.connection.on_call = calls.append
    talk.peer.call("/x", "a.b", "Bad", "b", body=b"\7\0\0\0")
    assert calls == []
    assert talk.peer.closed


def test_a_broken_answer_ends_its_call_too(talk):
    from hirte.wire import build

    talk.call()
    serial = talk.peer.take().serial
    talk.peer.say(build.method_return(1, serial, "b", b"\7\0\0\0"))
    assert talk.heard() == [f"error {E}NoReply Connection terminated"]


def test_large_messages_are_taken_only_from_peers_that_are_known(talk):
    calls = []
    talk.connection.on_call = calls.append
    text = "a" * 5000
    talk.connection.allow(1 << 16)
    talk.peer.call("/x", "a.b", "Long", "s", text)
    assert len(calls) == 1
    stranger = Talk()
    stranger.connection.on_call = calls.append
    stranger.peer.call("/x", "a.b", "Long", "s", text)
    assert len(calls) == 1
    assert stranger.peer.closed


def test_what_is_too_long_for_the_peer_is_answered_with_an_error(talk):
    talk.connection.allow(1 << 12)
    body = encode("s", ("x" * 5000,))
    talk.call("Ask", "s", body)
    assert talk.heard() == [f"error {E}LimitsExceeded A call of 5077 bytes, 4096 are allowed"]
    answers = [
        lambda call: talk.connection.reply(call, "s", body),
        lambda call: talk.connection.relay(call, answer),
    ]
    answer = local_error("a.b", "y" * 5000)
    for talk.connection.on_call in answers:
        serial = talk.peer.call("/x", "a.b", "Long")
        talk.peer.expect_error(serial, E + "LimitsExceeded")
    talk.peer.expect_nothing()
    assert talk.connection.open


def test_an_error_quotes_only_so_much(talk):
    talk.connection.on_call = lambda call: talk.connection.error(call, "a.b", "x" * (1 << 25))
    serial = talk.peer.call("/x", "a.b", "Long")
    talk.peer.expect_error(serial, "a.b", "x" * 1000)


def test_a_stranger_that_does_not_read_is_lost_soon(talk):
    calls = []
    talk.connection.on_call = calls.append
    talk.peer.queued = UNREGISTERED_QUEUE_BYTES
    talk.peer.call("/x", "a.b", "One")
    talk.peer.queued += 1
    talk.peer.call("/x", "a.b", "Two")
    assert [call.member for call in calls] == ["One"]
    assert talk.peer.closed
    known = Talk()
    known.connection.on_call = calls.append
    known.connection.allow(1 << 16)
    known.peer.queued = UNREGISTERED_QUEUE_BYTES + 1
    known.peer.call("/x", "a.b", "Three")
    assert not known.peer.closed


def test_types_of_messages_to_come_are_ignored(talk):
    from tests.unit.wire_raw import message

    talk.peer.say(message(kind=9))
    assert talk.connection.open


# Our bugs


@pytest.mark.parametrize("kind", ["call", "signal", "answer"])
def test_a_bug_in_a_handler_is_logged_and_the_next_message_served(talk, kind):
    def fail(message):
        raise ZeroDivisionError("oops")

    served = []
    if kind == "call":
        talk.connection.on_call = fail
        talk.peer.call("/x", "a.b", "C")
    elif kind == "signal":
        talk.connection.on_signal = fail
        talk.peer.signal("/x", "a.b", "C")
    else:
        talk.connection.call("/x", "a.b", "C", fail)
        talk.peer.reply(talk.peer.take())
    talk.connection.on_call = served.append
    talk.peer.call("/x", "a.b", "Next")
    assert [message.member for message in served] == ["Next"]
    ((_, text, fields),) = talk.log.records
    assert text == "Bug: ZeroDivisionError: oops, while serving the peer"
    assert fields["PEER"] == "the peer"
    assert "in fail" in fields["DATA"]


def test_a_bug_in_one_handler_does_not_keep_the_others_from_the_news_of_the_loss(talk):
    talk.connection.call("/x", "a.b", "C", lambda _: 1 // 0)
    talk.call()
    talk.peer.leave("gone")
    assert len(talk.answers) == 1
    assert talk.lost == ["gone"]
    assert len(talk.log.bugs) == 1


def serve_for_itself(connection):
    """Set handlers that refer to the connection, as its owners do."""
    connection.on_ready = lambda: connection.close("")
    connection.on_call = lambda call: connection.reply(call)
    connection.on_signal = lambda _: connection.close("")


def test_a_connection_that_ended_is_freed_without_the_garbage_collector():
    gc.collect()
    gc.disable()
    try:
        talk = Talk()
        serve_for_itself(talk.connection)
        talk.call()
        talk.peer.leave()
        alive = weakref.ref(talk.connection)
        talk.peer.connection = None
        del talk
        assert alive() is None
    finally:
        gc.enable()
