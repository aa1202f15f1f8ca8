"""The fleet that is measured: four nodes of 150 units, hirte on each as a package installs it."""

from __future__ import annotations

import time

from bench import proc
from bench.client import CallFailed, Client, Target, open_bus
from tests.bed import Fleet, Node
from tests.bed.product import (
    AGENT_UNIT,
    MANAGER_UNIT,
    NAME,
    ROOT,
    configure_agent,
    configure_manager,
    install_hirte,
    wait_for_status,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

NAMES = ("node1", "node2", "node3", "node4")
UNITS = 150
# The manager sends none by default; the agents' default is the same two seconds.
HEARTBEAT = "2000"

TRIVIAL = "bench-trivial.service"
BURST = tuple(f"bench-burst-{number:03}.service" for number in range(200))
# What the names of all units of a burst have in common.
BURST_PREFIX = b"bench-burst-"

_TRIVIAL = """\
[Unit]
StartLimitIntervalSec=0
[Service]
ExecStart=/usr/bin/sleep infinity
"""
_BURST = """\
[Unit]
StartLimitIntervalSec=0
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/bin/true
"""
_FILL_TARGET = "bench-fill.target"
FILL = "bench-fill-{:03}.service"
# Wanted by an active target, so systemd keeps it loaded; never run, so it stays inactive.
_FILL = """\
[Unit]
Description=Unit of the benchmark that is loaded, number {number}
ConditionPathExists=/nonexistent
[Service]
ExecStart=/bin/true
"""

SYSTEMD_NAME = "org.freedesktop.systemd1"
SYSTEMD_PATH = "/org/freedesktop/systemd1"
SYSTEMD_INTERFACE = SYSTEMD_NAME + ".Manager"
SYSTEMD = Target(SYSTEMD_PATH, SYSTEMD_INTERFACE, SYSTEMD_NAME)
# On the private socket nobody but systemd is there to be addressed.
SYSTEMD_ITSELF = Target(SYSTEMD_PATH, SYSTEMD_INTERFACE)
MANAGER = Target(ROOT, NAME + ".Manager", NAME)
JOB_REMOVED = f"type='signal',sender='{NAME}',member='JobRemoved'"

# What systemd does after a boot and after a burst of jobs, such as forgetting units, is over then.
SETTLE_SECONDS = 1.0


class Setup:
    """The running fleet. The manager is on `one`; `two` is the node whose units are driven."""

    def __init__(self, fleet: Fleet) -> None:
        self.nodes: list[Node] = fleet.boot(*NAMES)
        self.one, self.two = self.nodes[:2]
        configure_manager(self.one, NAMES, HeartbeatInterval=HEARTBEAT)
        for node in self.nodes:
            install_hirte(node)
            configure_agent(node, self.one, HeartbeatInterval=HEARTBEAT)
            node.units({TRIVIAL: _TRIVIAL})
        self.two.units(dict.fromkeys(BURST, _BURST))
        self.start_hirte(self.nodes)
        for node in self.nodes:
            _fill(node)
        time.sleep(SETTLE_SECONDS)

    def start_hirte(self, nodes: Sequence[Node]) -> None:
        """Start the manager, and agents on `nodes`; wait for all."""
        self.one.systemctl("start", MANAGER_UNIT)
        for node in nodes:
            node.systemctl("start", AGENT_UNIT)
        wait_for_status(self.one, "up" if len(nodes) == len(self.nodes) else "degraded")

    def stop_hirte(self) -> None:
        """Stop the agents and the manager."""
        for node in self.nodes:
            node.systemctl("stop", AGENT_UNIT)
        self.one.systemctl("stop", MANAGER_UNIT)

    def public(self) -> Client:
        """Return a client of the bus that the manager is on."""
        return open_bus(bus_path(self.one))

    def private(self) -> Client:
        """Return a client of the driven node's systemd. As long as it is open, systemd tells it
        everything, whatever is measured: close it before hirte's turn.
        """
        return Client(self.two.private_socket())

    def journal(self) -> str:
        """Return what the measured processes have logged last."""
        words = ("-u", MANAGER_UNIT, "-u", AGENT_UNIT, "-n", "20")
        return "".join(node.journal(*words) for node in (self.one, self.two))

    def manager_pid(self) -> int:
        """Return the manager's PID in its node."""
        return main_pid(self.one, MANAGER_UNIT)

    def agent_pid(self) -> int:
        """Return the PID of the driven node's agent, in its node."""
        return main_pid(self.two, AGENT_UNIT)


def node_object(node: Node) -> Target:
    """Return what stands for a node at the manager."""
    return Target(f"{ROOT}/node/{node.name}", NAME + ".Node", NAME)


def bus_path(node: Node) -> str:
    """Return the path, on the host, of a node's system bus."""
    return node.bus_address.partition("=")[2]


def main_pid(node: Node, unit: str) -> int:
    """Return the PID of a service's process, in its node. Raises CallFailed when it has none."""
    pid = int(node.systemctl("show", "--value", "-p", "MainPID", unit).stdout)
    if not pid:
        raise CallFailed(f"{unit} does not run on {node.name}")
    return pid


def cpu_seconds(node: Node, pid: int) -> float:
    """Return the time that a process of a node has spent on a processor. Raises CallFailed."""
    return proc.cpu_seconds(pid, str(node.root))


def _fill(node: Node) -> None:
    loaded = node.systemctl("list-units", "--all", "--no-legend", "--plain").stdout.count("\n")
    # One of those that are missing is the target.
    names = [FILL.format(number) for number in range(UNITS - loaded - 1)]
    texts = {name: _FILL.format(number=number) for number, name in enumerate(names)}
    node.units({**texts, _FILL_TARGET: f"[Unit]\nWants={' '.join(names)}\n"})
    node.systemctl("start", _FILL_TARGET)
