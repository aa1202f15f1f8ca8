"""What the rings inside expect to be handed: the shape of the world, for the type checker only."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Callable, Protocol

    class Timer(Protocol):
        """Something that was scheduled."""

        def cancel(self) -> None:
            """Make sure that the callback does not run; harmless when it already ran."""

    class Timers(Protocol):
        """Time, as the loop or the simulator counts it."""

        def now(self) -> float:
            """Return seconds on a clock that never goes back and counts time in suspend."""

        def realtime_us(self) -> int:
            """Return microseconds since the epoch."""

        def monotonic_us(self) -> int:
            """Return microseconds on CLOCK_MONOTONIC, for timestamps that others compare."""

        def call_later(self, delay: float, callback: Callable[[], None]) -> Timer:
            """Call `callback` once, `delay` seconds from now."""

    class Transport(Protocol):
        """The sending half of a stream connection."""

        peer_ip: str

        @property
        def queued(self) -> int:
            """Return how many bytes wait to be sent."""

        def security_context(self) -> str:
            """Return the SELinux context of the peer's process; empty if there is none."""

        def write(self, data: bytes) -> None:
            """Queue bytes; never blocks, never raises for a broken connection."""

        def close(self) -> None:
            """Send what is queued as far as the kernel takes it at once, then close."""

    class Log(Protocol):
        """A structured log; fields are journald field names."""

        level: str

        def set_level(self, level: str) -> None: ...

        def set_quiet(self, quiet: bool) -> None: ...

        def debug(self, message: str, **fields: object) -> None: ...

        def info(self, message: str, **fields: object) -> None: ...

        def warning(self, message: str, **fields: object) -> None: ...

        def error(self, message: str, **fields: object) -> None: ...
