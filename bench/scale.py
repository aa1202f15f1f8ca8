"""`make bench-scale`: what the number of agents costs the manager.

    python -m bench.scale [--quick]

`scalesetup.py` starts what is measured, `scaleagents.py` plays the agents, `scalesink.py` is the
floor. docs/benchmarks.md has the method. It prints, it asserts nothing.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import platform
import signal
import sys
import time

from bench.client import CallFailed, Client, Target
from bench.proc import cpu_seconds, private_megabytes
from bench.result import Row, absolute, difference, ratio, table
from bench.scalesetup import MANAGER, Ours, Sink, floor_object, node_object
from bench.watching import MONITORS, open_monitors

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from types import FrameType
    from typing import NoReturn

FEW, SOME, MANY = 10, 100, 1000
COUNTS = (FEW, SOME, MANY)
# How often in a row before it is the next one's turn.
_TURN = 10
# Walks over all nodes of a fleet in an order that no cache likes; prime to all COUNTS.
_STRIDE = 37
# Longer than the manager takes to settle after a thousand agents came or went.
_SETTLE_SECONDS = 1.0

# How the heartbeats are distributed over the two seconds.
_BEATS = {"beat": ", spread heartbeats", "beat together": ", heartbeats in step"}

EXIT_INTERRUPTED = 130


def main() -> int:
    """Measure everything; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m bench.scale", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer samples: only a first look")
    quick = parser.parse_args().quick
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _end)
    print(f"{platform.release()}, {os.cpu_count()} CPUs, {_load()} before", flush=True)
    try:
        rows = list(_measure(quick))
    except CallFailed as error:
        print(f"bench-scale: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    print(f"{table(rows)}\n{_load()} after")
    return 0


def _measure(quick: bool) -> Iterator[Row]:
    with contextlib.ExitStack() as ends:
        fleets = [ends.enter_context(Ours(count)) for count in COUNTS]
        sink = ends.enter_context(Sink())
        many = fleets[-1]
        yield from _registrations(many, sink, 3 if quick else 10)
        for fleet in fleets[:-1]:
            fleet.register()
        yield from _idleness(many, sink, 4.0 if quick else 10.0)
        yield from _calls(fleets, 50 if quick else 400, "")
        yield from _lists(many, 20 if quick else 100)
        for fleet in fleets:
            _watch(fleet, ends.enter_context(fleet.public()))
        yield from _calls(fleets, 50 if quick else 400, f", {MONITORS} monitors")


def _registrations(fleet: Ours, sink: Sink, count: int) -> Iterator[Row]:
    """Return the rows of the first samples, which come while no agent is there yet."""
    alone = private_megabytes(fleet.manager)
    floor: list[float] = []
    ours: list[float] = []
    for _ in range(count):
        floor.append(float(fleet.agents.ask(f"register {sink.port}")))
        fleet.agents.ask("leave")
        ours.append(fleet.register())
        fleet.leave()
        time.sleep(_SETTLE_SECONDS)
    yield absolute(
        f"{MANY} registrations at once", _milliseconds(ours), 500, "ms", _milliseconds(floor)
    )
    fleet.register()
    time.sleep(_SETTLE_SECONDS)
    crowded = private_megabytes(fleet.manager)
    yield absolute(f"private memory with {MANY} agents", [crowded], None, "MB", [alone])
    yield absolute("  for each agent", [(crowded - alone) * 1024 / MANY], None, "kB")


def _idleness(fleet: Ours, sink: Sink, seconds: float) -> Iterator[Row]:
    """Leave the fleet's agents registered, and at rest."""
    ours = [_idle_cpu(fleet, fleet.manager, order, seconds) for order in _BEATS]
    fleet.leave()
    fleet.agents.ask(f"register {sink.port}")
    floor = [_idle_cpu(fleet, sink.pid, order, seconds) for order in _BEATS]
    fleet.agents.ask("leave")
    fleet.register()
    for words, mine, least in zip(_BEATS.values(), ours, floor):
        yield absolute(f"CPU in a second, {MANY} agents{words}", [mine], 15, "ms", [least])


def _idle_cpu(fleet: Ours, pid: int, order: str, seconds: float) -> float:
    fleet.agents.ask(order)
    time.sleep(_SETTLE_SECONDS)
    before = cpu_seconds(pid)
    time.sleep(seconds)
    spent = cpu_seconds(pid) - before
    fleet.agents.ask("rest")
    return spent / seconds * 1000


def _calls(fleets: Sequence[Ours], count: int, circumstances: str) -> Iterator[Row]:
    """GetUnitProperty of one node after the other, the fleets taking turns."""
    floor: dict[int, list[float]] = {fleet.count: [] for fleet in fleets}
    ours: dict[int, list[float]] = {fleet.count: [] for fleet in fleets}
    spent = dict.fromkeys(ours, 0.0)
    with contextlib.ExitStack() as ends:
        clients = [ends.enter_context(fleet.public()) for fleet in fleets]
        for turn in range(count // _TURN):
            for fleet, client in zip(fleets, clients):
                fleet.agents.ask("beat")
                first = turn * _TURN * _STRIDE
                nodes = [(first + step * _STRIDE) % fleet.count for step in range(_TURN + 1)]
                targets = [node_object(number) for number in nodes]
                floor[fleet.count] += _ask_all(client, map(floor_object, targets))
                before = cpu_seconds(fleet.manager)
                ours[fleet.count] += _ask_all(client, iter(targets))
                spent[fleet.count] += cpu_seconds(fleet.manager) - before
                fleet.agents.ask("rest")
    for number, times in ours.items():
        figure = f"GetUnitProperty, {number} agents{circumstances}"
        yield difference(figure, floor[number], times, None)
    figure = f"  {MANY} agents (ours) against {FEW} (floor)"
    yield ratio(figure, ours[FEW], ours[MANY], 1.3)
    few, many = ([spent[number] * 1e6 / _asked(count)] for number in (FEW, MANY))
    yield absolute("  the same, the manager's time on a processor", many, None, "us", few)


def _asked(count: int) -> int:
    """Return how many calls are made for `count` that are timed."""
    return count // _TURN * (_TURN + 1)


def _ask_all(client: Client, targets: Iterator[Target]) -> list[float]:
    """Return the times of all calls but the first, which finds cold caches."""
    words = ("a.service", "org.freedesktop.systemd1.Unit", "ActiveState")
    return [
        client.time_call(client.prepare(target, "GetUnitProperty", "sss", *words))
        for target in targets
    ][1:]


def _lists(fleet: Ours, count: int) -> Iterator[Row]:
    """ListNodes, and ListUnits of all nodes, with heartbeats."""
    fleet.agents.ask("beat")
    with fleet.public() as client:
        direct = floor_object(MANAGER)

        def ask(target: Target, member: str) -> Callable[[], float]:
            return lambda: client.time_call(client.prepare(target, member))

        floor, ours = _alternate(ask(direct, "ListNodes"), ask(MANAGER, "ListNodes"), count)
        units = [ask(MANAGER, "ListUnits")() for _ in range(count // 5)]
    fleet.agents.ask("rest")
    yield absolute(
        f"ListNodes, {fleet.count} nodes", _milliseconds(ours), 2, "ms", _milliseconds(floor)
    )
    yield absolute(f"ListUnits, {fleet.count} nodes of 3 units", _milliseconds(units), None, "ms")


def _alternate(
    floor: Callable[[], float], ours: Callable[[], float], count: int
) -> tuple[list[float], list[float]]:
    pairs = [(floor(), ours()) for _ in range(count)]
    return [first for first, _ in pairs], [second for _, second in pairs]


def _watch(fleet: Ours, client: Client) -> None:
    """Let `client` watch everything MONITORS times, and wait for what it is told at first."""
    open_monitors(client, MONITORS, "*", ["*"])
    # Each agent says once that all is watched. The manager has told all monitors of that when it
    # answers, and the bus keeps the order.
    time.sleep(_SETTLE_SECONDS)
    client.ask(client.prepare(MANAGER, "ListNodes"))


def _milliseconds(seconds: Sequence[float]) -> list[float]:
    return [1000 * sample for sample in seconds]


def _load() -> str:
    return f"load {os.getloadavg()[0]:.2f}"


def _end(number: int, frame: FrameType | None) -> NoReturn:
    raise SystemExit(128 + number)


if __name__ == "__main__":
    sys.exit(main())
