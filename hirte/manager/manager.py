"""The manager: who is configured, who is connected, and what follows from a change of that.

Public effects come in the order of the reference: on registration the node's status, the
manager's status, then the agent's answer; on loss the callers' errors, the ends of jobs, the
node's status, the manager's status.
"""

from __future__ import annotations

from hirte.api.dialect import CHOICES
from hirte.dbus import errors
from hirte.dbus.objects import Tree
from hirte.dbus.publisher import Publisher
from hirte.manager.counters import CONNECTED, SELINUX, TOO_MANY, UNKNOWN_NODE, Counters
from hirte.manager.jobs import Jobs
from hirte.manager.link import Link
from hirte.manager.metrics import Metrics
from hirte.manager.monitors import Monitors
from hirte.manager.node import Node
from hirte.manager.services import services
from hirte.wire.limits import MESSAGE_BYTES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from hirte.dbus.connection import Connection
    from hirte.dbus.ports import Log, Timers
    from hirte.dbus.presence import Presence
    from hirte.settings.table import ManagerSettings
    from hirte.wire.message import Message

UP, DOWN, DEGRADED = "up", "down", "degraded"

# Connections that have not registered. A thousand agents may come at once when the manager
# restarts; beyond that the newest is turned away, so that strangers cannot use up descriptors.
UNREGISTERED_MAX = 2048


class Manager:
    """All decisions of the manager; whoever starts `presence` lets agents in when it is up."""

    def __init__(
        self,
        settings: ManagerSettings,
        timers: Timers,
        log: Log,
        machine_id: Callable[[], str],
        presence: Presence,
    ) -> None:
        self.log = log
        self.log_target = settings.log_target
        self.nodes: dict[str, Node] = {
            node.name: Node(node.name, node.required_selinux_context) for node in settings.nodes
        }
        self.online = 0
        self.counters = Counters()
        self.tree = Tree(machine_id, presence.authorize)
        self.publisher = Publisher(self.tree, lambda: presence.connection)
        self.metrics = Metrics(self.nodes, self.publisher, timers)
        self.jobs = Jobs(self.publisher, self.metrics, self.counters, log)
        self.monitors = Monitors(self.nodes, self.publisher, presence.watch)
        presence.on_down = self.monitors.connection_lost
        for dialect in CHOICES[settings.bus_names]:
            self.publisher.speak(dialect, services(dialect, self))
        self._presence = presence
        self._timers = timers
        self._machine_id = machine_id
        self._unregistered: dict[Link, bool] = {}
        self._interval = settings.heartbeat_interval / 1000
        self._threshold = settings.node_heartbeat_threshold * 1000
        for node in self.nodes.values():
            self.publisher.export(node.path, node, "Node")
        self.publisher.export("", self, "Manager")
        if self._interval > 0:
            timers.call_later(self._interval, self._beat)

    @property
    def status(self) -> str:
        """Return `up` if all configured nodes are online, `down` if none is, or `degraded`."""
        if self.online == 0:
            return DOWN
        return UP if self.online == len(self.nodes) else DEGRADED

    @property
    def unregistered(self) -> int:
        """Return how many connections have not registered."""
        return len(self._unregistered)

    # Agents come

    def accept(self, connection: Connection) -> None:
        """Take a connection that somebody opened, perhaps an agent."""
        connection.traffic = self.counters.agents
        if len(self._unregistered) >= UNREGISTERED_MAX:
            self.counters.refusals[TOO_MANY] += 1
            self.log.warning(f"Turned {connection.name} away: too many wait to register")
            connection.close("too many connections that have not registered")
            return
        link = Link(connection, self._timers, self.log, Tree(self._machine_id), self.counters)
        link.admit = self._admit
        link.on_registered = self._registered
        link.on_signal = self._signalled
        link.on_lost = self._lost
        self._unregistered[link] = True

    def welcome(self, connection: Connection) -> None:
        """Serve the public API on a connection without a bus; the caller knows who it is."""

        def lost(reason: str) -> None:
            self.publisher.part(connection)
            self.monitors.connection_lost(connection)

        def called(message: Message) -> None:
            # Only a bus vouches for a sender; without one nobody has a name.
            message.sender = ""
            self.tree.dispatch(connection, message)

        connection.traffic = self.counters.private
        connection.allow(MESSAGE_BYTES)
        connection.on_ready = lambda: self.publisher.welcome(connection)
        connection.on_call = called
        connection.on_lost = lost

    def _admit(self, link: Link, name: str) -> tuple[str, str] | Node:
        node = self.nodes.get(name)
        if node is None:
            refusal = UNKNOWN_NODE
        elif node.selinux and node.selinux != link.selinux_type():
            refusal = SELINUX
        elif node.link is not None:
            refusal = CONNECTED
        else:
            return node
        self.counters.refusals[refusal] += 1
        return _REFUSALS[refusal]

    def _registered(self, link: Link, node: Node) -> None:
        del self._unregistered[link]
        self._seen(node)
        node.registrations += 1
        node.speak_through(link)
        self.online += 1
        self.log.info(
            f"Node {node.name} is online", NODE=node.name, PEER=node.peer_ip or "unix socket"
        )
        self.publisher.changed(node.path, "Node", node, "Status")
        self.monitors.node_online(node)
        self.metrics.node_online(node)
        self._status_changed(self.online - 1)

    def _seen(self, node: Node) -> None:
        node.last_seen_us = self._timers.realtime_us()
        node.last_seen_monotonic_us = self._timers.monotonic_us()

    # Agents report

    def _signalled(self, link: Link, message: Message) -> None:
        handler = _SIGNALS.get(message.member)
        if handler is not None and link.node is not None:
            handler(self, link.node, message)

    def _heartbeat(self, node: Node, message: Message) -> None:
        self._seen(node)

    def _job_state_changed(self, node: Node, message: Message) -> None:
        self.jobs.state_changed(node, *message.values())

    def _job_done(self, node: Node, message: Message) -> None:
        self.jobs.done(node, *message.values())

    # Agents go

    def _lost(self, link: Link, reason: str) -> None:
        self._unregistered.pop(link, None)
        node = link.node
        if node is None:
            self.log.debug(f"{link.connection.name} left without registering: {reason}")
            return
        self.log.warning(f"Node {node.name} is offline: {reason}", NODE=node.name)
        self.monitors.node_offline(node)
        self.jobs.node_lost(node)
        self._offline(node)

    def _offline(self, node: Node) -> None:
        node.speak_through(None)
        self.online -= 1
        self.publisher.changed(node.path, "Node", node, "Status")
        self._status_changed(self.online + 1)

    def _status_changed(self, before: int) -> None:
        # The reference says nothing when a degraded fleet stays degraded.
        if {before, self.online} & {0, len(self.nodes)}:
            self.publisher.changed("", "Manager", self, "Status")

    # Liveness

    def _beat(self) -> None:
        self._timers.call_later(self._interval, self._beat)
        now = self._timers.monotonic_us()
        for node in self.nodes.values():
            if node.link is None:
                continue
            if 0 < self._threshold < now - node.last_seen_monotonic_us:
                self.counters.heartbeats_missed += 1
                node.link.connection.close("no heartbeat within the threshold")
            else:
                node.link.heartbeat()

    # The end

    def shut_down(self) -> None:
        """End everything in the order of the reference, and leave the bus."""
        self.jobs.shut_down()
        self.monitors.shut_down()
        was_online = self.online
        for node in self.nodes.values():
            link = node.link
            if link is not None:
                link.on_lost = None
                link.connection.close("shutdown", (errors.FAILED, "Request cancelled"))
                node.speak_through(None)
                self.online -= 1
                self.publisher.changed(node.path, "Node", node, "Status")
        for link in list(self._unregistered):
            link.connection.close("shutdown")
        if was_online:
            self.publisher.changed("", "Manager", self, "Status")
        self._presence.close()


_REFUSALS = {
    UNKNOWN_NODE: (errors.SERVICE_UNKNOWN, "Unexpected node name"),
    SELINUX: (errors.ACCESS_DENIED, "The peer's SELinux type is not the required one"),
    CONNECTED: (errors.ADDRESS_IN_USE, "The node is already connected"),
}

_SIGNALS: dict[str, Callable[[Manager, Node, Message], None]] = {
    "Heartbeat": Manager._heartbeat,
    "JobStateChanged": Manager._job_state_changed,
    "JobDone": Manager._job_done,
    "AgentJobMetrics": lambda self, *event: self.metrics.agent_job(*event),
    "UnitNew": lambda self, *event: self.monitors.unit_new(*event),
    "UnitStateChanged": lambda self, *event: self.monitors.unit_state_changed(*event),
    "UnitPropertiesChanged": lambda self, *event: self.monitors.unit_properties_changed(*event),
    "UnitRemoved": lambda self, *event: self.monitors.unit_removed(*event),
}
