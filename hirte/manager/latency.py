"""How long jobs take, and whose time it is. Loaded only when somebody wants to know.

A job's time begins when the manager takes the request from the caller's connection, and ends when
its JobRemoved has been handed to the connections. It has three shares, which add up to the whole:

- systemd's: what the agent measured, from its request to systemd until systemd's JobRemoved;
- the manager's: while it worked on the request, on the agent's answer, and on the job's end;
- the agent's: the rest, which is the agent's work and the way there and back.
"""

from __future__ import annotations

from bisect import bisect_left

from hirte.api.public import JOB_TYPES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hirte.manager.jobs import Job
    from hirte.manager.node import Node

# Upper bounds in microseconds, inclusive. The manager's share of a job is well below a
# millisecond, systemd's from a millisecond to the minute and a half of its default time-outs.
BUCKETS_US = (
    50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000,
    1_000_000, 2_500_000, 5_000_000, 10_000_000, 30_000_000, 90_000_000,
)  # fmt: skip

MANAGER, AGENT, SYSTEMD = "manager", "agent", "systemd"


class Histogram:
    """How many times fell into which bucket, not cumulated; the last one has no upper bound."""

    __slots__ = ("counts", "sum_us")

    def __init__(self) -> None:
        self.counts = [0] * (len(BUCKETS_US) + 1)
        self.sum_us = 0

    def observe(self, us: int) -> None:
        """Count one time."""
        self.counts[bisect_left(BUCKETS_US, us)] += 1
        self.sum_us += us


class JobTimes:
    """The times of all jobs that systemd ended: the whole by job type, and the shares.

    The shares tell of those jobs only whose agent has measured.
    """

    def __init__(self) -> None:
        self.whole = {kind: Histogram() for kind in JOB_TYPES.values()}
        self.shares = {share: Histogram() for share in (MANAGER, AGENT, SYSTEMD)}
        self._measured: dict[Node, tuple[str, str, int]] = {}

    def measured(self, node: Node, unit: str, method: str, us: int) -> None:
        """Take systemd's share of the job whose end the agent is about to tell."""
        self._measured[node] = unit, method, us

    def ended(self, job: Job, whole_us: int) -> None:
        """Take the end of a job that took `whole_us`."""
        whole_us = max(0, whole_us)
        self.whole[job.kind].observe(whole_us)
        unit, method, us = self._measured.pop(job.node, ("", "", 0))
        if (unit, JOB_TYPES.get(method)) != (job.unit, job.kind):
            return
        # Three clocks and a peer's word: no share is negative, and the sum is the whole.
        manager = min(job.manager_us, whole_us)
        systemd = min(us, whole_us - manager)
        self.shares[MANAGER].observe(manager)
        self.shares[SYSTEMD].observe(systemd)
        self.shares[AGENT].observe(whole_us - manager - systemd)
