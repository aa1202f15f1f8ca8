"""Requests and their answers over a link, and signals in between.

Rules of this file:
- Messages are taken one by one, in the order in which they came, wherever somebody waits.
- Whoever waits is told: by what it waits for, by Timeout, or by the failure of the connection.
- After every wait nothing lies unseen in a buffer, so that polling the descriptor is enough.
"""

from __future__ import annotations

from time import monotonic
from typing import Generic, TypeVar

from jeepney import HeaderFields, MessageType

from hirte.client.errors import CallError, Error, ManagerAway, Timeout

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable

    from hirte.client.link import Link

T = TypeVar("T")

_INCONSISTENT = "org.freedesktop.DBus.Error.InconsistentMessage"


class Connection:
    """A conversation over `link`; `gone` says, for people, that the other end went away.

    `on_signal` gets every signal. `failure` is why nothing works any more, if so; `on_failure` is
    called once when that is set.
    """

    def __init__(self, link: Link, gone: str) -> None:
        self.link = link
        self.failure: Error | None = None
        self.on_signal: Callable[[Any], None] = _ignore
        self.on_failure: Callable[[], None] = _nothing
        self._gone = gone
        self._open: dict[int, Reply[Any]] = {}

    @property
    def asking(self) -> bool:
        """Tell whether answers are still to come."""
        return bool(self._open)

    def request(
        self,
        message: Any,
        read: Callable[[str, tuple[Any, ...]], T],
        explain: Callable[[str, str, str], Error],
        timeout: float | None,
    ) -> Reply[T]:
        """Send a method call. Raises ManagerAway when the connection has failed.

        `read` makes the result of the answer's signature and values, `explain` the error of an
        error's name, text and sender. `timeout` is how many seconds `result` waits for the answer;
        None is for ever.
        """
        self.check()
        member = message.header.fields[HeaderFields.member]
        reply = Reply(self, member, read, explain, timeout)
        try:
            self._open[self.link.send(message)] = reply
        except OSError as error:
            self._lost(error)
            self.check()
        return reply

    def tell(self, message: Any) -> None:
        """Send a message that has no answer; that it cannot be sent shows with the next request."""
        if self.failure is None:
            try:
                self.link.send(message)
            except OSError as error:
                self._lost(error)

    def check(self) -> None:
        """Raise the failure of the connection, if it has failed."""
        if self.failure is not None:
            raise type(self.failure)(*self.failure.args) from self.failure

    def fail(self, error: Error) -> None:
        """Let nothing work any more. The first failure counts."""
        if self.failure is None:
            self.failure = error
            for reply in self._open.values():
                reply.fail(error)
            self._open.clear()
            self.on_failure()

    def wait(self, done: Callable[[], bool], timeout: float | None = None) -> bool:
        """Take messages until `done()`; return False if it is not within `timeout` seconds.

        Raises the failure of the connection.
        """
        deadline = None if timeout is None else monotonic() + timeout
        try:
            while not done():
                self.check()
                left = None if deadline is None else max(0.0, deadline - monotonic())
                if not self._take(left):
                    return done()
            return True
        finally:
            self._take_buffered()

    def drain(self) -> None:
        """Take what has come, without waiting."""
        if self.failure is None and self._take(0.0):
            self._take_buffered()

    def forget(self, reply: Reply[Any]) -> None:
        """Stop to expect an answer."""
        for serial, other in list(self._open.items()):
            if other is reply:
                del self._open[serial]

    def _take(self, timeout: float | None) -> bool:
        """Take one message; return False if none came. A failure counts as one."""
        try:
            message = self.link.receive(timeout)
        except OSError as error:
            self._lost(error)
            return True
        if message is not None:
            self._serve(message)
        return message is not None

    def _take_buffered(self) -> None:
        while self.failure is None:
            message = self.link.buffered()
            if message is None:
                return
            self._serve(message)

    def _serve(self, message: Any) -> None:
        fields = message.header.fields
        kind = message.header.message_type
        if kind is MessageType.signal:
            self.on_signal(message)
            return
        reply = self._open.pop(fields.get(HeaderFields.reply_serial, 0), None)
        if reply is None:
            return
        if kind is MessageType.error:
            text = str(message.body[0]) if message.body else ""
            sender = fields.get(HeaderFields.sender, "")
            reply.refuse(fields[HeaderFields.error_name], text, sender)
        else:
            reply.take(fields.get(HeaderFields.signature, ""), message.body)

    def _lost(self, error: OSError) -> None:
        self.fail(ManagerAway(self._gone.format(reason=error.strerror or error)))


class Reply(Generic[T]):
    """The answer to a request, perhaps still to come."""

    def __init__(
        self,
        connection: Connection,
        member: str,
        read: Callable[[str, tuple[Any, ...]], T],
        explain: Callable[[str, str, str], Error],
        timeout: float | None,
    ) -> None:
        self.done = False
        self.error: Error | None = None
        self._connection = connection
        self._member = member
        self._read = read
        self._explain = explain
        self._timeout = timeout
        self._value: T

    def result(self, timeout: float | None = None) -> T:
        """Wait for the answer and return the result; `timeout` is in seconds, by default as asked.

        Raises what `explain` made of an error, Timeout, ManagerAway.
        """
        seconds = self._timeout if timeout is None else timeout
        if not self.done and not self._connection.wait(lambda: self.done, seconds):
            self._connection.forget(self)
            raise Timeout(f"no answer to {self._member} within {seconds:g} s")
        if self.error is not None:
            raise self.error
        return self._value

    def then(self, change: Callable[[Any], Any]) -> None:
        """Let `change` make the result of what it would have been; before anything is taken."""
        read = self._read
        self._read = lambda signature, values: change(read(signature, values))

    def take(self, signature: str, values: tuple[Any, ...]) -> None:
        """Take the answer."""
        try:
            self._value = self._read(signature, values)
        except Error as error:
            self.error = error
        self.done = True

    def refuse(self, name: str, text: str, sender: str) -> None:
        """Take an error for an answer."""
        self.fail(self._explain(name, text, sender))

    def fail(self, error: Error) -> None:
        """Take note that there will be no answer."""
        self.error = error
        self.done = True


def strange(member: str, signature: str) -> CallError:
    """Return the error that somebody speaks of a member in other types than the tables do."""
    text = f"the manager answered {member} with '{signature}'; is it of another version?"
    return CallError(_INCONSISTENT, text)


def _ignore(_: Any) -> None:
    pass


def _nothing() -> None:
    pass
