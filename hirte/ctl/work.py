"""Work on many targets at once: all begin together, each is told as it ends.

A piece of work is a sequence of calls of one node, and perhaps the job that the first of them
makes. Its steps are a generator that yields what it waits for; the crew resumes those whose wait
is over. What was begun goes on when the tool stops to wait, and the tool says so.
"""

from __future__ import annotations

from collections import deque
from time import monotonic, sleep

from hirte.client.errors import CallError, Error, ManagerAway, Timeout
from hirte.client.job import Job
from hirte.client.session import CALL_TIMEOUT, CALLS_AT_ONCE
from hirte.ctl.colour import BAD
from hirte.ctl.exits import DONE, INTERRUPTED, TIMED_OUT, USAGE, Failure
from hirte.ctl.failures import unknown_node
from hirte.ctl.targets import explain

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Sequence
    from typing import Any

    from hirte.client.connection import Reply
    from hirte.ctl.progress import Wait
    from hirte.ctl.request import Request

    Steps = Generator["Pause", None, "Outcome"]

# Seconds between attempts to find a manager again.
_RETRY = 0.2
_GOES_ON = "`{program} jobs` lists the jobs that go on"


class Outcome:
    """How a piece of work ended, in one word or a few.

    `advice` is a line for people when there is more to say, `lines` what they read instead of the
    result, `details` what only programs read.
    """

    __slots__ = ("advice", "code", "details", "lines", "result")

    def __init__(
        self,
        result: str,
        code: int = DONE,
        advice: str = "",
        lines: Sequence[str] = (),
        **details: Any,
    ) -> None:
        self.result = result
        self.lines = lines or (result,)
        self.code = code
        self.advice = advice
        self.details = details


class Pause:
    """What a piece of work waits for, at most `seconds`, by default for ever."""

    __slots__ = ("done", "is_call", "until")

    def __init__(self, done: Callable[[], bool], seconds: float | None = None) -> None:
        self.done = done
        # Answers are waited for with an end, jobs without.
        self.is_call = seconds is not None
        self.until = None if seconds is None else monotonic() + seconds


class Comeback(Pause):
    """The wait for another manager, at most `seconds`, after the one that was asked went away.

    The crew looks for it: it is the request's manager then.
    """

    __slots__ = ("is_over",)

    def __init__(self, seconds: float) -> None:
        super().__init__(lambda: self.is_over, seconds)
        self.is_over = False


class Work:
    """Calls on a node for units of it, in this order; `finish` tells what the answers mean.

    That may take more steps.
    """

    __slots__ = ("calls", "finish", "node", "units")

    def __init__(
        self,
        node: str,
        units: Sequence[str],
        calls: Sequence[tuple[Any, ...]],
        finish: Callable[[Work, list[Any]], Outcome | Steps],
    ) -> None:
        self.node = node
        self.units = units
        self.calls = calls
        self.finish = finish

    @property
    def is_alone(self) -> bool:
        """Tell whether nothing else may be under way."""
        return False

    def steps(self, request: Request) -> Steps:
        """Do it. Raises the client's errors."""
        values = []
        for call in self.calls:
            value = yield from answer(request.manager.node(self.node).begin(*call))
            values.append(value)
        return (yield from self.rest(values))

    def rest(self, values: list[Any]) -> Steps:
        """Do what is left when all calls are answered. Raises the client's errors."""
        ended = self.finish(self, values)
        return ended if isinstance(ended, Outcome) else (yield from ended)


def answer(reply: Reply[Any]) -> Generator[Pause, None, Any]:
    """Wait for the answer of a call and return it."""
    yield Pause(lambda: reply.done, CALL_TIMEOUT)
    return reply.result(0)


def end_of(job: Job) -> Generator[Pause, None, str]:
    """Wait for the end of a job and return its result."""
    try:
        yield Pause(lambda: job.result is not None)
    except ManagerAway:
        # The job knows what that means for it.
        pass
    return job.wait(0)


def seconds(request: Request) -> float | None:
    """Return the time-out of the request. Raises Failure."""
    text = request.options.get("timeout")
    if text is None:
        return None
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < float("inf"):
        raise Failure(f"--timeout takes a number of seconds above 0, not '{text}'", USAGE)
    return value


def carry_out(request: Request, works: Sequence[Work], code: int = DONE) -> int:
    """Do all works and print how each ends; return the exit code, which is at least `code`."""
    limit = seconds(request)
    if request.has("dry-run"):
        return _rehearse(request, works, code)
    crew = _Crew(request, works, code)
    return crew.run(None if limit is None else monotonic() + limit)


def _rehearse(request: Request, works: Sequence[Work], code: int) -> int:
    """Say what would be called; a node that there is not fails here as it would there."""
    known = [node.name for node in request.manager.list_nodes()] if works else []
    for work in works:
        if work.node in known:
            _announce(request, work)
    for node in dict.fromkeys(work.node for work in works if work.node not in known):
        failed = unknown_node(node, known)
        request.complain(str(failed), failed.hint)
        code = max(code, failed.code)
    return code


def _announce(request: Request, work: Work) -> None:
    calls = [list(call) for call in work.calls]
    if request.is_json:
        request.dump(_about(request, work, {"would_call": calls}))
        return
    texts = [f"{call[0]}({', '.join(map(repr, call[1:]))})" for call in work.calls]
    request.say(f"{_label(request, work)}: would call {', '.join(texts)}")


def _about(request: Request, work: Work, more: dict[str, Any]) -> dict[str, Any]:
    return {"node": work.node, "units": list(work.units), "verb": request.verb.name, **more}


def _label(request: Request, work: Work) -> str:
    return " ".join([work.node, *work.units, request.verb.name])


class _Crew:
    """The works of a request, those begun and those still to begin."""

    def __init__(self, request: Request, works: Sequence[Work], code: int) -> None:
        self._request = request
        self._todo = deque(works)
        # In the order in which they were begun, each with the moment.
        self._open: dict[Work, tuple[Steps, Pause]] = {}
        self._begun: dict[Work, float] = {}
        self._codes = [code]
        self._is_single = len(works) == 1
        self._good = self._bad = self._left = 0

    def run(self, deadline: float | None) -> int:
        """Do all, until `deadline` at most; return the exit code."""
        self._request.wait_for(self._longest)
        try:
            self._run(deadline)
        except KeyboardInterrupt:
            self._abandon("interrupted")
            self._codes.append(INTERRUPTED)
        if not self._is_single and not self._request.has("quiet") and not self._request.is_json:
            text = f"{self._good} done"
            text += f", {self._bad} failed" if self._bad else ""
            text += f", {self._left} left" if self._left else ""
            self._request.note(text)
        return max(self._codes)

    def _longest(self) -> Wait | None:
        """Tell what is under way for the longest time."""
        for work in self._open:
            count = len(self._open) + len(self._todo)
            return _label(self._request, work), self._begun[work], count
        return None

    def _run(self, deadline: float | None) -> None:
        while self._todo or self._open:
            self._begin()
            if self._resume() or not self._open:
                continue
            limits = [pause.until for _, pause in self._open.values() if pause.until is not None]
            limit = min([*limits, *([deadline] if deadline is not None else [])], default=None)
            if self._wait(limit):
                continue
            if limit == deadline:
                self._abandon(f"not done within {self._request.options['timeout']} s")
                self._codes.append(TIMED_OUT)
                return
            self._expire(limit)

    def _wait(self, limit: float | None) -> bool:
        """Wait until one can go on; return False when it is `limit`."""
        left = None if limit is None else max(0.0, limit - monotonic())
        try:
            return self._request.manager.wait(self._is_due, left)
        except Error as error:
            # Each learns for itself what that means for it.
            for work, (_, pause) in list(self._open.items()):
                if work in self._open and not isinstance(pause, Comeback):
                    self._step(work, error)
            return self._seek(left)

    def _seek(self, left: float | None) -> bool:
        """Look for another manager, if somebody waits for one; return False when it is the limit.

        That is in `left` seconds.
        """
        waiting = [pause for _, pause in self._open.values() if isinstance(pause, Comeback)]
        if not waiting:
            return True
        try:
            self._request.reconnect()
        except Error:
            sleep(_RETRY if left is None else min(_RETRY, left))
            return left != 0.0
        for pause in waiting:
            pause.is_over = True
        return True

    def _is_due(self) -> bool:
        return any(pause.done() for _, pause in self._open.values())

    def _begin(self) -> None:
        while self._todo and self._may_begin(self._todo[0]):
            work = self._todo.popleft()
            # In this order: the line of progress, which a signal draws, asks for what is open.
            self._begun[work] = monotonic()
            self._open[work] = work.steps(self._request), Pause(lambda: True)
            self._step(work)

    def _may_begin(self, work: Work) -> bool:
        if self._open and (work.is_alone or any(other.is_alone for other in self._open)):
            return False
        return sum(pause.is_call for _, pause in self._open.values()) < CALLS_AT_ONCE

    def _resume(self) -> bool:
        """Let all go on that can; tell whether one could."""
        due = [work for work, (_, pause) in self._open.items() if pause.done()]
        for work in due:
            # One that failed may have ended them all.
            if work in self._open:
                self._step(work)
        return bool(due)

    def _expire(self, limit: float | None) -> None:
        for work, (_, pause) in list(self._open.items()):
            if pause.until is None or limit is None or pause.until > limit:
                continue
            # One that failed may have ended them all.
            if work in self._open:
                self._step(work, Timeout(f"no answer within {CALL_TIMEOUT:g} s"))

    def _step(self, work: Work, error: Error | None = None) -> None:
        steps, _ = self._open[work]
        try:
            pause = next(steps) if error is None else steps.throw(error)
        except StopIteration as end:
            del self._open[work]
            self._end(work, end.value)
        except Error as problem:
            del self._open[work]
            self._refused(work, problem)
        else:
            self._open[work] = steps, pause

    def _end(self, work: Work, outcome: Outcome) -> None:
        request = self._request
        if request.is_json:
            more = {"result": outcome.result, "code": outcome.code, **outcome.details}
            request.dump(_about(request, work, more))
        elif not request.has("quiet"):
            for line in outcome.lines:
                style = BAD if outcome.code else ""
                request.say(f"{_label(request, work)}: ", line, style=style)
        if outcome.advice:
            advice = outcome.advice
            if outcome.code and (request.is_json or request.has("quiet")):
                # Nothing else tells people what this is about.
                advice = f"{_label(request, work)}: {outcome.result}; {advice}"
            (request.complain if outcome.code else request.note)(advice)
        self._count(outcome.code)

    def _refused(self, work: Work, error: Error) -> None:
        failed = explain(self._request, error)
        if self._request.is_json:
            more = {"result": "error", "code": failed.code, "error": str(failed)}
            self._request.dump(_about(self._request, work, more))
        text = str(failed)
        if not self._is_single or not isinstance(error, CallError):
            # An error of a node begins with its name, as the label does.
            text = text[len(work.node) + 2 :] if text.startswith(f"{work.node}: ") else text
            text = f"{_label(self._request, work)}: {text}"
        self._request.complain(text, failed.hint)
        self._count(failed.code)

    def _count(self, code: int) -> None:
        self._codes.append(code)
        if code == DONE:
            self._good += 1
            return
        self._bad += 1
        if self._request.has("fail-fast") and (self._open or self._todo):
            self._abandon("something failed")

    def _abandon(self, why: str) -> None:
        """Stop to wait, begin nothing more, and say what that leaves."""
        verb = self._request.verb.name
        self._left = len(self._open) + len(self._todo)
        if self._open:
            text = f"{why}; the {verb} of {_names(self._open)} goes on"
            self._request.complain(text, _GOES_ON)
        if self._todo:
            self._request.complain(f"{why}; the {verb} of {_names(self._todo)} was not begun")
        self._open.clear()
        self._todo.clear()


def _names(works: Iterable[Work]) -> str:
    return ", ".join(
        f"{' '.join(work.units)} on {work.node}" if work.units else work.node for work in works
    )
