"""What the client's errors mean for the administrator: one line, and an exit code."""

from __future__ import annotations

from hirte.client.errors import (
    NOT_RUNNING,
    CallError,
    Error,
    ManagerAway,
    NodeOffline,
    NodeUnknown,
    NotPermitted,
    Timeout,
    UnitUnknown,
)
from hirte.ctl.exits import FAILED, OFFLINE, UNKNOWN, UNREACHABLE, Failure

_CODES = {
    ManagerAway: UNREACHABLE,
    Timeout: UNREACHABLE,
    NotPermitted: UNREACHABLE,
    NodeOffline: OFFLINE,
    NodeUnknown: UNKNOWN,
    UnitUnknown: UNKNOWN,
}
# How systemd says that no file is found, for GetUnitFileState.
_NO_FILE = "org.freedesktop.DBus.Error.FileNotFound"


def failure(error: Error) -> Failure:
    """Return what an error of the client means."""
    text = str(error)
    if text.startswith(NOT_RUNNING):
        text += " (see `systemctl status hirte.service`)"
    return Failure(text, _CODES.get(type(error), FAILED))


def file_missing(error: Error, unit: str) -> Failure | None:
    """Return the failure that a node has no such unit file, if that is what the error says."""
    if isinstance(error, CallError) and error.name == _NO_FILE:
        return Failure(f"{error.node}: there is no unit file {unit}", UNKNOWN)
    return None


def unknown_node(node: str) -> Failure:
    """Return the failure that a node is not configured."""
    return Failure(f"no node '{node}' is configured", UNKNOWN)
