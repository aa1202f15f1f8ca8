"""Whole processes: memory, the time a start takes, the commands of ctl, the cost of being idle."""

from __future__ import annotations

import time

from bench import proc, setup
from bench.client import Client
from bench.launcher import BARE, PYTHON, Launcher
from bench.result import Row, absolute, ratio
from tests.bed.product import NAME

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from bench.setup import Setup

_PROGRAM = "/usr/bin/hirte"
_SLEEPER = (PYTHON, "-I", "-S", "-c", "import time; time.sleep(3600)")
_OWNER = f"type='signal',sender='org.freedesktop.DBus',member='NameOwnerChanged',arg0='{NAME}'"
# NameOwnerChanged ends with the new owner: the empty text when there is none.
_NO_OWNER = b"\0\0\0\0\0"
# Until a bare interpreter sleeps.
_START_SECONDS = 0.3
_IDLE_SECONDS = 60.0
_QUICK_SECONDS = 10.0


def memory(fleet: Setup, quick: bool) -> Iterator[Row]:
    """Private pages of idle processes that started just now, and of a bare interpreter beside."""
    floor: dict[str, list[float]] = {"manager": [], "agent": []}
    ours: dict[str, list[float]] = {"manager": [], "agent": []}
    with Launcher(fleet.one) as on_one, Launcher(fleet.two) as on_two:
        for _ in range(2 if quick else 5):
            # Where the kernel puts a process's memory is drawn anew at each start.
            fleet.stop_hirte()
            fleet.start_hirte(fleet.nodes)
            time.sleep(setup.SETTLE_SECONDS)
            for name, node, pid, launcher in (
                ("manager", fleet.one, fleet.manager_pid(), on_one),
                ("agent", fleet.two, fleet.agent_pid(), on_two),
            ):
                node_root = str(node.root)
                # One at a time: two would share what is counted.
                _, bare = launcher.start(_SLEEPER)
                time.sleep(_START_SECONDS)
                floor[name].append(proc.private_megabytes(bare, node_root))
                ours[name].append(proc.private_megabytes(pid, node_root))
                launcher.stop()
    for name, samples in ours.items():
        yield ratio(f"private memory: {name}", floor[name], samples, 1.8, "MB")


def start(fleet: Setup, quick: bool) -> Iterator[Row]:
    """From exec until the manager's bus name is owned, and until an agent is registered."""
    count = 5 if quick else 30
    fleet.stop_hirte()
    with Launcher(fleet.one) as launcher, fleet.public() as watcher:
        watcher.match(_OWNER)
        floor, ours = _time_starts(
            launcher,
            watcher,
            "manager",
            lambda message: not message.endswith(_NO_OWNER),
            lambda message: message.endswith(_NO_OWNER),
            count,
        )
        yield ratio("start until the manager's name is owned", floor, ours, 4.0)
    fleet.start_hirte(fleet.nodes[:1])
    with Launcher(fleet.two) as launcher, fleet.public() as watcher:
        path = setup.node_object(fleet.two).path
        watcher.match(f"type='signal',member='PropertiesChanged',path='{path}'")
        floor, ours = _time_starts(
            launcher,
            watcher,
            "agent",
            lambda message: b"online\0" in message,
            lambda message: b"offline\0" in message,
            count,
        )
        yield ratio("start until the agent is registered", floor, ours, 5.0)
    fleet.start_hirte(fleet.nodes)


def _time_starts(
    launcher: Launcher,
    watcher: Client,
    mode: str,
    is_up: Callable[[bytes], bool],
    is_down: Callable[[bytes], bool],
    count: int,
) -> tuple[list[float], list[float]]:
    floor = []
    ours = []
    for _ in range(count):
        floor.append(launcher.time_run(BARE))
        begin, _ = launcher.start((_PROGRAM, mode))
        ours.append(watcher.time_of_signal(is_up) - begin)
        launcher.stop()
        watcher.time_of_signal(is_down)
    return floor, ours


def ctl(fleet: Setup, quick: bool) -> Iterator[Row]:
    """Commands that answer at once."""
    count = 10 if quick else 50
    for name, words, bar in (
        ("version", ("version",), 3.0),
        ("status", ("status",), 5.0),
        # What a TAB costs: words of the tables, and names that the manager has to be asked for.
        ("__complete", ("__complete", "start", "--"), 4.0),
        ("__complete of nodes", ("__complete", "start", ""), 4.0),
    ):
        command = (_PROGRAM, "ctl", *words)
        with Launcher(fleet.one) as launcher:
            floor, ours = _time_runs(launcher, command, count)
        yield ratio(f"hirte ctl {name}", floor, ours, bar)


def _time_runs(
    launcher: Launcher, command: Sequence[str], count: int
) -> tuple[list[float], list[float]]:
    floor = []
    ours = []
    for _ in range(count):
        floor.append(launcher.time_run(BARE))
        ours.append(launcher.time_run(command))
    return floor, ours


def idle(fleet: Setup, quick: bool) -> Iterator[Row]:
    """CPU of processes that nobody asks anything, with heartbeats both ways."""
    seconds = _QUICK_SECONDS if quick else _IDLE_SECONDS
    time.sleep(setup.SETTLE_SECONDS)
    processes = (
        ("manager", fleet.one, fleet.manager_pid()),
        ("agent", fleet.two, fleet.agent_pid()),
    )
    before = [setup.cpu_seconds(node, pid) for _, node, pid in processes]
    time.sleep(seconds)
    after = [setup.cpu_seconds(node, pid) for _, node, pid in processes]
    for (name, _, _), first, last in zip(processes, before, after):
        spent = (last - first) * 1000 * _IDLE_SECONDS / seconds
        yield absolute(f"idle CPU in 60 s: {name}", [spent], 10, "ms")
