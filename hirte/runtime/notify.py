"""Telling the service manager how we are: sd_notify(3) and the watchdog.

Without NOTIFY_SOCKET every call does nothing. A notification that fails is logged: a service
manager that waits in vain kills us, and then the log says why.
"""

from __future__ import annotations

import os
from _socket import AF_UNIX, SOCK_CLOEXEC, SOCK_DGRAM, socket

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from hirte.runtime.log import Log

# How long to wait with what is told once, at start and end. What comes again does not wait.
SEND_SECONDS = 2.0

MICROSECONDS = 1_000_000


class Notifier:
    """The way to the service manager that started us."""

    __slots__ = ("_address", "_log")

    def __init__(self, environ: Mapping[str, str], log: Log) -> None:
        self._log = log
        self._address = b""
        address = environ.get("NOTIFY_SOCKET", "")
        if address.startswith(("/", "@")):
            raw = os.fsencode(address)
            self._address = b"\0" + raw[1:] if address.startswith("@") else raw
        elif address:
            log.warning(f"NOTIFY_SOCKET {address!r} is no Unix socket: nobody is notified")

    def ready(self, status: str) -> None:
        """Tell that the start is complete."""
        self._send(SEND_SECONDS, "READY=1", _status(status))

    def status(self, status: str) -> None:
        """Tell in one line what we do."""
        self._send(0, _status(status))

    def stopping(self) -> None:
        """Tell that the end has begun."""
        self._send(SEND_SECONDS, "STOPPING=1")

    def watchdog(self) -> bool:
        """Tell that we are alive; False if there was no room for it now, so try again soon.

        systemd's queue has room for ten messages, and journald fills it while many units start.
        """
        try:
            self._try(0, "WATCHDOG=1")
        except BlockingIOError:
            return False
        except OSError as error:
            self._failed("WATCHDOG=1", error)
        return True

    def _send(self, seconds: float, *lines: str) -> None:
        try:
            self._try(seconds, *lines)
        except OSError as error:
            self._failed(lines[0], error)

    def _try(self, seconds: float, *lines: str) -> None:
        if not self._address:
            return
        channel = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC)
        try:
            channel.settimeout(seconds)
            channel.sendto("\n".join(lines).encode("utf-8", "replace"), self._address)
        finally:
            channel.close()

    def _failed(self, what: str, error: OSError) -> None:
        self._log.warning(f"cannot notify the service manager of {what}: {error}")


def watchdog_interval(environ: Mapping[str, str], log: Log, pid: int = 0) -> float | None:
    """Return the seconds after which to call `Notifier.watchdog` each time, or None for never.

    It is half of the time after which the service manager acts, as sd_watchdog_enabled(3) advises.
    `pid` is ours unless given.
    """
    microseconds = environ.get("WATCHDOG_USEC", "")
    meant = environ.get("WATCHDOG_PID", "")
    if not microseconds or (meant and meant != str(pid or os.getpid())):
        return None
    if not (microseconds.isascii() and microseconds.isdigit()) or int(microseconds) == 0:
        log.warning(f"WATCHDOG_USEC {microseconds!r} is no time: the watchdog is not fed")
        return None
    return int(microseconds) / MICROSECONDS / 2


def _status(text: str) -> str:
    # A line of its own would be an assignment of its own.
    return "STATUS=" + " ".join(text.split())
