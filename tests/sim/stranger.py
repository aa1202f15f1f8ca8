"""Peers that are not hirte: they say what a test wants, byte for byte if need be."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from hirte.api import internal
from hirte.api.dialect import NATIVE, Dialect
from hirte.dbus.connection import Connection
from hirte.wire.encode import encode
from hirte.wire.message import Message
from hirte.wire.sasl import Client, Server
from tests.sim.busdaemon import GUID
from tests.sim.network import Attempt, End, Listener
from tests.sim.process import Process, SimLog

if TYPE_CHECKING:
    from tests.sim.world import World


class Stranger(Process):
    """Somebody who connects to an address and sends bytes; what comes back is kept."""

    def __init__(self, world: World, host: str, address: str) -> None:
        super().__init__(world, world.host(host).name, f"{host}/stranger{world.next_number()}")
        world.hosts[host].spawn(self)
        self.end: End | None = None
        self.got = b""
        self.lost_because = ""
        self.lost_at = 0.0
        # For whoever has just been started.
        world.run(0.001)
        Attempt(self, address, self._connected)
        world.until(lambda: self.end is not None)

    def _connected(self, end: End | None, error: str) -> None:
        assert end is not None, error
        self.end = end
        end.start(self)

    def received(self, data: bytes) -> None:
        self.got += data

    def lost(self, reason: str) -> None:
        self.lost_because = reason
        self.lost_at = self.world.now()

    def send(self, data: bytes) -> None:
        """Send bytes as they are."""
        assert self.end is not None
        self.end.write(data)
        self.world.turn_end()


class OddAgent(Process):
    """An agent made by hand: registers, then answers and signals as a test says."""

    def __init__(self, world: World, host: str, address: str, dialect: Dialect = NATIVE) -> None:
        super().__init__(world, world.host(host).name, f"{host}/odd{world.next_number()}")
        world.hosts[host].spawn(self)
        self.dialect = dialect
        self.calls: list[Message] = []
        self.signals: list[Message] = []
        self.replies: list[Message] = []
        self.lost_because = ""
        self.connection: Connection | None = None
        # For whoever has just been started.
        world.run(0.001)
        Attempt(self, address, self._connected)
        world.until(lambda: self.connection is not None and self.connection.ready)

    def _connected(self, end: End | None, error: str) -> None:
        assert end is not None, error
        connection = Connection(Client(), self, SimLog(self), "the manager", trusted=True)
        connection.on_call = self.calls.append
        connection.on_signal = self.signals.append
        connection.on_lost = self._lost
        connection.attach(end)
        end.start(connection)
        self.connection = connection

    def _lost(self, reason: str) -> None:
        self.lost_because = reason

    @property
    def link(self) -> Connection:
        """Return the connection to the manager."""
        assert self.connection is not None
        return self.connection

    def register(self, name: str) -> None:
        """Ask to be the node `name`; the answer is kept with the replies."""
        self.link.call(
            self.dialect.path(internal.MANAGER_PATH),
            self.dialect.interface(internal.MANAGER.name),
            "Register",
            self.replies.append,
            "s",
            encode("s", (name,)),
        )
        self.world.turn_end()

    def say(self, member: str, signature: str = "", *values: Any) -> None:
        """Send a signal of the internal agent interface."""
        self.link.signal(
            self.dialect.path(internal.AGENT_PATH),
            self.dialect.interface(internal.AGENT.name),
            member,
            signature,
            encode(signature, values),
        )
        self.world.turn_end()

    def reply(self, call: Message, signature: str = "", *values: Any) -> None:
        """Answer a call."""
        self.link.reply(call, signature, encode(signature, values))
        self.world.turn_end()


class OddManager(Process):
    """A manager made by hand: accepts agents and leaves their calls to the test."""

    def __init__(
        self,
        world: World,
        host: str,
        address: str,
        serve: Callable[[Connection, Message], None],
    ) -> None:
        super().__init__(world, world.host(host).name, f"{host}/odd{world.next_number()}")
        world.hosts[host].spawn(self)
        self.calls: list[Message] = []
        self.signals: list[Message] = []
        self.connections: list[Connection] = []
        self._serve = serve
        world.listen(host, address, Listener(self, self._accept))

    def _accept(self, end: End) -> None:
        connection = Connection(Server(GUID, False), self, SimLog(self), "agent", trusted=True)

        def called(message: Message) -> None:
            self.calls.append(message)
            self._serve(connection, message)

        connection.on_call = called
        connection.on_signal = self.signals.append
        connection.attach(end)
        end.start(connection)
        self.connections.append(connection)
