"""An actor in a process of its own, used as if it were here.

sd-bus ends its process when its assertions fail; apart from the tests that is a failing test with a
reason (`Died`). The actor lives on between the calls of the test: what arrives is taken and noted,
what its library has to send is sent. Nothing else happens unless the test asks for it.
"""

from __future__ import annotations

import contextlib
import ctypes
import faulthandler
import multiprocessing
import resource
import select
import signal
import time
from collections.abc import Iterator
from multiprocessing.connection import Connection
from typing import Any, Callable, Generic, TypeVar, cast

PR_SET_PDEATHSIG = 1

# The actor's own deadlines are shorter: this one only ends a hung test
HUNG_AFTER = 60.0


class Died(AssertionError):
    """The actor's process ended; the text says by which signal or exit code."""


class Actor:
    """Something that lives on descriptors. `watched` and `due` say when `step` wants to run."""

    def watched(self) -> list[tuple[int, int]]:
        """Descriptors and the poll events they wait for."""
        raise NotImplementedError

    def due(self) -> float | None:
        """Seconds on the monotonic clock at which `step` has work without any descriptor."""
        return None

    def step(self) -> None:
        """Do all that can be done without waiting."""
        raise NotImplementedError

    def close(self) -> None:
        """Let go of everything."""
        raise NotImplementedError

    def run_until(self, done: Callable[[], object], within: float) -> bool:
        """Live until `done` is true; False when that did not come true `within` seconds."""
        deadline = time.monotonic() + within
        while True:
            self.step()
            if done():
                return True
            if time.monotonic() >= deadline:
                return False
            _wait(self, deadline)


def _wait(actor: Actor, deadline: float | None, also: int | None = None) -> bool:
    """Wait for the actor's events, the deadline, or for `also` to be readable: then True."""
    poll = select.poll()
    for descriptor, events in actor.watched():
        poll.register(descriptor, events)
    if also is not None:
        poll.register(also, select.POLLIN)
    ends = [moment for moment in (deadline, actor.due()) if moment is not None]
    seconds = max(0.0, min(ends) - time.monotonic()) if ends else None
    ready = poll.poll(None if seconds is None else seconds * 1000 + 1)
    return any(descriptor == also for descriptor, _events in ready)


def _live(orders: Connection, make: Callable[[], Actor]) -> None:
    """The child: obey the test until it says None, and live in between."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    faulthandler.disable()
    actor = make()
    orders.send((True, None))
    while True:
        actor.step()
        if not _wait(actor, None, orders.fileno()):
            continue
        order = orders.recv()
        if order is None:
            break
        name, arguments, options = order
        try:
            outcome = (True, getattr(actor, name)(*arguments, **options))
        except Exception as failure:  # noqa: BLE001 - raised where the test called
            outcome = (False, failure)
        orders.send(outcome)
    actor.close()


A = TypeVar("A", bound=Actor)


class _Apart(Generic[A]):
    """The test's end: every method of the actor, called there."""

    def __init__(self, make: Callable[[], A]) -> None:
        context = multiprocessing.get_context("fork")
        self._orders, orders = context.Pipe()
        self._process = context.Process(target=_live, args=(orders, make), daemon=True)
        self._process.start()
        orders.close()
        self._outcome("the start")

    def __getattr__(self, name: str) -> Callable[..., Any]:
        def call(*arguments: Any, **options: Any) -> Any:
            with contextlib.suppress(BrokenPipeError):
                self._orders.send((name, arguments, options))
            return self._outcome(name)

        return call

    def _outcome(self, name: str) -> Any:
        if not self._orders.poll(HUNG_AFTER):
            self._process.kill()
            raise Died(f"no answer to {name} within {HUNG_AFTER} s")
        try:
            good, value = self._orders.recv()
        except (EOFError, ConnectionResetError):
            self._process.join()
            raise Died(f"ended by {_ending(self._process.exitcode)} during {name}") from None
        if not good:
            raise value
        return value

    def end(self) -> None:
        """End the process, hanging or not."""
        with contextlib.suppress(BrokenPipeError):
            self._orders.send(None)
        self._process.join(5.0)
        if self._process.exitcode is None:
            self._process.kill()
            self._process.join()
        self._process.close()
        self._orders.close()


def _ending(code: int | None) -> str:
    if code is not None and code < 0:
        return signal.Signals(-code).name
    return f"exit code {code}"


@contextlib.contextmanager
def apart(make: Callable[[], A]) -> Iterator[A]:
    """Run the actor that `make` gives in a child process until the end of the block."""
    remote = _Apart(make)
    try:
        yield cast(A, remote)
    finally:
        remote.end()
