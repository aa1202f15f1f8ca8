"""The event loop: descriptors, timers, signals, the end of a turn, and bugs in callbacks."""

from __future__ import annotations

import os
import signal
import socket
import time

import pytest

from hirte.runtime import loop as module
from hirte.runtime.loop import Loop
from tests.unit.world import turn_until


class Bugs(list):
    def __call__(self, error):
        self.append(error)


@pytest.fixture
def bugs():
    return Bugs()


@pytest.fixture
def loop(bugs):
    loop = Loop(bugs)
    yield loop
    loop._selector.close()


@pytest.fixture
def pair():
    ends = socket.socketpair()
    for end in ends:
        end.setblocking(False)
    yield ends
    for end in ends:
        end.close()


@pytest.fixture
def signals():
    """Leave signals as they were."""
    numbers = (signal.SIGUSR1, signal.SIGUSR2)
    before = [signal.getsignal(number) for number in numbers]
    yield
    writer = signal.set_wakeup_fd(-1)
    if writer >= 0:
        os.close(writer)
    for number, handler in zip(numbers, before):
        signal.signal(number, handler)


# Descriptors


def test_a_reader_is_called_as_long_as_there_is_something(loop, pair):
    ours, theirs = pair
    calls = []
    loop.add_reader(ours.fileno(), lambda: calls.append(ours.recv(1)))
    theirs.send(b"ab")
    loop.turn()
    loop.turn()
    assert calls == [b"a", b"b"]


def test_readers_and_writers_come_and_go(loop, pair):
    ours, theirs = pair
    fd = ours.fileno()
    calls = []
    loop.add_writer(fd, lambda: calls.append("w"))
    loop.turn()
    loop.add_reader(fd, lambda: calls.append("r"))
    theirs.send(b"x")
    loop.turn()
    loop.remove_writer(fd)
    loop.turn()
    loop.remove_reader(fd)
    loop.remove_reader(fd)
    loop.remove_writer(fd)
    assert calls == ["w", "r", "w", "r"]
    assert loop._handlers == {}
    loop.add_reader(fd, lambda: calls.append("again"))
    loop.turn()
    assert calls[-1] == "again"


def test_a_callback_can_remove_another_of_the_same_turn(loop, pair):
    ours, theirs = pair
    calls = []

    def first(fd, other):
        calls.append(fd)
        loop.remove_reader(other)
        loop.remove_writer(other)

    a, b = ours.fileno(), theirs.fileno()
    loop.add_writer(a, lambda: first(a, b))
    loop.add_writer(b, lambda: first(b, a))
    loop.turn()
    assert len(calls) == 1


def test_a_descriptor_that_is_reused_in_the_same_turn_gets_no_old_news(loop, pair):
    ours, theirs = pair
    calls = []
    theirs.send(b"x")
    fd = ours.fileno()

    def reuse():
        loop.remove_reader(fd)
        loop.add_reader(fd, lambda: calls.append("new"))

    def swap():
        loop.remove_writer(theirs.fileno())
        reuse()

    # Whichever comes first, the handlers of the old life are not called in the new one.
    loop.add_reader(fd, lambda: calls.append("old"))
    loop.add_writer(theirs.fileno(), swap)
    loop.turn()
    assert calls in (["old"], [])


# Timers


def test_timers_run_in_the_order_of_their_times_then_of_their_making(loop, monkeypatch):
    now = [100.0]
    monkeypatch.setattr(loop, "now", lambda: now[0])
    calls = []
    for name, delay in (("c", 2), ("a", 1), ("b", 1), ("never", 3)):
        loop.call_later(delay, lambda name=name: calls.append(name))
    loop.at_turn_end(lambda: None)
    loop.turn()
    assert calls == []
    now[0] += 2
    loop.turn()
    assert calls == ["a", "b", "c"]


def test_a_cancelled_timer_does_not_run(loop):
    calls = []
    timer = loop.call_later(0, lambda: calls.append("cancelled"))
    other = loop.call_later(0, lambda: calls.append("ran"))
    timer.cancel()
    timer.cancel()
    loop.turn()
    other.cancel()
    assert calls == ["ran"]


def test_cancelled_timers_do_not_pile_up(loop):
    calls = []
    for number in range(100):
        loop.call_later(0, lambda number=number: calls.append(number))
    for _ in range(10 * module._SWEEP_TIMERS):
        loop.call_later(1000, lambda: calls.append("cancelled")).cancel()
        assert len(loop._timers) <= module._SWEEP_TIMERS
    loop.turn()
    assert calls == list(range(100))


def test_a_timer_can_cancel_another_that_is_due_too(loop):
    calls = []
    timers = []
    timers.append(loop.call_later(0, lambda: timers[1].cancel()))
    timers.append(loop.call_later(0, lambda: calls.append("cancelled")))
    timers.append(loop.call_later(0, lambda: calls.append("ran")))
    turn_until(loop, lambda: calls)
    assert calls == ["ran"]


def test_with_nothing_to_do_the_loop_sleeps(loop):
    assert loop._patience() is None
    timer = loop.call_later(10, lambda: None)
    assert 9 < loop._patience() <= 10
    timer.cancel()
    assert loop._patience() is None
    loop.at_turn_end(lambda: None)
    assert loop._patience() == 0


def test_the_clock_counts_time_in_suspend(loop):
    assert abs(loop.now() - time.clock_gettime(time.CLOCK_BOOTTIME)) < 5
    assert abs(loop.monotonic_us() / 1e6 - time.monotonic()) < 5
    assert abs(loop.realtime_us() / 1e6 - time.time()) < 5


# Those that can wait


class Crowd:
    """Many patient readers, here one, beside a prompt one, on a clock that stands still."""

    def __init__(self, loop, monkeypatch):
        self.now = 100.0
        self.served = []
        self.loop = loop
        monkeypatch.setattr(loop, "now", lambda: self.now)
        self.ends = [socket.socketpair() for _ in range(2)]
        for (ours, _), is_patient in zip(self.ends, (True, False)):
            ours.setblocking(False)
            loop.add_reader(ours.fileno(), lambda ours=ours: self._serve(ours), is_patient)

    def _serve(self, ours):
        self.served.append(ours.recv(100).decode())
        if self.served[-1].startswith("call"):
            # What matters leads to something that is sent.
            self.loop.at_turn_end(lambda: None)

    def patient_says(self, text):
        self.ends[0][1].send(text.encode())

    def prompt_says(self, text):
        self.ends[1][1].send(text.encode())

    def turn(self):
        """What one turn serves that does not wait for anything."""
        before = len(self.served)
        timer = self.loop.call_later(0, lambda: None)
        self.loop.turn()
        timer.cancel()
        return self.served[before:]

    def beat_until_rest(self):
        """Let the patient one tell what leads to nothing, for so long that it rests."""
        for _ in range(2):
            self.now += module.CALM
            self.patient_says("beat")
            self.turn()
        self.now += module.REST
        self.patient_says("beat")
        assert self.turn() == ["beat"]


@pytest.fixture
def crowd(loop, monkeypatch):
    crowd = Crowd(loop, monkeypatch)
    yield crowd
    for ours, theirs in crowd.ends:
        loop.remove_reader(ours.fileno())
        ours.close()
        theirs.close()


def test_heartbeats_that_pour_in_are_served_together(crowd):
    crowd.beat_until_rest()
    for _ in range(3):
        crowd.patient_says("beat")
        crowd.now += module.REST / 4
        assert crowd.turn() == []
    assert crowd.loop._patience() == pytest.approx(module.REST / 4)
    crowd.now += module.REST
    assert crowd.turn() == []
    assert crowd.turn() == ["beatbeatbeat"]


def test_one_heartbeat_now_and_then_is_served_at_once(crowd):
    for _ in range(10):
        crowd.now += 2 * module.REST + module.CALM
        crowd.patient_says("beat")
        assert crowd.turn() == ["beat"]


def test_the_prompt_are_served_while_the_patient_rest(crowd):
    crowd.beat_until_rest()
    crowd.patient_says("beat")
    crowd.prompt_says("nothing of consequence")
    assert crowd.turn() == ["nothing of consequence"]
    assert crowd.turn() == []


def test_who_asks_ends_the_rest_for_a_while(crowd):
    crowd.beat_until_rest()
    crowd.patient_says("beat")
    crowd.prompt_says("call")
    assert crowd.turn() == ["call"]
    assert crowd.turn() == ["beat"]
    for _ in range(5):
        crowd.now += module.CALM / 6
        crowd.patient_says("beat")
        assert crowd.turn() == ["beat"]


def test_what_matters_is_served_at_once_after_what_mattered(crowd):
    crowd.beat_until_rest()
    crowd.patient_says("call: the unit has stopped")
    assert crowd.turn() == []
    crowd.now += module.REST
    assert crowd.turn() == []
    assert crowd.turn() == ["call: the unit has stopped"]
    crowd.patient_says("call: it has started")
    assert crowd.turn() == ["call: it has started"]


def test_who_has_more_to_say_than_fits_leaves_the_others_their_turn(loop):
    pairs = [socket.socketpair() for _ in range(3)]
    heard = []

    def serve(name, ours):
        ours.recv(1)
        heard.append(name)
        loop.hold()
        loop.at_turn_end(loop.release)

    for name, (ours, theirs) in zip("abc", pairs):
        theirs.send(b"much" * 10)
        loop.add_reader(ours.fileno(), lambda n=name, o=ours: serve(n, o), is_patient=True)
    for _ in range(9):
        loop.turn()
    assert "".join(heard) == "abc" * 3
    for ours, theirs in pairs:
        loop.remove_reader(ours.fileno())
        ours.close()
        theirs.close()


def test_where_nobody_is_patient_nobody_waits(loop, pair, monkeypatch):
    ours, theirs = pair
    now = [100.0]
    monkeypatch.setattr(loop, "now", lambda: now[0])
    calls = []
    loop.add_reader(ours.fileno(), lambda: calls.append(ours.recv(1)))
    for _ in range(20):
        now[0] += module.REST
        theirs.send(b"x")
        loop.turn()
        assert loop._patience() is None
    assert len(calls) == 20


def test_a_patient_one_that_leaves_is_forgotten(loop, pair):
    fd = pair[0].fileno()
    loop.add_reader(fd, lambda: None, True)
    loop.add_writer(fd, lambda: None)
    loop.remove_reader(fd)
    loop.remove_writer(fd)
    # Whoever gets its number next is none.
    loop.add_reader(fd, lambda: None)
    assert fd in loop._prompt.get_map()
    loop.remove_reader(fd)
    assert fd not in loop._prompt.get_map()


# The end of a turn


def test_the_end_of_a_turn_comes_after_everything_else_of_it(loop, pair):
    ours, theirs = pair
    calls = []
    loop.at_turn_end(lambda: (calls.append("end"), loop.at_turn_end(lambda: calls.append("more"))))
    loop.add_writer(ours.fileno(), lambda: calls.append("fd"))
    loop.call_later(0, lambda: calls.append("timer"))
    loop.turn()
    assert calls == ["fd", "timer", "end", "more"]
    assert theirs.fileno() >= 0


# Signals


def test_signals_are_served_from_the_loop(loop, signals):
    calls = []
    loop.on_signal(signal.SIGUSR1, lambda: calls.append(1))
    loop.on_signal(signal.SIGUSR2, lambda: calls.append(2))
    os.kill(os.getpid(), signal.SIGUSR2)
    os.kill(os.getpid(), signal.SIGUSR1)
    assert calls == []
    turn_until(loop, lambda: len(calls) == 2)
    assert calls == [2, 1]
    loop._wakeup.close()


def test_a_bug_in_one_signals_callback_does_not_lose_the_next(loop, bugs, signals):
    calls = []
    loop.on_signal(signal.SIGUSR1, lambda: 1 // 0)
    loop.on_signal(signal.SIGUSR2, lambda: calls.append(2))
    os.kill(os.getpid(), signal.SIGUSR1)
    os.kill(os.getpid(), signal.SIGUSR2)
    turn_until(loop, lambda: calls)
    assert [type(bug) for bug in bugs] == [ZeroDivisionError]
    loop._wakeup.close()


# Bugs and the end


@pytest.mark.parametrize("place", ["fd", "timer", "end"])
def test_a_bug_in_a_callback_is_told_and_the_others_run(loop, bugs, pair, place):
    ours, _ = pair
    calls = []
    plans = {
        "fd": lambda: loop.add_writer(ours.fileno(), lambda: 1 // 0),
        "timer": lambda: loop.call_later(0, lambda: 1 // 0),
        "end": lambda: loop.at_turn_end(lambda: 1 // 0),
    }
    plans[place]()
    loop.call_later(0, lambda: calls.append("timer"))
    loop.at_turn_end(lambda: calls.append("end"))
    loop.turn()
    assert [type(bug) for bug in bugs] == [ZeroDivisionError]
    assert calls == ["timer", "end"]


def test_the_turn_of_the_stop_is_finished(loop):
    calls = []
    loop.call_later(0, lambda: (loop.at_turn_end(lambda: calls.append("end")), loop.stop()))
    loop.run()
    assert calls == ["end"]
    loop.run()


def test_what_the_interpreter_raises_for_the_user_is_no_bug(loop):
    def interrupt():
        raise KeyboardInterrupt

    loop.call_later(0, interrupt)
    with pytest.raises(KeyboardInterrupt):
        loop.turn()
    assert module.READ != module.WRITE
