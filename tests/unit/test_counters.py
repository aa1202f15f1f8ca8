"""What the manager counts: every event once, under a key that no peer can make up."""

from __future__ import annotations

import pytest

from hirte.manager import manager as module
from hirte.manager.counters import REFUSALS, Counters
from hirte.manager.link import REGISTER_TIMEOUT
from tests.unit.managed import MANAGER, NODE, UNITS, World, units
from tests.unit.talk import E


@pytest.fixture
def world():
    return World()


def counted(world):
    """The refusals that there were."""
    return {why: count for why, count in world.manager.counters.refusals.items() if count}


def ended(world):
    """How jobs ended, those that did."""
    return {key: count for key, count in world.manager.counters.jobs.items() if count}


def start(world, agent, unit="x.service", member="StartUnit"):
    """Let a caller ask for a job; returns the agent's call and the job's id."""
    world.call("/node/a", NODE, member, "ss", unit, "replace")
    call = agent.take()
    assert call.member == member
    return call, call.values()[2]


# Who comes and goes


def test_refusals_have_their_reasons():
    world = World("AllowedNodeNames=a,b\n[node b]\nRequiredSelinuxContext=agent_t\n")
    world.agent("a")
    for name in ("x", "y", "a", "b"):
        world.connect().open().register(name)
    assert counted(world) == {"unknown_node": 2, "already_connected": 1, "selinux_type": 1}


def test_who_does_not_register_is_refused_in_the_end(world):
    world.connect()
    world.agent("a")
    world.clock.advance(REGISTER_TIMEOUT)
    assert counted(world) == {"not_in_time": 1}


def test_who_is_one_too_many_is_refused(world, monkeypatch):
    monkeypatch.setattr(module, "UNREGISTERED_MAX", 1)
    world.connect()
    world.connect()
    assert (counted(world), world.manager.unregistered) == ({"too_many_connections": 1}, 1)


def test_names_that_are_refused_are_not_remembered(world):
    for number in range(100):
        world.connect().open().register(f"node{number}")
    assert counted(world) == {"unknown_node": 100}
    assert tuple(world.manager.counters.refusals) == REFUSALS


def test_every_registration_counts(world):
    world.agent("a").leave()
    world.agent("a")
    assert [node.registrations for node in world.manager.nodes.values()] == [2, 0, 0]


def test_a_node_without_heartbeats_counts_once():
    world = World("AllowedNodeNames=a\nHeartbeatInterval=1000\nNodeHeartbeatThreshold=2000\n")
    world.agent("a")
    world.clock.advance(2)
    assert world.manager.counters.heartbeats_missed == 0
    world.clock.advance(10)
    assert world.manager.counters.heartbeats_missed == 1


# Jobs


@pytest.mark.parametrize(
    ("result", "key"),
    [("done", "done"), ("failed", "failed"), ("unknown", "unknown"), ("", "other")],
)
def test_jobs_end_as_the_agent_says(world, result, key):
    agent = world.agent("a")
    call, number = start(world, agent, member="RestartUnit")
    agent.reply(call)
    agent.tell("JobDone", "us", number, result)
    assert ended(world) == {("restart", key): 1}


def test_an_agent_cannot_make_up_results(world):
    agent = world.agent("a")
    size = len(world.manager.counters.jobs)
    for word in ("refused\n", "node lost", "x" * 1000):
        call, number = start(world, agent)
        agent.reply(call)
        agent.tell("JobDone", "us", number, word)
    assert ended(world) == {("start", "other"): 3}
    assert len(world.manager.counters.jobs) == size


def test_a_job_that_the_agent_refuses(world):
    agent = world.agent("a")
    call, _ = start(world, agent, member="StopUnit")
    agent.refuse(call, E + "Failed")
    assert ended(world) == {("stop", "refused"): 1}


def test_jobs_of_a_lost_node(world):
    agent = world.agent("a")
    accepted, _ = start(world, agent)
    agent.reply(accepted)
    start(world, agent, member="ReloadUnit")
    agent.leave()
    # The second was never accepted: its caller got NoReply.
    assert ended(world) == {("start", "node_lost"): 1, ("reload", "refused"): 1}


def test_the_end_of_a_job_that_nobody_knows_does_not_count(world):
    world.agent("a").tell("JobDone", "us", 7, "done")
    assert ended(world) == {}


# What goes through


def test_what_is_relayed(world):
    agent = world.agent("a")
    world.call("/node/a", NODE, "GetUnitFileState", "s", "x.service")
    call = agent.take()
    agent.reply(call, "s", "enabled")
    relayed = world.manager.counters.relayed
    assert (relayed.sent_messages, relayed.sent_bytes) == (1, len(call.body))
    # A length, the text, a final zero.
    assert (relayed.received_messages, relayed.received_bytes) == (1, 4 + 7 + 1)


def test_what_is_gathered_from_all_nodes_is_relayed(world):
    agents = [world.agent("a"), world.agent("b")]
    world.call("", MANAGER, "ListUnits")
    for agent in agents:
        agent.reply(agent.expect_call("ListUnits"), UNITS, units("x.service"))
    relayed = world.manager.counters.relayed
    assert (relayed.sent_messages, relayed.sent_bytes) == (2, 0)
    assert relayed.received_messages == 2
    assert relayed.received_bytes > 2 * len("x.service")


def test_traffic_of_agents_stays_when_they_are_gone(world):
    agent = world.agent("a")
    traffic = world.manager.counters.agents
    # Register and its answer; authentication is no message.
    assert (traffic.received_messages, traffic.sent_messages) == (1, 1)
    received = traffic.received_bytes
    agent.tell("Heartbeat")
    assert traffic.received_messages == 2
    assert traffic.received_bytes > received > 0
    agent.leave()
    world.agent("a")
    assert (traffic.received_messages, traffic.sent_messages) == (3, 2)


def test_traffic_of_the_bus_goes_on_over_its_restart(world):
    traffic = world.presence.traffic
    before = traffic.sent_messages
    world.bus.peer.leave()
    world.clock.advance(1)
    world.come()
    assert traffic.sent_messages == 2 * before


def test_peers_that_break_the_protocol_count(world):
    world.connect().say(b"GET / HTTP/1.1\r\n\r\n")
    agent = world.agent("a")
    agent.say(b"?" * 16)
    assert world.manager.counters.agents.protocol_errors == 2
    assert world.presence.traffic.protocol_errors == 0


def test_everything_that_can_be_foreseen_is_there_from_the_start():
    counters = Counters()
    assert ("start", "done") in counters.jobs
    assert set(counters.jobs.values()) == set(counters.refusals.values()) == {0}
