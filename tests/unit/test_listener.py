"""Listening sockets: both IP families, Unix sockets and what was left of them, inherited ones."""

from __future__ import annotations

import errno
import os
import socket
import stat

import pytest

from hirte.runtime import listener as module
from hirte.runtime.listener import ListenError, open_listeners, private_socket
from hirte.runtime.loop import Loop
from hirte.runtime.stream import TcpOptions
from tests.unit.world import Receiver, turn_until

OPTIONS = TcpOptions(idle=7, interval=3, count=4, receive_errors=True)


class World:
    """A loop, and what its listeners accept."""

    def __init__(self):
        self.bugs = []
        self.loop = Loop(self.bugs.append)
        self.accepted = []
        self.listeners = []
        self.clients = []

    def listen(self, inherited=None, port=None, path=None):
        self.listeners += open_listeners(
            self.loop, inherited, port, path, OPTIONS, lambda *given: self.accepted.append(given)
        )
        return self.listeners

    def port(self, index=0):
        return self.listeners[index]._socket.getsockname()[1]

    def connect(self, where, family=socket.AF_INET):
        client = socket.socket(family)
        client.setblocking(False)
        client.connect_ex(where)
        self.clients.append(client)
        return client

    def expect(self, count):
        turn_until(self.loop, lambda: len(self.accepted) >= count)
        assert len(self.accepted) == count
        return self.accepted[-1]


@pytest.fixture
def world(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    world = World()
    yield world
    for stream, _ in world.accepted:
        stream.close()
    for each in (*world.clients, *world.listeners):
        each.close()
    world.loop._selector.close()


# TCP


def test_one_port_takes_both_families(world):
    world.listen(port=0)
    world.connect(("127.0.0.1", world.port()))
    stream, unix = world.expect(1)
    assert (stream.peer_ip, unix) == ("::ffff:127.0.0.1", False)
    world.connect(("::1", world.port()), socket.AF_INET6)
    stream, unix = world.expect(2)
    assert (stream.peer_ip, unix) == ("::1", False)


def test_without_ipv6_it_listens_on_ipv4(world, monkeypatch):
    real = socket.socket

    class NoIpv6:
        def __getattr__(self, name):
            return getattr(socket, name)

        def socket(self, family, *rest, **more):
            if family == socket.AF_INET6:
                raise OSError(errno.EAFNOSUPPORT, "no")
            return real(family, *rest, **more)

    monkeypatch.setattr(module, "_socket", NoIpv6())
    sock = module.tcp_socket(0)
    assert sock.family == socket.AF_INET
    assert sock.getsockname()[0] == "0.0.0.0"
    sock.close()


def test_the_options_are_set_on_what_is_accepted(world):
    world.listen(port=0)
    world.connect(("127.0.0.1", world.port()))
    stream, _ = world.expect(1)
    sock = stream._socket
    assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) == 1
    assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT) == 4
    assert not os.get_inheritable(sock.fileno())
    assert not sock.getblocking()


def test_a_port_that_is_taken(world):
    world.listen(port=0)
    with pytest.raises(ListenError, match=rf"TCP port {world.port()}: Address already in use"):
        open_listeners(world.loop, None, world.port(), None, OPTIONS, print)


def test_many_at_once_are_taken_a_few_per_turn(world, monkeypatch):
    monkeypatch.setattr(module, "_ACCEPTS_PER_TURN", 3)
    world.listen(port=0)
    for _ in range(8):
        world.connect(("127.0.0.1", world.port()))
    counts = []
    while len(world.accepted) < 8:
        world.loop.turn()
        counts.append(len(world.accepted))
    assert counts == [3, 6, 8]


# Unix


def test_a_unix_socket(world):
    world.listen(path="s")
    client = world.connect("s", socket.AF_UNIX)
    stream, unix = world.expect(1)
    assert (stream.peer_ip, unix) == ("", True)
    receiver = Receiver()
    stream.start(receiver)
    client.send(b"hi")
    turn_until(world.loop, lambda: receiver.data == b"hi")


def test_a_socket_that_was_left_over_is_replaced(world):
    old = socket.socket(socket.AF_UNIX)
    old.bind("s")
    old.close()
    world.listen(path="s")
    world.connect("s", socket.AF_UNIX)
    world.expect(1)


def test_what_is_no_socket_is_not_replaced(world, tmp_path):
    (tmp_path / "s").write_text("precious")
    with pytest.raises(ListenError, match="in use"):
        world.listen(path="s")
    assert (tmp_path / "s").read_text() == "precious"


@pytest.mark.parametrize(
    ("path", "text"),
    [("nowhere/s", "No such file or directory"), ("x" * 200, "AF_UNIX path too long")],
)
def test_a_path_that_cannot_be_used(world, path, text):
    with pytest.raises(ListenError, match=text):
        world.listen(path=path)


def test_at_the_end_the_socket_is_removed(world, tmp_path):
    (listener,) = world.listen(path="s")
    listener.close()
    assert not (tmp_path / "s").exists()
    world.listeners.clear()


@pytest.mark.parametrize("trouble", ["removed", "directory"])
def test_a_socket_that_cannot_be_removed_is_no_trouble(world, tmp_path, trouble):
    (listener,) = world.listen(path="s")
    (tmp_path / "s").unlink()
    if trouble == "directory":
        (tmp_path / "s").mkdir()
    listener.close()
    world.listeners.clear()


def test_a_private_socket_is_for_its_owner_only(world, tmp_path):
    before = os.umask(0)
    sock = private_socket("s")
    assert os.umask(before) == 0
    assert stat.S_IMODE((tmp_path / "s").stat().st_mode) == 0o600
    sock.close()


# Inherited


def inherited(kind):
    if kind == "unix":
        sock = socket.socket(socket.AF_UNIX)
        sock.bind("i")
        sock.listen()
        return sock
    return socket.create_server(("127.0.0.1", 0))


@pytest.mark.parametrize("kind", ["tcp", "unix"])
def test_an_inherited_socket(world, tmp_path, kind):
    sock = inherited(kind)
    (listener,) = world.listen(inherited=sock)
    family = socket.AF_UNIX if kind == "unix" else socket.AF_INET
    world.connect(sock.getsockname(), family)
    stream, unix = world.expect(1)
    assert (stream.peer_ip, unix) == (("", True) if kind == "unix" else ("127.0.0.1", False))
    listener.close()
    assert (tmp_path / "i").exists() == (kind == "unix")
    world.listeners.clear()


def test_what_the_inherited_socket_listens_on_is_not_opened_again(world):
    sock = inherited("tcp")
    assert len(world.listen(inherited=sock, port=sock.getsockname()[1])) == 1
    sock = inherited("unix")
    assert len(world.listen(inherited=sock, path="i")) == 2


def test_an_inherited_socket_of_the_other_kind_changes_nothing(world):
    assert len(world.listen(inherited=inherited("unix"), port=0, path="s")) == 3


def test_nothing_to_listen_on(world):
    with pytest.raises(ListenError, match="nothing to listen on"):
        world.listen()


# No descriptors left


@pytest.mark.parametrize("code", [errno.EMFILE, errno.ENETDOWN])
def test_when_nothing_can_be_accepted_it_rests_and_tries_again(world, monkeypatch, code):
    monkeypatch.setattr(module, "_REST", 0.02)
    (listener,) = world.listen(port=0)
    real = listener._socket
    tries = []

    class Exhausted:
        def __getattr__(self, name):
            return getattr(real, name)

        def _accept(self):
            tries.append(True)
            if len(tries) < 3:
                raise OSError(code, "no")
            return real._accept()

    listener._socket = Exhausted()
    world.connect(("127.0.0.1", world.port()))
    turns = []
    turn = world.loop.turn
    monkeypatch.setattr(world.loop, "turn", lambda: (turns.append(True), turn()))
    world.expect(1)
    assert len(turns) <= 8, "it spins"
    # What is not for want of descriptors is told.
    assert len(world.bugs) == (2 if code == errno.ENETDOWN else 0)


def test_a_listener_that_was_closed_while_it_rested(world, monkeypatch):
    monkeypatch.setattr(module, "_REST", 0.01)
    (listener,) = world.listen(port=0)
    real = listener._socket

    class Exhausted:
        def __getattr__(self, name):
            return getattr(real, name)

        def _accept(self):
            raise OSError(errno.EMFILE, "no")

    listener._socket = Exhausted()
    world.connect(("127.0.0.1", world.port()))
    world.loop.turn()
    listener.close()
    done = []
    world.loop.call_later(0.03, lambda: done.append(True))
    turn_until(world.loop, lambda: done)
    assert world.bugs == []
    assert world.loop._handlers == {}
    world.listeners.clear()
