"""Stream sockets on a real loop: reading, bounded writing, connecting, and every way to end."""

from __future__ import annotations

import errno
import gc
import os
import socket
import weakref

import pytest

from hirte.runtime import stream as module
from hirte.runtime.loop import Loop
from hirte.runtime.stream import Stream, TcpOptions, connect
from hirte.wire.address import Address
from tests.unit.world import Receiver, turn_until

OPTIONS = TcpOptions(idle=7, interval=3, count=4, receive_errors=True)


def fail(error):
    raise error


@pytest.fixture
def loop():
    loop = Loop(fail)
    yield loop
    loop._selector.close()


@pytest.fixture
def pair(loop):
    """A stream and its receiver, and the other end as a plain socket."""
    ours, theirs = socket.socketpair()
    stream = Stream(loop, ours)
    receiver = Receiver()
    stream.start(receiver)
    yield stream, receiver, theirs
    stream.close()
    theirs.close()


# Reading


def test_bytes_come_to_the_receiver(loop, pair):
    _, receiver, peer = pair
    peer.sendall(b"hello")
    loop.turn()
    assert receiver.data == b"hello"


def test_what_was_sent_before_the_end_comes_before_the_end(loop, pair):
    stream, receiver, peer = pair
    peer.sendall(b"x" * 100_000)
    peer.close()
    turn_until(loop, lambda: receiver.lost_reasons)
    assert len(receiver.data) == 100_000
    assert receiver.lost_reasons == ["the peer closed the connection"]
    stream.close()
    stream.write(b"too late")
    assert receiver.lost_reasons == ["the peer closed the connection"]


def test_a_reset_is_told_with_its_reason(loop):
    server = socket.create_server(("127.0.0.1", 0))
    client = socket.create_connection(server.getsockname())
    accepted, _ = server.accept()
    receiver = Receiver()
    Stream(loop, accepted).start(receiver)
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    client.close()
    turn_until(loop, lambda: receiver.lost_reasons)
    assert receiver.lost_reasons == [os.strerror(errno.ECONNRESET)]
    server.close()


# Writing


def test_what_a_turn_writes_goes_out_together_at_its_end(loop, pair):
    stream, _, peer = pair
    stream.write(b"a")
    stream.write(b"b")
    peer.setblocking(False)
    with pytest.raises(BlockingIOError):
        peer.recv(10)
    loop.turn()
    assert peer.recv(10) == b"ab"


def test_a_long_queue_arrives_whole_and_in_order(loop, pair):
    stream, _, peer = pair
    peer.setblocking(False)
    pieces = [bytes([number]) * 300_000 for number in range(10)]
    for piece in pieces[:5]:
        stream.write(piece)
    loop.turn()
    for piece in pieces[5:]:
        stream.write(piece)
    got = bytearray()
    loop.at_turn_end(lambda: None)

    def drained():
        try:
            got.extend(peer.recv(1 << 20))
        except BlockingIOError:
            pass
        return len(got) == 3_000_000

    turn_until(loop, drained)
    assert bytes(got) == b"".join(pieces)
    stream.write(b"after")
    loop.turn()
    assert peer.recv(10) == b"after"


def test_a_peer_that_does_not_read_is_lost_at_the_limit(loop, pair, monkeypatch):
    monkeypatch.setattr(module, "QUEUE_BYTES", 1 << 20)
    stream, receiver, _ = pair
    written = 0
    while not receiver.lost_reasons and written < 100:
        written += 1
        stream.write(b"x" * 100_000)
        loop.at_turn_end(lambda: None)
        loop.turn()
    assert receiver.lost_reasons == ["the peer does not read what it is sent"]
    # The kernel took a part of it.
    assert 10 < written < 20


def test_one_write_beyond_the_limit_is_taken_if_the_kernel_takes_enough_of_it(
    loop, pair, monkeypatch
):
    monkeypatch.setattr(module, "QUEUE_BYTES", 1 << 20)
    stream, receiver, _ = pair
    stream.write(b"x" * ((1 << 20) + 10_000))
    loop.turn()
    assert receiver.lost_reasons == []


def test_a_peer_that_reads_again_gets_everything(loop, pair, monkeypatch):
    monkeypatch.setattr(module, "QUEUE_BYTES", 1 << 22)
    stream, receiver, peer = pair
    peer.setblocking(False)
    for _ in range(5):
        for _ in range(10):
            stream.write(b"x" * 100_000)
            loop.at_turn_end(lambda: None)
            loop.turn()
        got = 0
        while got < 1_000_000:
            try:
                got += len(peer.recv(1 << 20))
            except BlockingIOError:
                loop.turn()
        assert got == 1_000_000
    assert receiver.lost_reasons == []


def test_nothing_polls_while_the_peer_does_not_read(loop, pair):
    stream, _, _ = pair
    stream.write(b"x" * 10_000_000)
    loop.turn()
    turns = []
    loop.call_later(0.05, lambda: turns.append("timer"))
    while not turns or turns[-1] != "timer":
        turns.append("turn")
        loop.turn()
    assert len(turns) <= 4


def test_writing_to_a_peer_that_is_gone_is_a_loss(loop, pair):
    stream, receiver, peer = pair
    peer.close()
    stream.write(b"x")
    turn_until(loop, lambda: receiver.lost_reasons)
    assert len(receiver.lost_reasons) == 1


def test_closing_sends_what_is_queued(loop, pair):
    stream, receiver, peer = pair
    stream.write(b"bye")
    stream.close()
    stream.close()
    assert peer.recv(10) == b"bye"
    assert peer.recv(10) == b""
    loop.at_turn_end(lambda: None)
    loop.turn()
    assert receiver.lost_reasons == []


def test_finishing_sends_everything_then_ends(loop, pair):
    stream, receiver, peer = pair
    peer.setblocking(False)
    stream.write(b"x" * 1_000_000)
    loop.turn()
    assert 0 < stream.queued < 1_000_000
    stream.finish()
    peer.sendall(b"not read")
    got = 0
    while got < 1_000_000:
        loop.turn()
        got += len(peer.recv(1 << 20))
    turn_until(loop, lambda: receiver.lost_reasons)
    assert receiver.lost_reasons == ["everything was sent"]
    assert (receiver.data, stream.queued) == (b"", 0)


def test_a_receiver_that_closes_hears_no_more(loop, pair):
    stream, receiver, peer = pair
    receiver.on_data = stream.close
    peer.sendall(b"x")
    loop.turn()
    assert receiver.data == b"x"
    assert receiver.lost_reasons == []


@pytest.mark.parametrize("end", ["lost", "closed"])
def test_a_stream_that_ended_is_freed_without_the_garbage_collector(loop, end):
    gc.collect()
    gc.disable()
    try:
        ours, theirs = socket.socketpair()
        stream = Stream(loop, ours)
        receiver = Receiver()
        receiver.transport = stream
        stream.start(receiver)
        if end == "lost":
            theirs.close()
            loop.turn()
            assert receiver.lost_reasons
        else:
            stream.close()
            theirs.close()
        alive = weakref.ref(receiver)
        del receiver, stream, ours
        assert alive() is None
    finally:
        gc.enable()


def test_a_peer_of_a_unix_socket_can_be_known(pair):
    stream, _, _ = pair
    assert stream.peer_uid() == os.getuid()
    assert isinstance(stream.security_context(), str)


def test_over_tcp_there_is_no_security_context(loop):
    server = socket.create_server(("127.0.0.1", 0))
    client = Stream(loop, socket.create_connection(server.getsockname()))
    assert client.security_context() == ""
    client.close()
    server.close()


# TCP options


def test_the_options_of_a_tcp_connection():
    sock = socket.socket(socket.AF_INET6, socket.SOCK_STREAM)
    OPTIONS.apply(sock)
    values = {
        name: sock.getsockopt(level, getattr(socket, name, 11))
        for level, name in (
            (socket.IPPROTO_TCP, "TCP_NODELAY"),
            (socket.SOL_SOCKET, "SO_KEEPALIVE"),
            (socket.IPPROTO_IP, "IP_RECVERR"),
            (socket.IPPROTO_TCP, "TCP_KEEPIDLE"),
            (socket.IPPROTO_TCP, "TCP_KEEPINTVL"),
            (socket.IPPROTO_TCP, "TCP_KEEPCNT"),
        )
    }
    sock.close()
    assert values == {
        "TCP_NODELAY": 1,
        "SO_KEEPALIVE": 1,
        "IP_RECVERR": 1,
        "TCP_KEEPIDLE": 7,
        "TCP_KEEPINTVL": 3,
        "TCP_KEEPCNT": 4,
    }


def test_zero_leaves_the_systems_value_and_what_fails_is_left_out():
    fresh = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    TcpOptions(0, 0, 0, receive_errors=False).apply(sock)
    for name in ("TCP_KEEPIDLE", "TCP_KEEPINTVL", "TCP_KEEPCNT"):
        option = (socket.IPPROTO_TCP, getattr(socket, name))
        assert sock.getsockopt(*option) == fresh.getsockopt(*option)
    TcpOptions(10**6, 1, 1, receive_errors=False).apply(sock)
    assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT) == 1
    sock.close()
    fresh.close()


# Connecting


class Outcome:
    """What an attempt to connect came to."""

    def __init__(self):
        self.results = []

    def __call__(self, stream, error):
        self.results.append((stream, error))


def attempt(loop, address):
    outcome = Outcome()
    cancel = connect(loop, address, outcome, OPTIONS)
    assert outcome.results == [], "told before connect() returned"
    return outcome, cancel


@pytest.mark.parametrize("kind", ["tcp4", "tcp6", "unix", "abstract"])
def test_a_connection_is_made(loop, kind, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    if kind in ("unix", "abstract"):
        path = "socket" if kind == "unix" else f"\0hirte-test-{os.getpid()}"
        server = socket.socket(socket.AF_UNIX)
        server.bind(path)
        server.listen()
        address = Address(path=path)
    else:
        host = "127.0.0.1" if kind == "tcp4" else "::1"
        family = socket.AF_INET if kind == "tcp4" else socket.AF_INET6
        server = socket.create_server((host, 0), family=family)
        address = Address(host=host, port=server.getsockname()[1])
    outcome, _ = attempt(loop, address)
    turn_until(loop, lambda: outcome.results)
    ((stream, error),) = outcome.results
    assert error == ""
    accepted, _ = server.accept()
    stream.start(Receiver())
    stream.write(b"hi")
    loop.turn()
    assert accepted.recv(10) == b"hi"
    if kind.startswith("tcp"):
        assert stream.peer_ip == address.host
        assert stream._socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) == 1
    for each in (stream, accepted, server):
        each.close()
    assert loop._handlers == {}


def test_a_refused_connection(loop):
    free = socket.create_server(("127.0.0.1", 0))
    port = free.getsockname()[1]
    free.close()
    outcome, _ = attempt(loop, Address(host="127.0.0.1", port=port))
    turn_until(loop, lambda: outcome.results)
    assert outcome.results == [(None, os.strerror(errno.ECONNREFUSED))]
    assert loop._handlers == {}


@pytest.mark.parametrize(
    ("address", "text"),
    [
        (Address(path="/nonexistent/socket"), os.strerror(errno.ENOENT)),
        (Address(path="/" + "x" * 200), "AF_UNIX path too long"),
        (Address(host="255.255.255.255", port=1), None),
    ],
)
def test_what_cannot_even_be_tried_is_told_too(loop, address, text):
    outcome, _ = attempt(loop, address)
    turn_until(loop, lambda: outcome.results)
    ((stream, error),) = outcome.results
    assert stream is None
    assert error == text if text else error


@pytest.mark.parametrize("code", [errno.EMFILE, errno.EAFNOSUPPORT])
def test_no_socket_is_a_failed_attempt(loop, monkeypatch, code):
    def no_socket(*given):
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(module._socket, "socket", no_socket)
    outcome, _ = attempt(loop, Address(host="127.0.0.1", port=1))
    turn_until(loop, lambda: outcome.results)
    assert outcome.results == [(None, os.strerror(code))]


@pytest.fixture
def black_hole():
    """An address that answers nothing: a listener whose queue is full."""
    server = socket.socket()
    server.bind(("127.0.0.1", 0))
    server.listen(0)
    filler = socket.create_connection(server.getsockname())
    yield Address(host="127.0.0.1", port=server.getsockname()[1])
    filler.close()
    server.close()


def test_an_attempt_ends_after_its_time(loop, black_hole, monkeypatch):
    monkeypatch.setattr(module, "CONNECT_TIMEOUT", 0.01)
    outcome, _ = attempt(loop, black_hole)
    turn_until(loop, lambda: outcome.results)
    assert outcome.results == [(None, "timed out")]
    assert loop._handlers == {}


def test_an_attempt_that_was_given_up_tells_nothing(loop, black_hole, monkeypatch):
    monkeypatch.setattr(module, "CONNECT_TIMEOUT", 0.01)
    outcome, cancel = attempt(loop, black_hole)
    cancel()
    cancel()
    assert loop._handlers == {}
    done = []
    loop.call_later(0.03, lambda: done.append(True))
    turn_until(loop, lambda: done)
    assert outcome.results == []


def test_an_attempt_that_fails_at_once_can_be_given_up_too(loop):
    outcome, cancel = attempt(loop, Address(path="/nonexistent/socket"))
    cancel()
    loop.turn()
    assert outcome.results == []
