"""A stream cut into messages, however it comes."""

from __future__ import annotations

import pytest

from hirte.wire.errors import PeerError
from hirte.wire.framing import Framer

from .wire_raw import message

FIRST = message(serial=1)
SECOND = message(serial=2, signature="y", body=b"!")
THIRD = message(serial=3)


def serials(framer):
    found = []
    while True:
        taken = framer.take()
        if taken is None:
            return found
        found.append(taken.serial)


def test_nothing_comes_from_nothing():
    framer = Framer()
    assert framer.take() is None
    framer.feed(b"")
    assert framer.take() is None


@pytest.mark.parametrize("size", range(1, len(FIRST + SECOND + THIRD) + 1))
def test_pieces_of_any_size_give_the_same_messages(size):
    stream = FIRST + SECOND + THIRD
    framer = Framer()
    found = []
    for start in range(0, len(stream), size):
        framer.feed(stream[start : start + size])
        found += serials(framer)
    assert found == [1, 2, 3]


def test_pieces_fed_without_taking():
    framer = Framer()
    for start in range(len(FIRST + SECOND)):
        framer.feed((FIRST + SECOND)[start : start + 1])
    assert serials(framer) == [1, 2]


def test_a_message_is_there_as_soon_as_its_last_byte():
    framer = Framer()
    framer.feed(FIRST[:-1])
    assert framer.take() is None
    framer.feed(FIRST[-1:] + SECOND[:3])
    assert framer.take().serial == 1
    assert framer.take() is None


def test_a_complete_message_does_not_wait_for_the_rest_of_the_next():
    framer = Framer()
    assert framer.take() is None
    framer.feed(FIRST)
    framer.feed(SECOND[:5])
    assert framer.take().serial == 1
    framer.feed(SECOND[5:])
    framer.feed(THIRD)
    assert serials(framer) == [2, 3]


def test_the_limit_can_be_raised_between_two_messages():
    framer = Framer(limit=len(FIRST))
    framer.feed(FIRST + SECOND)
    assert framer.take().serial == 1
    with pytest.raises(PeerError):
        framer.take()
    framer.limit = len(SECOND)
    assert framer.take().serial == 2


def test_a_message_of_the_other_byte_order():
    framer = Framer()
    framer.feed(message(serial=5, order=">") + FIRST)
    assert serials(framer) == [5, 1]
