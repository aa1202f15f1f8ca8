"""The manager as the verbs see it: nodes, units and jobs, typed; its errors as Failures.

It speaks the native dialect, after the tables of hirte.api.
"""

from __future__ import annotations

from typing import Any, NamedTuple, NoReturn

from hirte.api import public
from hirte.api.dialect import NATIVE
from hirte.ctl.bus import BUS_NAME, Bus, CallError
from hirte.ctl.exits import FAILED, OFFLINE, UNKNOWN, UNREACHABLE, Failure
from hirte.wire.escape import escape

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hirte.api.table import Interface

    # Member and values.
    Signal = tuple[str, tuple[Any, ...]]

_ONLINE = "online"
# What systemd does with other jobs that stand in the way: the new one takes their place.
_MODE = "replace"

_PROPERTIES = "org.freedesktop.DBus.Properties"
_UNIT = "org.freedesktop.systemd1.Unit"
_NO_SUCH_UNIT = "org.freedesktop.systemd1.NoSuchUnit"
_OFFLINE = NATIVE.interface("Offline")

_STANDARD = "org.freedesktop.DBus.Error."
_ACCESS_DENIED = _STANDARD + "AccessDenied"
_UNKNOWN_OBJECT = _STANDARD + "UnknownObject"
# How buses say that nobody owns a name, or that the owner left before it answered.
_AWAY = (_STANDARD + "NameHasNoOwner", _STANDARD + "ServiceUnknown", _STANDARD + "NoReply")

NOT_RUNNING = (
    f"the manager is not running: nobody owns {NATIVE.bus_name} on the system bus"
    " (see `systemctl status hirte.service`)"
)


class NodeInfo(NamedTuple):
    """A configured node. `ip` is empty when it is offline or connected over a Unix socket."""

    name: str
    path: str
    status: str
    ip: str

    @property
    def is_online(self) -> bool:
        """Tell whether its agent is connected."""
        return self.status == _ONLINE


class UnitInfo(NamedTuple):
    """A unit, as systemd's ListUnits tells it."""

    name: str
    description: str
    load: str
    active: str
    sub: str
    followed: str
    path: str
    job_id: int
    job_type: str
    job_path: str


class Manager:
    """A client of the manager. All methods raise Failure."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._address = NATIVE.bus_name

    def nodes(self) -> list[NodeInfo]:
        """Return all configured nodes, in the order of the configuration."""
        return [NodeInfo(*row) for row in self._ask(public.MANAGER, "ListNodes")]

    def last_seen(self, node: str) -> int:
        """Return when an agent was last heard, in microseconds since the epoch; 0 for never."""
        name = "LastSeenTimestamp"
        try:
            _, (variant,) = self._bus.call(
                self._address, _path(node), _PROPERTIES, "Get", "ss",
                (NATIVE.interface(public.NODE.name), name),
            )  # fmt: skip
        except CallError as error:
            self._fail(error, node)
        signature, value = variant
        if signature != public.NODE.properties[name].signature:
            raise _strange(name, signature)
        return int(value)

    def units(self) -> dict[str, list[UnitInfo]]:
        """Return the units of all nodes that are online, by node."""
        answer = self._ask(public.MANAGER, "ListUnits")
        return {node: [UnitInfo(*row) for row in rows] for node, rows in answer.items()}

    def units_of(self, node: str) -> list[UnitInfo]:
        """Return the units of one node."""
        return [UnitInfo(*row) for row in self._ask(public.NODE, "ListUnits", node=node)]

    def unit_properties(self, node: str, unit: str) -> dict[str, Any]:
        """Return the properties that all types of unit have; systemd loads the unit for it.

        A unit that does not exist has them too, with a LoadState of `not-found`.
        """
        answer = self._ask(public.NODE, "GetUnitProperties", unit, _UNIT, node=node)
        return {name: value for name, (_, value) in answer.items()}

    def jobs(self) -> Jobs:
        """Return what asks for jobs and hears of their ends. Make it before asking."""
        try:
            # From here on we speak to this one: another manager would know nothing of the jobs.
            self._address = self._bus.owner(NATIVE.bus_name)
            return Jobs(self, self._bus, self._address)
        except CallError as error:
            self._fail(error)

    def request_job(self, node: str, method: str, unit: str) -> str:
        """Call StartUnit or the like of a node; return the job's object path."""
        path: str = self._ask(public.NODE, method, unit, _MODE, node=node)
        return path

    def _ask(self, interface: Interface, member: str, *values: Any, node: str = "") -> Any:
        """Call a method that has one result, and return it. `node` is whose, if it is a Node's."""
        row = interface.methods[member]
        path = NATIVE.root if interface is public.MANAGER else _path(node)
        name = NATIVE.interface(interface.name)
        try:
            signature, body = self._bus.call(
                self._address, path, name, NATIVE.member(member), row.signature, values
            )
        except CallError as error:
            self._fail(error, node)
        if signature != row.result:
            raise _strange(member, signature)
        return body[0]

    def _fail(self, error: CallError, node: str = "") -> NoReturn:
        """Raise what an error means for the administrator."""
        if error.by_bus and error.name in _AWAY:
            raise Failure(NOT_RUNNING, UNREACHABLE) from error
        if error.name == _ACCESS_DENIED:
            # The bus tells the rules that it applied, over several lines of a terminal.
            reason = "the system bus refuses it; try as root" if error.by_bus else str(error)
            raise Failure(f"not permitted: {reason}", UNREACHABLE) from error
        if error.name == _OFFLINE:
            raise Failure(f"{node} is offline", OFFLINE) from error
        # The agent's systemd may say the same of an object of its own.
        if error.name == _UNKNOWN_OBJECT and node and not self._is_known(node):
            raise unknown_node(node) from error
        code = UNKNOWN if error.name == _NO_SUCH_UNIT else FAILED
        raise Failure(f"{node}: {error}" if node else str(error), code) from error

    def _is_known(self, node: str) -> bool:
        return any(info.name == node for info in self.nodes())


class Jobs:
    """Jobs of the manager that has the unique name `owner`."""

    def __init__(self, manager: Manager, bus: Bus, owner: str) -> None:
        self._manager = manager
        self._bus = bus
        # Both before the first job is asked for: it may end, or the manager, before the answer.
        bus.listen(
            BUS_NAME, "/org/freedesktop/DBus", BUS_NAME, "NameOwnerChanged", NATIVE.bus_name
        )
        interface = NATIVE.interface(public.MANAGER.name)
        bus.listen(owner, NATIVE.root, interface, "JobRemoved")

    def request(self, node: str, method: str, unit: str) -> str:
        """Call StartUnit or the like; return the job's object path."""
        return self._manager.request_job(node, method, unit)

    def result(self, job: str) -> str:
        """Wait until the job has ended, however long, and return its result."""
        while True:
            member, values = self._bus.next_signal()
            if member != "JobRemoved":
                text = "the manager went away, and with it the news of how the job ends"
                raise Failure(text, UNREACHABLE)
            _, path, _, _, result = values
            if path == job:
                return str(result)


def unknown_node(node: str) -> Failure:
    """Return the failure that a node is not configured."""
    return Failure(f"no node '{node}' is configured", UNKNOWN)


def _path(node: str) -> str:
    return NATIVE.path(f"node/{escape(node)}")


def _strange(member: str, signature: str) -> Failure:
    return Failure(f"the manager answered {member} with '{signature}'; is it of another version?")
