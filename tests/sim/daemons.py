"""hirte's daemons as processes of the simulated world: wired as hirte.modes wires the real ones."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from hirte.agent.agent import Agent
from hirte.agent.systemd import Systemd
from hirte.api.dialect import CHOICES
from hirte.dbus.connection import Connection
from hirte.dbus.presence import Presence
from hirte.manager.manager import Manager
from hirte.settings import AgentSettings, ManagerSettings, load
from hirte.wire.address import parse
from hirte.wire.errors import AddressError
from hirte.wire.sasl import Client, Server
from tests.sim.clock import Event
from tests.sim.network import Attempt, End, Listener
from tests.sim.process import Process, SimLog

if TYPE_CHECKING:
    from hirte.dbus.ports import Timers
    from tests.sim.world import World

BUS_ADDRESS = "unix:path=/run/dbus/system_bus_socket"
SYSTEMD_ADDRESS = "unix:path=/run/systemd/private"
SOCKET_ADDRESS = "unix:path=/run/hirte/hirte.sock"
MACHINE_ID = "5" * 32
# What a failed look-up of a name takes.
RESOLVE_SECONDS = 0.02

OnDone = Callable[["Connection | None", str], None]


class NoFiles:
    """A host without any file but the one that is handed in."""

    def __init__(self, path: str, content: str) -> None:
        self._path = path
        self._content = content

    def read(self, path: str) -> bytes:
        if path != self._path:
            raise FileNotFoundError(2, "No such file or directory")
        return self._content.encode()

    def names(self, directory: str) -> list[str]:
        raise FileNotFoundError(2, "No such file or directory")

    def host_name(self) -> str:
        return "nobody"


class Dial:
    """One attempt to get a connection; the counterpart of hirte.runtime.dial.Dial."""

    def __init__(
        self,
        process: Process,
        log: SimLog,
        address: str,
        on_done: OnDone,
        name: str,
        trusted: bool,
        timers: Timers | None = None,
    ) -> None:
        self._attempt: Attempt | None = None
        self._cancelled = False

        def connected(end: End | None, error: str) -> None:
            if end is None:
                on_done(None, f"{address}: {error}")
                return
            connection = Connection(Client(), timers or process, log, name, trusted)
            connection.attach(end)
            end.start(connection)
            on_done(connection, "")

        try:
            (place,) = parse(address)
        except AddressError as error:
            text = str(error)
            process.call_later(0.0, lambda: None if self._cancelled else on_done(None, text))
            return
        self._attempt = Attempt(process, str(place), connected)

    def cancel(self) -> None:
        """Give the attempt up; `on_done` is not called any more."""
        self._cancelled = True
        if self._attempt is not None:
            self._attempt.cancel()


class Daemon(Process):
    """What both daemons have in common."""

    def __init__(self, world: World, host: str, name: str, uid: int = 0) -> None:
        super().__init__(world, host, name, uid)
        self.log = SimLog(self)
        # None while it runs; then the exit code.
        self.exit_code: int | None = None
        self.ready = False
        self.presence: Presence | None = None

    def presence_as(self, names: list[str], uid: int | None) -> Presence:
        """Return the daemon's presence on its host's bus."""
        self.presence = Presence(
            lambda done: Dial(self, self.log, BUS_ADDRESS, done, "the bus", True),
            names,
            self,
            self.log,
            uid,
        )
        return self.presence

    def fail(self, why: str) -> None:
        """End with exit code 1."""
        self.log.error(why)
        self.end(1)

    def end(self, code: int = 0) -> None:
        """Stop in order, as for SIGTERM."""
        if self.exit_code is not None:
            return
        self.exit_code = code
        self.leave()
        self.kill()

    def terminate(self) -> None:
        """Send SIGTERM."""
        self.run(self.end)

    def leave(self) -> None:
        """End the decisions."""
        raise NotImplementedError


class ManagerProcess(Daemon):
    """`hirte manager`."""

    def __init__(self, world: World, host: str, name: str, options: str, uid: int = 0) -> None:
        super().__init__(world, host, name, uid)
        path = ManagerSettings.files["native"][1]
        self.settings = load(ManagerSettings, [], {}, NoFiles(path, f"[hirte]\n{options}"))
        dialects = CHOICES[self.settings.bus_names]
        presence = self.presence_as([dialect.bus_name for dialect in dialects], uid)
        presence.on_refused = self.fail
        presence.on_up = self._on_bus
        self.manager = Manager(
            self.settings,
            self,
            self.log,
            lambda: MACHINE_ID,
            presence,
        )
        self._listeners: list[tuple[str, Listener]] = []
        self.run(lambda: presence.start(self.manager.tree))

    def _on_bus(self) -> None:
        self.ready = True
        if self._listeners:
            return
        addresses = [f"tcp:host={self.world.ip(self.host)},port={self.settings.manager_port}"]
        if self.settings.use_uds:
            addresses.append(SOCKET_ADDRESS)
        for address in addresses:
            listener = Listener(self, self._accept)
            self._listeners.append((address, listener))
            self.world.listen(self.host, address, listener)

    def _accept(self, end: End) -> None:
        guid = f"{self.world.chance.getrandbits(128):032x}"
        unix = not end.peer_ip
        peer = end.peer_ip or "a local peer"
        connection = Connection(Server(guid, unix), self, self.log, peer)
        connection.attach(end)
        end.start(connection)
        self.manager.accept(connection)

    def leave(self) -> None:
        for _, listener in self._listeners:
            listener.open = False
        self.manager.shut_down()


class AgentProcess(Daemon):
    """`hirte agent` of a node whose name is its host's.

    `over_bus`: not as root, so that it reaches systemd over the bus.
    """

    def __init__(
        self, world: World, host: str, name: str, options: str, over_bus: bool = False
    ) -> None:
        super().__init__(world, host, name)
        path = AgentSettings.files["native"][1]
        lines = f"[hirte-agent]\nNodeName={host}\n{options}"
        self.settings = load(AgentSettings, [], {}, NoFiles(path, lines))
        dialects = CHOICES[self.settings.bus_names]
        presence = self.presence_as([dialect.agent_bus_name for dialect in dialects], 0)
        address = BUS_ADDRESS if over_bus else SYSTEMD_ADDRESS
        systemd = Systemd(
            lambda done: Dial(self, self.log, address, done, "systemd", True),
            over_bus,
            self,
            self.log,
        )
        self.agent = Agent(
            self.settings,
            self,
            self.log,
            lambda: MACHINE_ID,
            presence,
            systemd,
            lambda address, done: Dial(self, self.log, address, done, "the manager", False),
            self._resolve,
            self._on_ready,
            self.fail,
        )
        self.run(self.agent.start)

    def _on_ready(self) -> None:
        self.ready = True

    def _resolve(self, host: str, on_done: Callable[[str | None, str], None]) -> Event | None:
        if host[0].isdigit():
            # As hirte.runtime.resolve: an address needs no question.
            on_done(host, "")
            return None

        def resolved() -> None:
            address = self.world.names.get(host)
            on_done(address, "" if address else f"{host}: Name or service not known")

        return self.call_later(RESOLVE_SECONDS, resolved)

    def leave(self) -> None:
        self.agent.shut_down()
