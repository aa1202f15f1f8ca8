"""Both dialects at once, and other people's D-Bus programs as callers in either.

One manager owns both names; agents of both dialects are in its fleet. busctl (sd-bus), gdbus
(GLib) and a program of our own on sd-bus call, introspect and listen.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import pytest

from hirte.api.dialect import COMPATIBLE, NATIVE, Dialect
from tests.bed import Fleet, Node
from tests.bed.bus import PROPERTIES, Bus
from tests.bed.product import AGENT_UNIT, configure, install_hirte
from tests.fleet.conftest import open_fleet
from tests.fleet.lines import Lines
from tests.fleet.mixed import be_bluechi, deploy_mixed
from tests.fleet.statemanager import StateManager
from tests.fleet.units import UNITS
from tests.foreign.apart import apart
from tests.foreign.privatebus import BusClient

DIALECTS = pytest.mark.parametrize("dialect", [NATIVE, COMPATIBLE], ids=lambda each: each.name)
NODES = ("node1", "node2", "node3")


@pytest.fixture(scope="module")
def mixed() -> Iterator[Fleet]:
    with open_fleet() as fleet:
        deploy_mixed(fleet)
        yield fleet


@pytest.fixture
def one(mixed: Fleet) -> Iterator[Node]:
    """The manager's node."""
    yield mixed["node1"]
    mixed["node3"].run(["systemctl", "stop", "held.service", "stay.service"])


# Two names, one manager


def test_a_job_is_seen_under_both_names(one: Node) -> None:
    with StateManager(one, NATIVE) as native, StateManager(one, COMPATIBLE) as compatible:
        path = native.node("node3", "StartUnit", "ss", "held.service", "replace")
        number = int(path.rpartition("/")[2])
        there = f"/org/eclipse/bluechi/job/{number}"
        assert compatible.hear("JobNew").values == (number, there)
        assert compatible.get(there, "Job", "Unit") == ("s", "held.service")
        compatible.object(there, "Job", "Cancel")
        assert native.removed(path) == compatible.removed(there) == "canceled"
        # The same story, told in two languages.
        stories = []
        for caller in (native, compatible):
            told = caller.settle()
            assert all(
                str(heard.path).startswith(caller.path(""))
                for heard in caller.heard
                if heard.is_signal
            )
            stories.append([(event[0], event[-1]) for event in told if event[0] != "JobNew"])
        assert stories[0] == stories[1]


def test_both_names_have_one_owner_and_go_together(one: Node) -> None:
    with StateManager(one, NATIVE) as caller:
        bus = ("org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus")
        owners = [
            caller.ask(*bus, "GetNameOwner", "s", dialect.bus_name)
            for dialect in (NATIVE, COMPATIBLE)
        ]
        assert owners[0] == owners[1]


def test_monitors_speak_the_dialect_of_who_made_them(one: Node) -> None:
    with StateManager(one, NATIVE) as native, StateManager(one, COMPATIBLE) as compatible:
        for caller in (native, compatible):
            monitor = caller.manager("CreateMonitor")
            assert monitor.startswith(caller.path("monitor/"))
            caller.object(monitor, "Monitor", "Subscribe", "ss", "*", "init.scope")
        for caller in (native, compatible):
            for node in NODES:
                told = caller.hear("UnitNew", node, "init.scope", "virtual")
                assert told.interface == caller.full("Monitor")
            assert len([event for event in caller.settle() if event[0] == "UnitNew"]) == 3


def test_agents_of_both_dialects_have_registered_as_such(mixed: Fleet) -> None:
    """The names that an agent owns say which program it is; the manager treats all the same."""
    owned = {}
    for node in NODES:
        with Bus(mixed[node].bus_address) as bus:
            owned[node] = [bus.has_owner(each.agent_bus_name) for each in (NATIVE, COMPATIBLE)]
    assert owned == {"node1": [True, True], "node2": [True, True], "node3": [False, True]}
    for node in NODES:
        with StateManager(mixed["node1"], NATIVE) as caller:
            assert caller.job(node, "StartUnit", "quick.service") == "done"
            assert caller.job(node, "StartUnit", "bad.service") == "failed"


# busctl


def busctl(node: Node, *words: str) -> str:
    return node.run(["busctl", "--no-pager", *words]).stdout.strip()


@DIALECTS
def test_busctl_calls_and_reads(one: Node, dialect: Dialect) -> None:
    name, root = dialect.bus_name, dialect.root
    manager, node = dialect.interface("Manager"), dialect.interface("Node")
    path = dialect.path("node/node3")
    assert busctl(one, "call", name, root, manager, "GetNode", "s", "node3") == f'o "{path}"'
    assert busctl(one, "get-property", name, root, manager, "Status") == 's "up"'
    assert busctl(one, "get-property", name, path, node, "Name") == 's "node3"'
    state = busctl(one, "call", name, path, node, "GetUnitFileState", "s", "bad.service")
    assert state == 's "static"'
    job = busctl(one, "call", name, path, node, "StartUnit", "ss", "quick.service", "replace")
    assert job.startswith(f'o "{dialect.path("job/")}')
    done = one.run(
        ["busctl", "call", name, path, node, "StartUnit", "ss", "no.service", "replace"],
        check=False,
    )
    assert (done.returncode, done.stderr) == (1, "Call failed: Unit no.service not found.\n")


@DIALECTS
def test_busctl_shows_what_is_there(one: Node, dialect: Dialect) -> None:
    tree = busctl(one, "tree", "--list", dialect.bus_name).splitlines()
    assert {dialect.path(f"node/{node}") for node in NODES} <= set(tree)
    shown = busctl(one, "introspect", dialect.bus_name, dialect.root).splitlines()
    rows = {row.split()[0]: row.split()[1:] for row in shown}
    assert rows[".GetNode"] == ["method", "s", "o", "-"]
    assert rows[".JobRemoved"] == ["signal", "uosss", "-", "-"]
    assert rows[".Status"] == ["property", "s", '"up"', "emits-change"]
    assert rows[".LogTarget"] == ["property", "s", '"journald"', "const"]
    # Explicit: busctl does not get it with the others and says so.
    assert rows[".LogLevel"][:2] == ["property", "s"]


# gdbus


def gdbus(node: Node, *words: str) -> str:
    return node.run(["gdbus", *words]).stdout.strip()


@DIALECTS
def test_gdbus_calls(one: Node, dialect: Dialect) -> None:
    call = ["call", "--system", "--dest", dialect.bus_name, "--object-path"]
    manager, node = dialect.interface("Manager"), dialect.interface("Node")
    told = gdbus(one, *call, dialect.root, "--method", f"{manager}.GetNode", "node3")
    path = dialect.path("node/node3")
    assert told == f"(objectpath '{path}',)"
    # GLib checks every byte of what we say.
    told = gdbus(one, *call, dialect.root, "--method", f"{manager}.ListUnits")
    assert told.startswith("({'node1': [('")
    told = gdbus(one, *call, path, "--method", f"{node}.GetUnitProperties", "bad.service", "")
    assert "'Id': <'bad.service'>" in told
    told = gdbus(one, *call, path, "--method", f"{PROPERTIES}.GetAll", node)
    assert told == "({'Name': <'node3'>, 'Status': <'online'>},)"


@DIALECTS
def test_gdbus_introspects(one: Node, dialect: Dialect) -> None:
    whole = ["introspect", "--system", "--recurse", "--dest", dialect.bus_name]
    told = gdbus(one, *whole, "--object-path", dialect.root)
    assert f"interface {dialect.interface('Manager')} {{" in told
    assert told.count(f"interface {dialect.interface('Node')} {{") == len(NODES)
    assert "GetNode(in  s name,\n              out o path);" in told


@DIALECTS
def test_gdbus_listens(one: Node, dialect: Dialect) -> None:
    command = ["gdbus", "monitor", "--system", "--dest", dialect.bus_name]
    lines = Lines(one.popen(["stdbuf", "-oL", *command]))
    try:
        # It says so when it listens, and when it knows who owns the name.
        assert "Monitoring signals" in lines.next()
        assert f"{dialect.bus_name} is owned by" in lines.next()
        with StateManager(one, dialect) as caller:
            path = caller.node("node3", "StartUnit", "ss", "quick.service", "replace")
            caller.removed(path)
        number = path.rpartition("/")[2]
        lines.until(
            f"{dialect.root}: {dialect.interface('Manager')}.JobRemoved (uint32 {number}, "
            f"objectpath '{path}', 'node3', 'quick.service', 'done')"
        )
    finally:
        lines.end()


# sd-bus


@DIALECTS
def test_a_program_on_sd_bus(mixed: Fleet, one: Node, dialect: Dialect) -> None:
    """The library of the reference: our messages under its checks, with calls and monitors."""
    name = dialect.bus_name
    node = (name, dialect.path("node/node3"), dialect.interface("Node"))
    with apart(lambda: BusClient(one.bus_address)) as client:
        client.listen(name, dialect.root)
        manager = (name, dialect.root, dialect.interface("Manager"))
        assert list(client.result(*manager, "ListUnits")) == list(NODES)
        assert client.get(*manager, "Status") == "up"
        monitor = client.result(*manager, "CreateMonitor")
        theirs = (name, monitor, dialect.interface("Monitor"))
        client.result(*theirs, "Subscribe", "ss", "node3", "stay.service")
        before = len(client.arrived(name))
        job = client.result(*node, "StartUnit", "ss", "stay.service", "replace")
        told = until_removed(client, name, job, before)
        members = [message.member for message in told if message.path == monitor]
        assert {"UnitNew", "UnitStateChanged", "UnitPropertiesChanged"} <= set(members)
        properties = client.result(*node, "GetUnitProperties", "ss", "stay.service", "")
        assert properties["ActiveState"] == ("s", "active")
        client.result(*node, "SetUnitProperties", "sba(sv)", "stay.service", True,
                      [("Description", ("s", "said by sd-bus"))])  # fmt: skip
        told = client.result(*node, "GetUnitProperty", "sss", "stay.service",
                             "org.freedesktop.systemd1.Unit", "Description")  # fmt: skip
        assert told == ("s", "said by sd-bus")
        with pytest.raises(AssertionError, match=r"org\.freedesktop\.systemd1\.NoSuchUnit"):
            client.result(*node, "StartUnit", "ss", "no.service", "replace")


def until_removed(client: BusClient, name: str, job: str, begin: int) -> list:
    """What arrived until a job was removed."""
    client.heard("JobRemoved", 1)
    told = client.arrived(name)[begin:]
    assert [m.body[1] for m in told if m.member == "JobRemoved"] == [job]
    return told


# The reference's programs


def test_called_as_the_reference_it_is_the_reference() -> None:
    """bluechi-controller and bluechi-agent, with their files, units and names, and nothing else."""
    with open_fleet() as fleet:
        one, two = fleet.boot("node1", "node2")
        for node in (one, two):
            install_hirte(node)
            node.units(UNITS)
            be_bluechi(node, "bluechi-agent")
            configure(
                node,
                "/etc/bluechi/agent.conf.d/50-fleet.conf",
                "bluechi-agent",
                {"NodeName": node.name, "ControllerHost": "node1", "ControllerPort": "8420"},
            )
        be_bluechi(one, "bluechi-controller")
        one.write(
            "/etc/bluechi/controller.conf",
            "[bluechi-controller]\nControllerPort=8420\nAllowedNodeNames=node1\n"
            "[node node2]\nAllowed=true\n",
        )
        one.systemctl("start", "bluechi-controller.service")
        for node in (one, two):
            node.systemctl("start", "bluechi-agent.service")
        with StateManager(one, COMPATIBLE) as caller:
            status = caller.get(caller.path(""), "Manager", "Status")
            if status != ("s", "up"):
                caller.changed(caller.path(""), "Status", "up")
            assert [row[0] for row in caller.manager("ListNodes")] == ["node1", "node2"]
            assert caller.job("node2", "StartUnit", "quick.service") == "done"
            address = f"tcp:host={one.ip},port=8420"
            assert caller.get(caller.path(""), "Agent", "ControllerAddress") == ("s", address)
            owner = caller.ask(
                "org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus",
                "NameHasOwner", "s", NATIVE.bus_name,
            )  # fmt: skip
            assert owner is False
        for program in ("bluechi-controller", "bluechi-agent"):
            said = one.run([f"/usr/libexec/{program}", "--version"]).stdout
            assert said.startswith(f"{program} version ")
        one.systemctl("stop", "bluechi-controller.service", "bluechi-agent.service")
        shown = one.systemctl("show", "--property=Result,ExecMainStatus", "bluechi-controller")
        assert shown.stdout.split() == ["Result=success", "ExecMainStatus=0"]


def test_both_names_are_free_again_when_the_manager_stops(mixed: Fleet) -> None:
    one = mixed["node1"]
    with StateManager(one, COMPATIBLE) as caller, contextlib.ExitStack() as later:
        later.callback(one.systemctl, "start", "hirte.service")
        one.systemctl("stop", "hirte.service")
        caller.changed(caller.path(""), "Status", "down")
        assert one.systemctl("is-active", AGENT_UNIT).stdout == "active\n"
        with Bus(one.bus_address) as bus:
            for dialect in (NATIVE, COMPATIBLE):
                bus.wait_for_name(dialect.bus_name, owned=False)
