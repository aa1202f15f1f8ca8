"""When the manager goes away over a change, or the node is lost: as when it is restarted by it.

The change goes on, only the news of its end is lost. What is left to tell the truth by is the unit
itself, as another manager, or the node, shows it later: so the tool waits for that, not for ever.
"""

from __future__ import annotations

from time import monotonic

from hirte.client.errors import ManagerAway, NodeOffline, Timeout
from hirte.client.events import NodeStatus
from hirte.ctl.activity import PASSING
from hirte.ctl.exits import DONE, FAILED, NOT_ACTIVE, OFFLINE
from hirte.ctl.failures import failure
from hirte.ctl.work import Comeback, Outcome, Pause, answer

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Sequence

    from hirte.client.events import Source
    from hirte.client.manager import Manager
    from hirte.ctl.request import Request
    from hirte.ctl.work import Steps, Work

# Seconds for the manager to be there again, and then for the node. A manager restarts within one,
# an agent looks for it every two (HeartbeatInterval); a busy machine may take ten times that.
COMEBACK = 20.0
# Seconds after which a program that was to stop does not come back: Restart= brings one that failed
# within one.
STAYS_AWAY = 2.0

# Whose stop is the end of the manager, or of the agent.
MANAGER_UNITS = ("hirte.service", "bluechi-controller.service")
AGENT_UNITS = ("hirte-agent.service", "bluechi-agent.service")

_WAITING = "waiting for it to come back"
_STATE = "ActiveState"
# Verb -> states of a unit that say that it was done, and the code for other states. A reload does
# not show.
_SHOWS = {
    "start": (("active",), NOT_ACTIVE),
    "restart": (("active",), NOT_ACTIVE),
    "stop": (("inactive", "failed"), FAILED),
}


def where_to_look(request: Request, work: Work) -> str:
    """Return how the administrator learns more of the unit of a job."""
    (unit,) = work.units
    status = f"{request.program} status {work.node} {unit}"
    return f"see `{status}` and `journalctl -u {unit}` on {work.node}"


def _gone(what: str, work: Work) -> Outcome:
    """Return how a stop has ended that took away who could tell."""
    (unit,) = work.units
    lost = f"the {what} went away, as was asked, and cannot tell how its stop ended"
    look = f"see `systemctl status {unit}` on {work.node}"
    return Outcome(f"the {what} is away", DONE, f"{lost}; {look}")


class Aftermath:
    """What is left of the jobs of a request on `nodes` when manager or node have gone away."""

    def __init__(self, request: Request, nodes: Iterable[str]) -> None:
        self._request = request
        self._nodes = tuple(nodes)
        # Whose absence was told: managers, and nodes by name.
        self._missed: dict[object, bool] = {}
        self._lost: dict[str, int] = {}
        # The manager whose nodes are watched, and what it tells of them.
        self._watched: Manager | None = None
        self._news: Source[NodeStatus] | None = None
        # Nodes that were online before the manager went, if it was to go.
        self._there: list[str] = []

    def losses(self, node: str) -> int:
        """Return how often the node was lost since this was asked first."""
        if self._watched is not self._request.manager:
            self._watched = self._request.manager
            self._news = self._watched.watch_nodes(*self._nodes)
        while self._news and self._news.queue:
            _, news = self._news.queue.popleft()
            self._lost[news.node] = self._lost.get(news.node, 0) + (not news.is_online)
        return self._lost.get(node, 0)

    def prepare(self, work: Work) -> int:
        """Take note of what there is now, before it may be lost; return the node's losses."""
        if self._request.verb.name == "restart" and work.units[0] in MANAGER_UNITS:
            listed = self._request.manager.list_nodes()
            self._there = [node.name for node in listed if node.is_online]
        return self.losses(work.node)

    def shows_beginning(self, work: Work, gone: Sequence[str]) -> bool:
        """Tell whether the unit shows also that a request was heeded which nobody has answered.

        One that is to be restarted is as active without it, unless it is among those `gone`.
        """
        return self._request.verb.name != "restart" or work.units[0] in gone

    def steps(self, work: Work, error: ManagerAway) -> Steps:
        """Wait for a manager, and tell by the unit how the job of `work` has ended.

        Raises `error` if that does not show, ManagerAway if none comes back, and the other errors
        of the client.
        """
        verb = self._request.verb.name
        if verb not in _SHOWS:
            raise error
        (unit,) = work.units
        is_end = verb == "stop" and unit in MANAGER_UNITS
        patience = STAYS_AWAY if is_end else COMEBACK
        if not is_end:
            self._announce(self._request.manager, str(failure(error)))
        deadline = monotonic() + patience
        while (left := deadline - monotonic()) > 0:
            try:
                yield Comeback(left)
            except Timeout:
                break
            try:
                outcome = self._judge(work, (yield from self._rest(work.node, unit)))
                if outcome.code == DONE and unit in MANAGER_UNITS:
                    outcome = yield from self._all_back(outcome)
            except ManagerAway:
                continue
            return outcome
        if is_end:
            return _gone("manager", work)
        text = f"the manager was not reached again within {patience:g} s"
        raise ManagerAway(f"{text}; how this ended is not known")

    def of_node(self, work: Work) -> Steps:
        """Tell by the unit how a job has ended whose node was lost over it.

        Raises the client's errors.
        """
        verb = self._request.verb.name
        (unit,) = work.units
        what = f"{work.node} was lost while the job ran"
        if verb not in _SHOWS:
            return Outcome("failed", FAILED, f"{what}; {where_to_look(self._request, work)}")
        is_end = verb == "stop" and unit in AGENT_UNITS
        if not is_end:
            self._announce(work.node, what)
        try:
            patience = STAYS_AWAY if is_end else COMEBACK
            return self._judge(work, (yield from self._rest(work.node, unit, patience)))
        except NodeOffline:
            if is_end:
                return _gone("agent", work)
        text = f"{work.node} is offline, and how this ended is not known"
        return Outcome("not known", OFFLINE, f"{text}; {where_to_look(self._request, work)}")

    def _announce(self, who: object, what: str) -> None:
        if who not in self._missed:
            self._missed[who] = True
            if not self._request.has("quiet"):
                self._request.complain(f"{what}; {_WAITING}")

    def _rest(
        self, node: str, unit: str, patience: float = COMEBACK
    ) -> Generator[Pause, None, str]:
        """Return the state in which the unit comes to rest; `patience` is for the node to be there.

        Raises the client's errors.
        """
        manager = self._request.manager
        monitor, status = manager.create_monitor(), manager.watch_status()
        monitor.subscribe(node, unit)
        deadline = monotonic() + patience
        while True:
            # News from before the answer are none: what they tell is in it.
            monitor.queue.clear()
            status.queue.clear()
            limit = None
            try:
                call = ("GetUnitProperties", unit, "org.freedesktop.systemd1.Unit")
                told = yield from answer(manager.node(node).begin(*call))
                if told[_STATE] not in PASSING and not told["Job"][0]:
                    monitor.close()
                    status.close()
                    return str(told[_STATE])
            except NodeOffline:
                limit = deadline - monotonic()
                if limit <= 0:
                    raise
            try:
                yield Pause(lambda: bool(monitor.queue or status.queue), limit)
            except Timeout:
                # Asked once more, the node is online or else the answer.
                pass

    def _all_back(self, outcome: Outcome) -> Generator[Pause, None, Outcome]:
        """Return how the restart of the manager has ended, when the nodes are back that it had."""
        missing = dict.fromkeys(self._there)
        if not missing:
            return outcome
        status = self._request.manager.watch_status()
        deadline = monotonic() + COMEBACK
        while missing:
            while status.queue:
                _, news = status.queue.popleft()
                if isinstance(news, NodeStatus) and news.is_online:
                    missing.pop(news.node, None)
            try:
                yield Pause(lambda: bool(status.queue) or not missing, deadline - monotonic())
            except Timeout:
                look = f"`{self._request.program} nodes` tells when they are"
                advice = f"not back yet: {', '.join(missing)}; {look}"
                return Outcome(outcome.result, DONE, advice)
        status.close()
        return outcome

    def _judge(self, work: Work, state: str) -> Outcome:
        request = self._request
        wanted, code = _SHOWS[request.verb.name]
        if state in wanted:
            return Outcome(state if request.has("wait-active") else "done")
        lost = f"the unit is {state}, and the news of the job is lost"
        return Outcome(state, code, f"{lost}; {where_to_look(request, work)}")
