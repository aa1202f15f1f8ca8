"""A bus that cannot keep up: those who bring more wait, nothing is lost; a dead one is noticed."""

from __future__ import annotations

import socket

import pytest

from hirte.runtime import stream as stream_module
from hirte.runtime.loop import Loop
from hirte.runtime.outlet import HIGH_BYTES, LOW_BYTES, STALL_SECONDS
from hirte.runtime.stream import Stream
from tests.unit.world import Receiver, turn_until

# What is said to the outlet for each word of a patient one: many monitors.
SHARE = 1 << 16


def fail(error):
    raise error


class Hall:
    """Patient ones whose words are multiplied into an outlet, on a clock that can jump."""

    def __init__(self, monkeypatch):
        self.loop = loop = Loop(fail)
        self.ahead = 0.0
        monkeypatch.setattr(loop, "now", lambda: Loop.now(loop) + self.ahead)
        ours, self.bus = socket.socketpair()
        self.outlet, self.outlet_receiver = Stream(loop, ours), Receiver()
        self.outlet.start(self.outlet_receiver, is_outlet=True)
        ours, self.agent = socket.socketpair()
        self.patient, receiver = Stream(loop, ours), Receiver()
        self.patient.start(receiver, is_patient=True)
        self.receiver = receiver
        receiver.on_data = self._multiply
        self.multiplied = 0

    def _multiply(self):
        fresh = self.receiver.data[self.multiplied :]
        self.multiplied += len(fresh)
        for byte in fresh:
            self.outlet.write(bytes([byte]) * SHARE)

    def turns(self, count=1):
        for _ in range(count):
            self.loop.at_turn_end(lambda: None)
            self.loop.turn()

    def fill(self):
        """Let the agent speak until it is not heard any more; return how many words that took."""
        for number in range(1, 1000):
            self.agent.send(b"x")
            self.turns()
            if len(self.receiver.data) < number:
                return number
        raise AssertionError("it was heard a thousand times")

    def read_all(self):
        """Read what the bus is sent, as long as the hall's loop has more for it."""
        self.bus.setblocking(False)
        got = bytearray()

        def step():
            try:
                got.extend(self.bus.recv(1 << 20))
            except BlockingIOError:
                pass
            return not self.outlet.queued

        turn_until(self.loop, step)
        turn_until(self.loop, lambda: step() and len(got) == self.multiplied * SHARE)
        return bytes(got)

    def close(self):
        for stream in (self.outlet, self.patient):
            stream.close()
        self.bus.close()
        self.agent.close()


@pytest.fixture
def hall(monkeypatch):
    hall = Hall(monkeypatch)
    yield hall
    hall.close()


def test_while_the_outlet_is_full_the_patient_are_not_read(hall):
    hall.fill()
    assert HIGH_BYTES < hall.outlet.queued <= HIGH_BYTES + SHARE
    before = len(hall.receiver.data)
    hall.agent.send(b"y" * 100)
    hall.turns(5)
    assert len(hall.receiver.data) == before
    assert hall.outlet_receiver.lost_reasons == []


def test_when_it_was_emptied_they_are_read_and_nothing_was_lost(hall):
    words = hall.fill()
    hall.agent.send(b"abc")
    got = hall.read_all()
    turn_until(hall.loop, lambda: len(hall.receiver.data) == words + 3)
    got += hall.read_all() if hall.outlet.queued else b""
    assert hall.receiver.data == b"x" * words + b"abc"
    assert got[::SHARE] == hall.receiver.data
    assert len(got) == SHARE * (words + 3)


def test_more_than_any_other_stream_may_queue_does_not_end_it(hall, monkeypatch):
    monkeypatch.setattr(stream_module, "QUEUE_BYTES", HIGH_BYTES)
    hall.fill()
    hall.turns(3)
    assert hall.outlet_receiver.lost_reasons == []


def test_others_are_served_meanwhile(hall):
    hall.fill()
    ours, theirs = socket.socketpair()
    stream, receiver = Stream(hall.loop, ours), Receiver()
    stream.start(receiver)
    theirs.send(b"status?")
    hall.turns()
    assert receiver.data == b"status?"
    stream.close()
    theirs.close()


def test_one_that_takes_nothing_is_given_up_and_the_patient_go_on(hall):
    hall.fill()
    for _ in range(2):
        assert hall.outlet_receiver.lost_reasons == []
        hall.ahead += STALL_SECONDS / 2 + 0.1
        hall.turns(2)
    assert hall.outlet_receiver.lost_reasons == ["the peer does not read what it is sent"]
    hall.receiver.on_data = None
    hall.agent.send(b"still here")
    turn_until(hall.loop, lambda: hall.receiver.data.endswith(b"still here"))


def test_a_suspend_is_no_stall(hall):
    hall.fill()
    hall.ahead += 1000 * STALL_SECONDS
    hall.turns(2)
    assert hall.outlet_receiver.lost_reasons == []
    hall.read_all()


def test_one_that_takes_a_little_now_and_then_is_not(hall):
    hall.fill()
    for _ in range(3):
        hall.ahead += STALL_SECONDS - 1
        # What the kernel holds: it says that there is room only when most of it is gone.
        hall.bus.recv(4 * SHARE)
        hall.turns(2)
    assert hall.outlet.queued > LOW_BYTES
    assert hall.outlet_receiver.lost_reasons == []


def test_an_outlet_that_is_closed_holds_nobody(hall):
    hall.fill()
    hall.outlet.close()
    hall.receiver.on_data = None
    before = len(hall.receiver.data)
    turn_until(hall.loop, lambda: len(hall.receiver.data) > before)


def test_the_other_readers_of_one_turn_wait_too(hall):
    """One that fills the outlet holds those that are ready in the same turn."""
    streams = []
    for _ in range(40):
        ours, theirs = socket.socketpair()
        stream, receiver = Stream(hall.loop, ours), Receiver()
        receiver.on_data = lambda: hall.outlet.write(b"z" * SHARE)
        stream.start(receiver, is_patient=True)
        theirs.send(b"z")
        streams.append((stream, receiver, theirs))
    hall.turns()
    heard = sum(bool(receiver.data) for _, receiver, _ in streams)
    assert heard == HIGH_BYTES // SHARE + 1
    for stream, _, theirs in streams:
        stream.close()
        theirs.close()
