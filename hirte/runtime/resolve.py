"""Host names to addresses without blocking the loop and without threads.

getaddrinfo(3) knows every way the host resolves names, but it waits. So a forked child calls it and
writes the result into a pipe that the loop reads. The child ends with its only write: the end of
the pipe tells that it is over, and only then it is reaped, so its process id is ours until then.
"""

from __future__ import annotations

import os
from _socket import (
    AF_INET,
    AF_INET6,
    AF_UNSPEC,
    SOCK_STREAM,
    getaddrinfo,
    inet_pton,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from signal import SIG_DFL, SIGINT, SIGKILL, SIGTERM, set_wakeup_fd, signal
    from typing import NoReturn

    from hirte.runtime.loop import Loop, Timer

    Lookup = Callable[[str], str]
    OnDone = Callable[["str | None", str], None]
else:
    from _signal import SIG_DFL, SIGINT, SIGKILL, SIGTERM, set_wakeup_fd, signal

# resolv.conf(5) gives a server 5 s by default: the second one still gets its turn.
RESOLVE_SECONDS = 12.0

# A host name has at most 255 bytes, an error text is a line: more is not from our child.
ANSWER_BYTES_MAX = 4096

_STDERR = 2

_FOUND = b"+"
_FAILED = b"-"


class Resolution:
    """A name that is being looked up."""

    __slots__ = ("_answer", "_fd", "_host", "_loop", "_on_done", "_pid", "_timer")

    def __init__(self, loop: Loop, host: str, on_done: OnDone, lookup: Lookup) -> None:
        self._loop = loop
        self._host = host
        self._on_done: OnDone | None = on_done
        self._answer = b""
        self._fd, write_fd = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        try:
            self._pid = os.fork()
        except OSError:
            os.close(self._fd)
            os.close(write_fd)
            raise
        if self._pid == 0:
            _child(host, write_fd, lookup)
        os.close(write_fd)
        loop.add_reader(self._fd, self._on_readable)
        self._timer: Timer | None = loop.call_later(RESOLVE_SECONDS, self._on_timeout)

    def cancel(self) -> None:
        """Forget the question: `on_done` will not be called."""
        if self._on_done is not None:
            self._on_done = None
            self._stop_timer()
            self._kill()

    def _on_timeout(self) -> None:
        self._timer = None
        self._kill()
        self._tell(None, f"{self._host}: no answer within {RESOLVE_SECONDS:g} s")

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _kill(self) -> None:
        """End the child; the end of the pipe tells when it is gone."""
        try:
            os.kill(self._pid, SIGKILL)
        except ProcessLookupError:
            pass  # it has just ended, and somebody who reaps all children was faster

    def _on_readable(self) -> None:
        data = os.read(self._fd, ANSWER_BYTES_MAX)
        if data:
            self._answer += data
            return
        self._loop.remove_reader(self._fd)
        os.close(self._fd)
        self._stop_timer()
        try:
            os.waitpid(self._pid, 0)
        except ChildProcessError:
            pass  # somebody who reaps all children was faster
        text = self._answer[1:].decode("utf-8", "replace")
        if self._answer.startswith(_FOUND):
            self._tell(text, "")
        elif self._answer.startswith(_FAILED):
            self._tell(None, f"{self._host}: {text}")
        else:
            self._tell(None, f"{self._host}: the look-up ended without an answer")

    def _tell(self, address: str | None, error: str) -> None:
        on_done, self._on_done = self._on_done, None
        if on_done is not None:
            on_done(address, error)


def first_address(host: str) -> str:
    """Return the first address of `host`, as the reference takes it. Blocks; raises OSError."""
    # A text that is given as such makes Python load its codec for international names.
    name = host.encode() if host.isascii() else host
    return str(getaddrinfo(name, None, AF_UNSPEC, SOCK_STREAM)[0][4][0])


def is_literal(host: str) -> bool:
    """Tell whether `host` is an address already."""
    for family in (AF_INET, AF_INET6):
        try:
            inet_pton(family, host)
        except (OSError, ValueError):
            continue
        return True
    return False


def resolve(
    loop: Loop, host: str, on_done: OnDone, lookup: Lookup = first_address
) -> Resolution | None:
    """Find the first address of `host`, then call `on_done(address, "")` or `on_done(None, error)`.

    A literal address needs no question: `on_done` is called before this returns None. So it is
    when no child can be started.
    """
    if is_literal(host):
        on_done(host, "")
        return None
    try:
        return Resolution(loop, host, on_done, lookup)
    except OSError as error:
        on_done(None, f"{host}: cannot start the look-up: {error.strerror}")
        return None


def _child(host: str, write_fd: int, lookup: Lookup) -> NoReturn:
    """Look up, answer, end. Whatever happens, nothing of the parent's code runs on here."""
    try:
        # Signals and connections are the parent's: a copy held here would keep them open.
        set_wakeup_fd(-1)
        signal(SIGTERM, SIG_DFL)
        signal(SIGINT, SIG_DFL)
        # Those that are there: there may be a thousand million that could be, and until Python 3.10
        # os.closerange() takes them one by one.
        for fd in map(int, os.listdir("/proc/self/fd")):
            if fd > _STDERR and fd != write_fd:
                os.closerange(fd, fd + 1)
        try:
            answer = _FOUND + lookup(host).encode()
        except (OSError, ValueError) as error:
            answer = _FAILED + str(error.args[-1]).encode()
        os.write(write_fd, answer[:ANSWER_BYTES_MAX])
    finally:
        os._exit(0)
