"""The HTTP server: one page, one request, everything bounded."""

from __future__ import annotations

import http.client
import socket

import pytest

from hirte.runtime.http import EXCHANGE_TIMEOUT, EXCHANGES_MAX, HEAD_BYTES, Server
from hirte.runtime.loop import Loop
from hirte.runtime.stream import Stream
from tests.unit.talk import Clock
from tests.unit.world import turn_until

PAGE = b"all is well\n"


def fail(error):
    raise error


class Site:
    """A server whose clients are plain sockets."""

    def __init__(self):
        self.loop = Loop(fail)
        self.clock = Clock()
        self.page = PAGE
        self.views = 0
        self.ends = []
        self.server = Server(self.clock, "text/x-test", self.view)

    def view(self):
        self.views += 1
        return self.page

    def visit(self):
        ours, theirs = socket.socketpair()
        self.server.accept(Stream(self.loop, ours), True)
        theirs.settimeout(0)
        self.ends.append(theirs)
        return theirs

    def hear(self, client):
        """Everything that the client gets until the connection ends."""
        pieces = []

        def ended():
            try:
                while not pieces or pieces[-1]:
                    pieces.append(client.recv(1 << 20))
            except BlockingIOError:
                return False
            return True

        turn_until(self.loop, ended)
        return b"".join(pieces)

    def ask(self, request):
        """The status line, the head's other lines, and the body of the answer to `request`."""
        client = self.visit()
        client.sendall(request)
        head, _, body = self.hear(client).partition(b"\r\n\r\n")
        status, *lines = head.decode("ascii").split("\r\n")
        return status, lines, body


@pytest.fixture
def site():
    site = Site()
    yield site
    for end in site.ends:
        end.close()
    site.clock.advance(EXCHANGE_TIMEOUT)
    site.loop._selector.close()


@pytest.mark.parametrize(
    "request_",
    [
        b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nAccept: */*\r\n\r\n",
        b"GET / HTTP/1.0\r\n\r\n",
        b"GET /metrics?name[]=hirte_node_up HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /metrics HTTP/1.0\n\n",
        b"GET /metrics HTTP/1.1\r\nContent-Length: 4\r\n\r\nbody",
    ],
)
def test_the_page(site, request_):
    assert site.ask(request_) == (
        "HTTP/1.0 200 OK",
        ["Content-Type: text/x-test", f"Content-Length: {len(PAGE)}", "Connection: close"],
        PAGE,
    )
    assert site.clock.waiting == 0


@pytest.mark.parametrize(
    ("line", "status"),
    [
        (b"GET /metric HTTP/1.1", "404 Not Found"),
        (b"GET /metrics/ HTTP/1.1", "404 Not Found"),
        (b"GET /\xff HTTP/1.1", "404 Not Found"),
        (b"POST /nothing HTTP/1.1", "404 Not Found"),
        (b"POST /metrics HTTP/1.1", "405 Method Not Allowed"),
        (b"get / HTTP/1.1", "405 Method Not Allowed"),
        (b"GET /metrics", "400 Bad Request"),
        (b"GET  /metrics HTTP/1.1", "400 Bad Request"),
        (b"GET /metrics HTTP/2.0", "400 Bad Request"),
        (b"GET /me trics HTTP/1.1", "400 Bad Request"),
        (b"", "400 Bad Request"),
        (b"\0AUTH EXTERNAL", "400 Bad Request"),
    ],
)
def test_what_is_not_the_page(site, line, status):
    said, lines, body = site.ask(line + b"\r\nHost: localhost\r\n\r\n")
    assert said == f"HTTP/1.0 {status}"
    assert f"Content-Length: {len(body)}" in lines
    assert ("Allow: GET" in lines) == ("405" in status)
    assert site.views == 0


def test_a_request_byte_by_byte(site):
    client = site.visit()
    for byte in b"GET / HTTP/1.1\r\nA: b\r\n\r\n":
        assert site.views == 0
        client.sendall(bytes([byte]))
        site.loop.turn()
    assert site.hear(client).endswith(PAGE)


def test_the_standard_librarys_client_understands_us(site):
    client = http.client.HTTPConnection("localhost")
    client.sock = site.visit()
    client.request("GET", "/metrics")
    turn_until(site.loop, lambda: site.views)
    # The answer was sent in the same turn.
    client.sock.settimeout(10)
    answer = client.getresponse()
    assert (answer.status, answer.getheader("Content-Type")) == (200, "text/x-test")
    assert answer.read() == PAGE


@pytest.mark.parametrize("end", [b"", b"\r\n\r\n"])
def test_a_head_that_does_not_end(site, end):
    status, _, body = site.ask(b"GET / HTTP/1.1\r\nA: " + b"x" * HEAD_BYTES + end)
    assert (status, site.views) == ("HTTP/1.0 400 Bad Request", 0)
    assert str(HEAD_BYTES).encode() in body


def test_a_client_that_says_nothing_is_sent_away(site):
    client = site.visit()
    site.clock.advance(EXCHANGE_TIMEOUT - 1)
    client.sendall(b"GET / HTTP/1.1\r\n")
    site.loop.turn()
    site.clock.advance(1)
    assert site.hear(client) == b""


def test_a_client_that_does_not_read_is_sent_away(site):
    site.page = b"x" * 2_000_000
    client = site.visit()
    client.sendall(b"GET / HTTP/1.0\r\n\r\n")
    turn_until(site.loop, lambda: site.views)
    site.clock.advance(EXCHANGE_TIMEOUT)
    assert 0 < len(site.hear(client)) < len(site.page)


def test_a_long_page_arrives_as_a_whole_also_when_the_client_has_closed_its_half(site):
    site.page = b"x" * 2_000_000
    client = site.visit()
    client.sendall(b"GET / HTTP/1.0\r\n\r\n")
    client.shutdown(socket.SHUT_WR)
    assert site.hear(client).partition(b"\r\n\r\n")[2] == site.page


def test_a_client_that_leaves_is_forgotten(site):
    client = site.visit()
    client.sendall(b"GET / HT")
    client.close()
    turn_until(site.loop, lambda: site.clock.waiting == 0)
    assert site.views == 0


def test_only_a_few_at_a_time(site):
    early = [site.visit() for _ in range(EXCHANGES_MAX)]
    assert site.hear(site.visit()) == b""
    early[0].sendall(b"GET / HTTP/1.0\r\n\r\n")
    assert site.hear(early[0]).endswith(PAGE)
    assert site.ask(b"GET / HTTP/1.0\r\n\r\n")[2] == PAGE
