"""The least that a Python process can do for agents: the floor of registrations and of idleness.

    python -I -S scalesink.py

It accepts connections, answers the authentication and `Register` with prepared bytes, and drops
what else it reads. It tells its port on standard output, and ends with standard input.
"""

from __future__ import annotations

import select
import socket
import struct
import sys

_GREETING = b"DATA\r\nOK 0123456789abcdef0123456789abcdef\r\n"
_READ_BYTES = 1 << 16
_EVENTS = 4096
_METHOD_CALL = 1
_SERIAL = slice(8, 12)
# A method return without a body: its serial is 1, its only field the serial that it answers.
_RETURN = struct.pack("=BBBBIII", ord("l" if sys.byteorder == "little" else "B"), 2, 1, 1, 0, 1, 8)
_ANSWER_TO = b"\5\1u\0"


def main() -> None:
    """Serve until standard input is closed."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=socket.SOMAXCONN)
    print(listener.getsockname()[1], flush=True)
    poll = select.epoll()
    for descriptor in (listener.fileno(), sys.stdin.fileno()):
        poll.register(descriptor, select.EPOLLIN)
    streams: dict[int, socket.socket] = {}
    while True:
        for descriptor, _ in poll.poll(None, _EVENTS):
            stream = streams.get(descriptor)
            if stream is not None:
                if not _serve(stream):
                    streams.pop(descriptor).close()
            elif descriptor == sys.stdin.fileno():
                return
            else:
                stream, _ = listener.accept()
                streams[stream.fileno()] = stream
                poll.register(stream.fileno(), select.EPOLLIN)


def _serve(stream: socket.socket) -> bool:
    try:
        data = stream.recv(_READ_BYTES)
    except ConnectionError:
        return False
    if data[:1] == b"\0":
        stream.send(_GREETING)
    elif len(data) > 1 and data[1] == _METHOD_CALL:
        stream.send(_RETURN + _ANSWER_TO + data[_SERIAL])
    return bool(data)


if __name__ == "__main__":
    main()
