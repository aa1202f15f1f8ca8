"""A world for each test, which must not have seen a bug or a broken promise at its end."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.sim.client import Client
from tests.sim.daemons import AgentProcess, ManagerProcess
from tests.sim.scenario import HEARTBEATS, NODES
from tests.sim.world import World


class Fleet:
    """A manager with heartbeats, two registered agents, and a client who heard it all."""

    def __init__(self, world: World, manager_options: str = "", agent_options: str = "") -> None:
        self.world = world
        self.manager: ManagerProcess = world.manager(manager_options)
        self.client: Client = world.client()
        self.agents: dict[str, AgentProcess] = {
            name: world.agent(name, agent_options) for name in NODES
        }
        world.until(lambda: self.status() == "up")
        # So that nothing is under way any more, also not the last answer to a registration.
        world.run(1.0)

    def status(self) -> str:
        """Return the manager's status as the client heard it last."""
        told: list[str] = self.client.changes(".", "Status")
        return told[-1] if told else ""

    def node_status(self, name: str) -> str:
        """Return a node's status as the client heard it last."""
        told: list[str] = self.client.changes(f"node/{name}", "Status")
        return told[-1] if told else ""

    def until_node(self, name: str, status: str, seconds: float = 120.0) -> float:
        """Wait until the client hears of a node's status; return the time it is then."""
        return self.world.until(lambda: self.node_status(name) == status, seconds)


@pytest.fixture
def world() -> Iterator[World]:
    """A world with nothing in it yet."""
    made = World(1)
    yield made
    made.check()


@pytest.fixture
def fleet(world: World) -> Fleet:
    """A fleet with heartbeats both ways."""
    return Fleet(world, HEARTBEATS)


@pytest.fixture
def plain(world: World) -> Fleet:
    """A fleet with default settings: no heartbeats of the manager, no thresholds."""
    return Fleet(world)
