"""Every method, signal and property of the public interfaces, on real nodes, in both dialects.

One scenario per row of hirte's tables: a row without a scenario fails, and so does a scenario
without a row. The fleet has agents of both dialects, whichever the caller speaks.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from hirte.api import public
from hirte.api.dialect import COMPATIBLE, NATIVE
from tests.bed import Fleet
from tests.bed.bus import BusError
from tests.fleet.conftest import open_fleet
from tests.fleet.mixed import AGENT_UNIT, NODES, deploy_mixed
from tests.fleet.statemanager import ERROR, StateManager

TABLES = (
    public.MANAGER, public.NODE, public.JOB, public.MONITOR, public.METRICS, public.AGENT,
)  # fmt: skip
ROWS = [
    f"{table.name}.{row}"
    for table in TABLES
    for kind in (table.methods, table.signals, table.properties)
    for row in kind
]
SCENARIOS: dict[str, Callable[[World], None]] = {}
UNIT = "org.freedesktop.systemd1.Unit"
SERVICE = "org.freedesktop.systemd1.Service"
SYSTEMD_PATH = "/org/freedesktop/systemd1"
# In which the nodes' clocks and the tests' may be apart, and a job be under way.
SECOND = 1_000_000


class World:
    """A caller in one dialect, the fleet, and two nodes whose agents speak either dialect."""

    def __init__(self, fleet: Fleet, caller: StateManager) -> None:
        self.fleet = fleet
        self.caller = caller
        self.path = caller.path
        # The agents on these nodes speak compatible, and native.
        self.targets = ("node3", "node1")

    def systemctl(self, node: str, *words: str) -> str:
        return self.fleet[node].systemctl(*words, check=False).stdout.strip()

    def show(self, node: str, unit: str, name: str) -> str:
        return self.systemctl(node, "show", "--value", f"--property={name}", unit)

    def monitor(self) -> str:
        return str(self.caller.manager("CreateMonitor"))

    def held(self, node: str = "node3") -> str:
        """The path of a job that lasts until it is cancelled."""
        return str(self.caller.node(node, "StartUnit", "ss", "held.service", "replace"))


@pytest.fixture(scope="module")
def mixed() -> Iterator[Fleet]:
    """The fleet of both dialects."""
    with open_fleet() as fleet:
        deploy_mixed(fleet)
        yield fleet


@pytest.fixture(params=[NATIVE, COMPATIBLE], ids=lambda dialect: dialect.name)
def world(mixed: Fleet, request: pytest.FixtureRequest) -> Iterator[World]:
    """A new caller on the manager's node."""
    with StateManager(mixed["node1"], request.param) as caller:
        yield World(mixed, caller)
    tidy = "systemctl stop stay.service held.service 'one@*.service'; systemctl reset-failed"
    for node in ("node1", "node3"):
        mixed[node].run(["/bin/sh", "-c", tidy])


@pytest.mark.parametrize("row", ROWS)
def test_row(world: World, row: str) -> None:
    SCENARIOS[row](world)


def test_every_scenario_has_a_row() -> None:
    assert sorted(SCENARIOS) == sorted(ROWS)


def scenario(row: str) -> Callable[[Callable[[World], None]], Callable[[World], None]]:
    """Registers the scenario of a row."""

    def register(play: Callable[[World], None]) -> Callable[[World], None]:
        assert row not in SCENARIOS
        SCENARIOS[row] = play
        return play

    return register


# Manager


@scenario("Manager.ListUnits")
def list_units_of_all(world: World) -> None:
    units = world.caller.manager("ListUnits")
    assert list(units) == list(NODES)
    for node in NODES:
        own = world.caller.node(node, "ListUnits")
        assert [unit[0] for unit in units[node]] == [unit[0] for unit in own]
    (init,) = [unit for unit in units["node2"] if unit[0] == "init.scope"]
    assert init == (
        "init.scope", "System and Service Manager", "loaded", "active", "running", "",
        f"{SYSTEMD_PATH}/unit/init_2escope", 0, "", "/",
    )  # fmt: skip


@scenario("Manager.ListUnitFiles")
def list_unit_files_of_all(world: World) -> None:
    files = world.caller.manager("ListUnitFiles")
    assert list(files) == list(NODES)
    for node in NODES:
        assert ("/etc/systemd/system/stay.service", "static") in files[node]


@scenario("Manager.ListNodes")
def list_nodes(world: World) -> None:
    nodes = world.caller.manager("ListNodes")
    assert nodes == [
        (name, world.path(f"node/{name}"), "online", f"::ffff:{world.fleet[name].ip}")
        for name in NODES
    ]


@scenario("Manager.GetNode")
def get_node(world: World) -> None:
    assert world.caller.manager("GetNode", "s", "node2") == world.path("node/node2")


@scenario("Manager.CreateMonitor")
def create_monitor(world: World) -> None:
    first, second = world.monitor(), world.monitor()
    head, _, number = first.rpartition("/")
    assert (head, second) == (world.path("monitor"), f"{head}/{int(number) + 1}")


@scenario("Manager.SetLogLevel")
def set_log_level(world: World) -> None:
    for level in ("DEBUG", "WARN", "ERROR", "INFO"):
        assert world.caller.manager("SetLogLevel", "s", level) is None
        assert world.caller.get(world.path(""), "Manager", "LogLevel") == ("s", level)


@scenario("Manager.EnableMetrics")
def enable_metrics(world: World) -> None:
    with pytest.raises(BusError, match="UnknownObject"):
        world.caller.ask(world.caller.dialect.bus_name, world.path("metrics"), *INTROSPECT)
    with metrics(world):
        text = world.caller.ask(world.caller.dialect.bus_name, world.path("metrics"), *INTROSPECT)
        assert world.caller.full("Metrics") in text


@scenario("Manager.DisableMetrics")
def disable_metrics(world: World) -> None:
    with metrics(world):
        pass
    with pytest.raises(BusError, match="UnknownObject"):
        world.caller.ask(world.caller.dialect.bus_name, world.path("metrics"), *INTROSPECT)
    world.caller.forget()
    assert world.caller.job("node3", "StartUnit", "quick.service") == "done"
    assert {event[0] for event in world.caller.settle()} <= JOB_SIGNALS


@scenario("Manager.JobNew")
def job_new(world: World) -> None:
    path = world.held()
    signal = world.caller.hear("JobNew")
    assert (signal.path, signal.signature) == (world.path(""), "uo")
    assert signal.values == (number_of(path), path)
    assert signal.destination == ""


@scenario("Manager.JobRemoved")
def job_removed(world: World) -> None:
    path = world.caller.node("node3", "StartUnit", "ss", "bad.service", "replace")
    signal = world.caller.hear("JobRemoved")
    assert (signal.path, signal.signature) == (world.path(""), "uosss")
    assert signal.values == (number_of(path), path, "node3", "bad.service", "failed")
    assert signal.destination == ""


@scenario("Manager.Status")
def manager_status(world: World) -> None:
    """N is three: only the first and the last loss and gain of a node are told."""
    caller, root = world.caller, world.path("")
    assert caller.get(root, "Manager", "Status") == ("s", "up")
    two, three = world.fleet["node2"], world.fleet["node3"]
    two.systemctl("stop", AGENT_UNIT)
    caller.changed(root, "Status", "degraded")
    three.systemctl("stop", "bluechi-agent.service")
    caller.changed(world.path("node/node3"), "Status", "offline")
    three.systemctl("start", "bluechi-agent.service")
    caller.changed(world.path("node/node3"), "Status", "online")
    two.systemctl("start", AGENT_UNIT)
    caller.changed(root, "Status", "up")
    told = [event[2]["Status"] for event in caller.settle() if event[1] == root]
    assert told == ["degraded", "up"]


@scenario("Manager.LogLevel")
def manager_log_level(world: World) -> None:
    root = world.path("")
    assert world.caller.get(root, "Manager", "LogLevel") == ("s", "INFO")
    # Explicit properties are read with Get only.
    assert world.caller.get_all(root, "Manager") == {"Status": "up", "LogTarget": "journald"}


@scenario("Manager.LogTarget")
def manager_log_target(world: World) -> None:
    assert world.caller.get(world.path(""), "Manager", "LogTarget") == ("s", "journald")


# Node: jobs


@scenario("Node.StartUnit")
def start_unit(world: World) -> None:
    for node in world.targets:
        assert world.caller.job(node, "StartUnit", "stay.service") == "done"
        assert world.systemctl(node, "is-active", "stay.service") == "active"


@scenario("Node.StopUnit")
def stop_unit(world: World) -> None:
    for node in world.targets:
        world.systemctl(node, "start", "stay.service")
        assert world.caller.job(node, "StopUnit", "stay.service") == "done"
        assert world.systemctl(node, "is-active", "stay.service") == "inactive"


@scenario("Node.RestartUnit")
def restart_unit(world: World) -> None:
    for node in world.targets:
        world.systemctl(node, "start", "stay.service")
        before = world.show(node, "stay.service", "MainPID")
        assert world.caller.job(node, "RestartUnit", "stay.service") == "done"
        assert world.show(node, "stay.service", "MainPID") not in ("0", before)


@scenario("Node.ReloadUnit")
def reload_unit(world: World) -> None:
    for node in world.targets:
        world.systemctl(node, "start", "stay.service")
        before = world.show(node, "stay.service", "MainPID")
        assert world.caller.job(node, "ReloadUnit", "stay.service") == "done"
        assert world.show(node, "stay.service", "MainPID") == before


@scenario("Node.StartTransientUnit")
def start_transient_unit(world: World) -> None:
    sleep = ("/usr/bin/sleep", ["/usr/bin/sleep", "infinity"], False)
    properties = [("Description", ("s", "Made up")), ("ExecStart", ("a(sasb)", [sleep]))]
    for node in world.targets:
        job = world.caller.node(
            node, "StartTransientUnit", "ssa(sv)a(sa(sv))", "made.service", "replace", properties,
            [],
        )  # fmt: skip
        # systemd's own path, and neither an object nor signals of ours.
        assert job.startswith(f"{SYSTEMD_PATH}/job/")
        assert world.systemctl(node, "is-active", "--wait", "made.service") == "active"
        assert world.show(node, "made.service", "Description") == "Made up"
        assert world.caller.settle() == []
        world.systemctl(node, "stop", "made.service")


# Node: units


@scenario("Node.FreezeUnit")
def freeze_unit(world: World) -> None:
    for node in world.targets:
        world.systemctl(node, "start", "stay.service")
        assert world.caller.node(node, "FreezeUnit", "s", "stay.service") is None
        assert world.show(node, "stay.service", "FreezerState") == "frozen"
        world.systemctl(node, "thaw", "stay.service")


@scenario("Node.ThawUnit")
def thaw_unit(world: World) -> None:
    for node in world.targets:
        world.systemctl(node, "start", "stay.service")
        world.systemctl(node, "freeze", "stay.service")
        assert world.caller.node(node, "ThawUnit", "s", "stay.service") is None
        assert world.show(node, "stay.service", "FreezerState") == "running"


@scenario("Node.KillUnit")
def kill_unit(world: World) -> None:
    for node in world.targets:
        world.systemctl(node, "start", "stay.service")
        monitor = world.monitor()
        world.caller.object(monitor, "Monitor", "Subscribe", "ss", node, "stay.service")
        assert world.caller.node(node, "KillUnit", "ssi", "stay.service", "main", 9) is None
        world.caller.hear("UnitStateChanged", node, "stay.service", "failed", "failed")
        assert world.show(node, "stay.service", "ExecMainStatus") == "9"


@scenario("Node.GetUnitProperties")
def get_unit_properties(world: World) -> None:
    for node in world.targets:
        get = (node, "GetUnitProperties", "ss")
        of_unit = world.caller.node(*get, "stay.service", UNIT)
        assert of_unit["Id"] == ("s", "stay.service")
        assert "ExecStart" not in of_unit
        everything = world.caller.node(*get, "stay.service", "")
        assert {**everything, **of_unit} == everything
        assert everything["ExecStart"][1][0][0] == "/usr/bin/sleep"
        # systemd has properties of units that it has never heard of.
        assert world.caller.node(*get, "no.service", UNIT)["LoadState"] == ("s", "not-found")


@scenario("Node.GetUnitProperty")
def get_unit_property(world: World) -> None:
    for node in world.targets:
        kind = world.caller.node(node, "GetUnitProperty", "sss", "bad.service", SERVICE, "Type")
        assert kind == ("s", "oneshot")


@scenario("Node.SetUnitProperties")
def set_unit_properties(world: World) -> None:
    for node in world.targets:
        world.systemctl(node, "start", "stay.service")
        text = f"said by {world.caller.dialect.name}"
        values = [("Description", ("s", text)), ("TasksMax", ("t", 77))]
        done = world.caller.node(node, "SetUnitProperties", "sba(sv)", "stay.service", True, values)
        assert done is None
        assert world.show(node, "stay.service", "Description") == text
        assert world.show(node, "stay.service", "TasksMax") == "77"


@scenario("Node.EnableUnitFiles")
def enable_unit_files(world: World) -> None:
    for node in world.targets:
        world.systemctl(node, "disable", "wanted.service")
        changes = world.caller.node(
            node, "EnableUnitFiles", "asbb", ["wanted.service"], False, False
        )
        link = "/etc/systemd/system/multi-user.target.wants/wanted.service"
        assert changes == (True, [("symlink", link, "/etc/systemd/system/wanted.service")])
        assert world.systemctl(node, "is-enabled", "wanted.service") == "enabled"


@scenario("Node.DisableUnitFiles")
def disable_unit_files(world: World) -> None:
    for node in world.targets:
        world.systemctl(node, "enable", "wanted.service")
        changes = world.caller.node(node, "DisableUnitFiles", "asb", ["wanted.service"], False)
        link = "/etc/systemd/system/multi-user.target.wants/wanted.service"
        assert changes == [("unlink", link, "")]
        assert world.systemctl(node, "is-enabled", "wanted.service") == "disabled"


@scenario("Node.GetUnitFileState")
def get_unit_file_state(world: World) -> None:
    for node in world.targets:
        ask = (node, "GetUnitFileState", "s")
        assert world.caller.node(*ask, "stay.service") == "static"
        world.systemctl(node, "enable", "wanted.service")
        assert world.caller.node(*ask, "wanted.service") == "enabled"
        world.systemctl(node, "disable", "wanted.service")
        assert world.caller.node(*ask, "wanted.service") == "disabled"


@scenario("Node.ListUnits")
def list_units(world: World) -> None:
    for node in world.targets:
        world.systemctl(node, "start", "stay.service")
        units = {unit[0]: unit for unit in world.caller.node(node, "ListUnits")}
        assert units["stay.service"] == (
            "stay.service", world.show(node, "stay.service", "Description"), "loaded", "active",
            "running", "", f"{SYSTEMD_PATH}/unit/stay_2eservice", 0, "", "/",
        )  # fmt: skip


@scenario("Node.ListUnitFiles")
def list_unit_files(world: World) -> None:
    for node in world.targets:
        files = world.caller.node(node, "ListUnitFiles")
        assert ("/etc/systemd/system/bad.service", "static") in files
        everywhere = world.caller.manager("ListUnitFiles")
        # systemd's order is another one each time.
        assert sorted(everywhere[node]) == sorted(files)


@scenario("Node.Reload")
def reload(world: World) -> None:
    for node in world.targets:
        text = f"[Unit]\nDescription=new to {world.caller.dialect.name}\n"
        world.fleet[node].write("/etc/systemd/system/new.target", text)
        assert world.caller.node(node, "Reload") is None
        description = world.show(node, "new.target", "Description")
        assert description == f"new to {world.caller.dialect.name}"


@scenario("Node.ResetFailed")
def reset_failed(world: World) -> None:
    for node in world.targets:
        world.systemctl(node, "start", "bad.service")
        assert world.systemctl(node, "is-failed", "bad.service") == "failed"
        assert world.caller.node(node, "ResetFailed") is None
        assert world.systemctl(node, "is-failed", "bad.service") == "inactive"


@scenario("Node.ResetFailedUnit")
def reset_failed_unit(world: World) -> None:
    for node in world.targets:
        world.systemctl(node, "start", "bad.service")
        world.systemctl(node, "start", "worse.service")
        assert world.caller.node(node, "ResetFailedUnit", "s", "bad.service") is None
        assert world.systemctl(node, "is-failed", "bad.service") == "inactive"
        assert world.systemctl(node, "is-failed", "worse.service") == "failed"


@scenario("Node.GetDefaultTarget")
def get_default_target(world: World) -> None:
    for node in world.targets:
        told = world.systemctl(node, "get-default")
        assert world.caller.node(node, "GetDefaultTarget") == told


@scenario("Node.SetDefaultTarget")
def set_default_target(world: World) -> None:
    for node in world.targets:
        before = world.systemctl(node, "get-default")
        changes = world.caller.node(node, "SetDefaultTarget", "sb", "rescue.target", True)
        assert [change[:2] for change in changes][-1] == (
            "symlink", "/etc/systemd/system/default.target",
        )  # fmt: skip
        assert world.systemctl(node, "get-default") == "rescue.target"
        world.systemctl(node, "set-default", before)


@scenario("Node.SetLogLevel")
def set_log_level_of_the_agent(world: World) -> None:
    for level in ("ERROR", "INFO"):
        assert world.caller.node("node1", "SetLogLevel", "s", level) is None
        assert world.caller.get(world.path(""), "Agent", "LogLevel") == ("s", level)
    # The manager's level is another one.
    assert world.caller.get(world.path(""), "Manager", "LogLevel") == ("s", "INFO")


@scenario("Node.Name")
def node_name(world: World) -> None:
    for node in NODES:
        assert world.caller.get(world.path(f"node/{node}"), "Node", "Name") == ("s", node)


@scenario("Node.Status")
def node_status(world: World) -> None:
    path = world.path("node/node3")
    assert world.caller.get(path, "Node", "Status") == ("s", "online")
    world.systemctl("node3", "restart", "bluechi-agent.service")
    world.caller.changed(path, "Status", "offline")
    world.caller.changed(path, "Status", "online")
    assert world.caller.get_all(path, "Node") == {"Name": "node3", "Status": "online"}


@scenario("Node.PeerIp")
def node_peer_ip(world: World) -> None:
    for node in NODES:
        ip = world.caller.get(world.path(f"node/{node}"), "Node", "PeerIp")
        assert ip == ("s", f"::ffff:{world.fleet[node].ip}")


@scenario("Node.LastSeenTimestamp")
def node_last_seen(world: World) -> None:
    assert_recent(world, "Node", "LastSeenTimestamp", time.time())


@scenario("Node.LastSeenTimestampMonotonic")
def node_last_seen_monotonic(world: World) -> None:
    assert_recent(world, "Node", "LastSeenTimestampMonotonic", time.monotonic())


def assert_recent(world: World, interface: str, name: str, now: float) -> None:
    """A node's last heartbeat is at most its interval of 2 s ago, and not in the future."""
    path = world.path("node/node2") if interface == "Node" else world.path("")
    kind, microseconds = world.caller.get(path, interface, name)
    assert kind == "t"
    assert -0.5 < now - microseconds / SECOND < 4
    assert name not in world.caller.get_all(world.path("node/node2"), "Node")


# Job


@scenario("Job.Cancel")
def job_cancel(world: World) -> None:
    for node in world.targets:
        path = world.held(node)
        assert world.caller.object(path, "Job", "Cancel") is None
        assert world.caller.removed(path) == "canceled"


@scenario("Job.Id")
def job_id(world: World) -> None:
    path = world.held()
    assert world.caller.get(path, "Job", "Id") == ("u", number_of(path))


@scenario("Job.Node")
def job_node(world: World) -> None:
    for node in world.targets:
        assert world.caller.get(world.held(node), "Job", "Node") == ("s", node)


@scenario("Job.Unit")
def job_unit(world: World) -> None:
    assert world.caller.get(world.held(), "Job", "Unit") == ("s", "held.service")


_KILL_SLOW = """\
pid=$(systemctl show -P MainPID slow.service)
systemctl kill --signal=KILL slow.service
while [ "$(systemctl show -P MainPID slow.service)" = "$pid" ]; do sleep 0.05; done
"""


@scenario("Job.JobType")
def job_type(world: World) -> None:
    jobs = {"StartUnit": "start", "ReloadUnit": "reload", "StopUnit": "stop"}
    jobs["RestartUnit"] = "restart"
    for member, word in jobs.items():
        unit = "held.service" if word == "start" else "slow.service"
        world.systemctl("node3", "start", "--no-block", "slow.service")
        path = world.caller.node("node3", member, "ss", unit, "replace")
        assert world.caller.get(path, "Job", "JobType") == ("s", word)
        # Until it is gone: one that is about to would end the next job at once.
        world.fleet["node3"].run(["/bin/sh", "-c", _KILL_SLOW])


@scenario("Job.State")
def job_state(world: World) -> None:
    running = world.held()
    world.caller.changed(running, "State", "running")
    assert world.caller.get(running, "Job", "State") == ("s", "running")
    waiting = world.caller.node("node3", "StartUnit", "ss", "behind.service", "replace")
    assert world.caller.get(waiting, "Job", "State") == ("s", "waiting")
    everything = world.caller.get_all(waiting, "Job")
    assert everything == {
        "Id": number_of(waiting), "Node": "node3", "Unit": "behind.service", "JobType": "start",
        "State": "waiting",
    }  # fmt: skip
    world.systemctl("node3", "stop", "held.service")
    world.caller.changed(waiting, "State", "running")
    assert world.caller.removed(waiting) == "done"


# Monitor


@scenario("Monitor.Subscribe")
def monitor_subscribe(world: World) -> None:
    for node in world.targets:
        monitor = world.monitor()
        number = world.caller.object(monitor, "Monitor", "Subscribe", "ss", node, "init.scope")
        # One counter for all monitors, which begins at 2.
        assert number >= 2
        again = world.caller.object(monitor, "Monitor", "Subscribe", "ss", node, "bad.service")
        assert again == number + 1
        world.caller.hear("UnitStateChanged", node, "init.scope", "active", "running", "virtual")


@scenario("Monitor.SubscribeList")
def monitor_subscribe_list(world: World) -> None:
    units = ["init.scope", "-.slice"]
    for node in world.targets:
        monitor = world.monitor()
        world.caller.object(monitor, "Monitor", "SubscribeList", "sas", node, units)
        for unit in units:
            world.caller.hear("UnitStateChanged", node, unit, "active")
        number = world.caller.object(monitor, "Monitor", "SubscribeList", "sas", node, [])
        world.caller.object(monitor, "Monitor", "Unsubscribe", "u", number)


@scenario("Monitor.Unsubscribe")
def monitor_unsubscribe(world: World) -> None:
    monitor = world.monitor()
    number = world.caller.object(monitor, "Monitor", "Subscribe", "ss", "node3", "stay.service")
    world.caller.job("node3", "StartUnit", "stay.service")
    world.caller.hear("UnitStateChanged", "node3", "stay.service", "active", "running")
    assert world.caller.object(monitor, "Monitor", "Unsubscribe", "u", number) is None
    world.caller.forget()
    world.caller.job("node3", "StopUnit", "stay.service")
    assert {event[0] for event in world.caller.settle()} <= JOB_SIGNALS


@scenario("Monitor.AddPeer")
def monitor_add_peer(world: World) -> None:
    monitor = world.monitor()
    with StateManager(world.fleet["node1"], world.caller.dialect) as peer:
        number = world.caller.object(monitor, "Monitor", "AddPeer", "s", peer.name)
        assert number >= 1
        world.caller.object(monitor, "Monitor", "Subscribe", "ss", "node3", "init.scope")
        told = peer.hear("UnitNew", "node3", "init.scope", "virtual")
        assert (told.path, told.destination) == (monitor, peer.name)
        told = world.caller.hear("UnitNew", "node3", "init.scope", "virtual")
        assert (told.path, told.destination) == (monitor, world.caller.name)


@scenario("Monitor.RemovePeer")
def monitor_remove_peer(world: World) -> None:
    monitor = world.monitor()
    with StateManager(world.fleet["node1"], world.caller.dialect) as peer:
        number = world.caller.object(monitor, "Monitor", "AddPeer", "s", peer.name)
        gone = world.caller.object(monitor, "Monitor", "RemovePeer", "us", number, "enough")
        assert gone is None
        peer.hear("PeerRemoved", "enough")
        world.caller.object(monitor, "Monitor", "Subscribe", "ss", "node3", "init.scope")
        world.caller.hear("UnitNew")
        assert [event[0] for event in peer.settle()] == ["PeerRemoved"]
        assert "PeerRemoved" not in [event[0] for event in world.caller.settle()]


@scenario("Monitor.Close")
def monitor_close(world: World) -> None:
    monitor = world.monitor()
    world.caller.object(monitor, "Monitor", "Subscribe", "ss", "node3", "stay.service")
    assert world.caller.object(monitor, "Monitor", "Close") is None
    with pytest.raises(BusError) as refused:
        world.caller.object(monitor, "Monitor", "Close")
    assert refused.value.name == f"{ERROR}.UnknownObject"
    world.caller.forget()
    world.caller.job("node3", "StartUnit", "stay.service")
    assert {event[0] for event in world.caller.settle()} <= JOB_SIGNALS


@scenario("Monitor.UnitNew")
def monitor_unit_new(world: World) -> None:
    told = heard_of_one(world, "UnitNew")
    assert told.signature == "sss"
    assert told.values == ("node3", "one@new.service", "real")


@scenario("Monitor.UnitStateChanged")
def monitor_unit_state_changed(world: World) -> None:
    told = heard_of_one(world, "UnitStateChanged")
    assert told.signature == "sssss"
    assert told.values[2:] in (
        ("activating", "start", "real"), ("active", "exited", "real"),
    )  # fmt: skip


@scenario("Monitor.UnitPropertiesChanged")
def monitor_unit_properties_changed(world: World) -> None:
    told = heard_of_one(world, "UnitPropertiesChanged")
    assert told.signature == "sssa{sv}"
    assert told.values[2] in (UNIT, SERVICE)
    assert all(len(variant) == 2 for variant in told.values[3].values())


@scenario("Monitor.UnitRemoved")
def monitor_unit_removed(world: World) -> None:
    heard_of_one(world, "UnitNew")
    world.caller.job("node3", "StopUnit", "one@new.service")
    told = world.caller.hear("UnitRemoved")
    assert told.signature == "sss"
    assert told.values == ("node3", "one@new.service", "real")


@scenario("Monitor.PeerRemoved")
def monitor_peer_removed(world: World) -> None:
    monitor = world.monitor()
    with StateManager(world.fleet["node1"], world.caller.dialect) as peer:
        world.caller.object(monitor, "Monitor", "AddPeer", "s", peer.name)
        world.caller.object(monitor, "Monitor", "Close")
        told = peer.hear("PeerRemoved")
        assert (told.path, told.signature) == (monitor, "s")
        assert told.values == ("monitor closed",)


def heard_of_one(world: World, member: str) -> Any:
    """A monitor's first signal `member` when a unit of which nobody knew is started."""
    monitor = world.monitor()
    world.caller.object(monitor, "Monitor", "Subscribe", "ss", "node3", "one@new.service")
    assert world.caller.job("node3", "StartUnit", "one@new.service") == "done"
    told = world.caller.hear(member)
    assert (told.path, told.interface) == (monitor, world.caller.full("Monitor"))
    assert told.destination == world.caller.name
    return told


# Metrics


@scenario("Metrics.AgentJobMetrics")
def agent_job_metrics(world: World) -> None:
    with metrics(world):
        for node in world.targets:
            for member in ("StartUnit", "RestartUnit", "ReloadUnit", "StopUnit"):
                world.caller.forget()
                world.caller.job(node, member, "stay.service")
                told = world.caller.hear("AgentJobMetrics", node, "stay.service", member)
                assert (told.path, told.signature) == (world.path("metrics"), "ssst")
                assert 0 < told.values[3] < 20 * SECOND
                # Before JobRemoved.
                members = [event[0] for event in world.caller.events()]
                assert members.index("AgentJobMetrics") < members.index("JobRemoved")


@scenario("Metrics.StartUnitJobMetrics")
def start_unit_job_metrics(world: World) -> None:
    with metrics(world):
        for node in world.targets:
            world.caller.forget()
            path = world.caller.node(node, "StartUnit", "ss", "stay.service", "replace")
            told = world.caller.hear("StartUnitJobMetrics")
            assert (told.path, told.signature) == (world.path("metrics"), "ssstt")
            # Of the job it is the object's path, although the argument is called job_id.
            assert told.values[:3] == (node, path, "stay.service")
            assert 0 <= told.values[4] < told.values[3] < 20 * SECOND
            members = [event[0] for event in world.caller.events()]
            assert members.index("JobRemoved") < members.index("StartUnitJobMetrics")
            world.caller.job(node, "StopUnit", "stay.service")
            assert [event[0] for event in world.caller.settle()].count("StartUnitJobMetrics") == 1


class metrics:
    """Metrics are on for the length of a `with` block."""

    def __init__(self, world: World) -> None:
        self.caller = world.caller

    def __enter__(self) -> None:
        assert self.caller.manager("EnableMetrics") is None

    def __exit__(self, *reason: object) -> None:
        assert self.caller.manager("DisableMetrics") is None


# Agent, on the bus of its own node, which is the manager's


@scenario("Agent.SwitchManager")
def switch_manager(world: World) -> None:
    """To the same manager under another address: it goes, and comes back."""
    caller, root = world.caller, world.path("")
    dialect = caller.dialect
    member = "SwitchManager" if dialect is NATIVE else "SwitchController"
    address = f"tcp:port=842,host={world.fleet['node1'].ip}"
    assert caller.agent(member, "s", address) is None
    name = "ManagerAddress" if dialect is NATIVE else "ControllerAddress"
    assert caller.get(root, "Agent", name) == ("s", address)
    agent_is_online(caller)
    of_agent = [
        heard.values
        for heard in caller.heard
        if heard.member == "PropertiesChanged" and heard.about == caller.full("Agent")
    ]
    assert of_agent == [{name: address}, {"Status": "offline"}, {"Status": "online"}]
    with pytest.raises(BusError) as refused:
        caller.agent(member, "s", address)
    assert refused.value.name == f"{ERROR}.Failed"
    restart_agent(world)


@scenario("Agent.JobCancel")
def agent_job_cancel(world: World) -> None:
    path = world.held("node1")
    # The manager's number of the job, not systemd's.
    assert world.caller.agent("JobCancel", "u", number_of(path)) is None
    assert world.caller.removed(path) == "canceled"
    with pytest.raises(BusError) as refused:
        world.caller.agent("JobCancel", "u", number_of(path))
    assert refused.value.name == f"{ERROR}.Failed"


@scenario("Agent.Status")
def agent_status(world: World) -> None:
    assert world.caller.get(world.path(""), "Agent", "Status") == ("s", "online")
    restart_agent(world)
    told = [
        heard.values["Status"]
        for heard in world.caller.heard
        if heard.member == "PropertiesChanged" and heard.about == world.caller.full("Agent")
    ]
    assert told == ["offline", "online"]


@scenario("Agent.LogLevel")
def agent_log_level(world: World) -> None:
    assert world.caller.get(world.path(""), "Agent", "LogLevel") == ("s", "INFO")


@scenario("Agent.LogTarget")
def agent_log_target(world: World) -> None:
    assert world.caller.get(world.path(""), "Agent", "LogTarget") == ("s", "journald")


@scenario("Agent.DisconnectTimestamp")
def agent_disconnect(world: World) -> None:
    restart_agent(world)
    assert world.caller.get(world.path(""), "Agent", "DisconnectTimestamp") == ("t", 0)


@scenario("Agent.DisconnectTimestampMonotonic")
def agent_disconnect_monotonic(world: World) -> None:
    restart_agent(world)
    assert world.caller.get(world.path(""), "Agent", "DisconnectTimestampMonotonic") == ("t", 0)


@scenario("Agent.LastSeenTimestamp")
def agent_last_seen(world: World) -> None:
    """The manager sends no heartbeats by default: it is the time of the registration."""
    restart_agent(world)
    assert_recent(world, "Agent", "LastSeenTimestamp", time.time())


@scenario("Agent.LastSeenTimestampMonotonic")
def agent_last_seen_monotonic(world: World) -> None:
    restart_agent(world)
    assert_recent(world, "Agent", "LastSeenTimestampMonotonic", time.monotonic())


@scenario("Agent.ManagerAddress")
def agent_manager_address(world: World) -> None:
    name = "ManagerAddress" if world.caller.dialect is NATIVE else "ControllerAddress"
    # The name of the host is resolved.
    address = f"tcp:host={world.fleet['node1'].ip},port=842"
    assert world.caller.get(world.path(""), "Agent", name) == ("s", address)


def restart_agent(world: World) -> None:
    """Restarts the agent of node1 and waits until it has registered."""
    world.caller.forget()
    world.systemctl("node1", "restart", AGENT_UNIT)
    world.caller.changed(world.path("node/node1"), "Status", "online")
    agent_is_online(world.caller)


def agent_is_online(caller: StateManager) -> None:
    """Waits until the agent says that it has registered; manager and agent have the same path."""
    caller.until(
        lambda heard: (
            heard.member == "PropertiesChanged"
            and heard.about == caller.full("Agent")
            and heard.values == {"Status": "online"}
        )
    )


INTROSPECT = ("org.freedesktop.DBus.Introspectable", "Introspect")
JOB_SIGNALS = {"JobNew", "JobRemoved", "PropertiesChanged"}


def number_of(path: str) -> int:
    return int(path.rpartition("/")[2])
