"""The listening socket that the service manager passes: sd_listen_fds(3).

The manager takes one socket at most: a stream socket, TCP or Unix, that listens.
"""

from __future__ import annotations

import os
from _socket import (
    AF_INET,
    AF_INET6,
    AF_UNIX,
    SO_ACCEPTCONN,
    SOCK_STREAM,
    SOL_SOCKET,
    socket,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import MutableMapping

FIRST_FD = 3

VARIABLES = ("LISTEN_FDS", "LISTEN_PID", "LISTEN_PIDFDID", "LISTEN_FDNAMES")

FAMILIES = (AF_INET, AF_INET6, AF_UNIX)


class ActivationError(Exception):
    """What was passed cannot be used; the start fails."""


def inherited_listener(
    environ: MutableMapping[str, str], pid: int = 0, first_fd: int = FIRST_FD
) -> socket | None:
    """Return the listening socket passed to this process, non-blocking, or None.

    The variables are removed from `environ`, so that no child takes them for its own. `pid` is ours
    unless given. Raises ActivationError when more than one descriptor or something else than a
    listening stream socket was passed.
    """
    values = {name: environ.pop(name, "") for name in VARIABLES}
    if values["LISTEN_PID"] != str(pid or os.getpid()):
        return None
    text = values["LISTEN_FDS"]
    if not (text.isascii() and text.isdigit()):
        raise ActivationError(f"LISTEN_FDS {text!r} is not a number")
    count = int(text)
    if count == 0:
        return None
    if count > 1:
        raise ActivationError(f"{count} sockets were passed, only one can be used")
    return _listener(first_fd)


def _listener(fd: int) -> socket:
    try:
        os.set_inheritable(fd, False)
        listener = socket(fileno=fd)
    except OSError as error:
        raise ActivationError(f"descriptor {fd} is no socket: {error.strerror}") from error
    fault = _fault(listener)
    if fault:
        listener.close()
        raise ActivationError(f"descriptor {fd} {fault}")
    listener.setblocking(False)
    return listener


def _fault(listener: socket) -> str:
    if listener.family not in FAMILIES or listener.type != SOCK_STREAM:
        return "is no stream socket of TCP or Unix"
    if not listener.getsockopt(SOL_SOCKET, SO_ACCEPTCONN):
        return "is a socket that does not listen"
    return ""
