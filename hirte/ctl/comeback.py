"""When the manager, or the agent, goes away over a change, as when it was told to restart itself.

The change goes on, only the news of its end is lost. What is left to tell the truth by is the unit
itself, as another manager or agent shows it: so the tool waits for one, but not for ever.
"""

from __future__ import annotations

from time import monotonic

from hirte.client.errors import ManagerAway, NodeOffline, Timeout
from hirte.ctl.activity import PASSING
from hirte.ctl.exits import DONE, FAILED, NOT_ACTIVE
from hirte.ctl.failures import failure
from hirte.ctl.work import Comeback, Outcome, Pause, answer

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Generator

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
    """What is left of the jobs of a request when the manager has gone away."""

    def __init__(self, request: Request) -> None:
        self._request = request
        self._missed: Manager | None = None

    def shows_beginning(self, work: Work) -> bool:
        """Tell whether the unit shows also that a request was heeded which nobody has answered.

        One that is to be restarted is as active without it, unless it is the manager that went.
        """
        return self._request.verb.name != "restart" or work.units[0] in MANAGER_UNITS

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
            self._announce(str(failure(error)))
        deadline = monotonic() + patience
        while (left := deadline - monotonic()) > 0:
            try:
                yield Comeback(left)
            except Timeout:
                break
            try:
                return self._judge(work, (yield from self._rest(work.node, unit)))
            except ManagerAway:
                continue
        if is_end:
            return _gone("manager", work)
        text = f"the manager was not reached again within {patience:g} s"
        raise ManagerAway(f"{text}; how this ended is not known")

    def of_agent(self, work: Work) -> Steps:
        """Tell by the unit how a job of the agent's own unit has ended, which took the node away.

        Raises the client's errors.
        """
        (unit,) = work.units
        is_end = self._request.verb.name == "stop"
        if not is_end and not self._request.has("quiet"):
            text = f"{work.node}: the agent went away while the job ran; {_WAITING}"
            self._request.complain(text)
        try:
            patience = STAYS_AWAY if is_end else COMEBACK
            return self._judge(work, (yield from self._rest(work.node, unit, patience)))
        except NodeOffline:
            if not is_end:
                raise
        return _gone("agent", work)

    def _announce(self, what: str) -> None:
        if self._missed is not self._request.manager:
            self._missed = self._request.manager
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

    def _judge(self, work: Work, state: str) -> Outcome:
        request = self._request
        wanted, code = _SHOWS[request.verb.name]
        if state in wanted:
            return Outcome(state if request.has("wait-active") else "done")
        lost = f"the unit is {state}, and the news of the job is lost"
        return Outcome(state, code, f"{lost}; {where_to_look(request, work)}")
