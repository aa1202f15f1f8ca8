"""The verbs that listen until they are interrupted: monitor, and metrics listen."""

from __future__ import annotations

from time import localtime, strftime

from hirte.client.events import (
    AgentJobMetrics,
    PeerRemoved,
    StartUnitJobMetrics,
    UnitNew,
    UnitPropertiesChanged,
    UnitRemoved,
    UnitStateChanged,
)
from hirte.ctl.colour import style_of
from hirte.ctl.exits import DONE, UNREACHABLE, USAGE, Failure
from hirte.ctl.names import is_glob, matches, unit_name
from hirte.ctl.targets import configured_nodes
from hirte.ending import Ending

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from typing import Any

    from hirte.client.events import MonitorEvent
    from hirte.ctl.request import Request

_ALL = "*"


def _properties(event: UnitPropertiesChanged) -> str:
    kind = event.interface.rpartition(".")[2]
    # For people; programs get all, as JSON.
    told = [f"{k}={v}" for k, v in event.props.items() if isinstance(v, str) and v]
    return " ".join([f"{kind}:", *told])


# Kind of event -> what a line says of its node and unit; changes of state have a colour as well.
_LINES: dict[type, Callable[[Any], str]] = {
    UnitNew: lambda event: f"{event.node} {event.unit} loaded ({event.reason})",
    UnitRemoved: lambda event: f"{event.node} {event.unit} unloaded ({event.reason})",
    UnitPropertiesChanged: lambda event: f"{event.node} {event.unit} {_properties(event)}",
    PeerRemoved: lambda event: f"the monitor ended: {event.reason}",
    AgentJobMetrics: lambda event: (
        f"{event.node_name} {event.unit} {event.method}:"
        f" {_ms(event.systemd_job_time_micros)} on the node"
    ),
    StartUnitJobMetrics: lambda event: (
        f"{event.node_name} {event.unit} start: {_ms(event.job_measured_time_micros)} in all,"
        f" {_ms(event.unit_start_prop_time_micros)} in the unit, job {event.job_id}"
    ),
}


def _ms(microseconds: int) -> str:
    return f"{microseconds / 1000:.1f} ms"


def monitor(request: Request) -> int:
    """Print what happens to units of nodes, until interrupted."""
    words = request.words
    node_word = words[0] if words else _ALL
    wanted = [item for word in words[1:] for item in word.split(",") if item] or [_ALL]
    wanted = [item if is_glob(item) else unit_name(item) for item in wanted]
    nodes, offline = [_ALL], []
    if node_word != _ALL:
        # The manager would wait with us for a node that is not configured.
        named = configured_nodes(request, node_word)
        nodes = [node.name for node in named]
        offline = [node.name for node in named if not node.is_online]
    # The manager knows names and `*`; the other globs are for us.
    units = [_ALL] if any(map(is_glob, wanted)) else wanted
    try:
        with Ending(), request.manager.create_monitor() as source:
            for node in nodes:
                source.subscribe_list(node, units)
            for node in offline:
                request.note(f"{node} is offline; its events come when it is back")
            _print(request, (event for event in source if _is_wanted(event, wanted)), _time_of_day)
    except KeyboardInterrupt:
        return DONE
    return UNREACHABLE


def _is_wanted(event: MonitorEvent, wanted: Sequence[str]) -> bool:
    return isinstance(event, PeerRemoved) or any(matches(word, event.unit) for word in wanted)


def _time_of_day() -> str:
    return strftime("%H:%M:%S ", localtime())


def metrics(request: Request) -> int:
    """Let the manager measure jobs, or not, or print what it measures."""
    (word,) = request.words
    if word == "enable":
        request.manager.enable_metrics()
    elif word == "disable":
        request.manager.disable_metrics()
    elif word == "listen":
        return _listen(request)
    else:
        raise Failure(f"metrics is for enable, disable or listen, not '{word}'", USAGE)
    return DONE


def _listen(request: Request) -> int:
    try:
        with Ending(), request.manager.watch_metrics() as source:
            if not request.manager.is_measuring():
                request.note(f"measuring is off; {request.program} metrics enable turns it on")
            _print(request, source)
    except KeyboardInterrupt:
        return DONE
    return UNREACHABLE


def _print(
    request: Request, events: Iterable[Any], stamp: Callable[[], str] = lambda: ""
) -> None:
    """Print the events; for people each line begins with what `stamp` says."""
    request.end()
    for event in events:
        if request.is_json:
            request.dump({"event": type(event).__name__, **event._asdict()})
        elif isinstance(event, UnitStateChanged):
            state = f"{event.active_state} {event.substate}"
            style = style_of(event.active_state)
            who = f"{stamp()}{event.node} {event.unit} "
            request.say(who, state, f" ({event.reason})", style)
        else:
            request.say(stamp() + _LINES[type(event)](event))
