"""OpenMetrics of a real fleet, read with curl as an administrator does."""

from __future__ import annotations

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from tests.bed import Fleet, Node
from tests.bed.bus import Bus
from tests.bed.product import (
    AGENT_UNIT,
    MANAGER,
    MANAGER_UNIT,
    NAME,
    ROOT,
    configure_agent,
    configure_manager,
    install_hirte,
)

SOCKET = "/run/hirte/metrics"
SLOW = "[Service]\nType=oneshot\nExecStart=/usr/bin/sleep 0.2\n"


@pytest.fixture
def watched(fleet: Fleet) -> Fleet:
    """node1 with the manager, whose metrics are on, and node2; agents on both."""
    nodes = fleet.boot("node1", "node2")
    for node in nodes:
        install_hirte(node)
        configure_agent(node, nodes[0])
    configure_manager(nodes[0], ["node1", "node2", "node3"], MetricsSocket=SOCKET)
    nodes[0].systemctl("start", MANAGER_UNIT)
    for node in nodes:
        node.systemctl("start", AGENT_UNIT)
    wait_for_node(nodes[0], "node1", "online")
    wait_for_node(nodes[0], "node2", "online")
    return fleet


def wait_for_node(one: Node, name: str, status: str) -> None:
    with Bus(one.bus_address) as bus:
        path = f"{ROOT}/node/{name}"
        bus.wait_for_property(NAME, path, f"{NAME}.Node", "Status", lambda is_: is_ == status)


def scrape(one: Node) -> dict[str, float]:
    """Sample -> value, the sample as `name` or `name value-of-a-label ...`."""
    url = "http://localhost/metrics"
    done = one.run(["curl", "--silent", "--include", "--fail", "--unix-socket", SOCKET, url])
    head, _, text = done.stdout.partition("\n\n")
    assert "Content-Type: application/openmetrics-text; version=1.0.0; charset=utf-8" in head
    samples = [s for family in text_string_to_metric_families(text) for s in family.samples]
    return {" ".join([s.name, *s.labels.values()]): s.value for s in samples}


def run_job(one: Node, member: str, unit: str) -> str:
    """Start or stop a unit of node2; returns the result."""
    path, interface = f"{ROOT}/node/node2", f"{NAME}.Node"
    with Bus(one.bus_address) as bus, bus.listen(interface=MANAGER, member="JobRemoved") as ends:
        bus.call(NAME, path, interface, member, "ss", unit, "replace")
        return str(ends.next()[4])


def test_what_a_fleet_does_is_seen(watched: Fleet) -> None:
    one, two = watched["node1"], watched["node2"]
    two.units({"slow.service": SLOW})
    before = scrape(one)
    assert [before[f"hirte_node_up node{n}"] for n in (1, 2, 3)] == [1, 1, 0]
    assert run_job(one, "StartUnit", "slow.service") == "done"
    with Bus(one.bus_address) as bus:
        bus.call(NAME, f"{ROOT}/node/node2", f"{NAME}.Node", "GetDefaultTarget")
    after = scrape(one)
    assert after["hirte_jobs_total start done"] == 1
    assert after["hirte_relayed_messages_total from_nodes"] == 1
    whole = after["hirte_job_duration_seconds_sum start"]
    shares = {s: after[f"hirte_job_share_seconds_sum {s}"] for s in ("manager", "agent", "systemd")}
    assert whole == pytest.approx(sum(shares.values()), abs=1e-5)
    # The service sleeps; what hirte adds is little, but there.
    assert shares["systemd"] > 0.2 > shares["agent"] > 0
    assert 0 < shares["manager"] < 0.1
    assert after["hirte_messages_total bus sent"] > before["hirte_messages_total bus sent"]
    two.systemctl("stop", AGENT_UNIT)
    wait_for_node(one, "node2", "offline")
    two.systemctl("start", AGENT_UNIT)
    wait_for_node(one, "node2", "online")
    again = scrape(one)
    assert again["hirte_node_registrations_total node2"] == 2
    seen = "hirte_node_last_seen_timestamp_seconds node2"
    assert again[seen] > before[seen]


def test_the_socket_is_for_root_and_gone_with_the_manager(watched: Fleet) -> None:
    one = watched["node1"]
    assert one.run(["stat", "-c", "%a %U %F", SOCKET]).stdout == "600 root socket\n"
    stranger = ["setpriv", "--reuid=65534", "--clear-groups", "curl", "--unix-socket", SOCKET, "x:"]
    assert one.run(stranger, check=False).returncode != 0
    one.systemctl("restart", MANAGER_UNIT)
    wait_for_node(one, "node2", "online")
    assert scrape(one)["hirte_node_registrations_total node2"] == 1
    one.systemctl("stop", MANAGER_UNIT)
    assert one.run(["test", "-e", SOCKET], check=False).returncode == 1


@pytest.mark.parametrize(
    ("path", "why"),
    [
        ("metrics", "MetricsSocket is no absolute path"),
        ("/run/hirte/precious", "cannot listen on /run/hirte/precious: Address already in use"),
        ("/nowhere/metrics", "cannot listen on /nowhere/metrics: No such file or directory"),
    ],
)
def test_a_socket_that_cannot_be(fleet: Fleet, path: str, why: str) -> None:
    (one,) = fleet.boot("node1")
    install_hirte(one)
    one.write("/run/hirte/precious", "a file")
    configure_manager(one, ["node1"], MetricsSocket=path)
    assert one.systemctl("start", MANAGER_UNIT, check=False).returncode == 1
    one.systemctl("stop", MANAGER_UNIT)
    assert why in one.journal("-u", MANAGER_UNIT)
    assert one.run(["cat", "/run/hirte/precious"]).stdout == "a file"


def test_without_the_option_there_is_nothing(trio: Fleet) -> None:
    assert trio["node1"].run(["test", "-e", SOCKET], check=False).returncode == 1
