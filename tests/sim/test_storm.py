"""Whatever happens, the public API keeps its promises: many seeds, random requests and faults."""

from __future__ import annotations

import time

import pytest

from hirte.api.dialect import COMPATIBLE
from tests.sim.clock import SECOND
from tests.sim.scenario import HEARTBEATS, NODES, Storm
from tests.sim.world import PRIMARY, UNITS, World

SEEDS = range(24)
# What the simulator must achieve on any machine; it is about ten times faster here.
RATE = 1000.0


def assert_all_came_back(storm: Storm) -> None:
    listed = storm.client.asked[-1].values[0]
    assert [(row[0], row[2]) for row in listed] == [(name, "online") for name in NODES]
    if not storm.client.missed:
        assert storm.client.changes(".", "Status")[-1] == "up"
    assert storm.world.jobs_left() == []
    for name in NODES:
        units = storm.world.hosts[name].systemd.units.values()
        states = {unit.name: (unit.active, unit.sub) for unit in units}
        assert storm.client.unit_table(name, UNITS) == states
    storm.world.check()


@pytest.mark.parametrize("seed", SEEDS)
def test_every_promise_is_kept_and_every_node_comes_back(seed: int) -> None:
    storm = Storm(seed)
    storm.rage().check()
    assert_all_came_back(storm)


@pytest.mark.parametrize("seed", range(6))
def test_without_heartbeats_of_the_manager_the_promises_are_the_same(seed: int) -> None:
    storm = Storm(seed, options="")
    storm.rage().check()
    assert_all_came_back(storm)


@pytest.mark.parametrize("seed", range(6))
def test_a_mixed_fleet_keeps_its_promises_to_clients_of_both_dialects(seed: int) -> None:
    options = HEARTBEATS + "\nBusNames=both"
    storm = Storm(seed, options=options, of_b="ManagerDialect=compatible", listener=COMPATIBLE)
    storm.rage().check()
    assert_all_came_back(storm)
    ends = [
        [(heard.values[0], heard.values[2:]) for heard in client.signals("JobRemoved")]
        for client in (storm.client, storm.listener)
    ]
    assert ends[0] == ends[1]


@pytest.mark.parametrize("seed", range(8))
def test_restarts_of_the_public_bus_leave_nothing_behind(seed: int) -> None:
    storm = Storm(seed)

    def restart() -> None:
        if storm.over:
            return
        storm.world.hosts[PRIMARY].restart_bus(storm.chance.random())
        storm.world.clock.after(storm.chance.randrange(9 * SECOND), "restarts", restart)

    storm.world.clock.after(0, "restarts", restart)
    storm.rage().check()
    assert_all_came_back(storm)


def test_a_fleet_at_rest_is_simulated_much_faster_than_it_runs() -> None:
    world = World()
    world.manager(HEARTBEATS)
    for name in NODES:
        world.agent(name)
    started = time.process_time()
    world.run(3600.0)
    rate = 3600.0 / (time.process_time() - started)
    assert rate > RATE
    assert world.clock.now_us == 3600 * SECOND
