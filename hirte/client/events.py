"""What happens without being asked for: typed events, and the sources that they are taken from.

The fields of a signal's event are the signal's arguments, in the order of the tables.
"""

from __future__ import annotations

from collections import deque
from typing import Any, Generic, NamedTuple, TypeVar, Union

from hirte.api import public
from hirte.client.errors import Error, Timeout
from hirte.client.values import ONLINE, plain

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import TracebackType

    from hirte.client.session import Session


class UnitNew(NamedTuple):
    """A unit was loaded. `reason` is `real`, or `virtual` when it was loaded before."""

    node: str
    unit: str
    reason: str


class UnitStateChanged(NamedTuple):
    """A unit's active or sub state changed, or became known (`virtual`)."""

    node: str
    unit: str
    active_state: str
    substate: str
    reason: str


class UnitPropertiesChanged(NamedTuple):
    """Properties of a unit changed; `props` has the new values of those."""

    node: str
    unit: str
    interface: str
    props: dict[str, Any]


class UnitRemoved(NamedTuple):
    """A unit was unloaded (`real`), or its node is offline (`virtual`)."""

    node: str
    unit: str
    reason: str


class PeerRemoved(NamedTuple):
    """We hear no more of a monitor that somebody else made."""

    reason: str


class JobNew(NamedTuple):
    """A node has accepted a job; `job` is its object path."""

    id: int
    job: str


class JobRemoved(NamedTuple):
    """A job has ended."""

    id: int
    job: str
    node: str
    unit: str
    result: str


class ManagerStatus(NamedTuple):
    """`up`: all nodes are online; `down`: none is; `degraded`: some are."""

    status: str


class NodeStatus(NamedTuple):
    """A node is `online` or `offline`."""

    node: str
    status: str

    @property
    def is_online(self) -> bool:
        """Tell whether its agent is connected."""
        return self.status == ONLINE


class StartUnitJobMetrics(NamedTuple):
    """How long a start took, in microseconds: as the manager saw it, and as the unit tells it."""

    node_name: str
    job_id: str
    unit: str
    job_measured_time_micros: int
    unit_start_prop_time_micros: int


class AgentJobMetrics(NamedTuple):
    """How long a job took in microseconds, as the node's agent saw it."""

    node_name: str
    unit: str
    method: str
    systemd_job_time_micros: int


MonitorEvent = Union[UnitNew, UnitStateChanged, UnitPropertiesChanged, UnitRemoved, PeerRemoved]
JobEvent = Union[JobNew, JobRemoved]
StatusEvent = Union[ManagerStatus, NodeStatus]
MetricsEvent = Union[StartUnitJobMetrics, AgentJobMetrics]
Event = Union[MonitorEvent, JobEvent, StatusEvent, MetricsEvent]
EventT = TypeVar("EventT", bound=Event)

# Interface -> signal -> what its arguments become.
EVENTS: dict[str, dict[str, Any]] = {
    public.MANAGER.name: {"JobNew": JobNew, "JobRemoved": JobRemoved},
    public.MONITOR.name: {
        "UnitNew": UnitNew,
        "UnitStateChanged": UnitStateChanged,
        "UnitPropertiesChanged": lambda node, unit, interface, props: UnitPropertiesChanged(
            node, unit, interface, plain(props)
        ),
        "UnitRemoved": UnitRemoved,
        "PeerRemoved": PeerRemoved,
    },
    public.METRICS.name: {
        "StartUnitJobMetrics": StartUnitJobMetrics,
        "AgentJobMetrics": AgentJobMetrics,
    },
}


class Source(Generic[EventT]):
    """A source of events, an iterator and a context manager.

    What came before the end of a source, or of the manager, is still handed out.
    """

    def __init__(self, session: Session) -> None:
        self.closed = False
        # With a number of their order over all sources.
        self.queue: deque[tuple[int, EventT]] = deque()
        self._session = session
        session.add_source(self)

    def put(self, event: EventT) -> None:
        """Queue an event."""
        if not self.closed:
            self.queue.append((self._session.next_number(), event))

    def next(self, timeout: float | None = None) -> EventT:
        """Wait for an event, by default for ever; `timeout` is in seconds.

        Raises Timeout, ManagerAway, and Error when the source is closed.
        """
        try:
            return self._take(timeout)
        except StopIteration:
            raise Error("no more events: the source is closed") from None

    def __iter__(self) -> Source[EventT]:
        return self

    def __next__(self) -> EventT:
        return self._take(None)

    def _take(self, timeout: float | None) -> EventT:
        connection = self._session.connection
        if not connection.wait(lambda: bool(self.queue) or self.closed, timeout):
            raise Timeout(f"no event within {timeout:g} s")
        if self.queue:
            return self.queue.popleft()[1]
        self._session.remove_source(self)
        raise StopIteration

    def close(self) -> None:
        """Want no more events, not even those that came already."""
        self.end()
        self.queue.clear()
        self._session.remove_source(self)

    def end(self) -> None:
        """Take note that nothing will come after what came already."""
        self.closed = True

    def __enter__(self) -> Source[EventT]:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
