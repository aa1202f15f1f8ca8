"""The same seed gives the same trace, byte for byte; also in another process."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.sim.scenario import SCENARIOS, twenty_jobs
from tests.sim.world import World

ROOT = Path(__file__).parents[2]


def in_a_process_of_its_own(name: str, seed: int, hash_seed: str) -> str:
    return subprocess.run(
        [sys.executable, "-m", "tests.sim.scenario", name, str(seed)],
        cwd=ROOT,
        env={**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONDONTWRITEBYTECODE": "1"},
        check=True,
        stdout=subprocess.PIPE,
        encoding="utf-8",
    ).stdout


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_twenty_jobs_and_a_lost_link_give_the_same_trace_twice(seed: int) -> None:
    first, second = twenty_jobs(seed), twenty_jobs(seed)
    first.check()
    assert first.trace() == second.trace()


@pytest.mark.parametrize("name", sorted(SCENARIOS))
def test_the_trace_does_not_depend_on_the_process(name: str) -> None:
    here = SCENARIOS[name](7).trace()
    assert in_a_process_of_its_own(name, 7, "1") == here
    assert in_a_process_of_its_own(name, 7, "2") == here


def test_another_seed_gives_another_trace() -> None:
    assert twenty_jobs(0).trace() != twenty_jobs(1).trace()


def test_twenty_jobs_have_twenty_answers_and_an_end_each() -> None:
    world = twenty_jobs(3)
    (client,) = world.clients
    started = [asked for asked in client.asked if asked.member == "StartUnit"]
    assert len(started) == 20
    jobs = {asked.values[0] for asked in started if not asked.error}
    ended = [heard.values[1] for heard in client.signals("JobRemoved")]
    hanging = [row for name in "ab" for row in world.hosts[name].systemd.jobs.values()]
    assert len(ended) == len(set(ended))
    assert set(ended) <= jobs
    assert len(jobs) - len(ended) <= len(hanging)
    assert client.changes("node/a", "Status") == ["online", "offline", "online"]
    assert client.changes("node/b", "Status") == ["online"]


def test_time_that_nobody_needs_is_skipped() -> None:
    world = World()
    world.run(1e9)
    assert world.now() == 1e9
