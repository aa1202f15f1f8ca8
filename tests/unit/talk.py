"""The test is the peer: D-Bus conversations in memory, and time that moves when the test says so.

A :class:`Peer` stands at the other end of one of our connections. It says what the test tells it
to say, as bytes, and keeps what we say until the test expects it. Nothing here waits.
"""

from __future__ import annotations

import heapq

from hirte.dbus.connection import Connection
from hirte.settings.load import load
from hirte.wire import build
from hirte.wire.encode import NATIVE, encode
from hirte.wire.framing import Framer
from hirte.wire.limits import MESSAGE_BYTES
from hirte.wire.message import ERROR, METHOD_CALL, METHOD_RETURN, SIGNAL
from hirte.wire.sasl import CLIENT_OPENING, Client, Server

GUID = "0123456789abcdef" * 2
OPENING = CLIENT_OPENING
GREETING = b"DATA\r\nOK " + GUID.encode() + b"\r\n"
E = "org.freedesktop.DBus.Error."
BUS = "org.freedesktop.DBus"
BUS_PATH = "/org/freedesktop/DBus"
PROPERTIES = "org.freedesktop.DBus.Properties"
KINDS = {METHOD_CALL: "call", METHOD_RETURN: "return", ERROR: "error", SIGNAL: "signal"}


class HandTimer:
    """A timer of the :class:`Clock`."""

    def __init__(self, callback):
        self.callback = callback

    def cancel(self):
        self.callback = None


class Clock:
    """The Timers port. Time stands still until the test advances it."""

    def __init__(self):
        self.seconds = 1000.0
        self._count = 0
        self._timers = []

    def now(self):
        return self.seconds

    def realtime_us(self):
        return int((self.seconds + 1_600_000_000) * 1_000_000)

    def monotonic_us(self):
        return int(self.seconds * 1_000_000)

    def call_later(self, delay, callback):
        timer = HandTimer(callback)
        self._count += 1
        heapq.heappush(self._timers, (self.seconds + delay, self._count, timer))
        return timer

    @property
    def waiting(self):
        """How many timers would still run."""
        return sum(timer.callback is not None for _, _, timer in self._timers)

    def advance(self, seconds):
        """Let time pass, and everything happen that is due in it."""
        end = self.seconds + seconds
        while self._timers and self._timers[0][0] <= end:
            due, _, timer = heapq.heappop(self._timers)
            callback, timer.callback = timer.callback, None
            if callback is not None:
                self.seconds = due
                callback()
        self.seconds = end


class ListLog:
    """The Log port. Keeps every record that is not suppressed."""

    def __init__(self):
        self.level = "INFO"
        self.quiet = False
        self.records = []

    def set_level(self, level):
        if level not in ("DEBUG", "INFO", "WARN", "ERROR"):
            raise ValueError(f"{level!r} is none of them")
        self.level = level

    def set_quiet(self, quiet):
        self.quiet = quiet

    def debug(self, message, **fields):
        self._keep("debug", message, fields)

    def info(self, message, **fields):
        self._keep("info", message, fields)

    def warning(self, message, **fields):
        self._keep("warning", message, fields)

    def error(self, message, **fields):
        self._keep("error", message, fields)

    def _keep(self, kind, message, fields):
        if not self.quiet:
            self.records.append((kind, message, fields))

    def of(self, *kinds):
        """The texts of all records of these kinds."""
        return [message for kind, message, _ in self.records if kind in kinds]

    @property
    def bugs(self):
        return self.of("error")


class Peer:
    """The other end of `connection`. It is also our end's transport.

    `trace`, if given, gets one line for everything that we say, so that the order of what is said
    on several connections can be seen.
    """

    def __init__(self, connection, name="peer", peer_ip="", context="", trace=None):
        self.connection = connection
        self.name = name
        self.peer_ip = peer_ip
        self.queued = 0
        self.context = context
        self.trace = [] if trace is None else trace
        self.raw = b""
        self.heard = []
        self.closed = False
        self.queued = 0
        self.serial = 0
        self._framer = None

    # The Transport port

    def security_context(self):
        return self.context

    def write(self, data):
        assert not self.closed, "written after the end"
        if self._framer is None:
            self.raw += data
            return
        self._framer.feed(data)
        self._take()

    def close(self):
        assert not self.closed, "closed twice"
        self.closed = True
        self.trace.append(f"{self.name}: closed")

    def _take(self):
        while (message := self._framer.take()) is not None:
            self.heard.append(message)
            self.trace.append(f"{self.name}: {describe(message)}")

    # Authentication

    def greet(self, greeting):
        """Expect the opening of `greeting`'s counterpart and answer it; then come messages."""
        assert self.raw.startswith(OPENING), self.raw
        self._framer = Framer(MESSAGE_BYTES)
        rest, self.raw = self.raw[len(OPENING) :], b""
        self._framer.feed(rest)
        self.connection.received(greeting)
        self._take()
        return self

    def open(self):
        """Open the conversation as a client."""
        self.connection.received(OPENING)
        assert self.raw == GREETING, self.raw
        self.raw = b""
        self._framer = Framer(MESSAGE_BYTES)
        return self

    # What the test says

    def _next(self):
        self.serial += 1
        return self.serial

    def say(self, data):
        self.connection.received(data)

    def call(
        self, path, interface, member, signature="", *values,
        sender="", destination="", flags=0, order=NATIVE, body=None,
    ):  # fmt: skip
        """Call a method; returns the serial that the answer must name."""
        serial = self._next()
        body = encode(signature, values) if body is None else body
        self.say(
            build.call(
                serial, path, interface, member, signature, body, destination, sender, flags, order
            )
        )
        return serial

    def signal(self, path, interface, member, signature="", *values, sender=""):
        body = encode(signature, values)
        self.say(build.signal(self._next(), path, interface, member, signature, body, "", sender))

    def reply(self, call, signature="", *values, sender=""):
        body = encode(signature, values)
        self.say(build.method_return(self._next(), call.serial, signature, body, "", sender))

    def refuse(self, call, name, text="no"):
        self.say(build.error(self._next(), call.serial, name, "s", encode("s", (text,))))

    def leave(self, reason="the peer closed the connection"):
        """End the connection from this side."""
        self.closed = True
        self.connection.lost(reason)

    # What the test expects

    def take(self):
        assert self.heard, f"{self.name} hears nothing"
        return self.heard.pop(0)

    def expect_call(self, member, *values):
        message = self.take()
        assert (message.type, message.member) == (METHOD_CALL, member), describe(message)
        assert message.values() == values, describe(message)
        return message

    def expect_signal(self, member, *values):
        message = self.take()
        assert (message.type, message.member) == (SIGNAL, member), describe(message)
        assert message.values() == values, describe(message)
        return message

    def expect_return(self, serial, *values):
        message = self.take()
        assert message.type == METHOD_RETURN, describe(message)
        assert message.reply_serial == serial, describe(message)
        assert message.values() == values, describe(message)
        return message

    def expect_error(self, serial, name, text=None):
        message = self.take()
        assert (message.type, message.error_name) == (ERROR, name), describe(message)
        assert message.reply_serial == serial, describe(message)
        assert text is None or message.error_text() == text, describe(message)
        return message

    def expect_changed(self, path, interface, **properties):
        """Expect PropertiesChanged with these values and nothing invalidated."""
        message = self.take()
        assert message.member == "PropertiesChanged", describe(message)
        assert (message.path, message.interface) == (path, PROPERTIES), describe(message)
        name, changed, invalidated = message.values()
        assert (name, invalidated) == (interface, []), describe(message)
        assert {key: value for key, (_, value) in changed.items()} == properties
        return message

    def expect_nothing(self):
        assert [describe(message) for message in self.heard] == []

    def forget(self):
        """Do not care for what was said so far."""
        self.heard.clear()
        self.trace.clear()


class OneFile:
    """A host that has only its configuration file."""

    def __init__(self, text):
        self.text = text

    def read(self, path):
        if path.endswith(("/etc/hirte/hirte.conf", "/etc/hirte/agent.conf")):
            return self.text.encode()
        raise FileNotFoundError(2, "No such file or directory")

    def names(self, directory):
        raise FileNotFoundError(2, "No such directory")

    def host_name(self):
        return "this-host"


def settings(kind, text):
    """The settings of `kind`, manager's or agent's, after the lines of its section."""
    return load(kind, [], {}, OneFile(f"[{kind.sections['native']}]\n{text}"))


def describe(message):
    """One line for a message, without its serials."""
    if message.type == METHOD_RETURN:
        return f"return {message.values()}"
    if message.type == ERROR:
        return f"error {message.error_name} {message.error_text()}"
    kind = KINDS[message.type]
    if message.member == "PropertiesChanged":
        interface, changed, _ = message.values()
        values = {key: value for key, (_, value) in changed.items()}
        return f"{interface.rpartition('.')[2]} {message.path} changed {values}"
    return f"{kind} {message.member}{message.values()}"


def client_connection(clock, log, name="the peer", trusted=False):
    """A connection of ours in the client's role, and its peer, before any byte was answered."""
    connection = Connection(Client(), clock, log, name, trusted)
    peer = Peer(connection)
    connection.attach(peer)
    return connection, peer


def server_connection(clock, log, name="a peer", **peer):
    """A connection of ours in the server's role, and its peer, which has said nothing yet."""
    connection = Connection(Server(GUID, unix=False), clock, log, name)
    end = Peer(connection, **peer)
    connection.attach(end)
    return connection, end


class Dialled:
    """A way out that the test opens: what Presence, Systemd and Uplink are handed as `dial`."""

    def __init__(self, clock, log, name, trusted=True, trace=None):
        self.clock = clock
        self.log = log
        self.name = name
        self.trusted = trusted
        self.trace = trace
        self.waiting = []
        self.addresses = []

    def __call__(self, *given):
        *address, on_done = given
        self.addresses += address
        attempt = Attempt(on_done)
        self.waiting.append(attempt)
        return attempt

    def refuse(self, error="Connection refused"):
        self._take().on_done(None, error)

    def accept(self):
        """Let the attempt succeed; returns the peer, authenticated."""
        attempt = self._take()
        connection = Connection(Client(), self.clock, self.log, self.name, self.trusted)
        peer = Peer(connection, self.name, trace=self.trace)
        connection.attach(peer)
        attempt.on_done(connection, "")
        return peer

    def _take(self):
        attempts = [attempt for attempt in self.waiting if not attempt.cancelled]
        assert len(attempts) == 1, f"{len(attempts)} open attempts to reach {self.name}"
        self.waiting.clear()
        return attempts[0]

    def expect_none(self):
        assert [a for a in self.waiting if not a.cancelled] == [], "an attempt that nobody expects"


class Attempt:
    """One open attempt."""

    def __init__(self, on_done):
        self.on_done = on_done
        self.cancelled = False

    def cancel(self):
        self.cancelled = True


class Bus:
    """A message bus as one of its clients sees it. `users` are the uids of the callers."""

    def __init__(self, peer, unique=":1.7"):
        self.peer = peer
        self.unique = unique
        self.users = {}

    def welcome(self, *names, refuse=()):
        """Answer Hello and the requests for `names`; those in `refuse` belong to somebody."""
        hello = self.peer.expect_call("Hello")
        self.peer.reply(hello, "s", self.unique)
        for name in names:
            request = self.peer.expect_call("RequestName", name, 2 | 4)
            self.peer.reply(request, "u", 3 if name in refuse else 1)
        return self

    def call(self, path, interface, member, signature="", *values, sender=":1.42", **more):
        """Let a client of the bus call us, and tell us its user when we ask for it."""
        serial = self.peer.call(path, interface, member, signature, *values, sender=sender, **more)
        for message in list(self.peer.heard):
            if message.member == "GetConnectionUnixUser":
                self.peer.heard.remove(message)
                (name,) = message.values()
                if name in self.users:
                    self.peer.reply(message, "u", self.users[name])
                else:
                    self.peer.refuse(message, E + "NameHasNoOwner")
        return serial
