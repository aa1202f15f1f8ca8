"""The command line of the benchmark, the order of its rows, and the printing."""

from __future__ import annotations

import argparse
import contextlib
import os
import platform
import signal
import sys
import time

from bench import burst, calls, process
from bench.client import CallFailed
from bench.result import Row, table
from bench.scalesetup import Helper
from bench.setup import FILL, NAMES, Setup, bus_path
from bench.watching import MONITORS
from tests.bed import BedError, Fleet

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType
    from typing import NoReturn

    Measurement = Callable[[Setup, bool], Iterator[Row]]

# In the order in which they run: memory and idleness as long as nothing was asked of hirte.
MEASUREMENTS: dict[str, Measurement] = {
    "memory": process.memory,
    "idle": process.idle,
    "jobs": calls.jobs,
    "burst": burst.burst,
    "lists": calls.lists,
    "properties": calls.properties,
    "start": process.start,
    "ctl": process.ctl,
}

# What the monitors of --monitors watch: a node, and its units.
WATCHED = {
    "others": (NAMES[1], *(FILL.format(number) for number in range(MONITORS))),
    "all": ("*", "*"),
}
# Those that restart the manager, with which monitors end.
RESTARTING = ("memory", "start")

EXIT_INTERRUPTED = 130


def main() -> int:
    """Measure what the command line names; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer samples: only a first look")
    parser.add_argument(
        "--monitors",
        choices=WATCHED,
        help=f"leave out {' and '.join(RESTARTING)}; measure with {MONITORS} monitors open, each on"
        " a unit that is not driven, or each on all units of all nodes",
    )
    parser.add_argument("row", nargs="*", help=f"of {', '.join(MEASUREMENTS)}; default: all")
    options = parser.parse_args()
    unknown = [name for name in options.row if name not in MEASUREMENTS]
    if unknown:
        parser.error(f"unknown row: {', '.join(unknown)}")
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _end)
    try:
        names = options.row or list(MEASUREMENTS)
        rows = list(_measure(names, options.quick, options.monitors))
    except BedError as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    print(f"{table(rows)}\n{_load()} after, the fleet's own included")
    return 0


def _measure(names: list[str], quick: bool, monitors: str | None) -> Iterator[Row]:
    print(f"{platform.release()}, {os.cpu_count()} CPUs, {_load()} before", flush=True)
    with Fleet() as fleet, contextlib.ExitStack() as ends:
        measured = Setup(fleet)
        if monitors:
            command = [sys.executable, "-m", "bench.watching", bus_path(measured.one)]
            Helper(ends, [*command, *WATCHED[monitors]]).listen()
        for name, measurement in MEASUREMENTS.items():
            if name not in names or (monitors and name in RESTARTING):
                continue
            begin = time.monotonic()
            try:
                yield from measurement(measured, quick)
            except (CallFailed, TimeoutError) as error:
                yield Row(name, "", "", "", "", "failed", 0)
                print(f"{name}: {error}\n{measured.journal()}", file=sys.stderr)
            print(f"{name}: {time.monotonic() - begin:.0f} s", file=sys.stderr, flush=True)


def _load() -> str:
    return f"load {os.getloadavg()[0]:.2f}"


def _end(number: int, frame: FrameType | None) -> NoReturn:
    raise SystemExit(128 + number)


if __name__ == "__main__":
    sys.exit(main())
