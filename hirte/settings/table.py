"""The options of manager, agent and node sections: names, defaults, ranges, meaning.

The only place where an option is written. Files, environment, command line, `--check-config`,
help and manual pages are derived from it; a new option is one declaration here.
"""

from __future__ import annotations

from hirte.settings.errors import ConfigError
from hirte.settings.option import (
    COMPATIBLE,
    NATIVE,
    Choice,
    Flag,
    Number,
    Section,
    Text,
    Words,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import ClassVar

# Environment variables are these, then the option's own part.
ENVIRONMENT_PREFIX = {NATIVE: "HIRTE_", COMPATIBLE: "BC_"}

# Before the name of a node, with exactly one blank.
NODE_SECTION = "node "

PORT_MAX = 65535
# Limits of TCP_KEEPIDLE, TCP_KEEPINTVL and TCP_KEEPCNT in Linux (MAX_TCP_KEEP*).
KEEPALIVE_SECONDS_MAX = 32767
KEEPALIVE_COUNT_MAX = 127


class Settings(Section):
    """What manager and agent have in common.

    `warnings` are for the log or stderr, one line each. `read` tells for every file that was
    looked for whether it was there.
    """

    __slots__ = ("dialect", "read", "warnings")

    role = ""
    sections: ClassVar[dict[str, str]] = {}
    # Per dialect: vendor file, administrator's file, drop-in directory.
    files: ClassVar[dict[str, tuple[str, str, str]]] = {}

    def __init__(self, dialect: str) -> None:
        super().__init__()
        self.dialect = dialect
        self.warnings: list[str] = []
        self.read: list[tuple[str, bool]] = []

    log_level = Choice(
        "LogLevel",
        "least important level that is logged; case matters",
        ("INFO", "DEBUG", "WARN", "ERROR"),
        lenient=True,
        environment="LOG_LEVEL",
    )
    log_target = Choice(
        "LogTarget",
        "where the log goes",
        ("journald", "stderr", "stderr-full"),
        lenient=True,
        fold=True,
        environment="LOG_TARGET",
    )
    log_is_quiet = Flag("LogIsQuiet", "log nothing at all", environment="LOG_IS_QUIET")
    ip_receive_errors = Flag(
        "IPReceiveErrors", "learn of network errors at once (IP_RECVERR)", default="true"
    )
    tcp_keep_alive_time = Number(
        "TCPKeepAliveTime",
        "seconds a TCP connection is idle before it is probed; 0: the system's value",
        default="1",
        low=0,
        high=KEEPALIVE_SECONDS_MAX,
    )
    tcp_keep_alive_interval = Number(
        "TCPKeepAliveInterval",
        "seconds between probes; 0: the system's value",
        default="1",
        low=0,
        high=KEEPALIVE_SECONDS_MAX,
    )
    tcp_keep_alive_count = Number(
        "TCPKeepAliveCount",
        "unanswered probes until the connection is lost; 0: the system's value",
        default="6",
        low=0,
        high=KEEPALIVE_COUNT_MAX,
    )
    config_file = Text(
        "",
        "read FILE after all other configuration files; it wins over them",
        flags=("-c", "--config"),
        metavar="FILE",
    )
    check_config = Flag(
        "",
        "print the effective settings and where each value comes from, then exit",
        flags=("--check-config",),
    )
    help = Flag("", "print this help and exit", flags=("-h", "--help"))
    version = Flag("", "print the version and exit", flags=("-v", "--version"))


class NodeSettings(Section):
    """What the manager knows of one configured node, section `[node NAME]`."""

    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = name

    allowed = Flag("Allowed", "the node may register, though AllowedNodeNames does not name it")
    required_selinux_context = Text(
        "RequiredSelinuxContext",
        "SELinux type that the node's process must have to register; Unix sockets only",
    )
    allow_dependencies_on = Words(
        "AllowDependenciesOn",
        "nodes on whose units this node's units may depend; has no effect yet",
    )


class ManagerSettings(Settings):
    """Effective settings of the manager; `nodes` are the configured ones in contract order."""

    __slots__ = ("nodes",)

    role = "manager"
    sections: ClassVar = {NATIVE: "hirte", COMPATIBLE: "bluechi-controller"}
    files: ClassVar = {
        NATIVE: (
            "/usr/share/hirte/config/hirte.conf",
            "/etc/hirte/hirte.conf",
            "/etc/hirte/hirte.conf.d",
        ),
        COMPATIBLE: (
            "/usr/share/bluechi/config/controller.conf",
            "/etc/bluechi/controller.conf",
            "/etc/bluechi/controller.conf.d",
        ),
    }

    def __init__(self, dialect: str) -> None:
        super().__init__(dialect)
        self.nodes: tuple[NodeSettings, ...] = ()

    manager_port = Number(
        "ManagerPort",
        "TCP port to listen on; 0: the kernel chooses",
        default="842",
        low=0,
        high=PORT_MAX,
        compatible_key="ControllerPort",
        flags=("-p", "--port"),
        metavar="PORT",
    )
    use_tcp = Flag("UseTCP", "listen on TCP", default="true")
    use_uds = Flag("UseUDS", "listen on the Unix socket", default="true")
    allowed_node_names = Words("AllowedNodeNames", "nodes that may register, in this order")
    heartbeat_interval = Number(
        "HeartbeatInterval",
        "milliseconds between heartbeats and checks of the nodes'; 0 or less: none",
        default="0",
    )
    node_heartbeat_threshold = Number(
        "NodeHeartbeatThreshold",
        "milliseconds without a heartbeat until a node is lost; 0 or less: never",
        default="6000",
    )
    bus_names = Choice(
        "BusNames",
        "names owned on the public bus: Hirte's, Eclipse BlueChi's, both",
        ("native", "compatible", "both"),
        compatible_default="compatible",
    )
    metrics_socket = Text(
        "MetricsSocket",
        "path of a Unix socket that answers HTTP with OpenMetrics, to our user only; empty: none",
        metavar="PATH",
    )

    def check(self) -> None:
        """Raise ConfigError when a path depends on where the manager was started."""
        if self.metrics_socket and not self.metrics_socket.startswith("/"):
            raise ConfigError("MetricsSocket is no absolute path", self.sources["metrics_socket"])


class AgentSettings(Settings):
    """Effective settings of the agent.

    `manager_address`, if not empty, replaces `manager_host` and `manager_port`.
    """

    __slots__ = ()

    role = "agent"
    sections: ClassVar = {NATIVE: "hirte-agent", COMPATIBLE: "bluechi-agent"}
    files: ClassVar = {
        NATIVE: (
            "/usr/share/hirte-agent/config/agent.conf",
            "/etc/hirte/agent.conf",
            "/etc/hirte/agent.conf.d",
        ),
        COMPATIBLE: (
            "/usr/share/bluechi-agent/config/agent.conf",
            "/etc/bluechi/agent.conf",
            "/etc/bluechi/agent.conf.d",
        ),
    }

    node_name = Text(
        "NodeName",
        "name to register with; the default is the host name",
        flags=("-n", "--name"),
        metavar="NAME",
    )
    manager_host = Text(
        "ManagerHost",
        "address or name of the manager's host",
        default="127.0.0.1",
        compatible_key="ControllerHost",
        flags=("-H", "--host"),
        metavar="HOST",
    )
    manager_port = Number(
        "ManagerPort",
        "TCP port of the manager",
        default="842",
        low=0,
        high=PORT_MAX,
        compatible_key="ControllerPort",
        flags=("-p", "--port"),
        metavar="PORT",
    )
    manager_address = Text(
        "ManagerAddress",
        "D-Bus address of the manager; replaces host and port",
        compatible_key="ControllerAddress",
        flags=("-a", "--address"),
        metavar="ADDRESS",
    )
    heartbeat_interval = Number(
        "HeartbeatInterval",
        "milliseconds between heartbeats, and between attempts to connect; 0 or less: no "
        "heartbeats, attempts every 2000",
        default="2000",
        flags=("-i", "--interval"),
        metavar="MS",
    )
    manager_heartbeat_threshold = Number(
        "ManagerHeartbeatThreshold",
        "milliseconds without a heartbeat until the manager is lost; 0 or less: never",
        default="0",
        compatible_key="ControllerHeartbeatThreshold",
    )
    connection_retry_count_until_quiet = Number(
        "ConnectionRetryCountUntilQuiet",
        "failed attempts to connect after which nothing is logged; 0 or less: always log",
        default="10",
    )
    bus_names = Choice(
        "BusNames",
        "names owned on the public bus: Hirte's, Eclipse BlueChi's, both",
        ("native", "compatible", "both"),
        compatible_default="compatible",
    )
    manager_dialect = Choice(
        "ManagerDialect",
        "names spoken to the manager; auto: native first, then compatible",
        ("auto", "native", "compatible"),
        compatible_default="compatible",
    )
    user = Flag("", "manage the units of the user's session, on its bus", flags=("-u", "--user"))

    def check(self) -> None:
        """Raise ConfigError when the agent could not even try to register."""
        if not self.node_name:
            raise ConfigError("the node has no name", self.sources["node_name"])
        if not self.manager_host and not self.manager_address:
            raise ConfigError("the manager has no address", self.sources["manager_host"])


ROLES: tuple[type[Settings], ...] = (ManagerSettings, AgentSettings)
