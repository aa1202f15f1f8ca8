"""The client library against a fake bus: calls, jobs, monitors, watches, and every bad end."""

from __future__ import annotations

from typing import Any

import pytest

from hirte.api.dialect import COMPATIBLE
from hirte.client import (
    CallError,
    Error,
    JobInfo,
    JobNew,
    JobRemoved,
    Manager,
    ManagerAway,
    ManagerStatus,
    NodeOffline,
    NodeStatus,
    NodeUnknown,
    NotPermitted,
    PeerRemoved,
    StartUnitJobMetrics,
    Timeout,
    UnitNew,
    UnitPropertiesChanged,
    UnitStateChanged,
    UnitUnknown,
)
from tests.unit.ctl_fake import DRIVER, ERROR, NAME, OWNER, ROOT, FakeBus, client, node_path, unit

NODE1 = node_path("node1")
JOB = f"{ROOT}/job/1"
MONITOR = f"{ROOT}/monitor/1"
PROPERTIES = f"{DRIVER}.Properties"


@pytest.fixture
def bus() -> FakeBus:
    """A manager with two nodes that takes any request for node1 as job 1."""
    made = FakeBus()
    made.nodes(("node1", "online", "192.168.1.2"), ("node2", "offline", ""))
    made.answer(ROOT, "Get", "v", ("s", "degraded"))
    made.answer(ROOT, "CreateMonitor", "o", MONITOR)
    made.answer(MONITOR, "Subscribe", "u", 2)
    made.answer(MONITOR, "Close")
    made.answer("/org/freedesktop/DBus", "RemoveMatch")
    for method in ("StartUnit", "StopUnit"):
        made.answer(NODE1, method, "o", JOB)
    return made


def changed(bus: FakeBus, path: str, interface: str, **values: str) -> Any:
    """Return the signal for properties that changed."""
    variants = {name: ("s", value) for name, value in values.items()}
    return bus.signal(
        "PropertiesChanged", "sa{sv}as", f"{NAME}.{interface}", variants, [],
        path=path, interface=PROPERTIES,
    )  # fmt: skip


def told(bus: FakeBus, member: str, signature: str, *values: Any, path: str = MONITOR) -> Any:
    """Return a signal of a monitor."""
    return bus.signal(member, signature, *values, path=path, interface=f"{NAME}.Monitor")


# Calls


def test_values_are_typed(bus: FakeBus) -> None:
    manager = client(bus)
    assert [node.name for node in manager.list_nodes() if node.is_online] == ["node1"]
    bus.answer(ROOT, "ListUnits", "a{sa(ssssssouso)}", {"node1": [unit("a.service")]})
    assert manager.list_units()["node1"][0].sub == "running"
    bus.answer(NODE1, "GetUnitProperty", "v", ("t", 7))
    assert manager.node("node1").get_unit_property("a.service", "CPUWeight", "x.y") == 7
    bus.answer(NODE1, "EnableUnitFiles", "ba(sss)", True, [("symlink", "/a", "/b")])
    carries, changes = manager.node("node1").enable_unit_files(["a.service"])
    assert (carries, changes[0].destination) == (True, "/b")
    bus.answer(NODE1, "FreezeUnit")
    manager.node("node1").freeze_unit("a.service")
    assert bus.calls[-1] == (NAME, NODE1, f"{NAME}.Node", "FreezeUnit", "a.service")


def test_variants_go_out_as_pairs(bus: FakeBus) -> None:
    bus.answer(NODE1, "SetUnitProperties")
    client(bus).node("node1").set_unit_properties("a.service", {"CPUWeight": ("t", 50)})
    assert bus.calls[-1][4:] == ("a.service", False, [("CPUWeight", ("t", 50))])


def test_a_transient_unit(bus: FakeBus) -> None:
    bus.answer(NODE1, "StartTransientUnit", "o", "/job/9")
    given = {"Description": ("s", "x")}
    node = client(bus).node("node1")
    assert node.start_transient_unit("t.service", given, aux=[("u.service", given)]) == "/job/9"
    listed = [("Description", ("s", "x"))]
    assert bus.calls[-1][4:] == ("t.service", "replace", listed, [("u.service", listed)])


@pytest.mark.parametrize(
    ("name", "text", "kind", "said"),
    [
        (f"{NAME}.Offline", "x", NodeOffline, "node1 is offline"),
        (ERROR + "UnknownObject", f"Unknown object '{NODE1}'.", NodeUnknown, "no node 'node1' is"),
        (ERROR + "UnknownObject", "Unknown object '/other'.", CallError, "node1: Unknown object"),
        ("org.freedesktop.systemd1.NoSuchUnit", "no", UnitUnknown, "node1: no"),
        (ERROR + "AccessDenied", "only root", NotPermitted, "not permitted: only root"),
        (ERROR + "NoReply", "", CallError, f"node1: {ERROR}NoReply"),
    ],
)
def test_errors_have_their_class(
    bus: FakeBus, name: str, text: str, kind: type[CallError], said: str
) -> None:
    bus.refuse(NODE1, "FreezeUnit", name, text)
    with pytest.raises(CallError) as raised:
        client(bus).node("node1").freeze_unit("a.service")
    assert (type(raised.value), raised.value.name, raised.value.text) == (kind, name, text)
    assert said in str(raised.value)


def test_a_manager_that_stops_before_it_answers(bus: FakeBus) -> None:
    bus.refuse(NODE1, "FreezeUnit", ERROR + "Failed", "Request cancelled")
    with pytest.raises(ManagerAway, match=r"^the manager stopped before it answered$"):
        client(bus).node("node1").freeze_unit("a.service")
    bus.refuse(NODE1, "FreezeUnit", ERROR + "Failed", "Request cancelled by the unit")
    with pytest.raises(CallError, match="by the unit"):
        client(bus).node("node1").freeze_unit("a.service")


def test_nobody_answers(bus: FakeBus) -> None:
    bus.ignore(ROOT, "ListNodes")
    with pytest.raises(TimeoutError, match="no answer to ListNodes within 45 s") as raised:
        client(bus).list_nodes()
    assert isinstance(raised.value, Timeout)


def test_the_compatible_dialect(bus: FakeBus) -> None:
    name, root = "org.eclipse.bluechi", "/org/eclipse/bluechi"
    bus.answer(root, "ListNodes", "a(soss)", [])
    bus.refuse(f"{root}/node/node1", "FreezeUnit", f"{name}.Offline")
    manager = client(bus, COMPATIBLE)
    assert manager.list_nodes() == []
    with pytest.raises(NodeOffline):
        manager.node("node1").freeze_unit("x")
    assert bus.calls[0] == (name, root, f"{name}.Controller", "ListNodes")


def test_a_private_socket_needs_no_bus(bus: FakeBus) -> None:
    manager = client(bus, private=True)
    watch = manager.watch_jobs()
    bus.deliver(bus.signal("JobNew", "uo", 1, JOB, sender=""))
    bus.deliver(bus.job_removed("done", sender=""))
    assert manager.node("node1").start_unit("a.service").job_type == "start"
    assert [watch.next(), watch.next()] == [
        JobNew(1, JOB),
        JobRemoved(1, JOB, "node1", "a.service", "done"),
    ]
    assert {call[0] for call in bus.calls} == {NAME}


def test_a_manager_of_the_other_dialect_only(bus: FakeBus) -> None:
    bus.refuse(ROOT, "ListNodes", ERROR + "UnknownObject", f"Unknown object '{ROOT}'.")
    with pytest.raises(ManagerAway, match=f"not running under the name {NAME}"):
        client(bus, private=True).list_nodes()


# Jobs


def test_a_job(bus: FakeBus) -> None:
    job = client(bus).node("node1").start_unit("a.service")
    assert (job.id, job.node, job.unit, job.job_type, job.result) == (
        1, "node1", "a.service", "start", None,
    )  # fmt: skip
    bus.to_come += [bus.job_removed("done", job=2), bus.job_removed("failed")]
    assert job.wait() == job.wait() == job.result == "failed"


def test_a_job_that_ends_before_the_call_is_answered(bus: FakeBus) -> None:
    manager = client(bus)
    manager.node("node1").start_unit("a.service")

    def at_once(member: str) -> None:
        if member == "StopUnit":
            bus.deliver(bus.job_removed("done", job=2))

    bus.on_call = at_once
    bus.answer(NODE1, "StopUnit", "o", f"{ROOT}/job/2")
    assert manager.node("node1").stop_unit("a.service").result == "done"


def test_a_wait_that_takes_too_long(bus: FakeBus) -> None:
    job = client(bus).node("node1").start_unit("a.service")
    with pytest.raises(Timeout, match=r"the start of a\.service takes longer than 0\.1 s"):
        job.wait(0.1)
    bus.to_come.append(bus.job_removed("done"))
    assert job.wait(0.1) == "done"


def test_a_wait_for_several_jobs(bus: FakeBus) -> None:
    manager = client(bus)
    jobs = []
    for number in (1, 2):
        bus.answer(NODE1, "StartUnit", "o", f"{ROOT}/job/{number}")
        jobs.append(manager.node("node1").start_unit("a.service"))
    bus.to_come.append(bus.job_removed("done", job=2))
    assert manager.wait(lambda: any(job.result for job in jobs))
    assert [job.result for job in jobs] == [None, "done"]
    assert not manager.wait(lambda: all(job.result for job in jobs), timeout=1.0)
    bus.to_come.append(bus.owner_changed())
    with pytest.raises(ManagerAway):
        manager.wait(lambda: all(job.result for job in jobs))


def test_a_job_that_somebody_else_asked_for(bus: FakeBus) -> None:
    told = {"Id": ("u", 1), "Node": ("s", "n"), "Unit": ("s", "u"), "JobType": ("s", "stop")}
    bus.answer(JOB, "GetAll", "a{sv}", told)
    bus.answer(JOB, "Cancel")
    bus.answer(JOB, "Get", "v", ("s", "running"))
    job = client(bus).job(JOB)
    job.cancel()
    assert (job.node, job.unit, job.job_type, job.state()) == ("n", "u", "stop", "running")
    bus.to_come.append(bus.job_removed("canceled"))
    assert job.wait() == "canceled"
    with pytest.raises(CallError):
        client(bus).job(f"{ROOT}/job/2")


def jobs_under_way(bus: FakeBus, *numbers: int) -> None:
    """Let the manager have these jobs, as far as its introspection tells."""
    children = "".join(f'<node name="{number}"/>' for number in numbers)
    doctype = (
        '<!DOCTYPE node PUBLIC "-//freedesktop//DTD D-BUS Object Introspection 1.0//EN"'
        ' "http://www.freedesktop.org/standards/dbus/1.0/introspect.dtd">'
    )
    bus.answer(f"{ROOT}/job", "Introspect", "s", f"{doctype}<node>{children}</node>")


def test_the_jobs_under_way(bus: FakeBus) -> None:
    jobs_under_way(bus, 10, 9, 11)
    for number, state in ((9, "running"), (10, "waiting")):
        told = {"Id": number, "Node": "n", "Unit": f"{number}.service", "JobType": "stop"}
        variants = {name: ("u" if name == "Id" else "s", value) for name, value in told.items()}
        variants["State"] = ("s", state)
        bus.answer(f"{ROOT}/job/{number}", "GetAll", "a{sv}", variants)
    # The eleventh has ended since the list was made.
    assert client(bus).list_jobs() == [
        JobInfo(9, f"{ROOT}/job/9", "n", "9.service", "stop", "running"),
        JobInfo(10, f"{ROOT}/job/10", "n", "10.service", "stop", "waiting"),
    ]


def test_whether_jobs_are_measured(bus: FakeBus) -> None:
    bus.answer(ROOT, "Introspect", "s", '<node><node name="job"/></node>')
    assert not client(bus).is_measuring()
    bus.answer(ROOT, "Introspect", "s", '<node><node name="job"/><node name="metrics"/></node>')
    assert client(bus).is_measuring()


def test_no_jobs_under_way(bus: FakeBus) -> None:
    assert client(bus).list_jobs() == []


def test_the_jobs_under_way_are_refused(bus: FakeBus) -> None:
    bus.refuse(f"{ROOT}/job", "Introspect", ERROR + "Failed", "not today")
    with pytest.raises(CallError, match="not today"):
        client(bus).list_jobs()
    jobs_under_way(bus, 1)
    bus.refuse(f"{ROOT}/job/1", "GetAll", ERROR + "Failed", "nor tomorrow")
    with pytest.raises(CallError, match="nor tomorrow"):
        client(bus).list_jobs()
    bus.answer(f"{ROOT}/job", "Introspect", "s", "<node>")
    with pytest.raises(Error, match="no XML"):
        client(bus).list_jobs()


def test_one_job_is_one_object(bus: FakeBus) -> None:
    told = {"Id": ("u", 1), "Node": ("s", "n"), "Unit": ("s", "u"), "JobType": ("s", "stop")}
    bus.answer(JOB, "GetAll", "a{sv}", told)
    manager = client(bus)
    job = manager.node("node1").start_unit("a.service")
    assert manager.job(JOB) is job


def test_calls_go_to_the_manager_that_has_our_jobs(bus: FakeBus) -> None:
    manager = client(bus)
    manager.list_nodes()
    manager.node("node1").start_unit("a.service")
    manager.list_nodes()
    assert [call[0] for call in bus.calls if call[0] in (NAME, OWNER)] == [NAME, OWNER, OWNER]


@pytest.mark.parametrize("new", ["", ":1.8"])
def test_the_manager_goes_away(bus: FakeBus, new: str) -> None:
    manager = client(bus)
    job = manager.node("node1").start_unit("a.service")
    bus.to_come.append(bus.owner_changed(new=new))
    with pytest.raises(ManagerAway, match="and with it the news of how the job ends"):
        job.wait()
    with pytest.raises(ManagerAway, match="the manager went away"):
        manager.list_nodes()
    with pytest.raises(ManagerAway):
        manager.process()


def test_the_connection_breaks(bus: FakeBus) -> None:
    job = client(bus).node("node1").start_unit("a.service")
    bus.to_come.append(ConnectionResetError(104, "Connection reset by peer"))
    with pytest.raises(ManagerAway, match=r"^the system bus went away: Connection reset by peer$"):
        job.wait()


# Monitors


def test_a_monitor_tells_in_order(bus: FakeBus) -> None:
    with client(bus).create_monitor() as monitor:
        bus.deliver(told(bus, "UnitNew", "sss", "node1", "a.service", "virtual"))
        assert monitor.subscribe("node1", "a.service") == 2
        state = ("node1", "a.service", "active", "running", "real")
        changes = {"NRestarts": ("u", 3)}
        bus.to_come += [
            told(bus, "UnitNew", "sss", "node1", "b.service", "real", path=f"{ROOT}/monitor/2"),
            told(bus, "UnitStateChanged", "sssss", *state),
            told(bus, "UnitPropertiesChanged", "sssa{sv}", "node1", "a.service", "x.y", changes),
        ]
        assert [monitor.next(1), next(monitor), monitor.next()] == [
            UnitNew("node1", "a.service", "virtual"),
            UnitStateChanged(*state),
            UnitPropertiesChanged("node1", "a.service", "x.y", {"NRestarts": 3}),
        ]
        with pytest.raises(Timeout, match=r"no event within 0\.1 s"):
            monitor.next(0.1)
    assert bus.calls[-1][1:] == (MONITOR, f"{NAME}.Monitor", "Close")
    assert list(monitor) == []
    with pytest.raises(Error, match="closed"):
        monitor.next()


def test_what_was_told_before_the_end_is_handed_out(bus: FakeBus) -> None:
    monitor = client(bus).create_monitor()
    bus.to_come += [
        told(bus, "UnitNew", "sss", "node1", "a.service", "real"),
        bus.owner_changed(),
    ]
    events = []
    with pytest.raises(ManagerAway), monitor:
        events.extend([next(monitor)])
        next(monitor)
    assert len(events) == 1
    assert "Close" not in str(bus.calls)


def test_nobody_else_can_speak_for_the_manager(bus: FakeBus) -> None:
    monitor = client(bus).create_monitor()
    false = bus.signal(
        "UnitNew", "sss", "x", "x", "real", path=MONITOR, interface=f"{NAME}.Monitor",
        sender=":1.66",
    )  # fmt: skip
    bus.to_come += [false, told(bus, "UnitNew", "sss", "node1", "a.service", "real")]
    assert monitor.next().node == "node1"


def test_a_signal_of_another_version_is_no_event(bus: FakeBus) -> None:
    manager = client(bus)
    monitor = manager.create_monitor()
    bus.to_come += [told(bus, "Surprise", "s", "x"), told(bus, "UnitNew", "ss", "node1", "a")]
    with pytest.raises(CallError, match="answered UnitNew with 'ss'; is it of another version"):
        monitor.next()


def test_a_peer_listens_until_it_is_removed(bus: FakeBus) -> None:
    manager = client(bus)
    monitor = manager.join_monitor(MONITOR)
    with pytest.raises(Error, match="already"):
        manager.join_monitor(MONITOR)
    bus.to_come.append(told(bus, "PeerRemoved", "s", "enough"))
    assert list(monitor) == [PeerRemoved("enough")]
    assert [call[0] for call in bus.calls] == ["GetNameOwner", "AddMatch"]
    assert not manager.join_monitor(MONITOR).closed


# What everybody is told


def test_the_status_has_no_gap(bus: FakeBus) -> None:
    manager = client(bus)

    def older(member: str) -> None:
        if member == "Get":
            bus.deliver(changed(bus, ROOT, "Manager", Status="down"))
            bus.deliver(changed(bus, NODE1, "Node", Status="offline"))

    bus.on_call = older
    watch = manager.watch_status()
    bus.to_come += [
        changed(bus, node_path("node2"), "Node", Status="online"),
        changed(bus, NODE1, "Node", PeerIp="x"),
        changed(bus, JOB, "Job", State="running"),
        changed(bus, ROOT, "Manager", Status="up"),
    ]
    assert [watch.next() for _ in range(5)] == [
        ManagerStatus("degraded"),
        NodeStatus("node1", "online"),
        NodeStatus("node2", "offline"),
        NodeStatus("node2", "online"),
        ManagerStatus("up"),
    ]


def test_one_rule_for_many_watches(bus: FakeBus) -> None:
    manager = client(bus)
    manager.node("node1").start_unit("a.service")
    first, second = manager.watch_jobs(), manager.watch_jobs()
    rules = [call[1] for call in bus.calls if call[0] == "AddMatch"]
    assert len(rules) == len(set(rules)) == 3
    first.close()
    assert "RemoveMatch" not in str(bus.calls)
    bus.to_come.append(bus.job_removed("done"))
    assert second.next().result == "done"
    second.close()
    second.close()
    # Ends of jobs are still to be heard.
    assert [call[1] for call in bus.calls if call[0] == "RemoveMatch"] == [
        rule for rule in rules if "JobNew" in rule
    ]


def test_metrics(bus: FakeBus) -> None:
    watch = client(bus).watch_metrics()
    values = ("node1", JOB, "a.service", 2000, 1000)
    where = {"path": f"{ROOT}/metrics", "interface": f"{NAME}.Metrics"}
    bus.to_come.append(bus.signal("StartUnitJobMetrics", "ssstt", *values, **where))
    assert watch.next() == StartUnitJobMetrics(*values)


# Somebody else's loop


def loop(bus: FakeBus) -> tuple[Manager, list[Any]]:
    """Return a client that has a monitor, and what a loop got of it in the end."""
    manager = client(bus)
    manager.create_monitor()
    watch = manager.watch_jobs()
    bus.deliver(told(bus, "UnitNew", "sss", "node1", "a.service", "real"))
    bus.deliver(bus.job_removed("done"))
    bus.deliver(told(bus, "UnitNew", "sss", "node1", "b.service", "real"))
    assert watch is not None
    return manager, manager.process()


def test_process_returns_the_events_of_all_sources_in_order(bus: FakeBus) -> None:
    manager, events = loop(bus)
    assert [type(event).__name__ for event in events] == ["UnitNew", "JobRemoved", "UnitNew"]
    assert manager.process() == []


def test_a_call_without_waiting(bus: FakeBus) -> None:
    manager = client(bus)
    reply = manager.node("node1").begin("StartUnit", "a.service", "replace")
    refused = manager.node("node9").begin("StartUnit", "a.service", "replace")
    assert not reply.done
    manager.process()
    assert reply.done
    assert refused.done
    assert reply.result().unit == "a.service"
    assert isinstance(refused.error, NodeUnknown)
    with pytest.raises(NodeUnknown):
        refused.result()


def test_open_replies_end_with_the_connection(bus: FakeBus) -> None:
    manager = client(bus)
    bus.ignore(ROOT, "ListNodes")
    reply = manager.begin("ListNodes")
    manager.close()
    assert bus.closed
    assert str(reply.error) == "the client was closed"


def test_a_removed_peer_is_told_in_a_loop_too(bus: FakeBus) -> None:
    manager = client(bus)
    manager.join_monitor(MONITOR)
    bus.deliver(told(bus, "PeerRemoved", "s", "enough"))
    assert manager.process() == [PeerRemoved("enough")]
    assert manager.process() == []
