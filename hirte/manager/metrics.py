"""Measures of jobs, while somebody wants them: the public's switch, or the OpenMetrics text.

Two public signals tell how long jobs took: the agent's measure of systemd's share of every job,
and for jobs that start a unit, the manager's measure of the whole and what the unit itself tells.
They come only while the public has switched them on, whoever else makes the agents measure.
"""

from __future__ import annotations

from hirte.api import internal
from hirte.dbus import errors
from hirte.wire.encode import encode
from hirte.wire.message import ERROR, Message

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from hirte.api.dialect import Dialect
    from hirte.dbus.objects import Call
    from hirte.dbus.ports import Timers
    from hirte.dbus.publisher import Publisher
    from hirte.manager.jobs import Job
    from hirte.manager.latency import JobTimes
    from hirte.manager.node import Node

PATH = "metrics"

_UNIT = "org.freedesktop.systemd1.Unit"
_ENTERED, _LEFT = "ActiveEnterTimestampMonotonic", "InactiveExitTimestampMonotonic"
# Properties are unsigned; so is their difference, in the reference and therefore here.
_U64 = 1 << 64


class Metrics:
    """The switch, and the signals that it lets through.

    `times` is set before the first agent comes, and for good, if the OpenMetrics text is wanted:
    then the agents measure all the time.
    """

    def __init__(self, nodes: Mapping[str, Node], publisher: Publisher, timers: Timers) -> None:
        self.enabled = False
        self.times: JobTimes | None = None
        self._enabled_us = 0
        self._nodes = nodes
        self._publisher = publisher
        self._timers = timers

    def enable(self, call: Call) -> None:
        """Serve Manager.EnableMetrics."""
        if self.enabled:
            call.fail(errors.INCONSISTENT_MESSAGE, "Metrics are enabled already")
            return
        self.enabled = True
        self._enabled_us = self._timers.monotonic_us()
        self._publisher.export(PATH, self, "Metrics")
        self._switch_agents("EnableMetrics")
        call.reply()

    def disable(self, call: Call) -> None:
        """Serve Manager.DisableMetrics."""
        if not self.enabled:
            call.fail(errors.INCONSISTENT_MESSAGE, "Metrics are disabled already")
            return
        self.enabled = False
        self._publisher.remove(PATH)
        self._switch_agents("DisableMetrics")
        call.reply()

    @property
    def _measuring(self) -> bool:
        return self.enabled or self.times is not None

    def _switch_agents(self, member: str) -> None:
        if self.times is not None:
            return
        for node in self._nodes.values():
            if node.link:
                node.link.send(member)

    def node_online(self, node: Node) -> None:
        """Switch the metrics of an agent on that has just registered."""
        if self._measuring and node.link:
            node.link.send("EnableMetrics")

    def now(self) -> int:
        """Return the time in microseconds; 0 while nobody measures."""
        return self._timers.monotonic_us() if self._measuring else 0

    def agent_job(self, node: Node, message: Message) -> None:
        """Take an agent's AgentJobMetrics."""
        if not self._measuring:
            return
        unit, method, micros = message.expect(internal.JOB_METRICS)
        if self.times:
            self.times.measured(node, unit, method, micros)
        if self.enabled:
            self._emit("AgentJobMetrics", lambda dialect: (node.name, unit, method, micros))

    def job_done(self, job: Job, done_us: int) -> None:
        """Take the times of a job that was removed; the news of its end came at `done_us`."""
        if self.times:
            now = self._timers.monotonic_us()
            job.manager_us += now - done_us
            self.times.ended(job, now - job.requested_us)
        # The public hears of those only that were requested after its switch.
        if self.enabled and job.kind == "start" and job.requested_us >= self._enabled_us:
            self._measure_start(job)

    def _measure_start(self, job: Job) -> None:
        link = job.node.link
        if link is None:
            return
        measured = self._timers.monotonic_us() - job.requested_us
        times: list[int] = []

        def answered(reply: Message) -> None:
            if reply.type == ERROR or reply.signature != "v":
                return
            signature, value = reply.values()[0]
            if signature != "t":
                return
            times.append(value)
            if len(times) == 2:
                self._tell_start(job, measured, (times[0] - times[1]) % _U64)

        for name in (_ENTERED, _LEFT):
            body = encode("sss", (job.unit, _UNIT, name))
            link.call("GetUnitProperty", answered, "sss", body)

    def _tell_start(self, job: Job, measured: int, net: int) -> None:
        if self.enabled:
            self._emit(
                "StartUnitJobMetrics",
                lambda dialect: (
                    job.node.name, dialect.path(job.path), job.unit, measured, net,
                ),
            )  # fmt: skip

    def _emit(self, name: str, values: Callable[[Dialect], tuple[object, ...]]) -> None:
        self._publisher.emit(PATH, "Metrics", name, values)
