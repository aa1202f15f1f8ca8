"""Many agents in one process: enough of an agent for the manager to be measured with.

    python -m bench.scaleagents COUNT BUS_PATH

Each agent has a connection of its own, registers as an unmodified agent does (it awaits the end
of the authentication first), sends a heartbeat every two seconds when told to, and answers what
is forwarded to it at once, without a systemd.

The process is on the message bus as well, under FLOOR_NAME: there it answers the same calls
directly. That is the floor of a forwarded call, which only adds the manager in between.

Commands come as lines on standard input; each is answered with one line, see `_COMMANDS`.
"""

from __future__ import annotations

import os
import select
import socket
import sys
import time

from hirte.api import internal
from hirte.api.dialect import CHOICES
from hirte.wire import build
from hirte.wire.encode import encode
from hirte.wire.framing import Framer
from hirte.wire.limits import MESSAGE_BYTES
from hirte.wire.message import METHOD_CALL, METHOD_RETURN, NO_REPLY_EXPECTED, Message
from hirte.wire.sasl import CLIENT_OPENING
from hirte.wire.sasl import Client as Authentication

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

FLOOR_NAME = "org.containers.hirte.bench"
DRIVER = "org.freedesktop.DBus"
DRIVER_PATH = "/org/freedesktop/DBus"
HEARTBEAT_SECONDS = 2.0

_DIALECT = CHOICES["auto"][0]
_PATH = _DIALECT.path(internal.AGENT_PATH)
_AGENT = _DIALECT.interface(internal.AGENT.name)
_MANAGER_PATH = _DIALECT.path(internal.MANAGER_PATH)
_MANAGER = _DIALECT.interface(internal.MANAGER.name)

_READ_BYTES = 1 << 16
# Descriptors that one look at epoll may tell of.
_EVENTS = 4096

_UNITS = [
    (name, "A unit", "loaded", "active", "running", "", f"/unit/{number}", 0, "", "/")
    for number, name in enumerate(("a.service", "b.service", "c.service"))
]
_ANSWERS = {
    "GetUnitProperty": ("v", encode("v", (("s", "active"),))),
    "ListUnits": ("a(ssssssouso)", encode("a(ssssssouso)", (_UNITS,))),
}


def node_name(number: int) -> str:
    """Return the name of a node; all have the same length."""
    return f"node{number:04}"


class Talker:
    """One connection: an agent's, or ours on the bus."""

    def __init__(self, answers: dict[str, tuple[str, bytes]]) -> None:
        self.socket: socket.socket | None = None
        self.on_ready: Callable[[], None] = lambda: None
        self.on_return: Callable[[], None] = lambda: None
        self.sender = ""
        self._answers = answers
        self._serial = 0

    def open(self, stream: socket.socket) -> None:
        """Begin to talk over a connected stream."""
        stream.setblocking(False)
        self.socket = stream
        self._serial = 0
        self._framer = Framer(MESSAGE_BYTES)
        self._authentication = Authentication()
        self._is_authenticated = False
        stream.send(CLIENT_OPENING)

    def close(self) -> None:
        """End the connection."""
        if self.socket:
            self.socket.close()
            self.socket = None

    def call(
        self, path: str, interface: str, member: str, signature: str, *values: object, to: str
    ) -> None:
        """Call a method; `on_return` is told of the answer."""
        body = encode(signature, values)
        self._serial += 1
        self._send(build.call(self._serial, path, interface, member, signature, body, to))

    def signal(self, member: str, signature: str = "", body: bytes = b"") -> None:
        """Send a signal of an agent."""
        self._serial += 1
        self._send(build.signal(self._serial, _PATH, _AGENT, member, signature, body))

    def readable(self) -> None:
        """Take what has come."""
        if self.socket is None:
            return
        data = self.socket.recv(_READ_BYTES)
        if not data:
            raise SystemExit("the other side has closed a connection")
        if self._is_authenticated:
            self._framer.feed(data)
            for message in iter(self._framer.take, None):
                self._take(message)
        else:
            # Nothing follows the last line until we have said more.
            self._authentication.feed(data)
            self._is_authenticated = self._authentication.done
            if self._is_authenticated:
                self.on_ready()

    def _take(self, message: Message) -> None:
        if message.type == METHOD_RETURN:
            self.on_return()
        elif message.type != METHOD_CALL:
            if message.error_name:
                raise SystemExit(f"{message.error_name}: {message.error_text()}")
        elif message.member == "Subscribe":
            body = encode("ss", (*message.values(), "virtual"))
            self.signal("UnitNew", "ss", body)
        elif not message.flags & NO_REPLY_EXPECTED:
            signature, body = self._answers[message.member]
            self._serial += 1
            self._send(
                build.method_return(self._serial, message.serial, signature, body, message.sender)
            )

    def _send(self, data: bytes) -> None:
        # A hundred bytes now and then: the kernel takes them whole.
        if self.socket and self.socket.send(data) != len(data):
            raise SystemExit("the other side does not read what it is sent")


class Agents:
    """All agents, and the loop that they share."""

    def __init__(self, count: int, bus_path: str) -> None:
        self._poll = select.epoll()
        self._talkers: dict[int, Talker] = {}
        self._agents = [Talker(_ANSWERS) for _ in range(count)]
        for number, agent in enumerate(self._agents):
            agent.on_ready = self._registration(agent, node_name(number))
            agent.on_return = self._registered
        self._open = 0
        self._began = 0.0
        self._beats_since: float | None = None
        self._beats = 0
        self._in_step = False
        self._join_bus(bus_path, count)
        self._poll.register(sys.stdin.fileno(), select.EPOLLIN)

    def _join_bus(self, path: str, count: int) -> None:
        nodes = [
            (node_name(number), _DIALECT.path(f"node/{node_name(number)}"), "online", "127.0.0.1")
            for number in range(count)
        ]
        lists = {"ListNodes": ("a(soss)", encode("a(soss)", (nodes,)))}
        talker = Talker({**_ANSWERS, **lists})
        stream = socket.socket(socket.AF_UNIX)
        stream.connect(path)
        talker.open(stream)

        def ready() -> None:
            talker.call(DRIVER_PATH, DRIVER, "Hello", "", to=DRIVER)
            talker.call(DRIVER_PATH, DRIVER, "RequestName", "su", FLOOR_NAME, 0, to=DRIVER)

        talker.on_ready = ready
        self._watch(talker)

    def _registration(self, agent: Talker, name: str) -> Callable[[], None]:
        return lambda: agent.call(
            _MANAGER_PATH, _MANAGER, "Register", "s", name, to=_DIALECT.bus_name
        )

    def _registered(self) -> None:
        self._open -= 1
        if not self._open:
            _say(f"{time.perf_counter() - self._began:.6f}")

    def _watch(self, talker: Talker) -> None:
        if talker.socket:
            self._talkers[talker.socket.fileno()] = talker
            self._poll.register(talker.socket.fileno(), select.EPOLLIN)

    def register(self, port: str) -> None:
        """Connect all agents to a port of this machine; answered with the seconds until all
        are registered, from before the first connects.
        """
        self._began = time.perf_counter()
        self._open = len(self._agents)
        for agent in self._agents:
            stream = socket.create_connection(("127.0.0.1", int(port)))
            stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            agent.open(stream)
            self._watch(agent)

    def leave(self) -> None:
        """Close all agents' connections."""
        for agent in self._agents:
            if agent.socket:
                del self._talkers[agent.socket.fileno()]
            agent.close()
        _say("left")

    def beat(self, together: str = "") -> None:
        """Begin to send heartbeats, spread evenly over the time: agents of different machines do
        not tick together, so that each wakes the manager. Or, with `together`, all at once.
        """
        self._beats_since, self._beats = time.monotonic(), 0
        self._in_step = bool(together)
        _say("beating")

    def rest(self) -> None:
        """Send no heartbeats any more."""
        self._beats_since = None
        _say("resting")

    def run(self) -> None:
        """Serve until standard input is closed."""
        while True:
            for descriptor, _ in self._poll.poll(self._patience(), _EVENTS):
                if descriptor == sys.stdin.fileno():
                    words = os.read(descriptor, _READ_BYTES).decode().split()
                    if not words:
                        return
                    _COMMANDS[words[0]](self, *words[1:])
                elif descriptor in self._talkers:
                    self._talkers[descriptor].readable()
            self._send_heartbeats()

    def _due(self) -> float:
        """Return the seconds until the next heartbeat; endless while none are sent."""
        if self._beats_since is None:
            return float("inf")
        rounds = self._beats / len(self._agents)
        due = self._beats_since + HEARTBEAT_SECONDS * (int(rounds) if self._in_step else rounds)
        return due - time.monotonic()

    def _patience(self) -> float | None:
        due = self._due()
        return None if due == float("inf") else max(0.0, due)

    def _send_heartbeats(self) -> None:
        while self._due() <= 0:
            self._agents[self._beats % len(self._agents)].signal("Heartbeat")
            self._beats += 1


_COMMANDS: dict[str, Callable[..., None]] = {
    "register": Agents.register,
    "leave": Agents.leave,
    "beat": Agents.beat,
    "rest": Agents.rest,
}


def _say(line: str) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    Agents(int(sys.argv[1]), sys.argv[2]).run()
