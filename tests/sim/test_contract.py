"""The check of the promises finds what is broken: hirte with a fault must not pass."""

from __future__ import annotations

import pytest

from hirte.dbus.objects import Call
from hirte.manager.jobs import Job, Jobs
from hirte.manager.manager import Manager
from hirte.manager.node import Node
from hirte.wire.message import Message
from tests.sim.scenario import HEARTBEATS, twenty_jobs
from tests.sim.world import World


def faults_of(world: World) -> str:
    with pytest.raises(AssertionError) as raised:
        world.check()
    return str(raised.value)


def test_a_job_that_is_announced_after_the_reply(monkeypatch: pytest.MonkeyPatch) -> None:
    accept = Jobs._accept

    def late(self: Jobs, job: Job) -> None:
        self._metrics._timers.call_later(0.0, lambda: accept(self, job))

    monkeypatch.setattr(Jobs, "_accept", late)
    assert "a job that was not announced before" in faults_of(twenty_jobs(0))


def test_a_job_that_ends_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    end = Jobs._end

    def twice(self: Jobs, job: Job, result: str) -> None:
        end(self, job, result)
        self._jobs[job.id] = job.node.jobs[job.id] = job
        end(self, job, result)

    monkeypatch.setattr(Jobs, "_end", twice)
    assert "the end of a job that is not there" in faults_of(twenty_jobs(0))


def test_jobs_that_outlive_their_node(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Jobs, "node_lost", lambda self, node: None)
    assert "should have ended before" in faults_of(twenty_jobs(0))


def test_ids_that_are_used_again(monkeypatch: pytest.MonkeyPatch) -> None:
    end = Jobs._end

    def reuse(self: Jobs, job: Job, result: str) -> None:
        end(self, job, result)
        self._last_id = job.id - 1

    monkeypatch.setattr(Jobs, "_end", reuse)
    assert "an id is used again" in faults_of(twenty_jobs(0))


def test_a_manager_that_hides_its_status(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Manager, "_status_changed", lambda self, before: None)
    world = World()
    world.manager(HEARTBEATS)
    client = world.client()
    world.agent("a")
    world.run(1.0)
    client.manager("ListNodes")
    world.run(1.0)
    assert "status should have become degraded" in faults_of(world)


def test_a_call_without_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Call, "relay", lambda self, answer: None)
    world = World()
    world.manager()
    client = world.client()
    world.agent("a")
    world.run(1.0)
    client.start("a", "ghost.service")
    world.run(60.0)
    assert "has no answer" in faults_of(world)


def test_a_second_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    relay = Call.relay

    def twice(self: Call, answer: Message) -> None:
        relay(self, answer)
        relay(self, answer)

    monkeypatch.setattr(Call, "relay", twice)
    world = World()
    world.manager()
    client = world.client()
    world.agent("a")
    world.run(1.0)
    client.start("a", "ghost.service")
    world.run(1.0)
    assert "answered what nobody asked" in faults_of(world)


def test_a_bug_that_only_the_log_tells(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(self: Manager, node: Node, message: Message) -> None:
        raise KeyError("broken")

    monkeypatch.setitem(
        __import__("hirte.manager.manager", fromlist=["_SIGNALS"])._SIGNALS, "Heartbeat", broken
    )
    world = World()
    world.manager()
    world.agent("a")
    world.run(5.0)
    assert "KeyError" in faults_of(world)
