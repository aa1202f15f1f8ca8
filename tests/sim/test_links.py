"""Links that break: who notices, when, in which order it is told, and how nodes come back."""

from __future__ import annotations

import pytest

from hirte.api.dialect import COMPATIBLE
from tests.sim.conftest import Fleet
from tests.sim.scenario import HEARTBEATS
from tests.sim.test_jobs import story
from tests.sim.world import World

INTERVAL, THRESHOLD, LATENESS = 2.0, 6.0, 0.25
# The agent's tick by default.
TICK = 2.0
# A registration on a link that works.
MOMENT = 0.05


def test_the_loss_of_a_node_is_told_in_the_order_of_the_contract(fleet: Fleet) -> None:
    fleet.client.start("a", "hangs-0.service")
    fleet.client.start("a", "hangs-1.service")
    fleet.world.run(1.0)
    fleet.world.hosts["a"].systemd.mute = True
    fleet.client.node("a", "ListUnits")
    fleet.client.start("a", "quick-0.service")
    fleet.world.run(1.0)
    start = len(fleet.client.heard)
    fleet.agents["a"].kill()
    fleet.world.run(1.0)
    assert story(fleet.client, start) == [
        "answer 3 NoReply",
        "answer 4 NoReply",
        "JobRemoved 1 a hangs-0.service failed",
        "JobRemoved 2 a hangs-1.service failed",
        "node/a Status=offline",
        ". Status=degraded",
    ]
    fleet.client.start("a", "quick-0.service")
    fleet.world.run(1.0)
    assert story(fleet.client, start)[-1] == "answer 5 Offline"


@pytest.mark.parametrize("seed", range(20))
def test_a_cut_cable_is_noticed_within_threshold_and_interval(seed: int) -> None:
    world = World(seed)
    fleet = Fleet(world, HEARTBEATS)
    world.run(10 * world.chance.random())
    cut_at = world.now()
    world.hosts["a"].cable.cut()
    noticed_at = fleet.until_node("a", "offline")
    # The last heartbeat may be one of its intervals old when the cable is cut.
    assert noticed_at - cut_at > THRESHOLD - INTERVAL - LATENESS
    assert noticed_at - cut_at < THRESHOLD + INTERVAL + LATENESS
    world.hosts["a"].cable.mend()
    world.check()


def test_without_heartbeats_the_kernel_notices_a_cut_cable(plain: Fleet) -> None:
    plain.world.hosts["a"].cable.cut()
    cut_at = plain.world.now()
    assert 7.0 <= plain.until_node("a", "offline") - cut_at < 8.1


def test_a_dead_node_is_noticed_also_with_a_call_under_way(plain: Fleet) -> None:
    # Linux sends no keepalive probes while bytes wait to be acknowledged: TCP_USER_TIMEOUT does it.
    plain.world.hosts["a"].cable.cut()
    cut_at = plain.world.now()
    asked = plain.client.node("a", "ListUnits")
    assert 7.0 <= plain.until_node("a", "offline") - cut_at < 8.1
    assert asked.error == "NoReply"


def test_an_agent_comes_back_soon_after_a_long_cut(plain: Fleet) -> None:
    plain.world.hosts["a"].cable.cut()
    plain.world.run(40.0)
    plain.world.hosts["a"].cable.mend()
    mended_at = plain.world.now()
    assert plain.until_node("a", "online") - mended_at < TICK + MOMENT


def test_an_agent_that_hangs_is_noticed_and_comes_back(fleet: Fleet) -> None:
    fleet.agents["a"].freeze()
    frozen_at = fleet.world.now()
    noticed_at = fleet.until_node("a", "offline")
    assert noticed_at - frozen_at < THRESHOLD + INTERVAL + LATENESS
    fleet.world.run(10.0)
    fleet.agents["a"].thaw()
    thawed_at = fleet.world.now()
    assert fleet.until_node("a", "online") - thawed_at < MOMENT


def test_a_reset_link_is_up_again_at_once(fleet: Fleet) -> None:
    (end,) = fleet.world.hosts["a"].cable.ends[:1]
    end.reset()
    lost_at = fleet.world.now()
    fleet.until_node("a", "offline")
    assert fleet.until_node("a", "online") - lost_at < 2 * MOMENT


@pytest.mark.parametrize("seed", range(10))
def test_a_manager_that_was_not_there_is_found_at_the_next_tick(seed: int) -> None:
    world = World(seed)
    world.host("primary")
    agent = world.agent("a")
    world.run(7 * world.chance.random())
    manager = world.manager(nodes="a")
    client = world.client()
    started_at = world.now()
    world.until(lambda: agent.agent.uplink.status == "online")
    assert world.now() - started_at < TICK + MOMENT
    assert manager.manager.status == "up"
    client.nodes = 1
    world.check()


def test_attempts_into_a_black_hole_do_not_pile_up(world: World) -> None:
    manager = world.manager(nodes="a")
    client = world.client()
    client.nodes = 1
    world.host("a").cable.cut()
    agent = world.agent("a")
    world.run(9.5)
    world.hosts["a"].cable.mend()
    world.run(30.0)
    assert client.changes("node/a", "Status") == ["online"]
    assert len(agent.ends) == len(("bus", "systemd", "manager"))
    assert len(manager.ends) == len(("bus", "agent"))


@pytest.mark.parametrize("seconds", [0.5, 3.0, 12.0, 40.0])
def test_a_node_without_power_comes_back_after_it_boots(plain: Fleet, seconds: float) -> None:
    plain.client.start("a", "hangs-0.service")
    plain.world.run(1.0)
    plain.world.hosts["a"].power_off()
    plain.world.run(seconds)
    plain.world.hosts["a"].power_on()
    plain.world.agent("a")
    plain.world.run(10.0)
    assert plain.client.changes("node/a", "Status") == ["online", "offline", "online"]
    assert plain.client.results() == {1: "failed"}


def test_a_short_cut_costs_nothing(plain: Fleet) -> None:
    plain.client.start("a", "slow-0.service")
    plain.world.run(0.1)
    plain.world.hosts["a"].cable.cut()
    plain.client.start("a", "slow-1.service")
    plain.world.run(3.0)
    assert plain.client.results() == {}
    plain.world.hosts["a"].cable.mend()
    plain.world.run(10.0)
    assert plain.client.results() == {1: "done", 2: "done"}
    assert plain.client.changes("node/a", "Status") == ["online"]


def test_an_agent_that_minds_silence_leaves_a_silent_manager(world: World) -> None:
    fleet = Fleet(world, HEARTBEATS, "ManagerHeartbeatThreshold=5000")
    world.run(20.0)
    assert fleet.client.changes("node/a", "Status") == ["online"]
    world.hosts["primary"].cable.cut()
    world.until(lambda: fleet.agents["a"].agent.uplink.status == "offline", 5.0 + TICK + LATENESS)
    world.run(60.0)
    world.hosts["primary"].cable.mend()
    mended_at = world.now()
    # An attempt is made at every tick, so the kernel's growing intervals do not matter.
    assert fleet.until_node("a", "online") - mended_at < TICK + MOMENT


def test_last_seen_follows_the_heartbeats_and_stays_when_the_node_is_gone(fleet: Fleet) -> None:
    fleet.world.run(11.0)
    before = fleet.client.property("node/a", "Node", "LastSeenTimestampMonotonic")
    fleet.world.run(1.0)
    age = fleet.manager.monotonic_us() - before.values[0][1]
    assert 0 < age < 4_000_000
    fleet.agents["a"].kill()
    fleet.world.run(30.0)
    after = fleet.client.property("node/a", "Node", "LastSeenTimestampMonotonic")
    address = fleet.client.property("node/a", "Node", "PeerIp")
    fleet.world.run(1.0)
    assert 25_000_000 < fleet.manager.monotonic_us() - after.values[0][1] < 35_000_000
    assert address.values == (("s", ""),)


def test_a_degraded_fleet_that_stays_degraded_says_nothing(world: World) -> None:
    world.manager(nodes="a,b,c,d")
    client = world.client()
    client.nodes = 4
    agents = {}
    for name in "abcd":
        agents[name] = world.agent(name)
        world.run(1.0)
    for name in "abcd":
        agents[name].kill()
        world.run(1.0)
    assert client.changes(".", "Status") == ["degraded", "up", "degraded", "down"]


def test_clients_of_the_other_dialect_hear_the_same(world: World) -> None:
    world.manager(HEARTBEATS + "\nBusNames=both")
    native = world.client()
    compatible = world.client(dialect=COMPATIBLE)
    world.agent("a")
    world.agent("b", "ManagerDialect=compatible")
    world.run(5.0)
    job = compatible.start("b", "quick-0.service")
    world.run(5.0)
    assert job.values == ("/org/eclipse/bluechi/job/1",)
    assert native.results() == compatible.results() == {1: "done"}
    assert native.changes(".", "Status") == compatible.changes(".", "Status") == ["degraded", "up"]
