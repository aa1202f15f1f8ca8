"""What hirte ctl tells the administrator to try next, as its last lines on stderr."""

from __future__ import annotations


def hint(text: str) -> str:
    """Return the line of a hint."""
    return f"hirte ctl: hint: {text}\n"


NODES = hint("`hirte ctl nodes` lists the nodes")
FILES = hint("`hirte ctl list-unit-files NODE` lists the unit files of a node")
LOADED = hint("a glob means units that are loaded; name others in full")
OFFLINE = hint(
    "`hirte ctl nodes` tells when a node was last seen;"
    " on the node, see `systemctl status hirte-agent.service`"
)
GOES_ON = hint("`hirte ctl jobs` lists the jobs that go on")
JOBS = hint("`hirte ctl jobs` lists the jobs that are under way")
NOT_RUNNING = hint(
    "on the manager's node, `systemctl status hirte.service` tells why,"
    " `systemctl start hirte.service` starts it"
)
WENT_AWAY = hint(
    "`journalctl -u hirte.service` tells why; what was begun may go on,"
    " see `hirte ctl status NODE UNIT`"
)
NO_BUS = hint("`systemctl status dbus.service` tells why; root needs no bus for this")
MANAGER_HANGS = hint(
    "the manager hangs or has too much to do;"
    " see `systemctl status hirte.service` and `journalctl -u hirte.service`"
)
NODE_HANGS = hint("the node is connected but hangs or is busy; on the node, see `systemctl status`")
COMMANDS = hint("`hirte ctl help` lists the commands")
OPTIONS = hint("`hirte ctl help COMMAND` lists the options; what follows -- is no option")
PROPERTIES = hint("`hirte ctl show NODE UNIT` prints all that a unit has")
