"""Monitors that are open while something else is measured.

    python -m bench.watching BUS_PATH NODE UNIT...

One client on the bus opens MONITORS monitors. Each subscribes to one of the UNITs of NODE, by
turns; `*` may stand for either. What they are told is read and dropped, so that nothing piles up at
the bus. It says `watching` when all are open, and ends with standard input.
"""

from __future__ import annotations

import select
import sys

from bench.client import Client, Target, open_bus
from bench.setup import MANAGER
from hirte.wire.message import parse
from tests.bed.product import NAME

MONITORS = 20
_READ_BYTES = 1 << 18


def open_monitors(client: Client, count: int, node: str, units: list[str]) -> None:
    """Open `count` monitors on units of `node`, by turns."""
    for number in range(count):
        answer = client.ask(client.prepare(MANAGER, "CreateMonitor"))
        (path,) = parse(answer, 0, len(answer)).values()
        monitor = Target(path, NAME + ".Monitor", NAME)
        client.ask(client.prepare(monitor, "Subscribe", "ss", node, units[number % len(units)]))


def main() -> None:
    """Watch until standard input is closed."""
    path, node, *units = sys.argv[1:]
    with open_bus(path) as client:
        open_monitors(client, MONITORS, node, units)
        print("watching", flush=True)
        while sys.stdin not in select.select([sys.stdin, client], [], [])[0]:
            client.drop(_READ_BYTES)


if __name__ == "__main__":
    main()
