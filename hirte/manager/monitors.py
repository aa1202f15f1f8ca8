"""Monitors: who hears of which units on which nodes.

Each node has a watch for every unit name that somebody subscribed to, `*` among them, and only
for those. An event reaches the monitors that watch its unit and those that watch `*`, each
monitor once, however many of its subscriptions match. A monitor's signals go to its owner and
then to its peers, one by one, never to everybody.
"""

from __future__ import annotations

from hirte.api import public
from hirte.dbus import errors
from hirte.wire.encode import encode
from hirte.wire.message import Message
from hirte.wire.names import is_unique_name
from hirte.wire.splice import array_behind, native_body, skip_strings

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from hirte.dbus.connection import Connection
    from hirte.dbus.objects import Call
    from hirte.dbus.publisher import Publisher
    from hirte.manager.node import Node

    # Calls back when a name leaves the bus; returns what ends the watch.
    WatchName = Callable[[str, Callable[[], None]], Callable[[], None]]

WILDCARD = "*"
REAL, VIRTUAL = "real", "virtual"
# What a unit is said to be when its node is gone, and what `*` is while its node is there.
_OFFLINE = ("inactive", "agent-offline")
_WILDCARD_STATE = ("active", "running")

# systemd's active states. Others are passed on, but not remembered.
_ACTIVE_STATES = {
    "active", "reloading", "inactive", "failed", "activating", "deactivating", "maintenance",
}  # fmt: skip

# A subscription id is drawn from one counter that starts here, as in the reference.
_FIRST_SUBSCRIPTION = 2
CLOSED = "monitor closed"


class Watch:
    """What is known of one unit on one node, and how often which monitor asked for it."""

    __slots__ = ("loaded", "monitors", "state")

    def __init__(self) -> None:
        self.monitors: dict[Monitor, int] = {}
        self.loaded = False
        self.state: tuple[str, str] | None = None


class Monitor:
    """A monitor; `owner` is the caller's name on `connection`, `peers` map ids to names."""

    __slots__ = (
        "connection", "dialect", "id", "owner", "path", "peers", "subscriptions", "unwatch",
    )  # fmt: skip

    def __init__(self, number: int, call: Call) -> None:
        self.id = number
        self.path = f"monitor/{number}"
        self.connection = call.connection
        self.owner = call.message.sender
        self.dialect = call.dialect
        self.peers: dict[int, str] = {}
        self.subscriptions: dict[int, tuple[str, tuple[str, ...]]] = {}
        self.unwatch: dict[str, Callable[[], None]] = {}

    def tell(self, name: str, body: bytes) -> None:
        """Send a signal to the owner and to the peers, in the order in which they came."""
        self.tell_one(self.owner, name, body)
        for peer in self.peers.values():
            self.tell_one(peer, name, body)

    def tell_one(self, listener: str, name: str, body: bytes) -> None:
        """Send a signal to one listener."""
        self.connection.signal(
            self.dialect.path(self.path),
            self.dialect.interface(public.MONITOR.name),
            name,
            public.MONITOR.signals[name].signature,
            body,
            listener,
        )


class Monitors:
    """All monitors. `watch_name` tells when an owner or peer leaves the bus."""

    def __init__(
        self, nodes: Mapping[str, Node], publisher: Publisher, watch_name: WatchName
    ) -> None:
        self._nodes = nodes
        self._publisher = publisher
        self._watch_name = watch_name
        self._monitors: dict[int, Monitor] = {}
        self._last_monitor = 0
        self._last_subscription = _FIRST_SUBSCRIPTION - 1
        self._last_peer = 0

    # What state managers ask

    def create(self, call: Call) -> None:
        """Serve Manager.CreateMonitor."""
        self._last_monitor += 1
        monitor = Monitor(self._last_monitor, call)
        self._monitors[monitor.id] = monitor
        self._publisher.export(monitor.path, monitor, "Monitor")
        if monitor.owner:
            self._watch(monitor, monitor.owner, lambda: self._end(monitor))
        call.reply(call.dialect.path(monitor.path))

    def subscribe(self, monitor: Monitor, call: Call) -> None:
        """Serve Monitor.Subscribe."""
        node, unit = call.message.values()
        self._subscribe(monitor, call, node, (unit,))

    def subscribe_list(self, monitor: Monitor, call: Call) -> None:
        """Serve Monitor.SubscribeList."""
        node, units = call.message.values()
        self._subscribe(monitor, call, node, tuple(units))

    def _subscribe(
        self, monitor: Monitor, call: Call, pattern: str, units: tuple[str, ...]
    ) -> None:
        self._last_subscription += 1
        number = self._last_subscription
        monitor.subscriptions[number] = (pattern, units)
        for node in self._matching(pattern):
            for unit in units:
                self._add(monitor, node, unit)
        call.reply(number)

    def _add(self, monitor: Monitor, node: Node, unit: str) -> None:
        watch = node.watches.get(unit)
        if watch is None:
            watch = node.watches[unit] = Watch()
            if node.link:
                node.link.send("Subscribe", "s", encode("s", (unit,)))
        elif watch.loaded:
            monitor.tell("UnitNew", encode("sss", (node.name, unit, VIRTUAL)))
            if watch.state:
                state = (node.name, unit, *watch.state, VIRTUAL)
                monitor.tell("UnitStateChanged", encode("sssss", state))
        watch.monitors[monitor] = watch.monitors.get(monitor, 0) + 1

    def unsubscribe(self, monitor: Monitor, call: Call) -> None:
        """Serve Monitor.Unsubscribe."""
        (number,) = call.message.values()
        if number not in monitor.subscriptions:
            call.fail(errors.FAILED, f"Subscription '{number}' not found")
            return
        self._drop(monitor, number)
        call.reply()

    def _drop(self, monitor: Monitor, number: int) -> None:
        pattern, units = monitor.subscriptions.pop(number)
        for node in self._matching(pattern):
            for unit in units:
                self._remove(monitor, node, unit)

    def _remove(self, monitor: Monitor, node: Node, unit: str) -> None:
        watch = node.watches[unit]
        watch.monitors[monitor] -= 1
        if watch.monitors[monitor]:
            return
        del watch.monitors[monitor]
        if not watch.monitors:
            del node.watches[unit]
            if node.link:
                node.link.send("Unsubscribe", "s", encode("s", (unit,)))

    def _matching(self, pattern: str) -> list[Node]:
        if pattern == WILDCARD:
            return list(self._nodes.values())
        node = self._nodes.get(pattern)
        return [node] if node else []

    def add_peer(self, monitor: Monitor, call: Call) -> None:
        """Serve Monitor.AddPeer."""
        (name,) = call.message.values()
        if not monitor.owner:
            call.fail(errors.INVALID_ARGS, "A monitor without a bus cannot have peers on it")
        elif not _may_listen(name):
            call.fail(errors.INVALID_ARGS, f"'{name}' is not a unique bus name")
        elif name == monitor.owner or name in monitor.peers.values():
            call.fail(errors.INVALID_ARGS, f"'{name}' is a listener of this monitor already")
        else:
            self._last_peer += 1
            number = self._last_peer
            monitor.peers[number] = name
            self._watch(monitor, name, lambda: self._forget_peer(monitor, number))
            call.reply(number)

    def remove_peer(self, monitor: Monitor, call: Call) -> None:
        """Serve Monitor.RemovePeer."""
        number, reason = call.message.values()
        name = monitor.peers.get(number)
        if name is None:
            call.fail(errors.FAILED, f"Peer '{number}' not found")
            return
        monitor.tell_one(name, "PeerRemoved", encode("s", (reason,)))
        self._forget_peer(monitor, number)
        call.reply()

    def _forget_peer(self, monitor: Monitor, number: int) -> None:
        name = monitor.peers.pop(number)
        monitor.unwatch.pop(name)()

    def close(self, monitor: Monitor, call: Call) -> None:
        """Serve Monitor.Close."""
        self._end(monitor)
        call.reply()

    # The end of monitors

    def _watch(self, monitor: Monitor, name: str, on_gone: Callable[[], None]) -> None:
        monitor.unwatch[name] = self._watch_name(name, on_gone)

    def _end(self, monitor: Monitor) -> None:
        for number in list(monitor.subscriptions):
            self._drop(monitor, number)
        for peer in monitor.peers.values():
            monitor.tell_one(peer, "PeerRemoved", encode("s", (CLOSED,)))
        for unwatch in monitor.unwatch.values():
            unwatch()
        monitor.unwatch.clear()
        del self._monitors[monitor.id]
        self._publisher.remove(monitor.path)

    def connection_lost(self, connection: Connection) -> None:
        """End the monitors of all who were behind `connection`."""
        for monitor in list(self._monitors.values()):
            if monitor.connection is connection:
                self._end(monitor)

    def shut_down(self) -> None:
        """Drop all monitors without a word to their listeners, as the reference does."""
        for node in self._nodes.values():
            if node.link:
                for unit in node.watches:
                    node.link.send("Unsubscribe", "s", encode("s", (unit,)))
            node.watches.clear()
        for monitor in self._monitors.values():
            self._publisher.remove(monitor.path)
        self._monitors.clear()

    # What nodes tell

    def node_online(self, node: Node) -> None:
        """Subscribe at an agent that has just registered to all that is watched on its node.

        An agent of the reference that survived the interruption still considers itself
        subscribed and would say nothing of what is loaded, hence the Unsubscribe before.
        """
        if node.link is None:
            return
        for unit in node.watches:
            body = encode("s", (unit,))
            node.link.send("Unsubscribe", "s", body)
            node.link.send("Subscribe", "s", body)

    def node_offline(self, node: Node) -> None:
        """Tell that everything on the node is gone."""
        for unit, watch in node.watches.items():
            if not watch.loaded:
                continue
            if watch.state and watch.state[0] != _OFFLINE[0]:
                watch.state = _OFFLINE
                values = (node.name, unit, *_OFFLINE, VIRTUAL)
                self._tell(node, unit, "UnitStateChanged", encode("sssss", values))
            self._tell(node, unit, "UnitRemoved", encode("sss", (node.name, unit, VIRTUAL)))
            watch.loaded = False

    def unit_new(self, node: Node, message: Message) -> None:
        """Take an agent's UnitNew."""
        unit, reason = message.values()
        watch = node.watches.get(unit)
        if watch:
            watch.loaded = True
            if unit == WILDCARD:
                watch.state = _WILDCARD_STATE
        self._tell(node, unit, "UnitNew", encode("sss", (node.name, unit, reason)))

    def unit_state_changed(self, node: Node, message: Message) -> None:
        """Take an agent's UnitStateChanged."""
        unit, active, sub, reason = message.values()
        watch = node.watches.get(unit)
        if watch:
            watch.loaded = True
            watch.state = (active, sub) if active in _ACTIVE_STATES else None
        values = (node.name, unit, active, sub, reason)
        self._tell(node, unit, "UnitStateChanged", encode("sssss", values))

    def unit_properties_changed(self, node: Node, message: Message) -> None:
        """Take an agent's UnitPropertiesChanged; the properties are passed on unread."""
        body = native_body(message)
        (unit, interface), end = skip_strings(body, 2)
        head = encode("sss", (node.name, unit, interface))
        self._tell(node, unit, "UnitPropertiesChanged", array_behind(head, body, end))

    def unit_removed(self, node: Node, message: Message) -> None:
        """Take an agent's UnitRemoved."""
        (unit,) = message.values()
        watch = node.watches.get(unit)
        if watch:
            watch.loaded = False
        self._tell(node, unit, "UnitRemoved", encode("sss", (node.name, unit, REAL)))

    def _tell(self, node: Node, unit: str, name: str, body: bytes) -> None:
        watch = node.watches.get(unit)
        if watch:
            for monitor in watch.monitors:
                monitor.tell(name, body)
        everything = node.watches.get(WILDCARD)
        if everything and unit != WILDCARD:
            for monitor in everything.monitors:
                if watch is None or monitor not in watch.monitors:
                    monitor.tell(name, body)


def _may_listen(name: str) -> bool:
    # The reference wants letters and digits only: less than D-Bus allows, all that buses give.
    return is_unique_name(name.encode()) and name[1:].replace(".", "").isalnum()
