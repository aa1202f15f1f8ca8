"""The client library for state managers: nodes, units, jobs, monitors of a running manager.

    from hirte.client import connect

    with connect() as manager:
        print(manager.node("node1").start_unit("nginx.service").wait())

Everything blocks, every wait can be given an end, and who has a loop already polls
`manager.fileno()` and calls `manager.process()`. A client is one conversation with one manager:
when that goes away, whatever waits ends with ManagerAway, and one connects again. Nothing here may
be used by two threads at once.

What this module offers is loaded when it is first asked for, because imports are most of what the
start of a small tool costs.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from hirte.client.connecting import connect as connect
    from hirte.client.errors import CallError as CallError
    from hirte.client.errors import Error as Error
    from hirte.client.errors import ManagerAway as ManagerAway
    from hirte.client.errors import NodeOffline as NodeOffline
    from hirte.client.errors import NodeUnknown as NodeUnknown
    from hirte.client.errors import NotPermitted as NotPermitted
    from hirte.client.errors import Timeout as Timeout
    from hirte.client.errors import UnitUnknown as UnitUnknown
    from hirte.client.events import AgentJobMetrics as AgentJobMetrics
    from hirte.client.events import Event as Event
    from hirte.client.events import JobNew as JobNew
    from hirte.client.events import JobRemoved as JobRemoved
    from hirte.client.events import ManagerStatus as ManagerStatus
    from hirte.client.events import NodeStatus as NodeStatus
    from hirte.client.events import PeerRemoved as PeerRemoved
    from hirte.client.events import StartUnitJobMetrics as StartUnitJobMetrics
    from hirte.client.events import UnitNew as UnitNew
    from hirte.client.events import UnitPropertiesChanged as UnitPropertiesChanged
    from hirte.client.events import UnitRemoved as UnitRemoved
    from hirte.client.events import UnitStateChanged as UnitStateChanged
    from hirte.client.job import Job as Job
    from hirte.client.manager import Manager as Manager
    from hirte.client.monitor import Monitor as Monitor
    from hirte.client.node import Node as Node
    from hirte.client.values import JobInfo as JobInfo
    from hirte.client.values import NodeInfo as NodeInfo
    from hirte.client.values import UnitFile as UnitFile
    from hirte.client.values import UnitFileChange as UnitFileChange
    from hirte.client.values import UnitInfo as UnitInfo

_WHERE = {
    "connecting": ("connect",),
    "errors": (
        "CallError", "Error", "ManagerAway", "NodeOffline", "NodeUnknown", "NotPermitted",
        "Timeout", "UnitUnknown",
    ),
    "events": (
        "AgentJobMetrics", "Event", "JobNew", "JobRemoved", "ManagerStatus", "NodeStatus",
        "PeerRemoved", "StartUnitJobMetrics", "UnitNew", "UnitPropertiesChanged", "UnitRemoved",
        "UnitStateChanged",
    ),
    "job": ("Job",),
    "manager": ("Manager",),
    "monitor": ("Monitor",),
    "node": ("Node",),
    "values": ("JobInfo", "NodeInfo", "UnitFile", "UnitFileChange", "UnitInfo"),
}  # fmt: skip
_MODULES = {name: f"{__name__}.{module}" for module, names in _WHERE.items() for name in names}

__all__ = sorted(_MODULES)


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import sys

    module = _MODULES[name]
    __import__(module)
    return getattr(sys.modules[module], name)


def __dir__() -> list[str]:
    return list(__all__)
