"""The listening socket that the service manager passes."""

from __future__ import annotations

import os
import socket

import pytest

from hirte.runtime.activation import ActivationError, inherited_listener

PID = 77


def environ(count="1", pid=PID):
    return {
        "LISTEN_FDS": count,
        "LISTEN_PID": str(pid),
        "LISTEN_FDNAMES": "hirte.socket",
        "HOME": "/",
    }


def passed(kind, listens, family=socket.AF_INET):
    """Return a descriptor as the service manager passes it."""
    source = socket.socket(family, kind)
    if listens:
        if family != socket.AF_UNIX:
            source.bind(("", 0))
        else:
            source.bind("")  # the kernel chooses an abstract name
        source.listen()
    fd = source.detach()
    os.set_inheritable(fd, True)
    return fd


@pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_INET6, socket.AF_UNIX])
def test_a_listening_socket_is_taken(family):
    fd = passed(socket.SOCK_STREAM, True, family)
    variables = environ()
    listener = inherited_listener(variables, PID, fd)
    assert listener.fileno() == fd
    assert listener.family == family
    assert not os.get_inheritable(fd)
    assert not os.get_blocking(fd)
    assert variables == {"HOME": "/"}
    client = socket.socket(family, socket.SOCK_STREAM)
    client.connect(listener.getsockname())
    accepted, _ = listener._accept()
    os.close(accepted)
    client.close()
    listener.close()


@pytest.mark.parametrize(
    "variables", [{}, {"LISTEN_FDS": "1"}, environ(pid=78), environ(count="0")]
)
def test_nothing_was_passed_to_us(variables):
    assert inherited_listener(variables, PID) is None
    assert "LISTEN_FDS" not in variables
    assert "LISTEN_PID" not in variables


def test_our_own_process_is_meant_by_default():
    with pytest.raises(ActivationError, match="2 sockets were passed"):
        inherited_listener(environ("2", os.getpid()))


@pytest.mark.parametrize("count", ["", "x", "-1", "1 "])
def test_a_count_that_is_none(count):
    with pytest.raises(ActivationError, match="is not a number"):
        inherited_listener(environ(count), PID)


def test_more_than_one_socket_is_refused():
    with pytest.raises(ActivationError, match="2 sockets were passed, only one can be used"):
        inherited_listener(environ("2"), PID)


@pytest.mark.parametrize(
    ("kind", "family", "message"),
    [
        (socket.SOCK_STREAM, socket.AF_INET, "is a socket that does not listen"),
        (socket.SOCK_DGRAM, socket.AF_INET, "is no stream socket"),
        (socket.SOCK_SEQPACKET, socket.AF_UNIX, "is no stream socket"),
        (socket.SOCK_RAW, socket.AF_NETLINK, "is no stream socket"),
    ],
)
def test_other_sockets_are_refused_and_closed(kind, family, message):
    fd = passed(kind, False, family)
    with pytest.raises(ActivationError, match=f"descriptor {fd} {message}"):
        inherited_listener(environ(), PID, fd)
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(fd)


def test_a_file_is_refused():
    fd = os.open("/dev/null", os.O_RDONLY)
    with pytest.raises(ActivationError, match="is no socket: Socket operation on non-socket"):
        inherited_listener(environ(), PID, fd)
    os.close(fd)


def test_a_closed_descriptor_is_refused():
    with pytest.raises(ActivationError, match="is no socket: Bad file descriptor"):
        inherited_listener(environ(), PID, 100_000)
