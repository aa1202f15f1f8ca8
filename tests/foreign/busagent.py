"""The reference's agent as the programs of its own machine see it: sd-bus, with its public object.

It decides nothing: every answer is the test's.
"""

from __future__ import annotations

from .names import Names
from .privatebus import BUS, BUS_PATH, BusClient
from .sdbus import Member

PUBLIC_AGENT = (
    Member("CreateProxy", "sss", ""),
    Member("RemoveProxy", "sss", ""),
    Member("SwitchController", "s", ""),
)


class BusAgent(BusClient):
    """An agent on a message bus that owns its name there."""

    def __init__(self, names: Names, address: str) -> None:
        super().__init__(address)
        self._open_bus().export(names.root, names.agent_bus_name, PUBLIC_AGENT)
        self.result(BUS, BUS_PATH, BUS, "RequestName", "su", names.agent_bus_name, 0)
