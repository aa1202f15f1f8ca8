"""Agents of other kinds and in other places: a user's, on a Unix socket, between two managers."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from hirte.api.dialect import NATIVE
from tests.bed import Fleet, Node
from tests.bed.bus import BusError
from tests.bed.product import (
    AGENT_UNIT,
    MANAGER_UNIT,
    configure_agent,
    configure_manager,
    install_hirte,
    wait_for_status,
)
from tests.fleet.conftest import open_fleet
from tests.fleet.statemanager import ERROR, StateManager
from tests.fleet.units import UNITS

# A user that no host has.
USER, UID = "alice", 4711
HOME = f"/home/{USER}"
RUNTIME = f"XDG_RUNTIME_DIR=/run/user/{UID}"
AS_USER = ["setpriv", f"--reuid={UID}", f"--regid={UID}", "--clear-groups", "env", RUNTIME]
AGENT = [NATIVE.agent_bus_name, NATIVE.root, NATIVE.interface("Agent")]
SWITCH = ["busctl", "call", *AGENT, "SwitchManager", "s"]
SECOND = 1_000_000


@pytest.fixture(scope="module")
def two_managers() -> Iterator[Fleet]:
    """Managers on node1 and node2, which send heartbeats; an agent on node3, online at node1.

    node1 has an agent on the manager's Unix socket, too.
    """
    with open_fleet() as fleet:
        one, two, three = nodes = fleet.boot("node1", "node2", "node3")
        for node in nodes:
            install_hirte(node)
            node.units(UNITS)
        configure_manager(one, ["node1", "node3"], HeartbeatInterval="100")
        configure_manager(two, ["node3"], HeartbeatInterval="100")
        configure_agent(one, one, ManagerAddress="unix:path=/run/hirte/hirte.sock")
        configure_agent(three, one)
        for node in (one, two):
            node.systemctl("start", MANAGER_UNIT)
        for node in (one, three):
            node.systemctl("start", AGENT_UNIT)
        wait_for_status(one, "up")
        yield fleet


@pytest.fixture
def first(two_managers: Fleet) -> Iterator[StateManager]:
    """A caller at the manager that the agent of node3 is configured for, and is at."""
    with StateManager(two_managers["node1"], NATIVE) as made:
        yield made


def address(node: Node) -> str:
    return f"tcp:host={node.ip},port=842"


def of_agent(node: Node, name: str) -> str:
    """A property of the agent of a node."""
    return node.run(["busctl", "get-property", *AGENT, name]).stdout.split(None, 1)[1].strip()


# A Unix socket


def test_an_agent_on_the_unix_socket_has_no_address(first: StateManager) -> None:
    rows = {row[0]: row[2:] for row in first.manager("ListNodes")}
    assert rows["node1"] == ("online", "")
    assert rows["node3"][0] == "online"
    assert first.get(first.path("node/node1"), "Node", "PeerIp") == ("s", "")
    assert first.job("node1", "StartUnit", "quick.service") == "done"


# Heartbeats


def test_an_agent_sees_its_managers_heartbeats(two_managers: Fleet) -> None:
    three = two_managers["node3"]
    before = int(of_agent(three, "LastSeenTimestamp"))
    monotonic = int(of_agent(three, "LastSeenTimestampMonotonic"))
    deadline = time.monotonic() + 5
    while int(of_agent(three, "LastSeenTimestamp")) - before < SECOND // 5:
        assert time.monotonic() < deadline
    assert int(of_agent(three, "LastSeenTimestampMonotonic")) > monotonic


# SwitchManager


def test_an_agent_changes_its_manager(two_managers: Fleet, first: StateManager) -> None:
    """Jobs of the old one end there; the new one has a whole node; a restart ends it."""
    one, two, three = (two_managers[name] for name in ("node1", "node2", "node3"))
    held = first.node("node3", "StartUnit", "ss", "held.service", "replace")
    with StateManager(two, NATIVE) as second:
        three.run([*SWITCH, address(two)])
        assert first.removed(held) == "failed"
        first.changed(first.path("node/node3"), "Status", "offline")
        second.changed(second.path("node/node3"), "Status", "online")
        assert of_agent(three, "ManagerAddress") == f'"{address(two)}"'
        assert of_agent(three, "Status") == '"online"'
        assert of_agent(three, "DisconnectTimestamp") == "0"
        assert second.job("node3", "StartUnit", "quick.service") == "done"
        # The job that systemd still has from the other manager's time is nobody's.
        three.systemctl("stop", "held.service")
        told = [event[3:5] for event in second.settle() if event[0] == "JobRemoved"]
        assert told == [("node3", "quick.service")]
        first.forget()
        three.systemctl("restart", AGENT_UNIT)
        first.changed(first.path("node/node3"), "Status", "online")
        assert second.get(second.path("node/node3"), "Node", "Status") == ("s", "offline")
    assert of_agent(three, "ManagerAddress") == f'"{address(one)}"'


@pytest.mark.parametrize("nonsense", ["nonsense", "tcp:host=10.90.0.250,port=9", ""])
def test_an_address_is_not_looked_at(
    two_managers: Fleet, first: StateManager, nonsense: str
) -> None:
    """Whoever switches to nowhere is answered, and the agent goes on trying that address."""
    three = two_managers["node3"]
    began = time.time()
    three.run([*SWITCH, nonsense])
    first.changed(first.path("node/node3"), "Status", "offline")
    assert of_agent(three, "Status") == '"offline"'
    assert of_agent(three, "ManagerAddress") == f'"{nonsense}"'
    left = int(of_agent(three, "DisconnectTimestamp")) / SECOND
    assert began - 1 < left < time.time() + 1
    assert int(of_agent(three, "DisconnectTimestampMonotonic")) > 0
    again = three.run([*SWITCH, nonsense], check=False)
    assert again.returncode == 1
    first.forget()
    three.run([*SWITCH, address(two_managers["node1"])])
    first.changed(first.path("node/node3"), "Status", "online")
    assert of_agent(three, "DisconnectTimestamp") == "0"


# A user's agent


@pytest.fixture(scope="module")
def user() -> Iterator[Node]:
    """A node with the manager, on which the agent of a user has registered."""
    with open_fleet() as fleet:
        (node,) = fleet.boot("node1")
        install_hirte(node)
        configure_manager(node, [USER])
        configure_agent(node, node, NodeName=USER)
        node.systemctl("start", MANAGER_UNIT)
        node.write(f"{HOME}/.config/systemd/user/mine.service", UNITS["stay.service"])
        node.write(f"{HOME}/.config/systemd/user/bad.service", UNITS["bad.service"])
        account = (
            f"echo {USER}:\\*:{UID}:{UID}::{HOME}:/bin/sh >>/etc/passwd;"
            f" echo {USER}:x:{UID}: >>/etc/group; chown -R {UID}:{UID} {HOME}"
        )
        node.run(["/bin/sh", "-c", account])
        node.systemctl("start", f"user@{UID}.service")
        node.run([*AS_USER, "systemctl", "--user", "start", AGENT_UNIT])
        wait_for_status(node, "up")
        yield node


def test_a_users_agent_drives_the_users_units(user: Node) -> None:
    with StateManager(user, NATIVE) as caller:
        assert caller.job(USER, "StartUnit", "mine.service") == "done"
        state = user.run([*AS_USER, "systemctl", "--user", "is-active", "mine.service"])
        assert state.stdout == "active\n"
        assert user.systemctl("is-active", "mine.service", check=False).stdout == "inactive\n"
        assert caller.job(USER, "StartUnit", "bad.service") == "failed"
        with pytest.raises(BusError) as refused:
            caller.node(USER, "StartUnit", "ss", "hirte.service", "replace")
        assert refused.value.name == "org.freedesktop.systemd1.NoSuchUnit"
        monitor = caller.manager("CreateMonitor")
        caller.object(monitor, "Monitor", "Subscribe", "ss", USER, "mine.service")
        caller.hear("UnitStateChanged", USER, "mine.service", "active", "running", "virtual")
        assert caller.job(USER, "StopUnit", "mine.service") == "done"
        caller.hear("UnitStateChanged", USER, "mine.service", "inactive", "dead", "real")


def test_a_users_agent_is_on_the_users_bus(user: Node) -> None:
    """Who is on that bus is the user: everybody there may call."""
    words = [*AS_USER, "busctl", "--user"]
    assert user.run([*words, "get-property", *AGENT, "Status"]).stdout == 's "online"\n'
    done = user.run([*words, "call", *AGENT, "JobCancel", "u", "4711"], check=False)
    assert done.stderr == "Call failed: Job 4711 not found\n"
    assert NATIVE.agent_bus_name not in user.run(["busctl", "list", "--acquired"]).stdout


def test_the_users_bus_restarts(user: Node) -> None:
    """With it the agent loses systemd as well, and finds both again."""
    user.run([*AS_USER, "systemctl", "--user", "restart", "dbus.service"])
    deadline = time.monotonic() + 20
    with StateManager(user, NATIVE) as caller:
        while True:
            try:
                assert caller.job(USER, "StartUnit", "mine.service") == "done"
                break
            except BusError as error:
                assert error.name in (f"{ERROR}.Failed", f"{ERROR}.NoReply")
                assert time.monotonic() < deadline
        assert caller.job(USER, "StopUnit", "mine.service") == "done"
    words = [*AS_USER, "busctl", "--user", "get-property", *AGENT, "Status"]
    while user.run(words, check=False).stdout != 's "online"\n':
        assert time.monotonic() < deadline
