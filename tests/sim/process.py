"""A process of the simulated world: its clock, its log, its life."""

from __future__ import annotations

import traceback
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING

from tests.sim.clock import BOOT_US, EPOCH_US, SECOND, Event, microseconds

if TYPE_CHECKING:
    from tests.sim.network import End
    from tests.sim.world import World


class Process:
    """Something that runs on a host and can be killed or frozen; the Timers of what runs in it."""

    def __init__(self, world: World, host: str, name: str, uid: int = 0) -> None:
        self.world = world
        self.uid = uid
        self.host = host
        self.name = name
        self.alive = True
        # What its kernel holds for it.
        self.ends: list[End] = []
        self._backlog: deque[Callable[[], None]] | None = None

    # The Timers port

    def now(self) -> float:
        return (BOOT_US + self.world.clock.now_us) / SECOND

    def realtime_us(self) -> int:
        return EPOCH_US + self.world.clock.now_us

    def monotonic_us(self) -> int:
        return BOOT_US + self.world.clock.now_us

    def call_later(self, delay: float, callback: Callable[[], None]) -> Event:
        # A timer that is cancelled while its process is frozen must not run when it thaws.
        timer = Event(callback)

        def due() -> None:
            found, timer.callback = timer.callback, None
            if found is not None:
                found()

        self.world.clock.after(microseconds(delay), self.name, lambda: self.run(due))
        return timer

    # Its life

    def run(self, callback: Callable[[], None]) -> None:
        """Let the process do something, as its loop would: now, or when it thaws."""
        if not self.alive:
            return
        if self._backlog is not None:
            self._backlog.append(callback)
            return
        try:
            callback()
        except Exception:  # noqa: BLE001 - what the loop's guard would report
            self.world.bugs.append(f"{self.name}: {traceback.format_exc()}")

    def kill(self) -> None:
        """End it at once; the kernel closes its streams."""
        self.alive = False
        for end in list(self.ends):
            end.close()

    def vanish(self) -> None:
        """End it with its host's power: nobody closes anything."""
        self.alive = False
        for end in list(self.ends):
            end.vanish()

    @property
    def frozen(self) -> bool:
        """Tell whether it is stopped."""
        return self._backlog is not None

    def freeze(self) -> None:
        """Stop it without ending it: its kernel still takes what comes."""
        if self._backlog is None:
            self._backlog = deque()

    def thaw(self) -> None:
        """Let it go on, first with what has come meanwhile."""
        backlog, self._backlog = self._backlog or deque(), None
        while backlog and self._backlog is None:
            self.run(backlog.popleft())


class SimLog:
    """Keeps the lines of one process; an error that names a bug fails the world."""

    def __init__(self, process: Process) -> None:
        self.level = "INFO"
        self.quiet = False
        self.lines: list[str] = []
        self._process = process

    def set_level(self, level: str) -> None:
        if level not in ("DEBUG", "INFO", "WARN", "ERROR"):
            raise ValueError(f"no such level: {level}")
        self.level = level

    def set_quiet(self, quiet: bool) -> None:
        self.quiet = quiet

    def debug(self, message: str, **fields: object) -> None:
        self._line("debug", message)

    def info(self, message: str, **fields: object) -> None:
        self._line("info", message)

    def warning(self, message: str, **fields: object) -> None:
        self._line("warning", message)

    def error(self, message: str, **fields: object) -> None:
        self._line("error", message)
        if message.startswith("Bug:"):
            bug = f"{self._process.name}: {message}\n{fields.get('DATA')}"
            self._process.world.bugs.append(bug)

    def _line(self, kind: str, message: str) -> None:
        if not self.quiet:
            self.lines.append(f"{self._process.world.clock.now_us / SECOND:.6f} {kind} {message}")
