"""Monitors: what happens to units of nodes, told in order until the monitor is closed."""

from __future__ import annotations

from hirte.api import public
from hirte.client.errors import Error
from hirte.client.events import EVENTS, MonitorEvent, PeerRemoved, Source
from hirte.client.remote import Remote

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from hirte.client.session import Session

WILDCARD = "*"


class Monitor(Remote, Source[MonitorEvent]):
    """A monitor of ours, or of somebody who made us its peer.

    Events of what is subscribed to may come before `subscribe` returns, and do not tell the
    subscription they belong to.
    """

    interface = public.MONITOR

    def __init__(self, session: Session, path: str, is_ours: bool = True) -> None:
        Remote.__init__(self, session, path)
        Source.__init__(self, session)
        self._is_ours = is_ours

    def subscribe(self, node: str = WILDCARD, unit: str = WILDCARD) -> int:
        """Hear of a unit of a node; `*` is all. Return the subscription's id."""
        return int(self.call("Subscribe", node, unit))

    def subscribe_list(self, node: str, units: list[str]) -> int:
        """Hear of several units of a node, with one subscription. Return its id."""
        return int(self.call("SubscribeList", node, units))

    def unsubscribe(self, id: int) -> None:
        """End a subscription."""
        self.call("Unsubscribe", id)

    def add_peer(self, name: str) -> int:
        """Let somebody else, by the unique name on the bus, hear the same. Return the peer's id."""
        return int(self.call("AddPeer", name))

    def remove_peer(self, id: int, reason: str) -> None:
        """Let a peer hear no more; it is told the reason."""
        self.call("RemovePeer", id, reason)

    def close(self) -> None:
        """End the monitor, or our listening to somebody else's; events not taken are dropped."""
        if not self.closed:
            Source.close(self)
            # With a manager that is gone the monitor is gone too.
            if self._is_ours and self._session.connection.failure is None:
                self.call("Close")

    def __enter__(self) -> Monitor:
        return self


class Monitors:
    """The monitors of a session, by object path."""

    def __init__(self, session: Session) -> None:
        self._monitors: dict[str, Monitor] = {}
        session.handle(public.MONITOR, self._signal)

    def add(self, monitor: Monitor) -> Monitor:
        """Let a monitor have its events."""
        self._monitors = {path: m for path, m in self._monitors.items() if not m.closed}
        if monitor.path in self._monitors:
            raise Error(f"there is a listener to {monitor.path} in this session already")
        self._monitors[monitor.path] = monitor
        return monitor

    def _signal(self, path: str, member: str, values: tuple[Any, ...]) -> None:
        monitor = self._monitors.get(path)
        if monitor is None:
            return
        event = EVENTS[public.MONITOR.name][member](*values)
        monitor.put(event)
        if isinstance(event, PeerRemoved):
            monitor.end()
