"""Jobs: lifecycle requests that the agents accepted, until they end.

Every accepted job ends exactly once, with a JobRemoved: as systemd said, or because its node was
lost, or because the manager stops. The order of what is seen is that of the reference: the object,
JobNew, the caller's answer, changes of State, JobRemoved, no object.
"""

from __future__ import annotations

from hirte.api import public
from hirte.dbus import errors
from hirte.manager.counters import NODE_LOST, REFUSED
from hirte.wire.encode import encode
from hirte.wire.message import ERROR, Message

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hirte.dbus.objects import Call
    from hirte.dbus.ports import Log
    from hirte.dbus.publisher import Publisher
    from hirte.manager.counters import Counters
    from hirte.manager.metrics import Metrics
    from hirte.manager.node import Node

WAITING, RUNNING, INVALID = "waiting", "running", "invalid"

# Results that do not come from systemd: its own word for a job that did not do what it should,
# and the reference's word for the end of the manager.
RESULT_NODE_LOST = "failed"
RESULT_SHUTDOWN = "cancelled due to shutdown"

_ID_MAX = 0xFFFFFFFF


class Job:
    """One job. `kind` is `start`, `stop`, `restart` or `reload`.

    `requested_us` tells when the request came, `manager_us` how long the manager has worked on it;
    both are 0 if nobody measured.
    """

    __slots__ = ("id", "kind", "manager_us", "node", "path", "requested_us", "state", "unit")

    def __init__(self, number: int, node: Node, unit: str, kind: str, requested_us: int) -> None:
        self.id = number
        self.requested_us = requested_us
        self.manager_us = 0
        self.node = node
        self.unit = unit
        self.kind = kind
        self.state = WAITING
        self.path = f"job/{number}"


class Jobs:
    """All outstanding jobs, and the one counter of their ids."""

    def __init__(
        self, publisher: Publisher, metrics: Metrics, counters: Counters, log: Log
    ) -> None:
        self._publisher = publisher
        self._metrics = metrics
        self._counters = counters
        self._log = log
        self._last_id = 0
        self._jobs: dict[int, Job] = {}

    def request(self, node: Node, call: Call) -> None:
        """Serve StartUnit and its like: a public call whose answer is a job's object path."""
        unit, mode = call.message.values()
        requested_us = self._metrics.now()
        self._last_id = self._last_id % _ID_MAX + 1
        number = self._last_id
        link = node.link
        if link is None:
            raise LookupError(f"a job for {node.name}, which is offline")

        job = Job(number, node, unit, public.JOB_TYPES[call.method.name], requested_us)

        self._tell(job, f"{job.kind} of {unit} on {node.name}, mode {mode}, for {call.caller}")

        def answered(reply: Message) -> None:
            if reply.type == ERROR:
                self._tell(job, f"refused, {reply.error_text()}")
                self._counters.job_ended(job.kind, REFUSED)
                call.relay(reply)
                return
            answered_us = self._metrics.now()
            self._accept(job)
            call.reply(call.dialect.path(job.path))
            job.manager_us += self._metrics.now() - answered_us

        body = encode("ssu", (unit, mode, number))
        link.call(call.method.name, call.guard(answered), "ssu", body)
        job.manager_us += self._metrics.now() - requested_us

    def _tell(self, job: Job, what: str) -> None:
        self._log.debug(
            f"Job {job.id}: {what}", NODE=job.node.name, UNIT=job.unit, JOB_ID=job.id
        )

    def _accept(self, job: Job) -> None:
        self._jobs[job.id] = job
        job.node.jobs[job.id] = job
        self._publisher.export(job.path, job, "Job")
        self._publisher.emit(
            "", "Manager", "JobNew", lambda dialect: (job.id, dialect.path(job.path))
        )

    def state_changed(self, node: Node, number: int, state: str) -> None:
        """Take an agent's JobStateChanged; unknown ids and other nodes' jobs are ignored."""
        job = node.jobs.get(number)
        if job is not None:
            job.state = state if state in (WAITING, RUNNING) else INVALID
            self._publisher.changed(job.path, "Job", job, "State")

    def done(self, node: Node, number: int, result: str) -> None:
        """Take an agent's JobDone; unknown ids and other nodes' jobs are ignored."""
        job = node.jobs.get(number)
        if job is not None:
            done_us = self._metrics.now()
            self._counters.job_ended(job.kind, result)
            self._end(job, result)
            self._metrics.job_done(job, done_us)

    def node_lost(self, node: Node) -> None:
        """End the jobs of a node whose agent is gone, in the order in which they began."""
        for job in list(node.jobs.values()):
            self._counters.job_ended(job.kind, NODE_LOST)
            self._end(job, RESULT_NODE_LOST)

    def shut_down(self) -> None:
        """End all jobs, in the order in which they began."""
        for job in list(self._jobs.values()):
            self._end(job, RESULT_SHUTDOWN)

    def _end(self, job: Job, result: str) -> None:
        self._tell(job, result)
        del self._jobs[job.id]
        del job.node.jobs[job.id]
        self._publisher.emit(
            "",
            "Manager",
            "JobRemoved",
            lambda dialect: (job.id, dialect.path(job.path), job.node.name, job.unit, result),
        )
        self._publisher.remove(job.path)

    def cancel(self, job: Job, call: Call) -> None:
        """Serve Job.Cancel: ask the agent, and answer at once as the reference does."""
        link = job.node.link
        call.reply()
        if link is None:
            raise LookupError(f"job {job.id} has outlived its node")

        def answered(reply: Message) -> None:
            # NoReply at the loss of the node is no news: the job has ended with it.
            if reply.type == ERROR and reply.error_name != errors.NO_REPLY:
                self._log.warning(
                    f"Job {job.id} was not cancelled: {reply.error_text()}",
                    NODE=job.node.name, UNIT=job.unit, JOB_ID=job.id,
                )  # fmt: skip

        link.call("JobCancel", answered, "u", encode("u", (job.id,)))
