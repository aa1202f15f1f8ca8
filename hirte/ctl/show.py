"""The verbs that show: nodes and units as they are."""

from __future__ import annotations

from hirte.ctl.exits import DONE, NOT_ACTIVE, OFFLINE, UNKNOWN
from hirte.ctl.names import by_type, matches, unit_name
from hirte.ctl.text import local_time, plain_ip, table

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hirte.client.manager import Manager
    from hirte.client.values import NodeInfo
    from hirte.ctl.request import Request

_NODE_TITLES = ("NODE", "STATE", "IP", "LAST SEEN")
_UNIT_TITLES = ("NODE", "UNIT", "LOAD", "ACTIVE", "SUB")
# Title -> property; older systemds have no FreezerState.
_DETAILS = {
    "UNIT": "Id",
    "LOAD": "LoadState",
    "ACTIVE": "ActiveState",
    "SUB": "SubState",
    "FREEZER": "FreezerState",
    "ENABLED": "UnitFileState",
}
# What `systemctl status` calls not running.
_DEAD = ("inactive", "failed")


def status(request: Request) -> int:
    """Show all nodes, or the node of the first word, or units of it."""
    if len(request.words) > 1:
        return _status_of_units(request)
    manager = request.manager
    nodes = manager.list_nodes()
    code = DONE
    if request.words:
        nodes = [node for node in nodes if node.name == request.words[0]]
        if not nodes:
            from hirte.ctl.failures import unknown_node

            raise unknown_node(request.words[0])
        code = DONE if nodes[0].is_online else OFFLINE
    rows = [
        (node.name, node.status, plain_ip(node.ip), _last_seen(manager, node)) for node in nodes
    ]
    print(table(_NODE_TITLES, rows), end="")
    return code


def _last_seen(manager: Manager, node: NodeInfo) -> str:
    if node.is_online:
        return "now"
    moment = manager.node(node.name).last_seen_timestamp()
    return local_time(moment) if moment else "never"


def _status_of_units(request: Request) -> int:
    node, *units = request.words
    codes = [DONE]
    rows = []
    missing = []
    for name in map(unit_name, units):
        properties = request.manager.node(node).get_unit_properties(name)
        is_dead = properties.get("ActiveState") in _DEAD
        # A unit whose file is gone may run on.
        if is_dead and properties.get("LoadState") == "not-found":
            missing.append(name)
            codes.append(UNKNOWN)
            continue
        codes.append(NOT_ACTIVE if is_dead else DONE)
        rows.append([str(properties.get(wanted, "")) for wanted in _DETAILS.values()])
    if rows:
        print(table(tuple(_DETAILS), rows), end="")
    for name in missing:
        request.complain(f"{node}: unit {name} could not be found")
    return max(codes)


def list_units(request: Request) -> int:
    """List the units of all nodes, or of the node of the first word."""
    manager = request.manager
    if request.words:
        (node,) = request.words
        units = {node: manager.node(node).list_units()}
        absent = []
    else:
        units = manager.list_units()
        absent = [node.name for node in manager.list_nodes() if node.name not in units]
    pattern = request.options.get("filter")
    rows = [
        (node, unit.name, unit.load, unit.active, unit.sub)
        for node, listed in units.items()
        for unit in sorted(listed, key=lambda unit: by_type(unit.name))
        if pattern is None or matches(pattern, unit.name)
    ]
    print(table(_UNIT_TITLES, rows), end="")
    if absent:
        request.complain(f"not listed, because offline: {', '.join(absent)}")
    return DONE
