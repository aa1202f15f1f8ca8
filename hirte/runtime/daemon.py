"""What every daemon needs around its decisions: loop, signals, readiness, watchdog, exit code."""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]
import os

from hirte.runtime.loop import Loop
from hirte.runtime.notify import Notifier, watchdog_interval

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from hirte.runtime.log import Log

# Seconds until the next attempt when the service manager had no room for the news that we live. It
# waits for at least half of the watchdog's time after that, enough for many attempts.
_WATCHDOG_RETRY = 0.1

_MACHINE_ID_FILES = ("/etc/machine-id", "/var/lib/dbus/machine-id")


class Daemon:
    """The frame of one daemon process. The mode sets `on_stop`, which ends its decisions."""

    def __init__(self, log: Log, environ: Mapping[str, str]) -> None:
        self.log = log
        self.loop = Loop(self._bug)
        self.on_stop: Callable[[], None] | None = None
        self._notifier = Notifier(environ, log)
        self._exit_code = 0
        self._interval = watchdog_interval(environ, log)
        self._stopping = False
        for number in (_signal.SIGTERM, _signal.SIGINT):
            self.loop.on_signal(number, self.stop)
        self.loop.on_signal(_signal.SIGHUP, self._hangup)

    def run(self) -> int:
        """Run until a signal or :meth:`fail`; return the exit code."""
        if self._interval:
            self._feed_watchdog(self._interval)
        self.loop.run()
        return self._exit_code

    def ready(self, status: str) -> None:
        """Tell the service manager that the start is complete."""
        self._notifier.ready(status)

    def status(self, status: str) -> None:
        """Tell the service manager one line that `systemctl status` shows."""
        self._notifier.status(status)

    def fail(self, why: str) -> None:
        """End the process with exit code 1."""
        self.log.error(why)
        self._exit_code = 1
        self.stop()

    def stop(self) -> None:
        """End the process in order: what `on_stop` sends goes out before."""
        if self._stopping:
            return
        self._stopping = True
        self._notifier.stopping()
        try:
            if self.on_stop:
                self.on_stop()
        finally:
            self.loop.stop()

    def _hangup(self) -> None:
        self.log.info("SIGHUP is ignored: the configuration is read at the start only")

    def _feed_watchdog(self, interval: float) -> None:
        told = self._notifier.watchdog()
        delay = interval if told else min(interval, _WATCHDOG_RETRY)
        self.loop.call_later(delay, lambda: self._feed_watchdog(interval))

    def _bug(self, error: Exception) -> None:
        import traceback

        trace = "".join(traceback.format_exception(type(error), error, error.__traceback__))
        self.log.error(f"Bug: {type(error).__name__}: {error}", DATA=trace)


def machine_id() -> str:
    """Return this machine's id, 32 hexadecimal digits; zeros if it has none."""
    for path in _MACHINE_ID_FILES:
        try:
            with open(path, encoding="ascii") as file:
                return file.read().strip()
        except OSError:
            continue
    return "0" * 32


def random_guid() -> str:
    """Return 32 random hexadecimal digits, a D-Bus server's id."""
    return os.urandom(16).hex()
