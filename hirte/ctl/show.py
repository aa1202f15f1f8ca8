"""The verbs that show: nodes and units as they are."""

from __future__ import annotations

from hirte.ctl.exits import DONE, NOT_ACTIVE, OFFLINE, UNKNOWN, USAGE, Failure
from hirte.ctl.failures import unit_missing
from hirte.ctl.names import by_type, matches
from hirte.ctl.query import hint_at_globs, tell_absent
from hirte.ctl.request import objects
from hirte.ctl.targets import Targets, ask, ask_all, configured_nodes, find_nodes, refuse
from hirte.ctl.text import counted, local_time, plain_ip

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from hirte.client.manager import Manager
    from hirte.client.values import NodeInfo
    from hirte.ctl.request import Request

_NODE_TITLES = ("NODE", "STATE", "IP", "LAST SEEN")
_UNIT_TITLES = ("NODE", "UNIT", "LOAD", "ACTIVE", "SUB")
_UNIT = "org.freedesktop.systemd1.Unit"
# Title -> property; older systemds have no FreezerState.
_DETAILS = {
    "UNIT": "Id",
    "LOAD": "LoadState",
    "ACTIVE": "ActiveState",
    "SUB": "SubState",
    "FREEZER": "FreezerState",
    "ENABLED": "UnitFileState",
}
_FREEZER = tuple(_DETAILS).index("FREEZER") + 1
# Freezer states of units that are not frozen; a dead unit is told to be running, too.
_NOT_FROZEN = ("running", "")
# What `systemctl status` calls not running.
_FAILED = "failed"
_DEAD = ("inactive", _FAILED)
# So many offline nodes are called by their names.
_NAMED = 3


def _now_or_live(request: Request, show: Callable[[Request], int]) -> int:
    if request.has("watch"):
        from hirte.ctl.watch import watch

        return watch(request, show)
    return show(request)


def status(request: Request) -> int:
    """Show all nodes, or the nodes of the first word, or units of them."""
    return _now_or_live(request, _status)


def _status(request: Request) -> int:
    if len(request.words) > 1:
        return _status_of_units(request)
    nodes = _nodes(request)
    _show_nodes(request, nodes)
    all_there = not request.words or all(node.is_online for node in nodes)
    return DONE if all_there else OFFLINE


def fleet(request: Request) -> int:
    """Show all nodes, and the units that failed on those that are online."""
    return _now_or_live(request, _fleet)


def _fleet(request: Request) -> int:
    listed = request.manager.list_nodes()
    calls = [(node.name, "", ("ListUnits",)) for node in listed if node.is_online]
    code = DONE
    failed = []
    unknown = [node.name for node in listed if not node.is_online]
    for node, _, units, error in ask(request, calls):
        if error is None:
            failed += [
                (node, unit.name, unit.load, unit.active, unit.sub)
                for unit in sorted(units, key=lambda unit: by_type(unit.name))
                if unit.active == _FAILED
            ]
        else:
            code = max(code, refuse(request, error))
            unknown.append(node)
    if request.is_json:
        request.dump(
            {
                "nodes": objects(_NODE_TITLES, _node_rows(request, listed)),
                "failed_units": objects(_UNIT_TITLES, failed),
            }
        )
        return code
    _show_nodes(request, listed)
    if failed:
        request.say("")
        request.show(_UNIT_TITLES, failed)
    online = sum(node.is_online for node in listed)
    units = counted(len(failed), "unit")
    text = f"{online} of {counted(len(listed), 'node')} online, {units} failed"
    request.legend(f"{text}{_those_of(unknown)}.")
    return code


def _those_of(unknown: Sequence[str]) -> str:
    """Return of which nodes it is not known what failed, by name if they are few."""
    if not unknown:
        return ""
    named = ", ".join(unknown) if len(unknown) <= _NAMED else f"{len(unknown)} nodes"
    return f"; those of {named} are not known"


def nodes(request: Request) -> int:
    """List nodes."""
    return _now_or_live(request, _list_nodes)


def _list_nodes(request: Request) -> int:
    _show_nodes(request, _nodes(request))
    return DONE


def _nodes(request: Request) -> list[NodeInfo]:
    """Return the nodes of the first word, by default all. Raises Failure."""
    if not request.words:
        return request.manager.list_nodes()
    return configured_nodes(request, request.words[0])


def _show_nodes(request: Request, nodes: list[NodeInfo]) -> None:
    request.show(_NODE_TITLES, _node_rows(request, nodes))


def _node_rows(request: Request, nodes: list[NodeInfo]) -> list[Sequence[str]]:
    manager = request.manager
    return [
        (node.name, node.status, plain_ip(node.ip), _last_seen(manager, node)) for node in nodes
    ]


def _last_seen(manager: Manager, node: NodeInfo) -> str:
    if node.is_online:
        return "now"
    moment = manager.node(node.name).last_seen_timestamp()
    return local_time(moment) if moment else "never"


def _status_of_units(request: Request) -> int:
    targets = Targets(request, request.words[0], request.words[1:])
    answers, code = ask_all(request, targets, lambda unit: ("GetUnitProperties", unit, _UNIT))
    rows: list[list[str]] = []
    missing = []
    for node, name, properties in answers:
        is_dead = properties.get("ActiveState") in _DEAD
        # A unit whose file is gone may run on.
        if is_dead and properties.get("LoadState") == "not-found":
            missing.append((node, name))
            code = max(code, UNKNOWN)
            continue
        code = max(code, NOT_ACTIVE if is_dead else DONE)
        rows.append([node, *(str(properties.get(wanted, "")) for wanted in _DETAILS.values())])
    titles = ["NODE", *_DETAILS]
    # Programs get all, always in the same places.
    is_for_people = not request.is_json and not request.has("plain")
    if is_for_people and all(row[_FREEZER] in _NOT_FROZEN for row in rows):
        for line in (titles, *rows):
            del line[_FREEZER]
    if rows or request.is_json:
        request.show(titles, rows)
    for node, name in missing:
        failed = unit_missing(node, name)
        request.complain(str(failed), failed.hint)
    return code


def list_units(request: Request) -> int:
    """List the units of all nodes, or of the nodes of the first word."""
    states = _wanted_states(request)
    code = DONE
    units = {}
    if request.words:
        calls = [(n, "", ("ListUnits",)) for n in find_nodes(request, request.words[0])]
        for node, _, listed, error in ask(request, calls):
            if error is None:
                units[node] = listed
            else:
                code = max(code, refuse(request, error))
    else:
        units = request.manager.list_units()
        tell_absent(request, units)
    pattern = request.options.get("filter")
    fitting = [
        (node, unit.name, unit.load, unit.active, unit.sub)
        for node, listed in units.items()
        for unit in sorted(listed, key=lambda unit: by_type(unit.name))
        if pattern is None or matches(pattern, unit.name)
    ]
    rows = [row for row in fitting if states is None or not states.isdisjoint(row[2:])]
    if units and not fitting:
        hint_at_globs(request)
    if units or code == DONE:
        request.show(_UNIT_TITLES, rows)
        request.legend(f"{counted(len(rows), 'loaded unit')} listed.")
    return code


def _wanted_states(request: Request) -> set[str] | None:
    """Return the states that units are listed in, or None for all. Raises Failure."""
    states = {state for state in request.options.get("state", "").split(",") if state}
    if request.has("state") and not states:
        raise Failure("--state takes a state, or several with commas", USAGE)
    if request.has("failed"):
        states.add(_FAILED)
    return states or None
