"""What errors mean for the administrator: a line that says what and where, an exit code, a hint.

A hint says what to try next. Hints are the same for all nodes and units, so that one is enough for
a hundred failures of a kind.
"""

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
from hirte.ctl.names import unit_name
from hirte.printable import printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

_NODES = "`{program} nodes` lists the nodes"
_FILES = "`{program} list-unit-files NODE` lists the unit files of a node"
LOADED = "a glob means units that are loaded; name others in full"
# Error -> exit code and hint.
_MEANINGS = {
    Timeout: (
        UNREACHABLE,
        "the manager hangs or has too much to do;"
        " see `systemctl status hirte.service` and `journalctl -u hirte.service`",
    ),
    # The texts of the bus and of the manager say who may.
    NotPermitted: (UNREACHABLE, ""),
    NodeOffline: (
        OFFLINE,
        "`{program} nodes` tells when a node was last seen;"
        " on the node, see `systemctl status hirte-agent.service`",
    ),
    NodeUnknown: (UNKNOWN, _NODES),
    UnitUnknown: (UNKNOWN, _FILES),
}
# How the texts of ManagerAway begin -> hint.
_AWAY = {
    NOT_RUNNING: "on the manager's node, `systemctl status hirte.service` tells"
    " why, `systemctl start hirte.service` starts it",
    "the system bus": "`systemctl status dbus.service` tells why; root needs no bus for this",
    **dict.fromkeys(
        ("the manager went away", "the manager stopped", "the manager was not reached again"),
        "`journalctl -u hirte.service` tells why; what was begun may go on,"
        " see `{program} status NODE UNIT`",
    ),
}
_STANDARD = "org.freedesktop.DBus.Error."
# How systemd says that no file is found, for GetUnitFileState.
_NO_FILE = _STANDARD + "FileNotFound"
# How the manager says that an agent, or the agent that its systemd, did not answer in time.
_NO_REPLY = _STANDARD + "NoReply"
_SLOW = "the node is connected but hangs or is busy; on the node, see `systemctl status`"


def failure(error: Error) -> Failure:
    """Return what an error of the client means."""
    text = str(error)
    if isinstance(error, ManagerAway):
        hints = [hint for beginning, hint in _AWAY.items() if text.startswith(beginning)]
        return Failure(text, UNREACHABLE, *hints[:1])
    if isinstance(error, CallError) and error.name == _NO_REPLY and error.node:
        return Failure(text, FAILED, _SLOW)
    return Failure(text, *_MEANINGS.get(type(error), (FAILED, "")))


def file_missing(error: Error, unit: str) -> Failure | None:
    """Return the failure that a node has no such unit file, if that is what the error says."""
    if isinstance(error, CallError) and error.name == _NO_FILE:
        return Failure(f"{error.node}: there is no unit file {unit}", UNKNOWN, _FILES)
    return None


def unit_missing(node: str, unit: str) -> Failure:
    """Return the failure that a node has no such unit."""
    return Failure(f"{node}: unit {unit} could not be found", UNKNOWN, _FILES)


def unknown_node(node: str, known: Iterable[str]) -> Failure:
    """Return the failure that a node is not configured; `known` are those that are."""
    # That node2 is like node1 is no mistake.
    others = [name for name in known if _letters(name) != _letters(node)]
    hint = _NODES
    if unit_name(node) == node:
        hint = f"the node comes first: `{{program}} status NODE {literal(node)}`"
    return Failure(f"no node '{node}' is configured{meant(node, others)}", UNKNOWN, hint)


def literal(word: str) -> str:
    """Return somebody's word as it may stand in a hint, which is printed as a format."""
    return printable(word).replace("{", "{{").replace("}", "}}")


def _letters(name: str) -> str:
    return "".join(c for c in name if not c.isdigit())


def meant(word: str, known: Iterable[str]) -> str:
    """Return the question whether a known word was meant that is like this one, or ""."""
    from hirte.nearest import nearest

    guess = nearest(word, known)
    return f"; did you mean {guess}?" if guess else ""
