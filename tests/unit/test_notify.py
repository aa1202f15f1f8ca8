"""What the service manager is told, and how often it wants to hear of us."""

from __future__ import annotations

import os
import socket

import pytest

from hirte.runtime.daemon import Daemon
from hirte.runtime.loop import Loop
from hirte.runtime.notify import Notifier, watchdog_interval


class ListLog:
    """Keeps the warnings."""

    def __init__(self):
        self.warnings = []

    def warning(self, message, **fields):
        self.warnings.append(message)


@pytest.fixture
def log():
    return ListLog()


@pytest.fixture(params=["path", "abstract"])
def service_manager(request, tmp_path, monkeypatch):
    """A receiving socket and the environment that names it."""
    monkeypatch.chdir(tmp_path)
    if request.param == "path":
        address, name = "/proc/self/cwd/notify", "notify"
    else:
        address = f"@hirte-test-{os.getpid()}"
        name = "\0" + address[1:]
    receiver = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    receiver.bind(name)
    receiver.setblocking(False)
    yield receiver, {"NOTIFY_SOCKET": address}
    receiver.close()


def test_what_is_told(service_manager, log):
    receiver, environ = service_manager
    notifier = Notifier(environ, log)
    notifier.ready("3 nodes configured")
    notifier.status("all is well")
    notifier.watchdog()
    notifier.stopping()
    assert [receiver.recv(999) for _ in range(4)] == [
        b"READY=1\nSTATUS=3 nodes configured",
        b"STATUS=all is well",
        b"WATCHDOG=1",
        b"STOPPING=1",
    ]
    assert log.warnings == []


def test_a_status_cannot_become_another_assignment(service_manager, log):
    receiver, environ = service_manager
    Notifier(environ, log).status("node a\nMAINPID=1\udcff")
    assert receiver.recv(999) == b"STATUS=node a MAINPID=1?"


def test_without_a_service_manager_nothing_happens(log):
    notifier = Notifier({}, log)
    notifier.ready("x")
    notifier.watchdog()
    assert log.warnings == []


def test_a_service_manager_that_is_gone_is_logged(service_manager, log):
    receiver, environ = service_manager
    receiver.close()
    if environ["NOTIFY_SOCKET"].startswith("/"):
        os.unlink("notify")
    Notifier(environ, log).ready("x")
    assert len(log.warnings) == 1
    assert log.warnings[0].startswith("cannot notify the service manager of READY=1: ")


def fill(notifier):
    """Notifies until there is no room for one more."""
    for _ in range(10_000):
        if not notifier.watchdog():
            return
    raise AssertionError("there is always room")


def test_the_watchdog_does_not_wait_for_room_but_tells_that_there_was_none(service_manager, log):
    receiver, environ = service_manager
    notifier = Notifier(environ, log)
    fill(notifier)
    assert log.warnings == []
    assert not notifier.watchdog()
    receiver.recv(999)
    assert notifier.watchdog()


def test_a_daemon_feeds_the_watchdog_again_soon_when_there_was_no_room(
    service_manager, log, monkeypatch
):
    receiver, environ = service_manager
    monkeypatch.setattr(Loop, "on_signal", lambda self, number, callback: None)
    fill(Notifier(environ, log))
    daemon = Daemon(log, {**environ, "WATCHDOG_USEC": "20000000"})

    def make_room():
        while True:
            try:
                receiver.recv(999)
            except BlockingIOError:
                return

    daemon.loop.call_later(0.05, make_room)
    daemon.loop.call_later(0.15, daemon.loop.stop)
    daemon.run()
    assert receiver.recv(999) == b"WATCHDOG=1"


def test_other_kinds_of_sockets_are_not_served(log):
    Notifier({"NOTIFY_SOCKET": "vsock:2:1234"}, log).ready("x")
    assert log.warnings == ["NOTIFY_SOCKET 'vsock:2:1234' is no Unix socket: nobody is notified"]


@pytest.mark.parametrize(
    ("environ", "seconds"),
    [
        ({}, None),
        ({"WATCHDOG_USEC": "10000000"}, 5.0),
        ({"WATCHDOG_USEC": "10000000", "WATCHDOG_PID": "7"}, 5.0),
        ({"WATCHDOG_USEC": "10000000", "WATCHDOG_PID": "8"}, None),
        ({"WATCHDOG_PID": "7"}, None),
    ],
)
def test_how_often_the_watchdog_is_fed(environ, seconds, log):
    assert watchdog_interval(environ, log, pid=7) == seconds
    assert log.warnings == []


def test_our_own_process_is_meant_by_default(log):
    environ = {"WATCHDOG_USEC": "2", "WATCHDOG_PID": str(os.getpid())}
    assert watchdog_interval(environ, log) == 1e-6


@pytest.mark.parametrize("text", ["0", "x", "-1", "1.5"])
def test_a_watchdog_time_that_is_none_is_logged(text, log):
    assert watchdog_interval({"WATCHDOG_USEC": text}, log) is None
    assert log.warnings == [f"WATCHDOG_USEC {text!r} is no time: the watchdog is not fed"]
