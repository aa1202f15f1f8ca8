"""The agent: systemd's signals to the tables, the tables' news to the manager.

systemd sends a subscriber about seventeen messages for one start of a service. What nobody asked
for is dropped as early as possible: the object path decides before a body is looked at.
"""

from __future__ import annotations

from hirte.agent.jobs import Jobs
from hirte.agent.services import internal_service, public_service
from hirte.agent.systemd import JOB_PATH, UNIT_PATH, Systemd
from hirte.agent.units import Units
from hirte.agent.uplink import Uplink
from hirte.api.dialect import CHOICES
from hirte.api.internal import AGENT_PATH
from hirte.dbus.objects import Tree
from hirte.dbus.publisher import Publisher

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from hirte.agent.uplink import Dial, Resolve
    from hirte.dbus.ports import Log, Timers
    from hirte.dbus.presence import Presence
    from hirte.settings.table import AgentSettings
    from hirte.wire.message import Message


class Agent:
    """All decisions of the agent.

    `on_ready()` is called once, when it is on the bus and systemd was heard for the first time;
    `on_failed(why)` instead if it does not come so far.
    """

    def __init__(
        self,
        settings: AgentSettings,
        timers: Timers,
        log: Log,
        machine_id: Callable[[], str],
        presence: Presence,
        systemd: Systemd,
        dial: Dial,
        resolve: Resolve,
        on_ready: Callable[[], None],
        on_failed: Callable[[str], None],
    ) -> None:
        self.log = log
        self.log_target = settings.log_target
        self.systemd = systemd
        self._presence = presence
        self._on_ready = on_ready
        self._on_failed = on_failed
        self._is_on_bus = self._is_ready = False
        inner_tree = Tree(machine_id)
        for dialect in CHOICES[settings.manager_dialect]:
            inner_tree.export(dialect.path(AGENT_PATH), self, internal_service(dialect))
        self.uplink = Uplink(settings, timers, log, dial, resolve, inner_tree)
        self.uplink.on_change = self._changed
        self.uplink.on_lost = self._manager_lost
        self.units = Units(self.uplink.emit)
        self.jobs = Jobs(systemd, timers, log, self.uplink.emit, self.uplink.emit_metrics)
        self.tree = Tree(machine_id, presence.authorize)
        self._publisher = Publisher(self.tree, lambda: presence.connection)
        for dialect in CHOICES[settings.bus_names]:
            self._publisher.speak(dialect, {"Agent": public_service(dialect)})
        self._publisher.export("", self, "Agent")
        presence.on_up = self._on_bus
        presence.on_refused = systemd.on_refused = on_failed
        systemd.on_signal = self._signalled
        systemd.on_units = self.units.sync
        systemd.on_jobs = self._take_jobs

    def start(self) -> None:
        """Find the manager's address, then join the bus, then systemd, then the manager."""
        self.uplink.find(self._found)

    def _found(self, error: str) -> None:
        if error:
            self._on_failed(f"cannot find the manager: {error}")
        else:
            self._presence.start(self.tree)

    def _on_bus(self) -> None:
        if not self._is_on_bus:
            self._is_on_bus = True
            self.systemd.start()

    def shut_down(self) -> None:
        """Leave the manager, systemd and the bus."""
        self.uplink.close()
        self.systemd.close()
        self._presence.close()

    def _changed(self, name: str) -> None:
        self._publisher.changed("", "Agent", self, name)

    def _manager_lost(self) -> None:
        self.units.forget_subscriptions()
        self.jobs.forget()

    def _take_jobs(self, jobs: list[Any]) -> None:
        self.jobs.sync(jobs)
        if not self._is_ready:
            self._is_ready = True
            self._on_ready()
            self.uplink.start()

    def _signalled(self, message: Message) -> None:
        handler = _SIGNALS.get(message.member)
        if handler is not None:
            handler(self, message)

    def _properties_changed(self, message: Message) -> None:
        if message.path.startswith(UNIT_PATH):
            self.units.properties_changed(message)
        elif message.path.startswith(JOB_PATH):
            self.jobs.properties_changed(message)

    def _unit_new(self, message: Message) -> None:
        self.units.unit_new(*message.values())

    def _unit_removed(self, message: Message) -> None:
        _, path = message.values()
        self.units.unit_removed(path)

    def _reloading(self, message: Message) -> None:
        # A reload announces every unit anew, without its state.
        (begins,) = message.values()
        if not begins:
            self.systemd.refresh()

    def _job_removed(self, message: Message) -> None:
        self.jobs.removed(message)


_SIGNALS: dict[str, Callable[[Agent, Message], None]] = {
    "PropertiesChanged": Agent._properties_changed,
    "UnitNew": Agent._unit_new,
    "UnitRemoved": Agent._unit_removed,
    "JobRemoved": Agent._job_removed,
    "Reloading": Agent._reloading,
}
