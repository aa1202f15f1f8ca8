"""One D-Bus connection: authentication, then messages both ways.

Rules of this file:
- Every call that expects an answer gets exactly one: the peer's, or NoReply when the time is over
  or the connection is lost.
- A peer that breaks the protocol loses its connection, after all its earlier messages were served.
- What is longer than the peer takes is not sent, but answered with an error: our peers have our
  limits, and close the connection otherwise.
- From an untrusted peer no message comes through whose body does not match its signature.
- An exception in a handler is our bug: it is logged, and the next message is served.

The connection knows no socket: bytes come in through :meth:`Connection.received`, and leave
through the transport that it was given.
"""

from __future__ import annotations

from hirte.dbus import errors
from hirte.dbus.limits import CALL_TIMEOUT, ERROR_TEXT, PENDING_CALLS
from hirte.dbus.traffic import Traffic
from hirte.wire import build
from hirte.wire.check import check
from hirte.wire.encode import NATIVE, encode
from hirte.wire.errors import EncodeError, PeerError
from hirte.wire.framing import Framer
from hirte.wire.limits import MESSAGE_BYTES, UNREGISTERED_MESSAGE_BYTES, UNREGISTERED_QUEUE_BYTES
from hirte.wire.message import (
    ERROR,
    METHOD_CALL,
    METHOD_RETURN,
    NO_REPLY_EXPECTED,
    SIGNAL,
    Message,
)
from hirte.wire.sasl import CLIENT_OPENING, Client, Server

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable

    from hirte.dbus.ports import Log, Timer, Timers, Transport

    ReplyHandler = Callable[[Message], None]

_TERMINATED = (errors.NO_REPLY, "Connection terminated")


class Connection:
    """A connection over a stream that is already open.

    `auth` says which role we play; `trusted` that the peer is systemd or the bus daemon, which
    check what they send. `name` says in logs who the peer is.

    The owner sets the handlers: `on_ready()` after the authentication, `on_call(message)`,
    `on_signal(message)`, and `on_lost(reason)` exactly once at the end, also after :meth:`close`.
    `sender` is the name that goes out as the sender of every message, if any; `traffic` counts.
    """

    def __init__(
        self,
        auth: Client | Server,
        timers: Timers,
        log: Log,
        name: str,
        trusted: bool = False,
    ) -> None:
        self.name = name
        self.sender = ""
        self.open = True
        self.ready = False
        self.transport: Transport | None = None
        self.traffic = Traffic()
        self.on_ready: Callable[[], None] = _nothing
        self.on_call: Callable[[Message], None] = _refuse
        self.on_signal: Callable[[Message], None] = _ignore
        self.on_lost: Callable[[str], None] = _ignore
        self._auth = auth
        self._trusted = trusted
        self._known = trusted
        self._framer = Framer(MESSAGE_BYTES if trusted else UNREGISTERED_MESSAGE_BYTES)
        self._timers = timers
        self._log = log
        self._serial = 0
        # In the order of their deadlines, because all have the same time-out.
        self._pending: dict[int, tuple[float, ReplyHandler]] = {}
        self._timer: Timer | None = None

    def attach(self, transport: Transport) -> None:
        """Start to talk over `transport`."""
        self.transport = transport
        if isinstance(self._auth, Client):
            transport.write(CLIENT_OPENING)

    def allow(self, message_bytes: int) -> None:
        """Let messages of up to `message_bytes` pass in both directions: the peer is known."""
        self._known = True
        self._framer.limit = message_bytes

    @property
    def open_calls(self) -> int:
        """Return how many calls of ours wait for their answers."""
        return len(self._pending)

    @property
    def queued(self) -> int:
        """Return how many bytes the peer has not taken yet."""
        return self.transport.queued if self.open and self.transport else 0

    # What comes in

    def received(self, data: bytes) -> None:
        """Take bytes that the peer sent."""
        try:
            if not self.ready:
                data = self._authenticate(data)
            if self.ready:
                self.traffic.received_bytes += len(data)
                self._framer.feed(data)
                self._take_messages()
        except PeerError as error:
            self.traffic.protocol_errors += 1
            self._log.warning(f"{self.name} broke the protocol: {error}", PEER=self.name)
            self.close(f"protocol error: {error}")

    def _authenticate(self, data: bytes) -> bytes:
        answer = self._auth.feed(data)
        if answer and self.transport:
            self.transport.write(answer)
        if not self._auth.done:
            return b""
        self.ready = True
        self._guard(self.on_ready)
        return self._auth.rest()

    def _take_messages(self) -> None:
        while self.open:
            message = self._framer.take()
            if message is None:
                return
            self.traffic.received_messages += 1
            if not self._trusted:
                check(message.signature, message.body, message.order)
                if not self._known and self.queued > UNREGISTERED_QUEUE_BYTES:
                    raise PeerError("it does not read what it asks for")
            kind = message.type
            if kind == SIGNAL:
                self._guard(self.on_signal, message)
            elif kind == METHOD_CALL:
                self._guard(self.on_call, message)
            elif kind in (METHOD_RETURN, ERROR):
                pending = self._pending.pop(message.reply_serial, None)
                if pending is not None:
                    self._guard(pending[1], message)

    def _guard(self, handler: Callable[..., None], *arguments: Message) -> None:
        try:
            handler(*arguments)
        except PeerError:
            raise
        except Exception as error:  # noqa: BLE001 - one bug must not end the others
            self._log.error(
                f"Bug: {type(error).__name__}: {error}, while serving {self.name}",
                PEER=self.name,
                DATA=_traceback(error),
            )

    # What goes out

    def call(
        self,
        path: str,
        interface: str,
        member: str,
        on_reply: ReplyHandler,
        signature: str = "",
        body: bytes = b"",
        destination: str = "",
        order: str = NATIVE,
    ) -> None:
        """Call a method; `on_reply` gets the return or the error, exactly once.

        When the call cannot even be sent, `on_reply` is called before this returns.
        """
        if not self.open or len(self._pending) >= PENDING_CALLS:
            answer = (errors.LIMITS_EXCEEDED, "Too many open calls") if self.open else _TERMINATED
            on_reply(local_error(*answer))
            return
        serial = self._next_serial()
        try:
            data = build.call(
                serial, path, interface, member, signature, body, destination, self.sender, 0, order
            )
        except EncodeError as error:
            on_reply(local_error(errors.FAILED, str(error)))
            return
        if len(data) > self._framer.limit:
            text = f"A call of {len(data)} bytes, {self._framer.limit} are allowed"
            on_reply(local_error(errors.LIMITS_EXCEEDED, text))
            return
        self._pending[serial] = (self._timers.now() + CALL_TIMEOUT, on_reply)
        if self._timer is None:
            self._timer = self._timers.call_later(CALL_TIMEOUT, self._expire)
        self._write(data)

    def send(
        self,
        path: str,
        interface: str,
        member: str,
        signature: str = "",
        body: bytes = b"",
        destination: str = "",
    ) -> None:
        """Call a method and tell the peer that no answer is wanted."""
        self._write(
            build.call(
                self._next_serial(), path, interface, member, signature, body,
                destination, self.sender, NO_REPLY_EXPECTED,
            )
        )  # fmt: skip

    def signal(
        self,
        path: str,
        interface: str,
        member: str,
        signature: str = "",
        body: bytes = b"",
        destination: str = "",
        order: str = NATIVE,
    ) -> None:
        """Send a signal."""
        self._write(
            build.signal(
                self._next_serial(), path, interface, member, signature, body,
                destination, self.sender, order,
            )
        )  # fmt: skip

    def reply(
        self, call: Message, signature: str = "", body: bytes = b"", order: str = NATIVE
    ) -> None:
        """Answer `call`, if its sender wants an answer."""
        if not call.flags & NO_REPLY_EXPECTED:
            self._answer(
                call,
                build.method_return(
                    self._next_serial(), call.serial, signature, body,
                    call.sender, self.sender, order,
                ),
            )  # fmt: skip

    def error(self, call: Message, name: str, text: str) -> None:
        """Answer `call` with an error, if its sender wants an answer."""
        if not call.flags & NO_REPLY_EXPECTED:
            body = encode("s", (text[:ERROR_TEXT],))
            self._write(
                build.error(
                    self._next_serial(), call.serial, name, "s", body, call.sender, self.sender
                )
            )

    def relay(self, call: Message, answer: Message) -> None:
        """Answer `call` with what somebody else answered, body untouched."""
        if call.flags & NO_REPLY_EXPECTED:
            return
        serial = self._next_serial()
        head = (answer.signature, answer.body, call.sender, self.sender, answer.order)
        if answer.type == ERROR:
            self._answer(call, build.error(serial, call.serial, answer.error_name, *head))
        else:
            self._answer(call, build.method_return(serial, call.serial, *head))

    def _answer(self, call: Message, data: bytes) -> None:
        if len(data) > self._framer.limit:
            text = f"An answer of {len(data)} bytes, {self._framer.limit} are allowed"
            self.error(call, errors.LIMITS_EXCEEDED, text)
        else:
            self._write(data)

    def _write(self, data: bytes) -> None:
        if self.open and self.transport:
            self.traffic.sent_messages += 1
            self.traffic.sent_bytes += len(data)
            self.transport.write(data)

    def _next_serial(self) -> int:
        self._serial = self._serial % 0xFFFFFFFF + 1
        return self._serial

    # Open calls and the end

    def _expire(self) -> None:
        # While handlers run `_timer` stays set, so that a call of theirs does not start a second.
        now = self._timers.now()
        while self._pending:
            serial, (deadline, on_reply) = next(iter(self._pending.items()))
            if deadline > now:
                self._timer = self._timers.call_later(deadline - now, self._expire)
                return
            del self._pending[serial]
            self._guard(on_reply, local_error(errors.NO_REPLY, "Method call timed out"))
        self._timer = None

    def close(self, reason: str, answer: tuple[str, str] = _TERMINATED) -> None:
        """Close the connection; open calls get the error `answer`, then `on_lost` is told."""
        if self.open and self.transport:
            self.transport.close()
        self._finish(reason, answer)

    def lost(self, reason: str) -> None:
        """Take note that the transport is gone: the peer closed it, or it failed."""
        self._finish(reason, _TERMINATED)

    def _finish(self, reason: str, answer: tuple[str, str]) -> None:
        if not self.open:
            return
        self.open = False
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        while self._pending:
            serial = next(iter(self._pending))
            _, on_reply = self._pending.pop(serial)
            self._guard(on_reply, local_error(*answer))
        on_lost = self.on_lost
        # The handlers refer to the owner, and the owner to us: let go without waiting for the
        # garbage collector.
        self.on_ready, self.on_call, self.on_signal = _nothing, _refuse, _ignore
        self.on_lost = _ignore
        on_lost(reason)


def local_error(name: str, text: str) -> Message:
    """Return an error that no peer sent, in the form in which peers' errors arrive."""
    message = Message(ERROR)
    message.error_name = name
    message.signature = "s"
    message.body = encode("s", (text,))
    return message


def _nothing() -> None:
    pass


def _ignore(_: Any) -> None:
    pass


def _refuse(message: Message) -> None:
    raise LookupError(f"nobody serves {message}")


def _traceback(error: Exception) -> str:
    import traceback

    return "".join(traceback.format_exception(type(error), error, error.__traceback__))
