"""The manager: its methods in the table, and what one can listen to."""

from __future__ import annotations

from hirte.api import public
from hirte.client.errors import CallError
from hirte.client.job import Job, Jobs
from hirte.client.node import Node
from hirte.client.remote import Remote
from hirte.client.session import CALLS_AT_ONCE, UNKNOWN_OBJECT
from hirte.client.values import JobInfo

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from hirte.client.events import (
        Event,
        JobEvent,
        MetricsEvent,
        NodeStatus,
        Source,
        StatusEvent,
    )
    from hirte.client.monitor import Monitor, Monitors
    from hirte.client.session import Session
    from hirte.client.values import NodeInfo, UnitFile, UnitInfo


class Manager(Remote):
    """A conversation with a manager, made by :func:`hirte.client.connect`; a context manager.

    Methods raise NotPermitted, CallError, Timeout and ManagerAway.
    """

    interface = public.MANAGER

    def __init__(self, session: Session) -> None:
        super().__init__(session, session.dialect.root)
        self._jobs = Jobs(session)
        self._monitors: Monitors | None = None

    # Somebody else's loop

    def fileno(self) -> int:
        """Return a descriptor to poll: readable when `process` has something to do."""
        return self._session.fileno()

    def process(self) -> list[Event]:
        """Take what has come, without waiting; return the events of all sources, in order.

        Raises ManagerAway when the manager went away and all events were taken.
        """
        return self._session.process()

    def wait(self, done: Callable[[], bool], timeout: float | None = None) -> bool:
        """Take what comes until `done()`, e.g. until one of many jobs has its result.

        `timeout` is in seconds, by default for ever; return False when it is over. Raises
        ManagerAway.
        """
        return self._session.connection.wait(done, timeout)

    def close(self) -> None:
        """End the conversation; the manager drops our monitors."""
        self._session.close()

    def __enter__(self) -> Manager:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    # Nodes and units

    def node(self, name: str) -> Node:
        """Return the node of this name, without asking whether it exists."""
        return Node(self._session, self._jobs, name)

    def get_node(self, name: str) -> Node:
        """Return a node that is configured. Raises CallError if there is none of this name."""
        self.call("GetNode", name)
        return self.node(name)

    def list_nodes(self) -> list[NodeInfo]:
        """Return all configured nodes, in the order of the configuration."""
        nodes: list[NodeInfo] = self.call("ListNodes")
        return nodes

    def list_units(self) -> dict[str, list[UnitInfo]]:
        """Return the units of all nodes that are online, by node."""
        units: dict[str, list[UnitInfo]] = self.call("ListUnits")
        return units

    def list_unit_files(self) -> dict[str, list[UnitFile]]:
        """Return the unit files of all nodes that are online, by node."""
        files: dict[str, list[UnitFile]] = self.call("ListUnitFiles")
        return files

    # What one can listen to

    def create_monitor(self) -> Monitor:
        """Make a monitor, to hear of units; what it tells is chosen by its `subscribe`."""
        from hirte.client.monitor import Monitor

        self._session.attach()
        return self._known_monitors().add(Monitor(self._session, self.call("CreateMonitor")))

    def join_monitor(self, path: str) -> Monitor:
        """Listen to a monitor whose owner adds us, by `unique_name`, as a peer; over the bus.

        For that one need not be root.
        """
        from hirte.client.monitor import Monitor

        self._session.attach()
        return self._known_monitors().add(Monitor(self._session, path, is_ours=False))

    def _known_monitors(self) -> Monitors:
        if self._monitors is None:
            from hirte.client.monitor import Monitors

            self._monitors = Monitors(self._session)
        return self._monitors

    @property
    def unique_name(self) -> str:
        """Return our name on the bus; empty over the private socket."""
        return self._session.unique_name

    def watch_status(self) -> Source[StatusEvent]:
        """Return the status of the manager and of each node, now and whenever one changes."""
        from hirte.client.watching import watch_status

        return watch_status(self._session)

    def watch_nodes(self, *names: str) -> Source[NodeStatus]:
        """Return the changes of the status of nodes from now on; how they are now is not asked."""
        from hirte.client.watching import watch_nodes

        return watch_nodes(self._session, {self.node(name).path: name for name in names})

    def watch_jobs(self) -> Source[JobEvent]:
        """Return the beginnings and ends of all jobs from now on, whoever asks for them."""
        from hirte.client.watching import watch_jobs

        return watch_jobs(self._session)

    def watch_metrics(self) -> Source[MetricsEvent]:
        """Return the measurements from now on; `enable_metrics` lets the manager take them."""
        from hirte.client.watching import watch_metrics

        return watch_metrics(self._session)

    def job(self, path: str) -> Job:
        """Return a job that is under way, whoever asked for it.

        Raises CallError when it has ended.
        """
        self._jobs.listen()
        told = self._session.get_all(path, public.JOB).result()
        return self._jobs.add(path, told["Node"], told["Unit"], told["JobType"])

    def is_measuring(self) -> bool:
        """Tell whether jobs are measured, see `enable_metrics`.

        The D-Bus API has no method for it; it has an object for that only while they are.
        """
        return "metrics" in self._session.children(self.path)

    def list_jobs(self) -> list[JobInfo]:
        """Return the jobs that are under way, whoever asked for them, the oldest first.

        The D-Bus API has no method for it; it has an object for each job.
        """
        parent = f"{self.path}/job"
        numbers = sorted(int(name) for name in self._session.children(parent) if name.isdecimal())
        jobs = []
        for first in range(0, len(numbers), CALLS_AT_ONCE):
            some = numbers[first : first + CALLS_AT_ONCE]
            replies = [
                (number, self._session.get_all(f"{parent}/{number}", public.JOB)) for number in some
            ]
            for number, reply in replies:
                try:
                    told = reply.result()
                except CallError as error:
                    # It has ended in the meantime.
                    if error.name == UNKNOWN_OBJECT:
                        continue
                    raise
                details = (told[name] for name in ("Node", "Unit", "JobType", "State"))
                jobs.append(JobInfo(number, f"{parent}/{number}", *details))
        return jobs

    # The manager itself

    def enable_metrics(self) -> None:
        """Let the manager measure jobs. Raises CallError if it does already."""
        self.call("EnableMetrics")

    def disable_metrics(self) -> None:
        """Let the manager stop to measure. Raises CallError if it does not."""
        self.call("DisableMetrics")

    def set_log_level(self, loglevel: str) -> None:
        """Set the manager's log level: `DEBUG`, `INFO`, `WARN` or `ERROR`."""
        self.call("SetLogLevel", loglevel)

    def status(self) -> str:
        """Return `up` if all nodes are online, `down` if none is, else `degraded`."""
        return str(self.get("Status"))

    def log_level(self) -> str:
        """Return the manager's log level."""
        return str(self.get("LogLevel"))

    def log_target(self) -> str:
        """Return where the manager's log goes."""
        return str(self.get("LogTarget"))
