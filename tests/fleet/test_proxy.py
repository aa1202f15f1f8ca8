"""The proxy helper as systemd starts it, on the system bus of a node with an agent of BlueChi's."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.bed import Fleet, Node
from tests.bed.product import deploy, install_hirte
from tests.foreign.apart import apart
from tests.foreign.busagent import BusAgent
from tests.foreign.names import COMPATIBLE

# What such a unit needs, see systemd.unit(5): it is not one of ours.
TEMPLATE = """\
[Unit]
StopWhenUnneeded=yes
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/usr/libexec/bluechi-proxy create %i.service
ExecStop=/usr/libexec/bluechi-proxy remove %i.service
KillMode=mixed
SuccessExitStatus=SIGTERM
"""
WANTS = "[Unit]\nWants={0}\nAfter={0}\n[Service]\nExecStart=/usr/bin/sleep infinity\n"
PROXY = "bluechi-proxy@bar_db.service"
ARGUMENTS = (PROXY, "bar", "db.service")


@pytest.fixture
def node(fleet: Fleet) -> Node:
    """A node with hirte as the helper, and a service that wants a unit of another node."""
    (node,) = fleet.boot("node1")
    install_hirte(node)
    node.run(["ln", "-s", "/usr/bin/hirte", "/usr/libexec/bluechi-proxy"])
    node.units({"bluechi-proxy@.service": TEMPLATE, "web.service": WANTS.format(PROXY)})
    return node


@pytest.fixture
def agent(node: Node) -> Iterator[BusAgent]:
    with apart(lambda: BusAgent(COMPATIBLE, node.bus_address)) as agent:
        yield agent


def states(node: Node, *units: str) -> list[str]:
    return node.run(["systemctl", "is-active", *units], check=False).stdout.split()


def test_a_unit_that_wants_one_elsewhere(node: Node, agent: BusAgent) -> None:
    with node.popen(["systemctl", "start", "web.service"]) as start:
        call = agent.expect("CreateProxy")
        assert call.body == ARGUMENTS
        assert states(node, "web.service", PROXY) == ["inactive", "activating"]
        agent.reply(call)
        assert start.wait(20) == 0
    assert states(node, "web.service", PROXY) == ["active", "active"]
    with node.popen(["systemctl", "stop", "web.service", PROXY]) as stop:
        call = agent.expect("RemoveProxy")
        assert call.body == ARGUMENTS
        agent.reply(call)
        assert stop.wait(20) == 0
    assert states(node, "web.service", PROXY) == ["inactive", "inactive"]


def test_a_stop_while_it_waits(node: Node, agent: BusAgent) -> None:
    node.systemctl("start", "--no-block", PROXY)
    agent.expect("CreateProxy")
    node.systemctl("stop", PROXY)
    assert states(node, PROXY) == ["inactive"]


def test_a_unit_that_does_not_start(node: Node, agent: BusAgent) -> None:
    with node.popen(["systemctl", "start", PROXY]) as start:
        call = agent.expect("CreateProxy")
        agent.refuse(call, "org.eclipse.bluechi.ActivationFailed", "No such node")
        assert start.wait(20) == 1
    assert states(node, PROXY) == ["failed"]
    said = "CreateProxy for db.service on bar: the unit did not become active: No such node"
    assert said in node.journal("-u", PROXY)


def test_our_agent_has_no_proxies_yet(fleet: Fleet) -> None:
    (node,) = deploy(fleet, "node1")
    done = node.run(["hirte", "proxy", "create", "bar_db.service"], check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("hirte proxy: CreateProxy for db.service on bar: ")
    assert "CreateProxy" in done.stderr.partition("bar: ")[2]
