"""The verbs that make a job on a node and wait for its end."""

from __future__ import annotations

from hirte.api.public import JOB_TYPES
from hirte.client.errors import NOT_RUNNING, CallError, ManagerAway
from hirte.client.job import Job
from hirte.client.node import REPLACE
from hirte.client.session import NO_REPLY
from hirte.ctl.activity import Activity
from hirte.ctl.comeback import AGENT_UNITS, MANAGER_UNITS, Aftermath, where_to_look
from hirte.ctl.exits import FAILED, NOT_ACTIVE, USAGE, Failure
from hirte.ctl.targets import Targets
from hirte.ctl.work import Outcome, Work, answer, carry_out, end_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Generator
    from typing import Any

    from hirte.client.connection import Reply
    from hirte.ctl.request import Request
    from hirte.ctl.work import Pause, Steps

# Verb -> the Node's method.
_METHODS = {kind: method for method, kind in JOB_TYPES.items()}

_DONE = "done"
# Of a job whose node was lost, beside those that systemd calls so.
_LOST = "failed"
# What systemd's words for the end of a job mean, see org.freedesktop.systemd1(5).
_REASONS = {
    "canceled": "the job was cancelled before it ended",
    "timeout": "the job timed out",
    "dependency": "a unit that it needs did not start",
    "skipped": "it does not apply to the unit as it is",
    "invalid": "the unit is not active",
    "assert": "a condition that the unit asserts does not hold",
    "unsupported": "the node does not support this type of unit",
    "once": "the unit runs only once",
}
# The manager's own word for that it stops while the job runs.
_SHUTDOWN = "cancelled due to shutdown"


class _Change(Work):
    """Work that makes a job. If that outlives the manager, `aftermath` has to tell its end."""

    __slots__ = ("_losses", "aftermath")

    def __init__(self, aftermath: Aftermath, *work: Any) -> None:
        super().__init__(*work)
        self.aftermath = aftermath
        self._losses = 0

    @property
    def is_alone(self) -> bool:
        """Tell whether nothing else may be under way: it would not be told how that ends."""
        return _order(self) > 0

    def is_node_lost(self, request: Request) -> Generator[Pause, None, bool]:
        """Tell whether the node was lost since the job was asked for."""
        # The manager says so right after it has ended the jobs: behind the next answer it is told.
        yield from answer(request.manager.begin("ListNodes"))
        return self.aftermath.losses(self.node) > self._losses

    def steps(self, request: Request) -> Steps:
        """Do it. Raises the client's errors."""
        (call,) = self.calls
        self._losses = self.aftermath.prepare(self)
        # What cannot be sent was not begun: how its unit is tells nothing then.
        reply = request.manager.node(self.node).begin(*call)
        try:
            return (yield from self._follow(request, reply))
        except ManagerAway as error:
            # Then nothing was begun either; and who does not want to wait does not.
            if str(error).startswith(NOT_RUNNING) or request.has("no-block"):
                raise
            is_begun = reply.done and reply.error is None
            if not is_begun and not self.aftermath.shows_beginning(self, MANAGER_UNITS):
                raise ManagerAway(f"{error}, and whether this was begun is not known") from error
            return (yield from self.aftermath.steps(self, error))

    def _follow(self, request: Request, reply: Reply[Any]) -> Steps:
        try:
            return (yield from self.rest([(yield from answer(reply))]))
        except CallError as error:
            is_over = error.name != NO_REPLY or not (yield from self.is_node_lost(request))
            if is_over or not self.aftermath.shows_beginning(self, AGENT_UNITS):
                raise
            return (yield from self.aftermath.of_node(self))


def control(request: Request) -> int:
    """Do what the verb says to the units; only `done` is a success."""
    if request.has("no-block") and request.has("wait-active"):
        raise Failure("--no-block and --wait-active are opposites", USAGE)
    targets = Targets(request, request.words[0], request.words[1:])
    aftermath = Aftermath(request, targets.nodes)
    activity = None
    if request.has("wait-active") and not request.has("dry-run"):
        activity = Activity(request.manager, targets.by_node())

    def finish(work: _Change, values: list[Any]) -> Steps:
        (job,) = values
        return _finish(request, work, job, activity)

    method = _METHODS[request.verb.name]
    works = [
        _Change(aftermath, node, (unit,), [(method, unit, REPLACE)], finish)
        for node, unit in targets.pairs
    ]
    return carry_out(request, sorted(works, key=_order), targets.code)


def _order(work: Work) -> int:
    """Return what a work is sorted by: the agents' own units come last, and then the manager's."""
    return (work.units[0] in AGENT_UNITS) + 2 * (work.units[0] in MANAGER_UNITS)


def _finish(request: Request, work: _Change, job: Job, activity: Activity | None) -> Steps:
    if request.has("no-block"):
        return Outcome(f"job {job.id} begun", job=job.id)
    result = yield from end_of(job)
    if result == _SHUTDOWN:
        raise ManagerAway("the manager stopped while the job ran")
    (unit,) = work.units
    if result == _LOST and (yield from work.is_node_lost(request)):
        return (yield from work.aftermath.of_node(work))
    look = where_to_look(request, work)
    if result != _DONE:
        reason = f"{_REASONS[result]}; " if result in _REASONS else ""
        return Outcome(result, FAILED, reason + look, job=job.id)
    if activity is None:
        return Outcome(result, job=job.id)
    state = yield from _settled(request, work.node, unit, activity)
    if state == "active":
        return Outcome("active", job=job.id)
    return Outcome(state, NOT_ACTIVE, f"the job is done, but the unit is not active; {look}")


def _settled(
    request: Request, node: str, unit: str, activity: Activity
) -> Generator[Pause, None, str]:
    """Return the active state of a unit that is not about to change."""
    reply = request.manager.node(node).begin(
        "GetUnitProperty", unit, "org.freedesktop.systemd1.Unit", "ActiveState"
    )
    reply.then(lambda state: activity.learn(node, unit, str(state)))
    yield from answer(reply)
    yield activity.settled(node, unit)
    return activity.state(node, unit)
