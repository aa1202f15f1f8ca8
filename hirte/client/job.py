"""Jobs: a change of a unit's state that a node has accepted, and that ends once."""

from __future__ import annotations

from hirte.api import public
from hirte.client.errors import MANAGER_GONE, ManagerAway, Timeout
from hirte.client.remote import Remote

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from hirte.client.session import Session


class Job(Remote):
    """A job; `job_type` is `start`, `stop`, `restart` or `reload`.

    `result` is None until it has ended: then `done`, or systemd's word for why it was not done, as
    in org.freedesktop.systemd1(5), or `cancelled due to shutdown` when the manager stopped.
    """

    interface = public.JOB

    def __init__(self, session: Session, path: str, node: str, unit: str, job_type: str) -> None:
        super().__init__(session, path)
        self.id = int(path.rpartition("/")[2])
        self.node = node
        self.unit = unit
        self.job_type = job_type
        self.result: str | None = None

    def wait(self, timeout: float | None = None) -> str:
        """Wait for the end of the job, by default for ever, and return its result.

        Raises Timeout, and ManagerAway when nobody will tell the result any more; the job itself
        goes on in both cases.
        """
        try:
            if not self._session.connection.wait(lambda: self.result is not None, timeout):
                raise Timeout(f"the {self.job_type} of {self.unit} takes longer than {timeout:g} s")
        except ManagerAway as error:
            if str(error) != MANAGER_GONE:
                raise
            raise ManagerAway(f"{error}, and with it the news of how the job ends") from error
        return str(self.result)

    def cancel(self) -> None:
        """Ask for the end of the job; whether that succeeds shows in its result."""
        self.call("Cancel")

    def state(self) -> str:
        """Return `waiting` or `running`. Raises CallError when the job has ended."""
        return str(self.get("State"))


class Jobs:
    """The jobs of a session whose ends are still to be told."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._running: dict[str, Job] = {}
        # Ends of jobs that came while the answer with the job's path was still to come.
        self._early: dict[str, str] = {}
        self._listening = False
        session.handle(public.MANAGER, self._signal)

    def listen(self) -> None:
        """Hear of the ends of jobs: before a job is asked for, or it may end unheard."""
        if not self._session.connection.asking:
            self._early.clear()
        if not self._listening:
            name = self._session.dialect.interface(public.MANAGER.name)
            self._session.listen(self._session.dialect.root, name, "JobRemoved")
            self._listening = True

    def add(self, path: str, node: str, unit: str, job_type: str) -> Job:
        """Return the job at `path`, which may have ended already; for one job always the same."""
        known = self._running.get(path)
        if known is not None:
            return known
        job = Job(self._session, path, node, unit, job_type)
        job.result = self._early.pop(path, None)
        if job.result is None:
            self._running[path] = job
        return job

    def _signal(self, path: str, member: str, values: tuple[Any, ...]) -> None:
        if path != self._session.dialect.root or member != "JobRemoved":
            return
        _, removed, _, _, result = values
        job = self._running.pop(removed, None)
        if job is not None:
            job.result = result
        elif self._session.connection.asking:
            self._early[removed] = result
