"""SwitchManager: an agent is sent to another manager, and back."""

from __future__ import annotations

import pytest

from tests.sim.client import Asked, Client
from tests.sim.conftest import Fleet
from tests.sim.scenario import HEARTBEATS
from tests.sim.test_jobs import story

FIRST = "tcp:host=10.0.0.1,port=842"


def local_client(fleet: Fleet) -> Client:
    client = fleet.world.client("a")
    client.service = client.dialect.agent_bus_name
    return client


def switch(client: Client, address: str) -> Asked:
    return client.call(
        "", client.dialect.interface("Agent"), client.dialect.member("SwitchManager"), "s", address
    )


def test_a_switch_is_told_in_the_order_of_the_contract(fleet: Fleet) -> None:
    local = local_client(fleet)
    fleet.world.host("other")
    second = fleet.world.manager(HEARTBEATS, nodes="a", host="other")
    fleet.world.run(0.1)
    address = f"tcp:host={fleet.world.ip('other')},port=842"
    start = len(local.heard)
    switch(local, address)
    fleet.world.run(1.0)
    assert story(local, start) == [
        f". ManagerAddress={address}",
        ". Status=offline",
        "answer 1 return",
        ". Status=online",
    ]
    assert second.manager.status == "up"
    assert fleet.node_status("a") == "offline"
    local.property("", "Agent", "ManagerAddress")
    switch(local, FIRST)
    fleet.world.run(1.0)
    assert fleet.node_status("a") == "online"
    assert second.manager.status == "down"


def test_the_address_in_use_is_refused_also_while_offline(fleet: Fleet) -> None:
    local = local_client(fleet)
    refused = switch(local, FIRST)
    fleet.world.run(0.1)
    assert refused.error == "Failed"
    assert local.signals("PropertiesChanged") == []
    fleet.manager.kill()
    fleet.world.run(1.0)
    start = len(local.heard)
    refused = switch(local, FIRST)
    fleet.world.run(0.1)
    assert refused.error == "Failed"
    assert len(local.heard) == start + 2


@pytest.mark.parametrize("address", ["nonsense", "tcp:host=10.9.9.9,port=1", "", "tcp:port=x"])
def test_an_address_that_leads_nowhere_is_tried_for_ever_and_can_be_left(
    fleet: Fleet, address: str
) -> None:
    local = local_client(fleet)
    switched = switch(local, address)
    fleet.world.run(7.0)
    assert switched.error == ""
    assert fleet.agents["a"].agent.uplink.status == "offline"
    assert fleet.node_status("a") == "offline"
    switch(local, FIRST)
    fleet.world.run(1.0)
    assert fleet.node_status("a") == "online"
    assert len(fleet.agents["a"].ends) == len(("bus", "systemd", "manager"))


def test_an_agent_that_is_offline_says_so_again(fleet: Fleet) -> None:
    local = local_client(fleet)
    fleet.manager.kill()
    fleet.world.run(1.0)
    start = len(local.heard)
    switch(local, "tcp:host=10.9.9.9,port=1")
    fleet.world.run(0.1)
    assert story(local, start)[1] == ". Status=offline"


def test_jobs_of_an_agent_that_leaves_end_for_its_manager(fleet: Fleet) -> None:
    fleet.client.start("a", "slow-0.service")
    fleet.world.run(0.1)
    switch(local_client(fleet), "tcp:host=10.9.9.9,port=1")
    fleet.world.run(5.0)
    assert fleet.client.results() == {1: "failed"}


@pytest.mark.parametrize("seed", range(5))
def test_switching_in_the_middle_of_an_attempt_leaves_one_connection(
    fleet: Fleet, seed: int
) -> None:
    chance = fleet.world.chance
    chance.seed(seed)
    fleet.world.host("other")
    fleet.world.manager(HEARTBEATS, nodes="a", host="other")
    local = local_client(fleet)
    addresses = (FIRST, f"tcp:host={fleet.world.ip('other')},port=842", "unix:path=/nowhere")
    for _ in range(50):
        switch(local, chance.choice(addresses))
        fleet.world.run(chance.choice((0.0, 0.0002, 0.001, 0.01)) * chance.random())
    switch(local, "unix:path=/nowhere")
    fleet.world.run(0.0)
    switch(local, FIRST)
    fleet.world.run(5.0)
    assert fleet.node_status("a") == "online"
    assert len(fleet.agents["a"].ends) == len(("bus", "systemd", "manager"))
