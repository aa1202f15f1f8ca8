"""systemd goes away and comes back under an agent, and buses do."""

from __future__ import annotations

import pytest

from tests.sim.client import Client
from tests.sim.conftest import Fleet
from tests.sim.scenario import HEARTBEATS
from tests.sim.systemd import REEXEC_SECONDS
from tests.sim.world import UNITS, World

# From the new start of systemd until the agent has its lists: its interval between attempts.
BACK = 0.2


def test_a_job_goes_on_over_a_reexec(fleet: Fleet) -> None:
    fleet.client.start("a", "slow-0.service")
    fleet.world.run(0.5)
    fleet.world.hosts["a"].systemd.reexec()
    fleet.world.run(5.0)
    assert fleet.client.results() == {1: "done"}
    assert fleet.client.changes("node/a", "Status") == ["online"]
    assert fleet.agents["a"].exit_code is None


def test_a_job_that_ends_while_systemd_is_away_ends_for_the_client_too(fleet: Fleet) -> None:
    fleet.client.start("a", "slow-0.service")
    fleet.client.start("a", "hangs-0.service")
    fleet.world.run(0.5)
    fleet.world.hosts["a"].systemd.reexec(3.0)
    fleet.world.run(4.0)
    # Nobody knows how; it is over all the same.
    assert fleet.client.results() == {1: "unknown"}


def test_a_request_while_systemd_restarts_itself_is_carried_out_after_that(fleet: Fleet) -> None:
    fleet.world.hosts["a"].systemd.reexec(1.0)
    fleet.world.run(0.01)
    fleet.client.start("a", "quick-0.service")
    fleet.world.run(2.0)
    assert fleet.client.results() == {1: "done"}


def test_a_request_while_systemd_stays_away_fails(fleet: Fleet) -> None:
    fleet.world.hosts["a"].systemd.reexec(8.0)
    fleet.world.run(0.01)
    refused = fleet.client.start("a", "quick-0.service")
    fleet.world.run(6.0)
    assert refused.error == "Failed"
    fleet.world.run(4.0)
    fleet.client.start("a", "quick-0.service")
    fleet.world.run(1.0)
    assert fleet.client.results() == {2: "done"}


def test_a_request_under_way_when_systemd_leaves_is_answered(fleet: Fleet) -> None:
    fleet.world.hosts["a"].systemd.mute = True
    asked = fleet.client.start("a", "quick-0.service")
    fleet.world.run(0.1)
    fleet.world.hosts["a"].systemd.reexec()
    fleet.world.run(0.1)
    assert asked.error == "NoReply"


@pytest.mark.parametrize("seed", range(25))
def test_any_job_started_around_a_reexec_ends_once(seed: int) -> None:
    world = World(seed)
    fleet = Fleet(world, HEARTBEATS)
    for _ in range(20):
        if world.chance.randrange(3) == 0:
            world.hosts["a"].systemd.reexec(REEXEC_SECONDS * world.chance.random())
        for _ in range(world.chance.randrange(4)):
            fleet.client.start("a", world.chance.choice([u for u in UNITS if "hangs" not in u]))
        world.run(world.chance.choice((0.0, 0.0003, 0.001, 0.1, 0.3)))
    world.run(10.0)
    world.check()
    begun = {heard.values[0] for heard in fleet.client.signals("JobNew")}
    assert begun == set(fleet.client.results())
    assert world.jobs_left() == []


@pytest.mark.parametrize("seed", range(25))
def test_the_unit_table_follows_systemd_whatever_happens(seed: int) -> None:
    world = World(seed)
    fleet = Fleet(world, HEARTBEATS)
    systemd = world.hosts["a"].systemd
    for _ in range(30):
        action = world.chance.randrange(6)
        unit = world.chance.choice([unit for unit in UNITS if "hangs" not in unit])
        if action == 0:
            systemd.reexec(REEXEC_SECONDS)
        elif action < 4:
            fleet.client.start("a", unit)
        else:
            fleet.client.stop("a", unit)
        world.run(world.chance.choice((0.0, 0.0002, 0.0005, 0.1, 0.1003, 0.11, 1.0)))
    world.run(10.0)
    states = {unit.name: (unit.active, unit.sub) for unit in systemd.units.values()}
    assert fleet.client.unit_table("a", UNITS) == states
    assert len(fleet.agents["a"].agent.units) >= len(systemd.units)
    world.check()


@pytest.mark.parametrize("between", ["Subscribe", "ListUnits", "ListJobs"])
def test_news_between_the_lists_are_not_lost(fleet: Fleet, between: str) -> None:
    systemd = fleet.world.hosts["a"].systemd
    fleet.client.start("a", "quick-0.service")
    fleet.client.start("a", "quick-1.service")
    fleet.world.run(1.0)

    def news() -> None:
        systemd.set_state(systemd.units["quick-0.service"], "failed", "failed")
        systemd.start_alone("quick-2.service")

    systemd.before[between] = news
    systemd.reexec()
    fleet.world.run(0.4)
    assert systemd.before == {}
    states = {unit.name: (unit.active, unit.sub) for unit in systemd.units.values()}
    assert fleet.client.unit_table("a", UNITS) == states
    assert states["quick-0.service"] == ("failed", "failed")
    assert states["quick-2.service"] == ("active", "running")


def test_a_job_that_ends_between_the_lists_keeps_its_result(fleet: Fleet) -> None:
    systemd = fleet.world.hosts["a"].systemd
    fleet.client.start("a", "hangs-0.service")
    fleet.world.run(1.0)
    systemd.before["ListJobs"] = lambda: systemd.end_all("timeout")
    systemd.reexec()
    fleet.world.run(1.0)
    assert fleet.client.results() == {1: "timeout"}


def test_an_agent_lives_through_a_restart_of_its_bus(fleet: Fleet) -> None:
    fleet.world.hosts["a"].restart_bus(5.0)
    fleet.world.run(1.0)
    fleet.client.start("a", "quick-0.service")
    fleet.world.run(10.0)
    assert fleet.client.results() == {1: "done"}
    assert fleet.client.changes("node/a", "Status") == ["online"]
    local = fleet.world.client("a")
    local.service = local.dialect.agent_bus_name
    status = local.property("", "Agent", "Status")
    fleet.world.run(0.1)
    assert status.values == (("s", "online"),)


def test_without_a_bus_an_agent_does_not_start(world: World) -> None:
    world.manager()
    world.host("a").bus.listener.open = False
    agent = world.agent("a")
    world.run(1.0)
    assert agent.exit_code == 1
    assert "cannot connect to the bus" in agent.log.lines[-1]


def test_without_systemd_an_agent_does_not_start(world: World) -> None:
    world.manager()
    world.host("a").systemd.listener.open = False
    agent = world.agent("a")
    world.run(1.0)
    assert agent.exit_code == 1
    assert "cannot talk to systemd" in agent.log.lines[-1]


def fleet_over_bus(world: World) -> Client:
    """Start a manager and an agent that reaches systemd over the bus; return a client."""
    world.manager(nodes="a")
    client = world.client()
    client.nodes = 1
    world.host("a")
    world.run(0.1)
    world.agent("a", over_bus=True)
    world.until(lambda: client.changes(".", "Status") == ["up"])
    return client


def test_an_agent_that_is_not_root_follows_systemd_over_the_bus(world: World) -> None:
    client = fleet_over_bus(world)
    client.start("a", "slow-0.service")
    client.start("a", "fails-0.service")
    ghost = client.start("a", "ghost.service")
    world.run(5.0)
    assert client.results() == {1: "done", 2: "failed"}
    assert ghost.error == "NoSuchUnit"
    assert client.unit_table("a", UNITS) == {
        "slow-0.service": ("active", "running"),
        "fails-0.service": ("failed", "failed"),
    }


@pytest.mark.parametrize("seed", range(12))
def test_over_the_bus_too_every_job_ends_though_the_bus_is_restarted(seed: int) -> None:
    world = World(seed)
    client = fleet_over_bus(world)
    for _ in range(12):
        if world.chance.randrange(4) == 0:
            world.hosts["a"].restart_bus(world.chance.random())
        client.start("a", world.chance.choice([unit for unit in UNITS if "hangs" not in unit]))
        world.run(world.chance.choice((0.0, 0.0003, 0.1, 1.0)))
    world.run(20.0)
    assert {heard.values[0] for heard in client.signals("JobNew")} == set(client.results())
    units = world.hosts["a"].systemd.units.values()
    states = {unit.name: (unit.active, unit.sub) for unit in units}
    assert client.unit_table("a", UNITS) == states
    assert world.jobs_left() == []
    world.check()
