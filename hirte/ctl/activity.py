"""Whether units are up: their active states, followed by a monitor."""

from __future__ import annotations

from hirte.client.events import UnitStateChanged
from hirte.ctl.work import Pause

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from hirte.client.manager import Manager

# States that another one follows by itself.
PASSING = ("activating", "reloading", "refreshing", "deactivating")


class Activity:
    """The active states of units on nodes. Raises the client's errors when it is made."""

    def __init__(self, manager: Manager, units: Mapping[str, Sequence[str]]) -> None:
        self._states: dict[tuple[str, str], str] = {}
        self._monitor = manager.create_monitor()
        for node, names in units.items():
            self._monitor.subscribe_list(node, list(names))

    def learn(self, node: str, unit: str, state: str) -> None:
        """Take note of a state that is newer than all that was told so far."""
        self._update()
        self._states[node, unit] = state

    def state(self, node: str, unit: str) -> str:
        """Return the last state that is known."""
        self._update()
        return self._states[node, unit]

    def settled(self, node: str, unit: str) -> Pause:
        """Return the wait for a state that lasts."""
        return Pause(lambda: self.state(node, unit) not in PASSING)

    def _update(self) -> None:
        # Not `next`: this is called in the middle of taking messages.
        while self._monitor.queue:
            _, event = self._monitor.queue.popleft()
            if isinstance(event, UnitStateChanged):
                self._states[event.node, event.unit] = event.active_state
