"""Host names become addresses in a child, and the loop never waits."""

from __future__ import annotations

import errno
import os
import select
import signal
import socket

import pytest

from hirte.runtime import resolve as module
from hirte.runtime.resolve import first_address, is_literal, resolve

# The runner of the tests has threads of its own; what the child runs needs none of them.
pytestmark = pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")

# Long enough for a busy machine; nobody waits for it when all is well.
PATIENCE_MS = 20_000


class FakeTimer:
    def __init__(self, seconds, callback):
        self.seconds = seconds
        self.callback = callback
        self.cancelled = False

    def cancel(self):
        self.cancelled = True


class FakeLoop:
    """Real descriptors, timers that run out when the test says so."""

    def __init__(self):
        self.readers = {}
        self.timers = []

    def add_reader(self, fd, callback):
        self.readers[fd] = callback

    def remove_reader(self, fd):
        del self.readers[fd]

    def call_later(self, seconds, callback):
        self.timers.append(FakeTimer(seconds, callback))
        return self.timers[-1]

    def run(self):
        """Serve the descriptors until none is left."""
        while self.readers:
            self.step()

    def step(self):
        poll = select.poll()
        for fd in self.readers:
            poll.register(fd, select.POLLIN)
        ready = poll.poll(PATIENCE_MS)
        assert ready, "nothing happens"
        for fd, _ in ready:
            self.readers[fd]()


class Answers(list):
    def __call__(self, address, error):
        self.append((address, error))


@pytest.fixture
def loop():
    loop = FakeLoop()
    yield loop
    assert not loop.readers
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)


@pytest.fixture
def answers():
    return Answers()


def sleep_for_ever(host):
    signal.pause()
    return ""


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "fe80::1", "::ffff:10.0.0.1"])
def test_an_address_is_its_own_answer_at_once(loop, answers, host):
    assert resolve(loop, host, answers) is None
    assert answers == [(host, "")]


@pytest.mark.parametrize("host", ["localhost", "1.2.3", "", "1.2.3.4 ", "::1\0", "fe80::1%lo"])
def test_what_is_no_address(host):
    assert not is_literal(host)


def test_a_name_is_looked_up(loop, answers):
    resolve(loop, "localhost", answers)
    loop.run()
    assert answers in ([("127.0.0.1", "")], [("::1", "")])
    assert loop.timers[0].cancelled
    assert loop.timers[0].seconds == module.RESOLVE_SECONDS


def test_the_child_holds_nothing_of_the_parents(loop, answers):
    held = os.pipe()
    try:
        resolve(loop, "x", answers, lambda host: " ".join(sorted(os.listdir("/proc/self/fd"))))
        loop.run()
    finally:
        for fd in held:
            os.close(fd)
    ((descriptors, _),) = answers
    # The way to answer, and that of the look itself.
    assert len(set(descriptors.split()) - {"0", "1", "2"}) == 2


def test_the_first_address_is_the_one_of_getaddrinfo():
    found = socket.getaddrinfo("localhost", None, socket.AF_UNSPEC, socket.SOCK_STREAM)
    assert first_address("localhost") == found[0][4][0]


@pytest.mark.parametrize(
    "error",
    [
        socket.gaierror(socket.EAI_NONAME, "Name or service not known"),
        OSError(errno.EMFILE, "Too many open files"),
        ValueError("embedded null byte"),
    ],
)
def test_a_name_that_is_not_found(loop, answers, error):
    def lookup(host):
        raise error

    resolve(loop, "nowhere", answers, lookup)
    loop.run()
    assert answers == [(None, f"nowhere: {error.args[-1]}")]


@pytest.mark.parametrize("host", ["", "a\0b", "ä" * 70, "a" * 300, "a..b"])
def test_texts_that_are_no_names(loop, answers, host):
    resolve(loop, host, answers)
    loop.run()
    ((address, error),) = answers
    assert address is None
    assert error.startswith(f"{host}: ")
    assert not error.endswith("without an answer")


def test_a_child_that_fails_is_an_error(loop, answers, capfd):
    def lookup(host):
        raise KeyError(host)

    resolve(loop, "name", answers, lookup)
    loop.run()
    assert answers == [(None, "name: the look-up ended without an answer")]


def test_a_look_up_that_takes_too_long_is_ended(loop, answers):
    resolve(loop, "name", answers, sleep_for_ever)
    loop.timers[0].callback()
    assert answers == [(None, f"name: no answer within {module.RESOLVE_SECONDS:g} s")]
    loop.run()
    assert len(answers) == 1


def test_a_look_up_can_be_cancelled(loop, answers):
    resolution = resolve(loop, "name", answers, sleep_for_ever)
    resolution.cancel()
    resolution.cancel()
    assert loop.timers[0].cancelled
    loop.run()
    assert answers == []


def test_cancelling_after_the_answer_does_nothing(loop, answers):
    resolution = resolve(loop, "name", answers, lambda host: "10.0.0.1")
    loop.run()
    resolution.cancel()
    assert answers == [("10.0.0.1", "")]


def test_two_look_ups_do_not_disturb_each_other(loop, answers):
    slow = resolve(loop, "slow", answers, sleep_for_ever)
    resolve(loop, "fast", answers, lambda host: "10.0.0.1")
    while not answers:
        loop.step()
    assert answers == [("10.0.0.1", "")]
    slow.cancel()
    loop.run()


def test_somebody_else_may_reap_the_child(loop, answers):
    resolve(loop, "name", answers, lambda host: "10.0.0.1")
    os.waitpid(-1, 0)
    loop.run()
    assert answers == [("10.0.0.1", "")]


def test_the_child_keeps_no_connection_open(loop, answers):
    ours, theirs = socket.socketpair()
    resolution = resolve(loop, "name", answers, lambda host: str(len(os.listdir("/proc/self/fd"))))
    loop.run()
    # 0, 1, 2, the pipe, and the directory itself
    assert answers == [("5", "")]
    assert resolution is not None
    ours.close()
    theirs.close()


def test_no_child_can_be_started(loop, answers, monkeypatch):
    def no_fork():
        raise BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable")

    before = len(os.listdir("/proc/self/fd"))
    monkeypatch.setattr(os, "fork", no_fork)
    assert resolve(loop, "name", answers) is None
    assert answers == [(None, "name: cannot start the look-up: Resource temporarily unavailable")]
    assert len(os.listdir("/proc/self/fd")) == before
