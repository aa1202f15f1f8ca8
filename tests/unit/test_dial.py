"""Ways out: addresses with alternatives, names that are looked up, and giving up."""

from __future__ import annotations

import socket

import pytest

from hirte.runtime import dial as module
from hirte.runtime.dial import Dial
from hirte.runtime.loop import Loop
from hirte.runtime.stream import TcpOptions
from tests.unit.talk import OPENING, Attempt, ListLog
from tests.unit.world import turn_until

OPTIONS = TcpOptions(1, 1, 6, receive_errors=True)


class World:
    def __init__(self):
        self.loop = Loop(self._bug)
        self.results = []
        self.asked = []
        self.server = socket.create_server(("127.0.0.1", 0))
        self.server.settimeout(20)
        self.port = self.server.getsockname()[1]

    def _bug(self, error):
        raise error

    def resolve(self, loop, host, on_done):
        """Stands for the look-up of names: the test answers."""
        if host[0].isdigit():
            on_done(host, "")
            return None
        attempt = Attempt(on_done)
        self.asked.append(attempt)
        return attempt

    def dial(self, address, **more):
        dial = Dial(
            self.loop, ListLog(), address, lambda *given: self.results.append(given), "it", **more
        )
        assert self.results == [], "told before the constructor returned"
        return dial

    def result(self):
        turn_until(self.loop, lambda: self.results)
        ((connection, error),) = self.results
        return connection, error


@pytest.fixture
def world(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    world = World()
    monkeypatch.setattr(module, "resolve", world.resolve)
    yield world
    for connection, _ in world.results:
        if connection:
            connection.close("")
    world.server.close()
    world.loop._selector.close()


def test_a_connection_that_authenticates(world):
    world.dial(f"tcp:host=127.0.0.1,port={world.port}", options=OPTIONS)
    connection, error = world.result()
    assert error == ""
    ready = []
    connection.on_ready = lambda: ready.append(True)
    peer, _ = world.server.accept()
    peer.settimeout(20)
    assert peer.recv(99) == OPENING
    peer.sendall(b"DATA\r\nOK 0\r\n")
    turn_until(world.loop, lambda: ready)
    sock = connection.transport._socket
    assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) == 1
    peer.close()


def test_alternatives_are_tried_in_order(world):
    world.dial(f"unix:path=/nonexistent;tcp:host=127.0.0.1,port={world.port}")
    connection, _ = world.result()
    assert connection
    assert connection.transport.peer_ip == "127.0.0.1"


def test_when_all_fail_the_last_reason_is_told(world):
    world.dial("unix:path=/nonexistent/a;unix:path=/nonexistent/b")
    connection, error = world.result()
    assert connection is None
    assert error == "unix:path=/nonexistent/b: No such file or directory"


@pytest.mark.parametrize("address", ["", "rubbish", "tcp:host=x", "launchd:env=X"])
def test_an_address_that_is_none(world, address):
    world.dial(address)
    connection, error = world.result()
    assert connection is None
    assert error


def test_a_name_is_looked_up(world):
    world.dial(f"tcp:host=manager.example,port={world.port}")
    world.loop.turn()
    (question,) = world.asked
    question.on_done("127.0.0.1", "")
    assert world.result()[0]


def test_a_name_that_is_not_found(world):
    world.dial("tcp:host=manager.example,port=1")
    world.loop.turn()
    world.asked[0].on_done(None, "manager.example: not known")
    assert world.result() == (None, "manager.example: not known")


@pytest.mark.parametrize("moment", ["at once", "looking up", "connecting", "connected"])
def test_an_attempt_that_was_given_up_tells_nothing(world, moment):
    host = "manager.example" if moment == "looking up" else "127.0.0.1"
    dial = world.dial(f"tcp:host={host},port={world.port}")
    if moment != "at once":
        # The first turn begins to connect or to look up.
        world.loop.turn()
    if moment == "connected":
        assert world.result()[0]
    before = len(world.results)
    dial.cancel()
    dial.cancel()
    world.loop.at_turn_end(lambda: None)
    world.loop.turn()
    assert len(world.results) == before
    assert [question.cancelled for question in world.asked] == [True] * (moment == "looking up")
    if moment == "connected":
        assert world.results[0][0].open
    else:
        assert world.loop._handlers == {}
