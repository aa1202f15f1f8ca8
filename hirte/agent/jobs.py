"""The job table: which of systemd's jobs were started for which of the manager's.

systemd merges requests: two starts of one unit may get the same systemd job. Each of the
manager's jobs still ends in one JobDone, because every job path holds all ids that wait for it.
"""

from __future__ import annotations

from hirte.agent.systemd import JOB, Systemd
from hirte.dbus import errors
from hirte.wire.encode import encode
from hirte.wire.message import ERROR, Message

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from hirte.dbus.objects import Call

    Emit = Callable[[str, str, bytes], None]

# systemd forgot the job while it was away from us, so nobody can say how it ended.
RESULT_UNKNOWN = "unknown"


class Jobs:
    """The table; `emit` carries its news to the manager."""

    def __init__(self, systemd: Systemd, emit: Emit) -> None:
        self._systemd = systemd
        self._emit = emit
        self._ids: dict[str, list[int]] = {}
        self._paths: dict[int, str] = {}

    def request(self, call: Call) -> None:
        """Serve StartUnit and its like: answered when systemd has accepted the job."""
        unit, mode, number = call.message.values()

        def answered(reply: Message) -> None:
            if reply.type == ERROR:
                call.relay(reply)
                return
            (path,) = reply.values()
            if call.connection.open:
                self._ids.setdefault(path, []).append(number)
                self._paths[number] = path
                call.reply()

        self._systemd.call(call.method.name, answered, "ss", encode("ss", (unit, mode)))

    def cancel(self, call: Call) -> None:
        """Serve JobCancel, by the manager's id."""
        (number,) = call.message.values()
        path = self._paths.get(number)
        if path is None:
            call.fail(errors.FAILED, f"Job {number} not found")
            return
        self._systemd.call("Cancel", call.relay, path=path, interface=JOB)

    def forget(self) -> None:
        """Forget all ids: the manager that gave them is gone."""
        self._ids.clear()
        self._paths.clear()

    def removed(self, message: Message) -> None:
        """Take systemd's JobRemoved."""
        _, path, _, result = message.values()
        self._end(path, result)

    def properties_changed(self, message: Message) -> None:
        """Take systemd's PropertiesChanged of a job."""
        numbers = self._ids.get(message.path)
        if numbers is None:
            return
        _, changed, _ = message.values()
        state = changed.get("State")
        if state is not None:
            for number in numbers:
                self._emit("JobStateChanged", "us", encode("us", (number, state[1])))

    def sync(self, jobs: list[Any]) -> None:
        """Take the whole of ListJobs, after a reconnection to systemd: end what is not there."""
        present = {path: True for _, _, _, _, path, _ in jobs}
        for path in list(self._ids):
            if path not in present:
                self._end(path, RESULT_UNKNOWN)

    def _end(self, path: str, result: str) -> None:
        for number in self._ids.pop(path, ()):
            del self._paths[number]
            self._emit("JobDone", "us", encode("us", (number, result)))
