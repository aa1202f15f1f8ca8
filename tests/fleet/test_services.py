"""hirte's services under systemd: their sandbox holds, they come back, the socket unit works."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.bed import Fleet, Node
from tests.bed.bus import Bus
from tests.bed.product import (
    AGENT_UNIT,
    MANAGER_UNIT,
    NAME,
    configure_agent,
    configure_manager,
    deploy,
    install_hirte,
    wait_for_status,
)

UNITS = (MANAGER_UNIT, AGENT_UNIT)


@pytest.fixture(scope="module")
def node() -> Iterator[Node]:
    """A fleet of one: manager and agent on the same node."""
    with Fleet() as fleet:
        (node,) = deploy(fleet, "node1")
        yield node


def main_pid(node: Node, unit: str) -> str:
    return node.systemctl("show", "--property=MainPID", "--value", unit).stdout.strip()


@pytest.mark.parametrize("unit", UNITS)
def test_the_sandbox_has_one_hole_only(node: Node, unit: str) -> None:
    pid = main_pid(node, unit)
    paths = ["/etc", "/usr", "/run", "/var", "/sys/fs/cgroup"]
    for path in [*paths, "/run/hirte"]:
        touch = ["nsenter", "-t", pid, "-m", "touch", f"{path}/written"]
        done = node.run(touch, check=False)
        if (unit, path) == (MANAGER_UNIT, "/run/hirte"):
            assert done.returncode == 0
            node.run(["rm", "/run/hirte/written"])
        else:
            assert "Read-only file system" in done.stderr
    assert node.run(["nsenter", "-t", pid, "-m", "ls", "/root"]).stdout == ""


@pytest.mark.parametrize(
    ("unit", "capabilities"), [(MANAGER_UNIT, 1 << 10), (AGENT_UNIT, 0)], ids=UNITS
)
def test_capabilities_are_those_needed(node: Node, unit: str, capabilities: int) -> None:
    status = node.run(["cat", f"/proc/{main_pid(node, unit)}/status"]).stdout
    for line in status.splitlines():
        if line.startswith(("CapPrm:", "CapEff:", "CapBnd:")):
            assert int(line.split()[1], 16) == capabilities


@pytest.mark.parametrize(("unit", "name"), [(MANAGER_UNIT, NAME), (AGENT_UNIT, f"{NAME}.Agent")])
def test_a_killed_service_comes_back(node: Node, unit: str, name: str) -> None:
    with (
        Bus(node.bus_address) as bus,
        bus.listen(interface="org.freedesktop.DBus", member="NameOwnerChanged") as changes,
    ):
        node.systemctl("kill", "--signal=KILL", unit)
        changes.until(lambda change: change[0] == name and not change[2])
        changes.until(lambda change: change[0] == name and bool(change[2]))
    wait_for_status(node, "up")


def test_a_service_that_hangs_is_killed_by_the_watchdog(node: Node) -> None:
    node.write(f"/run/systemd/system/{AGENT_UNIT}.d/test.conf", "[Service]\nWatchdogSec=1s\n")
    node.systemctl("daemon-reload")
    node.systemctl("restart", AGENT_UNIT)
    wait_for_status(node, "up")
    before = main_pid(node, AGENT_UNIT)
    node.systemctl("kill", "--signal=STOP", AGENT_UNIT)
    wait_for_status(node, "down")
    wait_for_status(node, "up")
    assert main_pid(node, AGENT_UNIT) != before
    assert "Watchdog timeout" in node.journal("-u", AGENT_UNIT)
    node.run(["rm", "-r", f"/run/systemd/system/{AGENT_UNIT}.d"])
    node.systemctl("daemon-reload")


@pytest.mark.parametrize("unit", UNITS)
def test_stopping_a_service_is_no_failure(node: Node, unit: str) -> None:
    node.systemctl("stop", unit)
    properties = node.systemctl("show", "--property=Result", "--property=ActiveState", unit).stdout
    assert sorted(properties.split()) == ["ActiveState=inactive", "Result=success"]
    node.systemctl("start", unit)
    wait_for_status(node, "up")


def test_an_agent_comes_through_the_socket_unit(fleet: Fleet) -> None:
    (node,) = fleet.boot("node1")
    install_hirte(node)
    configure_manager(node, ["node1"], UseTCP="no")
    configure_agent(node, node, ManagerAddress="unix:path=/run/hirte/hirte.sock")
    node.systemctl("start", "hirte.socket")
    node.systemctl("start", AGENT_UNIT)
    # Nobody started the manager: the agent's knocking did.
    wait_for_status(node, "up")
    assert node.systemctl("is-active", MANAGER_UNIT).stdout == "active\n"
    node.systemctl("restart", MANAGER_UNIT)
    wait_for_status(node, "up")


def test_a_wrong_configuration_is_named_and_does_not_own_the_bus_name(fleet: Fleet) -> None:
    (node,) = fleet.boot("node1")
    install_hirte(node)
    node.write("/etc/hirte/hirte.conf", "[hirte]\nAllowedNodeNames\n")
    assert node.systemctl("start", MANAGER_UNIT, check=False).returncode == 1
    node.systemctl("stop", MANAGER_UNIT)
    assert "/etc/hirte/hirte.conf:2" in node.journal("-u", MANAGER_UNIT)
    assert NAME not in node.run(["busctl", "list", "--no-legend"]).stdout
