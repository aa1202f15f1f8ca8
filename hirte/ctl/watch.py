"""Show an answer again whenever what it tells may have changed, until interrupted.

It outlives the manager: while there is none, the last answer stays, and the tool says so once.
"""

from __future__ import annotations

import sys
import time

from hirte.client.errors import ManagerAway
from hirte.client.events import (
    UnitNew,
    UnitPropertiesChanged,
    UnitRemoved,
    UnitStateChanged,
)
from hirte.ctl.exits import DONE
from hirte.ctl.failures import failure
from hirte.ctl.request import flush
from hirte.ctl.targets import Targets, configured_nodes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable

    from hirte.client.events import Event, Source
    from hirte.ctl.request import Request

# Of those shown of a unit, what its states do not tell.
_PROPERTIES = ("LoadState", "FreezerState", "UnitFileState")

# Seconds between attempts to find the manager again.
_RETRY = 0.5
# Cursor home, and erase what follows (ECMA-48 CUP, ED).
_HOME = "\x1b[H\x1b[J"


def watch(request: Request, show: Callable[[Request], int]) -> int:
    """Call `show` now and after every change; return when interrupted.

    Raises Failure and the client's errors; ManagerAway only when there was no manager to begin
    with.
    """
    was_shown = is_away = False
    known: dict[tuple[str, ...], Any] = {}
    try:
        while True:
            try:
                if is_away:
                    request.reconnect()
                source = _listen(request)
                while True:
                    _draw(request, show)
                    was_shown, is_away = True, False
                    _next_change(source, known)
            except ManagerAway as error:
                if not was_shown:
                    raise
                if not is_away:
                    request.complain(f"{failure(error)}; waiting for it to come back")
                is_away = True
                time.sleep(_RETRY)
    except KeyboardInterrupt:
        return DONE


def _listen(request: Request) -> Source[Any]:
    """Return what tells of changes of all that is shown."""
    if len(request.words) < 2:
        source: Source[Any] = request.manager.watch_status()
        # What is so already is drawn first.
        _drain(source)
        return source
    # Nothing would ever be told of a node that is not configured.
    configured_nodes(request, request.words[0])
    targets = Targets(request, request.words[0], request.words[1:])
    monitor = request.manager.create_monitor()
    for node, units in targets.by_node().items():
        monitor.subscribe_list(node, units)
    return monitor


def _next_change(source: Source[Any], known: dict[tuple[str, ...], Any]) -> None:
    """Wait until something is not as it was known, and take all that has come."""
    changed = False
    while not changed or source.queue:
        for what, value in _facts(source.next()):
            changed = changed or known.get(what) != value
            known[what] = value


def _facts(event: Event) -> list[tuple[tuple[str, ...], Any]]:
    """Return what an event tells of what is shown.

    Looking at a unit may load it, and unload it again: that must be no reason to look again.
    """
    if isinstance(event, UnitStateChanged):
        return [((event.node, event.unit), (event.active_state, event.substate))]
    if isinstance(event, UnitPropertiesChanged):
        return [
            ((event.node, event.unit, name), event.props[name])
            for name in _PROPERTIES
            if name in event.props
        ]
    if isinstance(event, (UnitNew, UnitRemoved)):
        return []
    return [((type(event).__name__, *event[:-1]), event[-1])]


def _drain(source: Source[Any]) -> None:
    """Take all that has come: one picture shows it all."""
    while source.queue:
        source.next()


def _draw(request: Request, show: Callable[[Request], int]) -> None:
    if sys.stdout.isatty() and not request.is_json:
        print(_HOME, end="")
    show(request)
    flush()
