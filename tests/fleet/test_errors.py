"""Every error of the public API, by name, and which of several comes first."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from hirte.api.dialect import COMPATIBLE, NATIVE, Dialect
from tests.bed import Fleet
from tests.bed.bus import PROPERTIES, BusError
from tests.bed.product import AGENT_UNIT, configure_manager, wait_for_status
from tests.fleet.conftest import open_fleet
from tests.fleet.mixed import deploy_mixed
from tests.fleet.statemanager import ERROR, INTROSPECTABLE, StateManager

PEER = "org.freedesktop.DBus.Peer"


@pytest.fixture(scope="module")
def mixed() -> Iterator[Fleet]:
    """The fleet of both dialects, whose node2 is configured and offline, node4 never was there."""
    with open_fleet() as fleet:
        deploy_mixed(fleet)
        names = [*fleet.nodes, "node4", "my-node.1"]
        configure_manager(fleet["node1"], names, BusNames="both")
        fleet["node2"].systemctl("stop", AGENT_UNIT)
        fleet["node1"].systemctl("restart", "hirte.service")
        with StateManager(fleet["node1"], NATIVE) as caller:
            for name in ("node1", "node3"):
                wait_online(caller, name)
        yield fleet


def wait_online(caller: StateManager, name: str) -> None:
    path = caller.path(f"node/{name}")
    if caller.get(path, "Node", "Status") != ("s", "online"):
        caller.changed(path, "Status", "online")


@pytest.fixture(params=[NATIVE, COMPATIBLE], ids=lambda dialect: dialect.name)
def caller(mixed: Fleet, request: pytest.FixtureRequest) -> Iterator[StateManager]:
    """A caller on the manager's node, in each dialect."""
    with StateManager(mixed["node1"], request.param) as made:
        yield made


def refused(caller: StateManager, path: str, interface: str | None, *call: Any) -> BusError:
    """The error that answers a call of the manager."""
    with pytest.raises(BusError) as error:
        caller.ask(caller.dialect.bus_name, path, interface, *call)
    return error.value


# What does not exist


@pytest.mark.parametrize("path", ["/", "node/node9", "job/4000000000", "monitor/9", "metrics", "x"])
def test_an_unknown_object(caller: StateManager, path: str) -> None:
    full = "/nowhere" if path == "/" else caller.path(path)
    for interface in ("Node", "Job", "Monitor", "Metrics", "Manager"):
        error = refused(
            caller, full, caller.full(interface), "StartUnit", "ss", "a.service", "fail"
        )
        assert error.name == f"{ERROR}.UnknownObject"
    assert refused(caller, full, PROPERTIES, "GetAll", "s", "").name == f"{ERROR}.UnknownObject"
    assert refused(caller, full, INTROSPECTABLE, "Introspect").name == f"{ERROR}.UnknownObject"
    # Peer answers on any path.
    assert caller.ask(caller.dialect.bus_name, full, PEER, "Ping") is None


def test_an_unknown_member_or_interface(caller: StateManager) -> None:
    for path, interface in (("", "Manager"), ("node/node1", "Node")):
        error = refused(caller, caller.path(path), caller.full(interface), "NoSuchMethod")
        assert error.name == f"{ERROR}.UnknownMethod"
        error = refused(caller, caller.path(path), caller.full("NoSuch"), "StartUnit")
        assert error.name == f"{ERROR}.UnknownMethod"


def test_the_other_dialects_interface_is_unknown(caller: StateManager) -> None:
    """Each dialect has its own objects, although one manager serves both."""
    other = COMPATIBLE if caller.dialect is NATIVE else NATIVE
    error = refused(caller, caller.path(""), other.interface("Manager"), "ListNodes")
    assert error.name == f"{ERROR}.UnknownMethod"
    # Both names belong to one connection, so a path of the one is there under the other.
    told = caller.ask(caller.dialect.bus_name, other.root, other.interface("Manager"), "ListNodes")
    assert told[0][1].startswith(other.root)


def test_a_call_without_an_interface(caller: StateManager) -> None:
    """[Q] Whatever the member is."""
    for member in ("ListNodes", "NoSuchMethod"):
        error = refused(caller, caller.path(""), None, member)
        assert error.name == f"{ERROR}.UnknownObject"


# Arguments


@pytest.mark.parametrize(
    ("path", "interface", "call"),
    [
        ("", "Manager", ("GetNode",)),
        ("", "Manager", ("GetNode", "u", 1)),
        ("", "Manager", ("ListNodes", "s", "x")),
        ("node/node1", "Node", ("StartUnit", "s", "a.service")),
        ("node/node1", "Node", ("KillUnit", "ssu", "a.service", "all", 9)),
        ("node/node1", "Node", ("ListUnits", "s", "")),
    ],
)
def test_wrong_arguments(
    caller: StateManager, path: str, interface: str, call: tuple[Any, ...]
) -> None:
    error = refused(caller, caller.path(path), caller.full(interface), *call)
    assert error.name == f"{ERROR}.InvalidArgs"


@pytest.mark.parametrize("level", ["", "debug", "TRACE", "INFO "])
def test_wrong_log_levels(caller: StateManager, level: str) -> None:
    """[D] The reference says yes to a node's wrong level, and changes nothing."""
    for path, interface in (("", "Manager"), ("node/node1", "Node")):
        error = refused(
            caller, caller.path(path), caller.full(interface), "SetLogLevel", "s", level
        )
        assert error.name == f"{ERROR}.InvalidArgs"
    assert caller.get(caller.path(""), "Manager", "LogLevel") == ("s", "INFO")


def test_an_unknown_node(caller: StateManager) -> None:
    for name in ("node9", "", "Node1", "*"):
        with pytest.raises(BusError) as error:
            caller.manager("GetNode", "s", name)
        assert error.value.name == f"{ERROR}.ServiceUnknown"
        assert "Node not found" in error.value.text


def test_metrics_are_switched_once(caller: StateManager) -> None:
    with pytest.raises(BusError) as error:
        caller.manager("DisableMetrics")
    assert error.value.name == f"{ERROR}.InconsistentMessage"
    caller.manager("EnableMetrics")
    with pytest.raises(BusError) as error:
        caller.manager("EnableMetrics")
    assert error.value.name == f"{ERROR}.InconsistentMessage"
    caller.manager("DisableMetrics")


# Properties


@pytest.mark.parametrize(("path", "interface"), [("", "Manager"), ("node/node2", "Node")])
def test_properties_that_are_not_there(caller: StateManager, path: str, interface: str) -> None:
    full = caller.path(path)
    for about, name in (
        (caller.full(interface), "NoSuch"), (caller.full("NoSuch"), "Status"), ("", "Status"),
    ):  # fmt: skip
        error = refused(caller, full, PROPERTIES, "Get", "ss", about, name)
        assert error.name == f"{ERROR}.UnknownProperty"
    error = refused(caller, full, PROPERTIES, "GetAll", "s", caller.full("NoSuch"))
    assert error.name == f"{ERROR}.UnknownInterface"
    everything = caller.ask(caller.dialect.bus_name, full, PROPERTIES, "GetAll", "s", "")
    of_one = caller.ask(
        caller.dialect.bus_name, full, PROPERTIES, "GetAll", "s", caller.full(interface)
    )
    assert everything == of_one


@pytest.mark.parametrize(
    ("path", "interface", "name"),
    [("", "Manager", "LogLevel"), ("node/node1", "Node", "Status"), ("node/node2", "Node", "Name")],
)
def test_no_property_can_be_set(caller: StateManager, path: str, interface: str, name: str) -> None:
    before = caller.get(caller.path(path), interface, name)
    error = refused(
        caller, caller.path(path), PROPERTIES, "Set", "ssv", caller.full(interface), name,
        ("s", "DEBUG"),
    )  # fmt: skip
    assert error.name == f"{ERROR}.PropertyReadOnly"
    assert caller.get(caller.path(path), interface, name) == before


# Nodes that are offline


@pytest.mark.parametrize("node", ["node2", "node4", "my_2dnode_2e1"])
@pytest.mark.parametrize(
    "call",
    [
        ("ListUnits",),
        ("StartUnit", "ss", "a.service", "replace"),
        # Before anything else is looked at.
        ("StartUnit", "u", 7),
        ("NoSuchMethod",),
        ("SetLogLevel", "s", "no-such-level"),
    ],
)
def test_an_offline_node_answers_offline_to_all(
    caller: StateManager, node: str, call: tuple[Any, ...]
) -> None:
    error = refused(caller, caller.path(f"node/{node}"), caller.full("Node"), *call)
    assert error.name == caller.full("Offline")


def test_an_offline_node_is_there(caller: StateManager) -> None:
    path = caller.path("node/my_2dnode_2e1")
    assert caller.manager("GetNode", "s", "my-node.1") == path
    assert caller.get(path, "Node", "Name") == ("s", "my-node.1")
    assert caller.get(path, "Node", "Status") == ("s", "offline")
    assert caller.get(path, "Node", "PeerIp") == ("s", "")
    # Never seen, or not since the manager was started.
    assert caller.get(path, "Node", "LastSeenTimestamp") == ("t", 0)
    assert caller.get(path, "Node", "LastSeenTimestampMonotonic") == ("t", 0)
    rows = {row[0]: row for row in caller.manager("ListNodes")}
    assert list(rows) == ["node1", "node2", "node3", "node4", "my-node.1"]
    assert rows["my-node.1"] == ("my-node.1", path, "offline", "")


def test_offline_nodes_have_no_entry_in_lists_of_all(caller: StateManager) -> None:
    assert list(caller.manager("ListUnits")) == ["node1", "node3"]
    assert list(caller.manager("ListUnitFiles")) == ["node1", "node3"]
    assert caller.get(caller.path(""), "Manager", "Status") == ("s", "degraded")


# What systemd refuses


@pytest.mark.parametrize(
    ("call", "error"),
    [
        (("KillUnit", "ssi", "no.service", "all", 9), "org.freedesktop.systemd1.NoSuchUnit"),
        (("KillUnit", "ssi", "init.scope", "nobody", 9), f"{ERROR}.InvalidArgs"),
        (("KillUnit", "ssi", "init.scope", "all", 4711), f"{ERROR}.InvalidArgs"),
        (("ResetFailedUnit", "s", "no.service"), "org.freedesktop.systemd1.NoSuchUnit"),
        (("GetUnitFileState", "s", "no.service"), f"{ERROR}.FileNotFound"),
        (("GetUnitProperty", "sss", "init.scope", "no.such", "x"), f"{ERROR}.UnknownProperty"),
        (("SetDefaultTarget", "sb", "no.target", False), "org.freedesktop.systemd1.NoSuchUnit"),
        (("FreezeUnit", "s", "stay.service"), "org.freedesktop.systemd1.UnitInactive"),
    ],
)
def test_systemds_errors_come_as_they_are(
    mixed: Fleet, caller: StateManager, call: tuple[Any, ...], error: str
) -> None:
    for node in ("node1", "node3"):
        with pytest.raises(BusError) as refusal:
            caller.node(node, *call)
        assert refusal.value.name == error
        assert refusal.value.text


# The agent


@pytest.fixture(params=[NATIVE, COMPATIBLE], ids=lambda dialect: dialect.name)
def dialect(request: pytest.FixtureRequest) -> Dialect:
    return request.param


def test_the_agents_errors(mixed: Fleet, dialect: Dialect) -> None:
    with StateManager(mixed["node1"], dialect) as caller:
        for call in (("JobCancel", "u", 4711), (switch(dialect), "s", address(mixed))):
            with pytest.raises(BusError) as error:
                caller.agent(*call)
            assert error.value.name == f"{ERROR}.Failed"
        with pytest.raises(BusError) as error:
            caller.agent("JobCancel", "s", "1")
        assert error.value.name == f"{ERROR}.InvalidArgs"
        with pytest.raises(BusError) as error:
            caller.agent("NoSuchMethod")
        assert error.value.name == f"{ERROR}.UnknownMethod"
    wait_for_status(mixed["node1"], "degraded")


def switch(dialect: Dialect) -> str:
    return "SwitchManager" if dialect is NATIVE else "SwitchController"


def address(fleet: Fleet) -> str:
    return f"tcp:host={fleet['node1'].ip},port=842"
