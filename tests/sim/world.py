"""The world: hosts with a bus, a systemd and a cable each, and what runs on them.

    world = World(seed)
    manager = world.manager()
    agent = world.agent("a")
    client = world.client()
    world.run(5.0)

All chance comes from the seed. Nothing of the real clock, of hashes or of addresses in memory may
decide anything here, or traces would differ from run to run.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from hirte.api.dialect import NATIVE, Dialect
from tests.sim.busdaemon import BusDaemon
from tests.sim.client import Client
from tests.sim.clock import SECOND, Clock, microseconds
from tests.sim.contract import broken
from tests.sim.daemons import BUS_ADDRESS, SYSTEMD_ADDRESS, AgentProcess, ManagerProcess
from tests.sim.network import Cable, End, Listener
from tests.sim.process import Process
from tests.sim.systemd import FakeSystemd

PRIMARY = "primary"
JOBS = NATIVE.path("job")
UNITS = [
    f"{kind}-{number}.service"
    for kind in ("quick", "slow", "fails", "hangs", "fragile")
    for number in range(4)
]
PORT = 842
# Longest time to wait for something that must come.
PATIENCE = 120.0


class Host:
    """A machine: what is there before anything of hirte runs."""

    def __init__(self, world: World, name: str, ip: str) -> None:
        self.name = name
        self.ip = ip
        self.cable = Cable(world)
        self.listeners: dict[str, Listener] = {}
        self.world = world
        self.processes: list[Process] = []
        self.boot()

    def boot(self) -> None:
        """Start its bus and its systemd."""
        self.bus = BusDaemon(self.spawn(Process(self.world, self.name, f"{self.name}/bus")))
        self.systemd = FakeSystemd(
            self.spawn(Process(self.world, self.name, f"{self.name}/systemd")), UNITS
        )
        self.listeners = {
            BUS_ADDRESS: self.bus.listener,
            SYSTEMD_ADDRESS: self.systemd.listener,
        }
        self.world.clock.after(0, self.name, lambda: self.systemd.join(BUS_ADDRESS))

    def spawn(self, process: Process) -> Process:
        """Let a process run here."""
        self.processes.append(process)
        return process

    def restart_bus(self, seconds: float = 0.2) -> None:
        """Restart the bus daemon, if it is there; for a while it is not."""
        if not self.bus.process.alive:
            return
        self.bus.process.kill()

        def back() -> None:
            if not self.listeners:
                return  # the power is off
            self.bus = BusDaemon(self.spawn(Process(self.world, self.name, f"{self.name}/bus")))
            self.listeners[BUS_ADDRESS] = self.bus.listener

        self.world.clock.after(microseconds(seconds), self.name, back)

    def power_off(self) -> None:
        """Cut the power: all processes are gone, and nobody is told."""
        self.cable.cut()
        for process in self.processes:
            process.vanish()
        self.processes.clear()
        self.listeners = {}

    def power_on(self) -> None:
        """Boot again."""
        self.cable.mend()
        self.boot()


class World:
    """Everything there is. `bugs` and `faults` must be empty at the end: :meth:`check`."""

    def __init__(self, seed: int = 0) -> None:
        self.seed = seed
        self.chance = Random(seed)
        self.clock = Clock(self.chance)
        self.clock.turn_end = self.turn_end
        self.bugs: list[str] = []
        self.faults: list[str] = []
        self.names: dict[str, str] = {}
        self.dirty: list[End] = []
        self.hosts: dict[str, Host] = {}
        self.clients: list[Client] = []
        # Called with both ends of every new stream.
        self.on_connected: Callable[[End, End], None] | None = None
        self._number = 0

    # Who is there

    def host(self, name: str) -> Host:
        """Return the host of that name; it is there from the first time on."""
        if name not in self.hosts:
            self.hosts[name] = Host(self, name, f"10.0.0.{len(self.hosts) + 1}")
        return self.hosts[name]

    def manager(self, options: str = "", nodes: str = "a,b", host: str = PRIMARY) -> ManagerProcess:
        """Start a manager of these nodes."""
        lines = f"AllowedNodeNames={nodes}\n{options}"
        process = ManagerProcess(self, self.host(host).name, f"{host}/manager", lines)
        self.hosts[host].spawn(process)
        return process

    def agent(self, name: str, options: str = "", over_bus: bool = False) -> AgentProcess:
        """Start an agent on the host of that name; it reaches systemd directly, or over the bus."""
        lines = f"ManagerHost={self.host(PRIMARY).ip}\n{options}"
        process = AgentProcess(self, self.host(name).name, f"{name}/agent", lines, over_bus)
        self.hosts[name].spawn(process)
        return process

    def client(
        self, host: str = PRIMARY, dialect: Dialect = NATIVE, uid: int = 0, settle: bool = True
    ) -> Client:
        """Start a client; it is on the bus when this returns, unless `settle` is false."""
        name = f"{self.host(host).name}/client{self.next_number()}"
        client = Client(self, host, name, dialect, uid)
        self.clients.append(client)
        self.hosts[host].spawn(client)
        if settle:
            self.until(lambda: client.connection is not None)
            self.run(0.01)
        return client

    def agent_client(self, host: str) -> Client:
        """Start a client of the agent on that host."""
        client = self.client(host, settle=False)
        client.service = client.dialect.agent_bus_name
        return client

    @property
    def manager_address(self) -> str:
        """Return the D-Bus address of the manager on the primary host."""
        return f"tcp:host={self.ip(PRIMARY)},port={PORT}"

    # What the network asks

    def place(self, host: str, address: str) -> tuple[str, Listener | None]:
        """Return on which host an address is that a process on `host` means, and who listens."""
        if address.startswith("unix:"):
            return host, self.hosts[host].listeners.get(address)
        for name, there in self.hosts.items():
            if f"host={there.ip}," in address:
                return name, there.listeners.get(address)
        return host, None

    def listen(self, host: str, address: str, listener: Listener) -> None:
        """Let `listener` have an address."""
        self.hosts[host].listeners[address] = listener

    def cables_between(self, one: str, other: str) -> list[Cable]:
        """Return the cables between two hosts."""
        return [] if one == other else [self.hosts[one].cable, self.hosts[other].cable]

    def ip(self, host: str) -> str:
        """Return a host's address."""
        return self.hosts[host].ip

    def ip_of(self, host: str, far: bool) -> str:
        """Return how a dual-stack listener sees a host; nothing for a local socket."""
        return f"::ffff:{self.hosts[host].ip}" if far else ""

    def connected(self, one: End, other: End) -> None:
        """Take note of a new stream."""
        if self.on_connected is not None:
            self.on_connected(one, other)

    def next_number(self) -> int:
        """Return a number that was not there before."""
        self._number += 1
        return self._number

    def pieces(self, data: bytes, most: int) -> list[bytes]:
        """Cut bytes as chance wants, into pieces of at most `most`."""
        cuts = [0, len(data)]
        if not self.chance.randrange(3):
            cuts += [self.chance.randrange(len(data)) for _ in range(self.chance.randint(1, 3))]
        cuts = sorted({*cuts, *range(0, len(data), most)})
        return [data[start:stop] for start, stop in zip(cuts, cuts[1:])]

    # Time

    def turn_end(self) -> None:
        """Send what the last event made processes write."""
        dirty, self.dirty = self.dirty, []
        for end in dirty:
            end.flush()

    def now(self) -> float:
        """Return seconds since the world began."""
        return self.clock.now_us / SECOND

    def run(self, seconds: float) -> None:
        """Let time pass."""
        until = self.clock.now_us + microseconds(seconds)
        self.turn_end()
        while self.clock.advance(until):
            pass

    def until(self, condition: Callable[[], bool], seconds: float = PATIENCE) -> float:
        """Let time pass until something is so; return the time it is then."""
        end = self.clock.now_us + microseconds(seconds)
        self.turn_end()
        while not condition():
            if not self.clock.advance(end):
                raise AssertionError(f"still not so after {seconds} s, seed {self.seed}")
        return self.now()

    # What was seen

    def trace(self) -> str:
        """Return what all clients saw, one line each."""
        lines = []
        for client in self.clients:
            lines += [f"{client.name} {heard}" for heard in client.heard]
        return "\n".join(lines) + "\n"

    def jobs_left(self) -> list[str]:
        """Return what the managers and agents still know of jobs, for when there are none."""
        left = []
        for host in self.hosts.values():
            for process in host.processes:
                if isinstance(process, ManagerProcess) and process.alive:
                    root = process.manager.tree
                    left += [f"{process.name}: job {n}" for n in root.children(JOBS)]
                elif isinstance(process, AgentProcess) and process.alive:
                    left += [f"{process.name}: job {n}" for n in process.agent.jobs._paths]
        return left

    def check(self) -> None:
        """Raise when something went wrong: a bug, a broken contract."""
        for client in [one for one in self.clients if one.alive and not one.missed]:
            self.faults += [f"{client.name}: {fault}" for fault in broken(client)]
        for host in self.hosts.values():
            for caller, serial in host.bus.open_calls:
                self.faults.append(f"{host.name}: {caller}'s call {serial} has no answer")
        assert not self.bugs, f"seed {self.seed}:\n" + "\n".join(self.bugs)
        assert not self.faults, f"seed {self.seed}:\n" + "\n".join(self.faults)
