"""Show an answer again whenever what it tells may have changed, until interrupted.

On a terminal it is a live view, elsewhere it is printed again as a whole. It outlives the manager:
while there is none, the last answer stays, and the tool says so.
"""

from __future__ import annotations

import time

from hirte.client.errors import ManagerAway, Timeout
from hirte.client.events import (
    UnitNew,
    UnitPropertiesChanged,
    UnitRemoved,
    UnitStateChanged,
)
from hirte.ctl.exits import DONE
from hirte.ctl.targets import Targets, configured_nodes
from hirte.ending import Ending

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    from hirte.client.events import Event, Source
    from hirte.ctl.request import Request

    Facts = list[tuple[tuple[str, ...], Any]]

# Of those shown of a unit, what its states do not tell.
_PROPERTIES = ("LoadState", "FreezerState", "UnitFileState")
_FAILED = "failed"

# Seconds between attempts to find the manager again.
_RETRY = 0.5
_HOW_IT_ENDS = "Ctrl-C ends this view."
_WAITING = "waiting for it to come back"


def watch(request: Request, show: Callable[[Request], int]) -> int:
    """Call `show` now and after every change; return when interrupted.

    Raises Failure and the client's errors; ManagerAway and Timeout only when there was no answer to
    begin with.
    """
    try:
        with Ending():
            sources = _listen(request)
            if request.out.has_escapes and not request.is_json:
                _watch_live(request, sources, lambda: request.framed(show))
            else:
                _watch_lines(request, sources, lambda: show(request))
    except KeyboardInterrupt:
        pass
    request.hints.clear()
    return DONE


def _watch_live(
    request: Request, sources: list[Source[Any]], look: Callable[[], Sequence[Callable[[], str]]]
) -> None:
    from hirte.ctl.colour import YELLOW
    from hirte.ctl.live import Live

    # While the screen is not ours yet, an error is an error.
    frame = look()
    request.end()
    with Live(request.out) as live:
        live.show(frame, _HOW_IT_ENDS)

        def tell_away(why: str) -> None:
            text = f"{time.strftime('%H:%M:%S')}: {why}; {_WAITING}"
            live.tell(request.painted(text, YELLOW))

        _follow(request, sources, lambda: live.show(look(), _HOW_IT_ENDS), tell_away)


def _watch_lines(request: Request, sources: list[Source[Any]], show: Callable[[], object]) -> None:
    show()
    request.end()
    _follow(request, sources, show, lambda why: request.note(f"{why}; {_WAITING}"))


def _follow(
    request: Request,
    sources: list[Source[Any]] | None,
    show: Callable[[], object],
    tell_away: Callable[[str], None],
) -> None:
    """Show it again and again, with one manager after the other."""
    known: dict[tuple[str, ...], Any] = {}
    while True:
        try:
            if sources is None:
                request.reconnect()
                sources = _listen(request)
                show()
                known.clear()
            while True:
                _next_change(request, sources, known)
                show()
        except (ManagerAway, Timeout) as error:
            if sources is not None:
                tell_away(str(error))
            sources = None
            time.sleep(_RETRY)


def _listen(request: Request) -> list[Source[Any]]:
    """Return what tells of changes of all that is shown."""
    status: Source[Any] = request.manager.watch_status()
    # What is so already is drawn first.
    _drain(status)
    if len(request.words) > 1:
        # Nothing would ever be told of a node that is not configured.
        configured_nodes(request, request.words[0])
        units = Targets(request, request.words[0], request.words[1:]).by_node()
    elif request.verb.name == "fleet":
        units = {"*": ["*"]}
    else:
        return [status]
    monitor = request.manager.create_monitor()
    for node, names in units.items():
        monitor.subscribe_list(node, names)
    return [status, monitor]


def _next_change(
    request: Request, sources: list[Source[Any]], known: dict[tuple[str, ...], Any]
) -> None:
    """Wait until something is not as it was known, and take all that has come."""
    facts = _facts if request.words else _facts_of_fleet
    changed = False
    while not changed:
        request.manager.wait(lambda: any(source.queue for source in sources))
        for source in sources:
            while source.queue:
                for what, value in facts(source.next()):
                    changed = changed or known.get(what) != value
                    known[what] = value


def _facts(event: Event) -> Facts:
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


def _facts_of_fleet(event: Event) -> Facts:
    """Return the same where only the units are shown that have failed."""
    if isinstance(event, UnitStateChanged):
        return [((event.node, event.unit), event.active_state == _FAILED)]
    if isinstance(event, UnitRemoved):
        return [((event.node, event.unit), False)]
    if isinstance(event, (UnitNew, UnitPropertiesChanged)):
        return []
    return _facts(event)


def _drain(source: Source[Any]) -> None:
    """Take all that has come: one picture shows it all."""
    while source.queue:
        source.next()
