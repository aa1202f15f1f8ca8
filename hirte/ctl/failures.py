"""What the client's errors mean for the administrator: one line, and an exit code."""

from __future__ import annotations

from hirte.client.errors import (
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
_NOT_RUNNING = "the manager is not running"


def failure(error: Error) -> Failure:
    """Return what an error of the client means."""
    text = str(error)
    if text.startswith(_NOT_RUNNING):
        text += " (see `systemctl status hirte.service`)"
    return Failure(text, _CODES.get(type(error), FAILED))


def unknown_node(node: str) -> Failure:
    """Return the failure that a node is not configured."""
    return Failure(f"no node '{node}' is configured", UNKNOWN)
