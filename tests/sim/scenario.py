"""Whole courses of events that follow from a seed, and a program that prints what was seen.

    python3 -m tests.sim.scenario NAME SEED

Nothing else goes into it, so two processes print the same bytes for the same seed.
"""

from __future__ import annotations

import sys
from collections.abc import Callable

from hirte.api.dialect import NATIVE, Dialect
from tests.sim.client import Client
from tests.sim.clock import SECOND
from tests.sim.daemons import AgentProcess, ManagerProcess
from tests.sim.world import UNITS, World

HEARTBEATS = "HeartbeatInterval=2000\nNodeHeartbeatThreshold=6000"
NODES = ("a", "b")
MODES = ("replace", "replace", "replace", "fail", "bogus")
METHODS = ("StartUnit", "StartUnit", "StopUnit", "RestartUnit", "ReloadUnit")
ODD_UNITS = ("ghost.service", "quick-0.service", "quick-0.service")
RESTART_US = 300_000
# Longer than any time-out of a call, and than it takes to notice a loss and to come back.
CALM_SECONDS = 70.0


def twenty_jobs(seed: int) -> World:
    """Two agents, twenty jobs, a link that is lost on the way."""
    world = World(seed)
    world.manager(HEARTBEATS)
    client = world.client()
    for name in NODES:
        world.agent(name)
    world.until(lambda: client.changes(".", "Status")[-1:] == ["up"])
    for number in range(20):
        client.start(world.chance.choice(NODES), world.chance.choice(UNITS))
        world.run(world.chance.random() / 10)
        if number == 12:
            world.hosts["a"].cable.cut()
    world.run(20.0)
    world.hosts["a"].cable.mend()
    world.run(CALM_SECONDS)
    return world


class Storm:
    """Random requests and random faults, then calm."""

    def __init__(
        self,
        seed: int,
        seconds: float = 60.0,
        options: str = HEARTBEATS,
        of_b: str = "",
        listener: Dialect = NATIVE,
    ) -> None:
        self.world = World(seed)
        self.chance = self.world.chance
        self._options = options
        self.manager: ManagerProcess = self.world.manager(options)
        self.client: Client = self.world.client()
        self.listener: Client = self.world.client(dialect=listener)
        self._agent_options = {"a": "", "b": of_b}
        self.agents: dict[str, AgentProcess] = {name: self._agent(name) for name in NODES}
        self.locals: dict[str, Client] = {name: self.world.agent_client(name) for name in NODES}
        self._end = self.world.now() + seconds
        self._supervise()
        self.world.run(1.0)

    def _supervise(self) -> None:
        """Start again what has ended, as the services' Restart=always does."""
        self.world.clock.after(RESTART_US, "supervisor", self._supervise)
        if not self.manager.alive:
            self.manager = self.world.manager(self._options)
        for name, agent in self.agents.items():
            if not agent.alive and self.world.hosts[name].listeners:
                self.agents[name] = self._agent(name)

    def _agent(self, name: str) -> AgentProcess:
        return self.world.agent(name, self._agent_options[name])

    @property
    def over(self) -> bool:
        """Tell whether no more faults are to come."""
        return self.world.now() >= self._end

    def rage(self) -> World:
        """Let it happen, and wait until all is quiet."""
        while not self.over:
            action = self.chance.choice(_ACTIONS)
            action(self)
            self.world.run(self.chance.choice((0.0, 0.0005, 0.01, 0.3, 2.0)) * self.chance.random())
        for host in self.world.hosts.values():
            host.cable.mend()
        for daemon in (self.manager, *self.agents.values()):
            daemon.thaw()
        self.world.run(CALM_SECONDS)
        for name in NODES:
            self._switch(name, self.world.manager_address)
        self.world.run(CALM_SECONDS)
        for name in NODES:
            for number in range(4):
                self.client.stop(name, f"hangs-{number}.service")
        self.world.run(CALM_SECONDS)
        self.client.manager("ListNodes")
        self.world.run(1.0)
        return self.world

    def _later(self, seconds: int, callback: Callable[[], None]) -> None:
        """Let something happen at some time in the next seconds."""
        self.world.clock.after(self.chance.randrange(seconds * SECOND), "storm", callback)

    def _name(self) -> str:
        return self.chance.choice(NODES)

    def _unit(self) -> str:
        return self.chance.choice((*UNITS, *ODD_UNITS))

    # What clients do

    def request(self) -> None:
        member, mode = self.chance.choice(METHODS), self.chance.choice(MODES)
        for _ in range(self.chance.randint(1, 4)):
            self.client.node(self._name(), member, "ss", self._unit(), mode)

    def cancel(self) -> None:
        jobs = self.client.signals("JobNew")
        if jobs:
            self.client.cancel(self.chance.choice(jobs[-5:]).values[1])

    def ask(self) -> None:
        self.client.manager("ListUnits")
        self.client.manager("ListNodes")
        self.client.node(self._name(), "ListUnits")
        self.client.node(self._name(), "GetUnitProperties", "ss", self._unit(), "")
        self.client.node(self._name(), "GetUnitProperty", "sss", self._unit(), "x", "SubState")
        self.client.node(self._name(), "SetLogLevel", "s", self.chance.choice(("DEBUG", "LOUD")))

    def reload(self) -> None:
        self.client.node(self._name(), "Reload")

    def measure(self) -> None:
        self.client.manager(self.chance.choice(("EnableMetrics", "DisableMetrics")))

    def watch(self) -> None:
        def made() -> None:
            if asked.answers and not asked.error:
                path = self.client.relative(asked.values[0])
                interface = self.client.dialect.interface("Monitor")
                unit = self.chance.choice(("*", self._unit()))
                node = self.chance.choice(("*", self._name()))
                self.client.call(path, interface, "Subscribe", "ss", node, unit)

        asked = self.client.manager("CreateMonitor")
        self.client.call_later(0.01, made)

    # What happens to everybody

    def reset(self) -> None:
        ends = self.world.hosts[self._name()].cable.ends
        if ends:
            self.chance.choice(ends).reset()

    def cut(self) -> None:
        host = self.world.hosts[self._name()]
        if host.cable.whole:
            host.cable.cut()
            self._later(20, host.cable.mend)

    def kill(self) -> None:
        self.agents[self._name()].kill()

    def terminate(self) -> None:
        agent = self.agents[self._name()]
        if not agent.frozen:
            agent.terminate()

    def freeze(self) -> None:
        agent = self.agents[self._name()]
        agent.freeze()
        self._later(10, agent.thaw)

    def reexec(self) -> None:
        self.world.hosts[self._name()].systemd.reexec()

    def hang(self) -> None:
        systemd = self.world.hosts[self._name()].systemd
        systemd.mute = True

        def again() -> None:
            # A systemd that hung has not heard anything: it is as if it were new.
            systemd.mute = False
            systemd.reexec()

        self._later(40, again)

    def leave(self) -> None:
        """Send an agent to nowhere, and back."""
        name = self._name()
        self._switch(name, "unix:path=/nowhere")
        home = self.world.manager_address
        self._later(5, lambda: self._switch(name, home))

    def _switch(self, name: str, address: str) -> None:
        local = self.locals[name]
        if local.connection is not None:
            local.call("", local.dialect.interface("Agent"), "SwitchManager", "s", address)

    def freeze_manager(self) -> None:
        self.manager.freeze()
        self._later(9, self.manager.thaw)

    def kill_manager(self) -> None:
        self.manager.kill()

    def end_manager(self) -> None:
        if self.manager.alive and not self.manager.frozen:
            for client in (self.client, self.listener):
                client.expect_end()
            self.manager.terminate()

    def cut_manager(self) -> None:
        cable = self.world.hosts[self.manager.host].cable
        cable.cut()
        self._later(12, cable.mend)

    def power(self) -> None:
        name = self._name()
        host = self.world.hosts[name]
        if host.listeners and host.cable.whole:
            host.power_off()

            def boot() -> None:
                host.power_on()
                self.locals[name] = self.world.agent_client(name)

            self._later(20, boot)

    def no_bus(self) -> None:
        self.world.hosts[self._name()].restart_bus()


# Requests are what happens most.
_ACTIONS: tuple[Callable[[Storm], None], ...] = (
    *[Storm.request] * 12,
    *[Storm.cancel] * 3,
    *[Storm.ask] * 3,
    Storm.reload,
    Storm.measure,
    Storm.watch,
    Storm.reset,
    Storm.cut,
    Storm.kill,
    Storm.terminate,
    Storm.freeze,
    Storm.reexec,
    Storm.no_bus,
    Storm.hang,
    Storm.leave,
    Storm.freeze_manager,
    Storm.kill_manager,
    Storm.end_manager,
    Storm.cut_manager,
    Storm.power,
)


def storm(seed: int) -> World:
    """A minute of requests and faults, then calm."""
    return Storm(seed).rage()


SCENARIOS: dict[str, Callable[[int], World]] = {"twenty_jobs": twenty_jobs, "storm": storm}

if __name__ == "__main__":
    sys.stdout.write(SCENARIOS[sys.argv[1]](int(sys.argv[2])).trace())
