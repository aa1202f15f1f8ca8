"""The frame of a daemon: signals, readiness, watchdog, exit code."""

from __future__ import annotations

import os
import signal
import socket

import pytest

from hirte.runtime import daemon as module
from hirte.runtime.daemon import Daemon, machine_id, random_guid
from tests.unit.talk import ListLog


@pytest.fixture
def signals():
    """Leave signals as they were."""
    numbers = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
    before = [signal.getsignal(number) for number in numbers]
    yield
    writer = signal.set_wakeup_fd(-1)
    if writer >= 0:
        os.close(writer)
    for number, handler in zip(numbers, before):
        signal.signal(number, handler)


@pytest.fixture
def service_manager(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    receiver = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    receiver.bind("notify")
    receiver.setblocking(False)
    yield receiver
    receiver.close()


@pytest.fixture
def make(signals):
    made = []

    def daemon(**environ):
        made.append(Daemon(ListLog(), environ))
        return made[-1]

    yield daemon
    for each in made:
        each.loop._wakeup.close()
        each.loop._selector.close()


def received(receiver):
    lines = []
    while True:
        try:
            lines.append(receiver.recv(999).decode())
        except BlockingIOError:
            return lines


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_in_order(make, number):
    daemon = make()
    order = []
    daemon.on_stop = lambda: (
        order.append("stop"),
        daemon.loop.at_turn_end(lambda: order.append("sent")),
    )
    daemon.loop.call_later(0, lambda: os.kill(os.getpid(), number))
    assert daemon.run() == 0
    assert order == ["stop", "sent"]


def test_a_second_signal_changes_nothing(make):
    daemon = make()
    stops = []
    daemon.on_stop = lambda: (stops.append(True), os.kill(os.getpid(), signal.SIGTERM))
    daemon.loop.call_later(0, lambda: os.kill(os.getpid(), signal.SIGTERM))
    assert daemon.run() == 0
    daemon.stop()
    assert stops == [True]


def test_a_hangup_is_told_and_ignored(make):
    daemon = make()
    daemon.loop.call_later(0, lambda: os.kill(os.getpid(), signal.SIGHUP))
    daemon.loop.call_later(0.02, daemon.stop)
    assert daemon.run() == 0
    assert len(daemon.log.of("info")) == 1


@pytest.mark.parametrize("moment", ["before", "while running"])
def test_a_failure_ends_it_with_code_1(make, moment):
    daemon = make()
    stops = []
    daemon.on_stop = lambda: stops.append(True)
    if moment == "before":
        daemon.fail("no bus")
    else:
        daemon.loop.call_later(0, lambda: daemon.fail("no bus"))
    assert daemon.run() == 1
    assert stops == [True]
    assert daemon.log.of("error") == ["no bus"]


def test_a_bug_while_ending_does_not_keep_it_running(make):
    daemon = make()
    daemon.on_stop = lambda: 1 // 0
    daemon.loop.call_later(0, lambda: os.kill(os.getpid(), signal.SIGTERM))
    daemon.run()
    assert daemon.log.of("error") == ["Bug: ZeroDivisionError: integer division or modulo by zero"]


def test_a_bug_is_logged_with_its_place(make):
    daemon = make()
    daemon.loop.call_later(0, lambda: 1 // 0)
    daemon.loop.call_later(0.01, daemon.stop)
    assert daemon.run() == 0
    ((_, _, fields),) = daemon.log.records
    assert "test_daemon.py" in fields["DATA"]


def test_the_service_manager_is_told(make, service_manager):
    daemon = make(NOTIFY_SOCKET="/proc/self/cwd/notify")
    daemon.ready("3 nodes")
    daemon.status("all is well")
    daemon.loop.call_later(0, daemon.stop)
    daemon.run()
    assert received(service_manager) == [
        "READY=1\nSTATUS=3 nodes",
        "STATUS=all is well",
        "STOPPING=1",
    ]


def test_the_watchdog_is_fed_twice_in_its_time(make, service_manager):
    daemon = make(NOTIFY_SOCKET="/proc/self/cwd/notify", WATCHDOG_USEC="40000")
    begin = daemon.loop.now()
    fed = []

    def read():
        fed.append(service_manager.recv(99))
        if len(fed) == 4:
            daemon.stop()

    daemon.loop.add_reader(service_manager.fileno(), read)
    daemon.run()
    assert fed == [b"WATCHDOG=1"] * 4
    # At the beginning, then after 20, 40 and 60 ms.
    assert daemon.loop.now() - begin >= 0.06


def test_a_watchdog_that_had_no_room_is_fed_again_soon(make, service_manager, monkeypatch):
    monkeypatch.setattr(module, "_WATCHDOG_RETRY", 0.001)
    daemon = make(NOTIFY_SOCKET="/proc/self/cwd/notify", WATCHDOG_USEC="100000000")
    sender = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    sender.setblocking(False)
    with pytest.raises(BlockingIOError):
        while True:
            sender.sendto(b"x", "notify")
    sender.close()
    daemon.loop.call_later(0.01, lambda: received(service_manager))
    daemon.loop.call_later(0.05, daemon.stop)
    daemon.run()
    assert "WATCHDOG=1" in received(service_manager)


def test_without_a_watchdog_nothing_is_fed(make, service_manager):
    daemon = make(NOTIFY_SOCKET="/proc/self/cwd/notify")
    daemon.loop.call_later(0.02, daemon.stop)
    daemon.run()
    assert received(service_manager) == ["STOPPING=1"]


def test_the_id_of_the_machine(tmp_path, monkeypatch):
    first, second = tmp_path / "first", tmp_path / "second"
    monkeypatch.setattr(module, "_MACHINE_ID_FILES", (str(first), str(second)))
    assert machine_id() == "0" * 32
    second.write_text("2" * 32 + "\n")
    assert machine_id() == "2" * 32
    first.write_text("1" * 32 + "\n")
    assert machine_id() == "1" * 32


def test_ids_of_connections_are_random():
    one, other = random_guid(), random_guid()
    assert one != other
    assert len(one) == 32
    assert set(one) <= set("0123456789abcdef")
