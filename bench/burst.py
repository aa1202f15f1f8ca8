"""Many jobs at once: how long all take, and what each costs the manager and the agent."""

from __future__ import annotations

import time

from bench import setup
from bench.result import Row, absolute, ratio

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from bench.client import Client, Target
    from bench.setup import Setup
    from tests.bed import Node

# The agent still hears of units when the last job is gone; that belongs to the burst's cost.
_QUIET_SECONDS = 0.2


def burst(fleet: Setup, quick: bool) -> Iterator[Row]:
    """Start all, stop all; floor and hirte take turns."""
    floor: dict[str, list[float]] = {"StartUnit": [], "StopUnit": []}
    ours: dict[str, list[float]] = {"StartUnit": [], "StopUnit": []}
    manager, agent = _Meter(fleet.one, fleet.manager_pid()), _Meter(fleet.two, fleet.agent_pid())
    target = setup.node_object(fleet.two)
    with fleet.public() as public:
        public.match(setup.JOB_REMOVED)
        for _ in range(3 if quick else 9):
            with fleet.private() as client:
                for member, times in floor.items():
                    times.append(_all(client, setup.SYSTEMD_ITSELF, member))
            for member, times in ours.items():
                time.sleep(_QUIET_SECONDS)
                meters = (manager, agent) if member == "StartUnit" else ()
                for meter in meters:
                    meter.begin()
                times.append(_all(public, target, member))
                time.sleep(_QUIET_SECONDS)
                for meter in meters:
                    meter.end()
    count = len(setup.BURST)
    yield ratio(f"start {count} units at once", floor["StartUnit"], ours["StartUnit"], 1.1)
    yield ratio(f"stop {count} units at once", floor["StopUnit"], ours["StopUnit"], 1.6)
    yield absolute("CPU per job of these starts: manager", manager.per_job, 200, "us")
    yield absolute("CPU per job of these starts: agent", agent.per_job, 450, "us")


class _Meter:
    """What one process spends on each job of a burst, in microseconds."""

    def __init__(self, node: Node, pid: int) -> None:
        self.per_job: list[float] = []
        self._node = node
        self._pid = pid
        self._before = 0.0

    def begin(self) -> None:
        self._before = setup.cpu_seconds(self._node, self._pid)

    def end(self) -> None:
        spent = setup.cpu_seconds(self._node, self._pid) - self._before
        self.per_job.append(spent / len(setup.BURST) * 1e6)


def _all(client: Client, target: Target, member: str) -> float:
    calls = [client.prepare(target, member, "ss", unit, "replace") for unit in setup.BURST]
    return client.time_jobs(calls, setup.BURST_PREFIX)
