"""The job table: which of systemd's jobs were started for which of the manager's.

systemd merges requests: two starts of one unit may get the same systemd job. Each of the
manager's jobs still ends in one JobDone, because every job path holds all ids that wait for it.
"""

from __future__ import annotations

from hirte.agent.systemd import JOB, Systemd
from hirte.api import internal
from hirte.dbus import errors
from hirte.wire.encode import encode
from hirte.wire.message import ERROR, Message

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from hirte.dbus.objects import Call
    from hirte.dbus.ports import Log, Timers

    Emit = Callable[[str, str, bytes], None]

# systemd forgot the job while it was away from us, so nobody can say how it ended.
RESULT_UNKNOWN = "unknown"


class Job:
    """One of the manager's jobs. `requested_us` is 0 if nobody measures."""

    __slots__ = ("id", "method", "requested_us", "unit")

    def __init__(self, number: int, unit: str, method: str, requested_us: int) -> None:
        self.id = number
        self.unit = unit
        self.method = method
        self.requested_us = requested_us


class Jobs:
    """The table; `emit` carries its news to the manager, `emit_metrics` measurements.

    `measuring` tells whether the manager wants them.
    """

    def __init__(
        self, systemd: Systemd, timers: Timers, log: Log, emit: Emit, emit_metrics: Emit
    ) -> None:
        self.measuring = False
        self._systemd = systemd
        self._timers = timers
        self._log = log
        self._emit = emit
        self._emit_metrics = emit_metrics
        self._jobs: dict[str, list[Job]] = {}
        self._paths: dict[int, str] = {}

    def request(self, call: Call) -> None:
        """Serve StartUnit and its like: answered when systemd has accepted the job."""
        unit, mode, number = call.message.values()
        requested_us = self._timers.realtime_us() if self.measuring else 0
        job = Job(number, unit, call.method.name, requested_us)
        self._tell(job, f"{job.method} of {unit}, mode {mode}")

        def answered(reply: Message) -> None:
            if reply.type == ERROR:
                self._tell(job, f"refused, {reply.error_text()}")
                call.relay(reply)
                return
            (path,) = reply.values()
            if call.connection.open:
                self._jobs.setdefault(path, []).append(job)
                self._paths[number] = path
                call.reply()

        body = encode("ss", (unit, mode))
        self._systemd.call(call.method.name, call.guard(answered), "ss", body)

    def _tell(self, job: Job, what: str) -> None:
        self._log.debug(f"Job {job.id}: {what}", UNIT=job.unit, JOB_ID=job.id)

    def cancel(self, call: Call) -> None:
        """Serve JobCancel, by the manager's id."""
        (number,) = call.message.values()
        path = self._paths.get(number)
        if path is None:
            call.fail(errors.FAILED, f"Job {number} not found")
            return
        self._systemd.call("Cancel", call.relay, path=path, interface=JOB)

    def forget(self) -> None:
        """Forget everything that the manager, which is gone, had asked for."""
        self.measuring = False
        self._jobs.clear()
        self._paths.clear()

    def removed(self, message: Message) -> None:
        """Take systemd's JobRemoved."""
        _, path, _, result = message.values()
        self._end(path, result)

    def properties_changed(self, message: Message) -> None:
        """Take systemd's PropertiesChanged of a job."""
        jobs = self._jobs.get(message.path)
        if jobs is None:
            return
        _, changed, _ = message.values()
        state = changed.get("State")
        if state is not None:
            for job in jobs:
                self._emit("JobStateChanged", "us", encode("us", (job.id, state[1])))

    def sync(self, jobs: list[Any]) -> None:
        """Take the whole of ListJobs, after a reconnection to systemd: end what is not there."""
        present = {path: True for _, _, _, _, path, _ in jobs}
        for path in list(self._jobs):
            if path not in present:
                self._end(path, RESULT_UNKNOWN)

    def _end(self, path: str, result: str) -> None:
        for job in self._jobs.pop(path, ()):
            self._tell(job, result)
            # Absent if the manager has used an id twice.
            self._paths.pop(job.id, None)
            if self.measuring and job.requested_us:
                micros = max(0, self._timers.realtime_us() - job.requested_us)
                body = encode(internal.JOB_METRICS, (job.unit, job.method, micros))
                self._emit_metrics("AgentJobMetrics", internal.JOB_METRICS, body)
            self._emit("JobDone", "us", encode("us", (job.id, result)))
