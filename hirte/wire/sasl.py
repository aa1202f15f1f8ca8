"""D-Bus authentication, both roles, as state machines on bytes.

The manager does not identify agents here (a user id of another machine says nothing), so the
server accepts any identity, but it is exact about the lines: it answers every line with exactly
one line and BEGIN with none. libsystemd's clients send everything at once and count the answers:
one missing stalls them, one too many makes them abort.

The client sends libsystemd's own opening, which every D-Bus server takes, in one write.
"""

from __future__ import annotations

from hirte.wire.errors import PeerError
from hirte.wire.limits import SASL_LINE_BYTES, SASL_LINES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Callable

CLIENT_OPENING = b"\0AUTH EXTERNAL\r\nDATA\r\nBEGIN\r\n"

_MECHANISMS = (b"EXTERNAL", b"ANONYMOUS")

# The states of the server: nothing accepted yet; the client's DATA is awaited; OK was sent.
_WAIT_AUTH, _WAIT_DATA, _WAIT_BEGIN = "wait for AUTH", "wait for DATA", "wait for BEGIN"


class _Lines:
    """Cuts the bytes of one peer into lines, within the limits of an authentication."""

    def __init__(self) -> None:
        self._data = b""
        self._count = 0

    def feed(self, data: bytes) -> None:
        self._data += data

    def take(self) -> bytes | None:
        line, found, rest = self._data.partition(b"\r\n")
        # The end of a line may come in two pieces.
        if len(line) > SASL_LINE_BYTES + (not found and line.endswith(b"\r")):
            raise PeerError("a line of the authentication is too long")
        if not found:
            return None
        self._data = rest
        self._count += 1
        if self._count > SASL_LINES:
            raise PeerError("the authentication does not come to an end")
        return line

    def rest(self) -> bytes:
        rest, self._data = self._data, b""
        return rest


class Server:
    """The accepting side. `guid` is 32 hexadecimal digits; `unix` tells the kind of socket."""

    def __init__(self, guid: str, unix: bool) -> None:
        self.done = False
        self._lines = _Lines()
        self._ok = b"OK " + guid.encode("ascii")
        self._unix = unix
        self._state = _WAIT_AUTH
        self._greeted = False

    def feed(self, data: bytes) -> bytes:
        """Take bytes from the client and return the answers. Sets `done` after BEGIN.

        Raises PeerError when the connection must be closed.
        """
        if not self._greeted and data:
            if data[0]:
                raise PeerError("the first byte is not NUL")
            self._greeted = True
            data = data[1:]
        self._lines.feed(data)
        answers = []
        while not self.done:
            line = self._lines.take()
            if line is None:
                break
            if line == b"BEGIN" and self._state == _WAIT_BEGIN:
                self.done = True
            else:
                answers.append(self._answer(line) + b"\r\n")
        return b"".join(answers)

    def rest(self) -> bytes:
        """Return what followed BEGIN: the first bytes of the messages."""
        return self._lines.rest()

    def _answer(self, line: bytes) -> bytes:
        command, _, argument = line.partition(b" ")
        handler = _SERVER_COMMANDS.get(command)
        return handler(self, argument) if handler else b"ERROR"

    def _auth(self, argument: bytes) -> bytes:
        mechanism, has_identity, identity = argument.partition(b" ")
        self._state = _WAIT_AUTH
        if mechanism not in _MECHANISMS:
            return b"REJECTED EXTERNAL ANONYMOUS"
        if not has_identity:
            self._state = _WAIT_DATA
            return b"DATA"
        return self._identify(identity, numeric=mechanism == b"EXTERNAL")

    def _data(self, argument: bytes) -> bytes:
        if self._state != _WAIT_DATA:
            return b"ERROR"
        return self._identify(argument, numeric=False)

    def _identify(self, identity: bytes, numeric: bool) -> bytes:
        if not _is_identity(identity, numeric):
            self._state = _WAIT_AUTH
            return b"REJECTED"
        self._state = _WAIT_BEGIN
        return self._ok

    def _negotiate(self, argument: bytes) -> bytes:
        agreed = self._unix and self._state != _WAIT_AUTH
        return b"AGREE_UNIX_FD" if agreed else b"ERROR"

    def _refuse(self, argument: bytes) -> bytes:
        self._state = _WAIT_AUTH
        return b"REJECTED"


def _is_identity(identity: bytes, numeric: bool) -> bool:
    try:
        text = bytes.fromhex(identity.decode("ascii"))
    except ValueError:
        return False
    # fromhex() skips blanks.
    return len(identity) == 2 * len(text) and (text.isdigit() or not numeric)


_SERVER_COMMANDS: dict[bytes, Callable[[Server, bytes], bytes]] = {
    b"AUTH": Server._auth,
    b"DATA": Server._data,
    b"NEGOTIATE_UNIX_FD": Server._negotiate,
    b"CANCEL": Server._refuse,
    b"ERROR": Server._refuse,
}


class Client:
    """The connecting side. The caller sends :data:`CLIENT_OPENING` first."""

    def __init__(self) -> None:
        self.done = False
        self._lines = _Lines()

    def feed(self, data: bytes) -> bytes:
        """Take bytes from the server; there is never anything to answer. Sets `done` after OK.

        Raises PeerError when the server refuses.
        """
        self._lines.feed(data)
        while not self.done:
            line = self._lines.take()
            if line is None:
                break
            if line == b"OK" or line.startswith(b"OK "):
                self.done = True
            elif line != b"DATA":
                raise PeerError(f"the authentication was refused: {line[:80]!r}")
        return b""

    def rest(self) -> bytes:
        """Return what followed the last line: the first bytes of the messages."""
        return self._lines.rest()
