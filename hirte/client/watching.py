"""What the manager tells everybody, as sources of events."""

from __future__ import annotations

from typing import Any

from hirte.api import public
from hirte.client.events import (
    EVENTS,
    JobEvent,
    ManagerStatus,
    MetricsEvent,
    NodeStatus,
    Source,
    StatusEvent,
)
from hirte.client.session import PROPERTIES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from hirte.api.table import Interface
    from hirte.client.session import OnChanged, Session
    from hirte.client.values import NodeInfo

METRICS_PATH = "metrics"
_STATUS = "Status"


class _Watch(Source[Any]):
    """A source that subscribes to signals, and no longer when it is closed."""

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self.undo: list[Callable[[], None]] = []

    def end(self) -> None:
        super().end()
        while self.undo:
            self.undo.pop()()


def watch_jobs(session: Session) -> Source[JobEvent]:
    """Return the beginnings and ends of all jobs from now on."""
    return _watch_signals(session, session.dialect.root, public.MANAGER)


def watch_metrics(session: Session) -> Source[MetricsEvent]:
    """Return the measurements from now on."""
    return _watch_signals(session, session.dialect.path(METRICS_PATH), public.METRICS)


def _watch_signals(session: Session, path: str, interface: Interface) -> Source[Any]:
    watch = _Watch(session)

    def on_signal(where: str, member: str, values: tuple[Any, ...]) -> None:
        if where == path:
            watch.put(EVENTS[interface.name][member](*values))

    name = session.dialect.interface(interface.name)
    watch.undo.append(session.handle(interface, on_signal))
    for member in interface.signals:
        watch.undo.append(session.listen(path, name, member))
    return watch


def watch_nodes(session: Session, names: dict[str, str]) -> Source[NodeStatus]:
    """Return the changes of nodes' status from now on; `names` has the nodes by object path."""
    watch = _Watch(session)
    watch.undo.append(session.handle_changes(public.NODE, _teller(watch, names)))
    _listen_to_changes(watch, session, public.NODE)
    return watch


def _teller(watch: _Watch, names: dict[str, str]) -> OnChanged:
    """Return what puts changes of nodes' status into `watch`; `names` is asked at each."""

    def on_node(path: str, values: dict[str, Any]) -> None:
        if path in names and _STATUS in values:
            watch.put(NodeStatus(names[path], values[_STATUS]))

    return on_node


def _listen_to_changes(watch: _Watch, session: Session, interface: Interface) -> None:
    root, name = session.dialect.root, session.dialect.interface(interface.name)
    watch.undo.append(
        session.listen(root, PROPERTIES, "PropertiesChanged", namespace=True, first=name)
    )


def watch_status(session: Session) -> Source[StatusEvent]:
    """Return the status of the manager and of each node, now and whenever one changes."""
    watch = _Watch(session)
    root = session.dialect.root
    names: dict[str, str] = {}

    def on_manager(path: str, values: dict[str, Any]) -> None:
        if path == root and _STATUS in values:
            watch.put(ManagerStatus(values[_STATUS]))

    # A change counts from the moment of the answer on: what comes earlier is older than that.
    def begin(status: str) -> None:
        watch.put(ManagerStatus(status))
        watch.undo.append(session.handle_changes(public.MANAGER, on_manager))

    def begin_nodes(nodes: list[NodeInfo]) -> None:
        for node in nodes:
            names[node.path] = node.name
            watch.put(NodeStatus(node.name, node.status))
        watch.undo.append(session.handle_changes(public.NODE, _teller(watch, names)))

    for interface in (public.MANAGER, public.NODE):
        _listen_to_changes(watch, session, interface)
    # Both answers may come at once, and are taken as they come.
    status = session.get(root, public.MANAGER, _STATUS)
    nodes = session.begin(root, public.MANAGER, "ListNodes")
    status.then(begin)
    nodes.then(begin_nodes)
    status.result()
    nodes.result()
    return watch
