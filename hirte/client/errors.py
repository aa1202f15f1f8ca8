"""What can go wrong, by whose fault. Every text is one for people, and complete."""

from __future__ import annotations

NOT_RUNNING = "the manager is not running"
MANAGER_GONE = "the manager went away"
MANAGER_STOPPED = "the manager stopped before it answered"
BUS_GONE = "the system bus went away: {reason}"
USER_BUS_GONE = "the user bus went away: {reason}"


class Error(Exception):
    """The base of all errors of this library."""


class ManagerAway(Error):
    """There is no manager to talk to, or no longer: connect again. What was asked may be done."""


class Timeout(Error, TimeoutError):
    """Nothing came within the time given. The wait has ended, what was asked for goes on."""


class CallError(Error):
    """A call was answered by an error: of the manager, a node's agent, its systemd, or the bus.

    `name` is the D-Bus error's name, `text` its text, `node` the node that was called, if any.
    """

    def __init__(self, name: str, text: str, node: str = "") -> None:
        super().__init__(name, text, node)
        self.name = name
        self.text = text
        self.node = node

    def __str__(self) -> str:
        what = self.text or self.name
        return f"{self.node}: {what}" if self.node else what


class NotPermitted(CallError):
    """Only root, and the user that the manager runs as, may do this."""

    def __str__(self) -> str:
        return f"not permitted: {self.text or self.name}"


class NodeOffline(CallError):
    """The node's agent is not connected."""

    def __str__(self) -> str:
        return f"{self.node} is offline"


class NodeUnknown(CallError):
    """No node of this name is configured."""

    def __str__(self) -> str:
        return f"no node '{self.node}' is configured"


class UnitUnknown(CallError):
    """The node's systemd knows no unit of this name."""
