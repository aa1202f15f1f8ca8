"""A fleet in which both dialects are spoken at once.

node1  the manager under both names; an agent under both names that speaks native to it
node2  an agent under both names, told to speak compatible
node3  an agent called as bluechi-agent, with that program's configuration and unit
"""

from __future__ import annotations

from tests.bed.fleet import REPOSITORY
from tests.bed.product import (
    AGENT_UNIT,
    MANAGER_UNIT,
    configure,
    configure_agent,
    configure_manager,
    install_hirte,
    wait_for_status,
)
from tests.fleet.units import UNITS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from tests.bed import Fleet, Node

NODES = ("node1", "node2", "node3")
BLUECHI_AGENT = "bluechi-agent.service"


def be_bluechi(node: Node, program: str) -> None:
    """Lets hirte be called by a name of the reference, as the service of that program."""
    files = REPOSITORY / "systemd" / "compatible"
    node.run(["ln", "-sf", "/usr/bin/hirte", f"/usr/libexec/{program}"])
    node.install(files / "tmpfiles.d" / "bluechi.conf", "/usr/lib/tmpfiles.d/bluechi.conf", 0o644)
    node.run(["systemd-tmpfiles", "--create", "bluechi.conf"])
    node.unit(f"{program}.service", (files / f"{program}.service").read_text("utf-8"))


def deploy_mixed(fleet: Fleet) -> None:
    """Boots the nodes and waits until the manager says `up`."""
    one, two, three = nodes = fleet.boot(*NODES)
    for node in nodes:
        install_hirte(node)
        node.units(UNITS)
    configure_manager(one, NODES, BusNames="both")
    configure_agent(one, one, BusNames="both", ManagerDialect="native")
    configure_agent(two, one, BusNames="both", ManagerDialect="compatible")
    be_bluechi(three, "bluechi-agent")
    configure(
        three,
        "/etc/bluechi/agent.conf",
        "bluechi-agent",
        {"NodeName": "node3", "ControllerHost": "node1"},
    )
    one.systemctl("start", MANAGER_UNIT)
    for node, unit in ((one, AGENT_UNIT), (two, AGENT_UNIT), (three, BLUECHI_AGENT)):
        node.systemctl("start", unit)
    wait_for_status(one, "up")
