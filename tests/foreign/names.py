"""What the two dialects call things on a node connection, written down apart from hirte's tables.

The reference knows `COMPATIBLE` only; with `NATIVE` it is the same program under our names.
"""

from __future__ import annotations

from dataclasses import dataclass

from .sdbus import Member


@dataclass(frozen=True)
class Names:
    """Names of one dialect."""

    root: str
    bus_name: str
    manager: str

    @property
    def agent_bus_name(self) -> str:
        """The destination of the manager's calls."""
        return f"{self.bus_name}.Agent"

    @property
    def internal_manager_path(self) -> str:
        """The object that takes `Register`."""
        return f"{self.root}/internal"

    @property
    def internal_manager(self) -> str:
        """The interface with `Register`."""
        return f"{self.bus_name}.internal.{self.manager}"

    @property
    def internal_agent_path(self) -> str:
        """The agent's object on a node connection."""
        return f"{self.root}/internal/agent"

    @property
    def internal_agent(self) -> str:
        """The agent's interface on a node connection."""
        return f"{self.bus_name}.internal.Agent"

    @property
    def node(self) -> str:
        """The public interface of a node."""
        return f"{self.bus_name}.Node"

    @property
    def job(self) -> str:
        """The public interface of a job."""
        return f"{self.bus_name}.Job"

    def node_path(self, name: str) -> str:
        """A node's public object; for names that need no escaping."""
        return f"{self.root}/node/{name}"

    @property
    def public_manager(self) -> str:
        """The manager's interface on the system bus."""
        return f"{self.bus_name}.{self.manager}"


NATIVE = Names("/org/containers/hirte", "org.containers.hirte", "Manager")
COMPATIBLE = Names("/org/eclipse/bluechi", "org.eclipse.bluechi", "Controller")
DIALECTS = (NATIVE, COMPATIBLE)

INTERNAL_MANAGER = (
    Member("Register", "s", ""),
    Member("Heartbeat", ""),
)

INTERNAL_AGENT = (
    Member("StartUnit", "ssu", ""),
    Member("StopUnit", "ssu", ""),
    Member("RestartUnit", "ssu", ""),
    Member("ReloadUnit", "ssu", ""),
    Member("StartTransientUnit", "ssa(sv)a(sa(sv))", "o"),
    Member("GetUnitFileState", "s", "s"),
    Member("EnableUnitFiles", "asbb", "ba(sss)"),
    Member("DisableUnitFiles", "asb", "a(sss)"),
    Member("Reload", "", ""),
    Member("ResetFailed", "", ""),
    Member("ResetFailedUnit", "s", ""),
    Member("KillUnit", "ssi", ""),
    Member("GetDefaultTarget", "", "s"),
    Member("SetDefaultTarget", "sb", "a(sss)"),
    Member("ListUnits", "", "a(ssssssouso)"),
    Member("ListUnitFiles", "", "a(ss)"),
    Member("GetUnitProperties", "ss", "a{sv}"),
    Member("GetUnitProperty", "sss", "v"),
    Member("SetUnitProperties", "sba(sv)", ""),
    Member("FreezeUnit", "s", ""),
    Member("ThawUnit", "s", ""),
    Member("JobCancel", "u", ""),
    Member("SetLogLevel", "s", ""),
    Member("Subscribe", "s", ""),
    Member("Unsubscribe", "s", ""),
    Member("EnableMetrics", "", ""),
    Member("DisableMetrics", "", ""),
    Member("StartDep", "s", ""),
    Member("StopDep", "s", ""),
    Member("JobStateChanged", "us"),
    Member("JobDone", "us"),
    Member("UnitNew", "ss"),
    Member("UnitStateChanged", "ssss"),
    Member("UnitPropertiesChanged", "ssa{sv}"),
    Member("UnitRemoved", "s"),
    Member("ProxyNew", "sso"),
    Member("ProxyRemoved", "ss"),
    Member("Heartbeat", ""),
)
