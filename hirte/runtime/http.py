"""The smallest useful HTTP server: one page, one request per connection.

RFC 9112, as far as a scraper with GET needs it. Requests are bounded in size and time, answers in
time, and so are the connections at a time; what asks for more is closed.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from hirte.runtime.loop import Loop
    from hirte.runtime.stream import Stream

# Request line and header fields. curl sends 90 bytes, Prometheus 300; nginx allows 8 KiB in all.
HEAD_BYTES = 8192
# Seconds from the connection to the end of the answer. Prometheus gives up after ten.
EXCHANGE_TIMEOUT = 10.0
# Exchanges at a time: two scrapers and somebody who looks. Each may cost a turn of the loop.
EXCHANGES_MAX = 4

PATHS = ("/", "/metrics")
_TEXT = "text/plain; charset=utf-8"


class Server:
    """Answers with `page()`, which has the media type `content_type`; give it to a Listener."""

    def __init__(self, loop: Loop, content_type: str, page: Callable[[], bytes]) -> None:
        self._loop = loop
        self._content_type = content_type
        self._page = page
        self._exchanges: dict[_Exchange, bool] = {}

    def accept(self, stream: Stream, unix: bool) -> None:
        """Serve a connection that somebody opened."""
        if len(self._exchanges) < EXCHANGES_MAX:
            exchange = _Exchange(self, self._loop, stream)
            self._exchanges[exchange] = True
            stream.start(exchange)
        else:
            stream.close()

    def ended(self, exchange: _Exchange) -> None:
        """Forget an exchange."""
        del self._exchanges[exchange]

    def answer(self, head: bytes) -> bytes:
        """Return the answer to a complete request head."""
        line, _, _ = head.partition(b"\n")
        words = line.rstrip(b"\r").split(b" ")
        if len(words) != 3 or not all(words) or not words[2].startswith(b"HTTP/1."):
            return bad_request("not an HTTP/1 request")
        method, target, _ = words
        if target.partition(b"?")[0].decode("latin-1") not in PATHS:
            return response("404 Not Found", _TEXT, b"the metrics are at /metrics\n")
        if method != b"GET":
            return response("405 Method Not Allowed", _TEXT, b"GET only\n", "Allow: GET\r\n")
        return response("200 OK", self._content_type, self._page())


class _Exchange:
    """One request and its answer; the receiver of its stream."""

    def __init__(self, server: Server, loop: Loop, stream: Stream) -> None:
        self._server = server
        self._stream = stream
        self._head = b""
        self._answered = False
        self._deadline = loop.call_later(EXCHANGE_TIMEOUT, self.give_up)

    def received(self, data: bytes) -> None:
        """Take a piece of the request; what follows the head is not looked at."""
        if self._answered:
            return
        self._head += data
        end = _end_of_head(self._head)
        if end > HEAD_BYTES or (end < 0 and len(self._head) > HEAD_BYTES):
            self._answer(bad_request(f"more than {HEAD_BYTES} bytes of head"))
        elif end >= 0:
            self._answer(self._server.answer(self._head[:end]))

    def lost(self, reason: str) -> None:
        """Take note of the end: the answer was sent, or nobody waits for it."""
        self._deadline.cancel()
        self._server.ended(self)

    def give_up(self) -> None:
        """Close, however far it went."""
        self._stream.close()
        self.lost("time is over")

    def _answer(self, answer: bytes) -> None:
        self._answered = True
        self._stream.write(answer)
        self._stream.finish()


def bad_request(why: str) -> bytes:
    """Return the answer to what is no request."""
    return response("400 Bad Request", _TEXT, f"{why}\n".encode())


def response(status: str, content_type: str, body: bytes, more: str = "") -> bytes:
    """Return an answer that ends the connection; `more` are further header lines."""
    head = (
        f"HTTP/1.0 {status}\r\nContent-Type: {content_type}\r\nContent-Length: {len(body)}\r\n"
        f"{more}Connection: close\r\n\r\n"
    )
    return head.encode("ascii") + body


def _end_of_head(data: bytes) -> int:
    """Return where the empty line after the head begins or ended, or -1 if it is not there yet.

    Lines may end in a bare line feed (RFC 9112, 2.2).
    """
    ends = [data.find(mark) for mark in (b"\r\n\r\n", b"\n\n", b"\n\r\n")]
    return min((end for end in ends if end >= 0), default=-1)
