"""What the manual pages say in words of their own; the rest of them is from tables and documents.

All texts are Markdown.
"""

from __future__ import annotations

from pathlib import Path

import markdown

ROOT = Path(__file__).resolve().parent.parent

# Page -> what apropos(1) tells of it.
NAMES = {
    "hirte": "start, stop and watch systemd services on many machines",
    "hirte-manager": "offer one D-Bus API for the systemd services of many machines",
    "hirte-agent": "manage the systemd services of a machine for a hirte manager",
    "hirte-ctl": "control the systemd services of many machines",
    "hirte-online": "tell whether an agent, a node or the whole system is online",
    "hirte-proxy": "ask the agent for a proxy of a unit of another node",
    "hirte.conf": "configuration of the hirte manager",
    "hirte-agent.conf": "configuration of the hirte agent",
}
SEE_ALSO = {
    "hirte": 1, "hirte-ctl": 1, "hirte-online": 1, "hirte.conf": 5, "hirte-agent.conf": 5,
    "hirte-manager": 8, "hirte-agent": 8, "hirte-proxy": 8,
}  # fmt: skip
# Pages of other programs.
SEE_ALSO_MORE = {
    "hirte-ctl": {"systemctl": 1, "systemd.resource-control": 5},
    "hirte-agent": {"systemd": 1},
}

HIRTE = (
    "hirte starts, stops and watches systemd services on many machines, over D-Bus, from one of"
    " them. A manager runs on the primary machine, an agent on every managed one. It decides"
    " nothing by itself: it carries out what an administrator or a program asks for, answers every"
    " request once, and reports every change of state in order.",
    "All of it is one file, whose first word chooses the mode.",
)
PROGRAM_NAMES = (
    "Through a symbolic link the file is a program of that name: the mode is in the name, and the"
    " word for it is left out. Those that begin with `bluechi-` are those of Eclipse BlueChi:"
    " its files, options and bus names are taken then.",
)
HIRTE_CODES = {
    0: "help or version was printed",
    2: "there is no such mode",
    130: "interrupted; all other codes are those of the mode",
}
HIRTE_FILES = (
    ("`/run/hirte/private`", "The manager's API for root, without a bus in between."),
    ("`/run/hirte/hirte.sock`", "Where the agent on the manager's machine may connect."),
)
HIRTE_EXAMPLES = (
    ("`hirte ctl`", "Show all nodes, and the units that failed."),
    ("`hirte ctl restart 'ecu-*' nav.service`", "Restart a unit on many nodes, and wait for it."),
    ("`hirte manager --check-config`", "Print the manager's settings, and where each comes from."),
    ("`hirte online system && echo complete`", "Do something only if all nodes are online."),
)

DAEMONS = {
    "manager": (
        "It runs on the primary machine. Agents connect to it, by TCP or on a Unix socket; clients"
        " call it on the system bus as `org.containers.hirte`, and root also without a bus, on"
        " `/run/hirte/private`. Only nodes that are configured may register.",
        "Usually `hirte.service` runs it.",
    ),
    "agent": (
        "It runs on every managed machine, connects to the manager, and does there what the manager"
        " asks for. While the manager cannot be reached it goes on trying, and leaves the services"
        " alone.",
        "Usually `hirte-agent.service` runs it; with `--user` it is for the units of a user.",
    ),
}
SIGNALS = (
    ("`SIGTERM`, `SIGINT`", "End in order."),
    ("`SIGHUP`", "Is logged and ignored: files are read at the start only."),
)
DAEMON_CODES = {
    0: "ended by a signal, or help, version or settings were printed",
    1: "wrong usage, a broken configuration, or it cannot go on; log or standard error say why",
}
DAEMON_FILES = {
    "manager": (
        ("`/run/hirte/hirte.sock`", "For the agent on the same machine, if UseUDS is set."),
        ("`/run/hirte/private`", "The API for root, without a bus in between."),
    ),
    "agent": (("`/run/systemd/private`", "How root's agent speaks to systemd."),),
}
DAEMON_EXAMPLES = {
    "manager": (
        ("`hirte manager --check-config`", "Print the settings, and where each comes from."),
        (
            "`HIRTE_LOG_TARGET=stderr hirte manager --port 8420`",
            "Run it by hand, and see what it logs.",
        ),
    ),
    "agent": (
        ("`hirte agent --check-config`", "Print the settings, and where each comes from."),
        (
            "`HIRTE_LOG_TARGET=stderr hirte agent --name node1 --host 192.0.2.1`",
            "Run it by hand for a manager on another machine, and see what it logs.",
        ),
    ),
}
SETTINGS_ARE = "All settings are told in `{page}`(5); those that are options here win over files."

ONLINE = (
    "For scripts and units. `agent` asks the agent of this machine, `node` and `system` ask"
    " the manager on it, over the system bus. The answer is the exit code; when it is offline, a"
    " line on standard error says so, too.",
)
ONLINE_EXAMPLES = (
    ("`hirte online agent --wait 30000`", "Wait up to half a minute for the manager."),
    ("`hirte online node node1 && hirte ctl start node1 nav.service`", "Only if node1 is there."),
    ("`hirte online system --monitor`", "End when a node is lost."),
)

PROXY = (
    "The start and stop command of the template units by which a unit depends on one of another"
    " node, `bluechi-proxy@NODE_UNIT.service`. It calls the agent of this machine and says nothing"
    " when that has worked. SIGTERM ends it at once.",
    "An agent of Eclipse BlueChi answers when the unit of the other node is active. hirte's own"
    " agent does not offer this yet: then the helper says so and fails.",
)
PROXY_EXAMPLES = (
    (
        "`hirte proxy create second_db.service`",
        "Wait until db.service is active on the node second, on behalf of the local unit"
        " `hirte-proxy@second_db.service`.",
    ),
)

CONFIG = {
    "manager": "Settings of `hirte-manager`(8), in the section `[{section}]`, and of its nodes, in"
    " sections of their own.",
    "agent": "Settings of `hirte-agent`(8), in the section `[{section}]`.",
}
NODE_SECTIONS = "A node can have a section of its own, `[node NAME]`, with exactly one blank."
PRECEDENCE = ("What is further down wins, setting by setting:",)
CONFIG_EXAMPLES = {
    "manager": """\
[hirte]
AllowedNodeNames=primary,second
HeartbeatInterval=2000

[node third]
Allowed=true""",
    "agent": """\
[hirte-agent]
NodeName=second
ManagerHost=192.0.2.1""",
}


def document(path: str, title: str) -> list[markdown.Block]:
    """Return what a document says below a title; "" is its beginning."""
    return markdown.blocks(markdown.section((ROOT / path).read_text("utf-8"), title))
