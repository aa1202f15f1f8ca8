"""The agent and systemd: the beginning, what is passed on, jobs, and a systemd that goes away."""

from __future__ import annotations

import pytest

from hirte.agent.jobs import RESULT_UNKNOWN
from hirte.agent.systemd import HOLD, RETRY
from hirte.api import internal
from hirte.dbus.limits import CALL_TIMEOUT
from hirte.wire.message import NO_REPLY_EXPECTED
from tests.unit.agented import (
    JOB,
    JOBS,
    MANAGER,
    SYSTEMD,
    UNIQUE_NAME,
    UNIT,
    UNITS,
    World,
    job_path,
    row,
    unit_path,
)
from tests.unit.talk import GREETING, PROPERTIES, E
from tests.unit.test_manager_api import RESULTS, VALUES

PATH = "/org/freedesktop/systemd1"


@pytest.fixture
def world():
    return World(units=[row("u.service")])


@pytest.fixture
def starting():
    """An agent that has not talked to systemd yet."""
    return World(start=False)


# The beginning


def test_it_subscribes_and_asks_for_everything(starting):
    systemd = starting.to_systemd.accept().greet(GREETING)
    subscribe = systemd.expect_call("Subscribe")
    assert (subscribe.path, subscribe.interface, subscribe.destination) == (PATH, MANAGER, "")
    systemd.expect_nothing()
    systemd.reply(subscribe)
    systemd.reply(systemd.expect_call("ListUnits"), UNITS, [])
    assert starting.ready == []
    systemd.reply(systemd.expect_call("ListJobs"), JOBS, [])
    assert starting.ready == [True]
    assert starting.refused == []


def test_over_a_bus_it_asks_for_the_signals_first():
    world = World(over_bus=True)
    assert world.matches == [
        f"type='signal',sender='{SYSTEMD}',path='{PATH}',interface='{MANAGER}'",
        f"type='signal',sender='{SYSTEMD}',interface='{PROPERTIES}',path_namespace='{PATH}/unit'",
        f"type='signal',sender='{SYSTEMD}',interface='{PROPERTIES}',path_namespace='{PATH}/job'",
        "type='signal',sender='org.freedesktop.DBus',path='/org/freedesktop/DBus',"
        f"interface='org.freedesktop.DBus',member='NameOwnerChanged',arg0='{SYSTEMD}'",
    ]
    world.call("ListUnits")
    assert world.systemd.expect_call("ListUnits").destination == SYSTEMD


def test_over_a_bus_it_minds_systemds_absence_only_after_an_answer_of_it():
    """A user's systemd may join its bus because of our first call, and not a moment earlier."""
    world = World(over_bus=True, start=False)
    systemd = world.to_systemd.accept().greet(GREETING)
    systemd.reply(systemd.expect_call("Hello"), "s", ":1.8")
    asked = [systemd.take().member for _ in range(4)]
    assert asked == ["AddMatch", "AddMatch", "AddMatch", "Subscribe"]
    systemd.expect_nothing()


def test_over_a_bus_only_systemd_can_tell_of_units():
    world = World(over_bus=True)
    world.subscribe("a.service")
    new = ("UnitNew", "so", "a.service", unit_path("a.service"))
    world.systemd.signal(PATH, MANAGER, *new, sender=":1.66")
    assert world.told() == []
    world.systemd.signal(PATH, MANAGER, *new, sender=UNIQUE_NAME)
    assert world.told() == [("UnitNew", "a.service", "real")]


def test_over_a_bus_a_systemd_that_restarts_itself_is_joined_again():
    world = World(over_bus=True)
    driver = "org.freedesktop.DBus"
    gone = ("NameOwnerChanged", "sss", SYSTEMD, UNIQUE_NAME, "")
    world.systemd.signal("/org/freedesktop/DBus", driver, *gone, sender=":1.66")
    assert not world.systemd.closed
    world.systemd.signal("/org/freedesktop/DBus", driver, *gone, sender=driver)
    assert world.systemd.closed
    world.clock.advance(1)
    world.sync()
    world.call("ListUnits")
    world.systemd.expect_call("ListUnits")


@pytest.mark.parametrize("step", [0, 1, 2])
def test_a_failure_of_any_step_at_the_start_is_a_refusal(starting, step):
    systemd = starting.to_systemd.accept().greet(GREETING)
    for number, (member, answer) in enumerate(
        [("Subscribe", ()), ("ListUnits", (UNITS, [])), ("ListJobs", (JOBS, []))]
    ):
        call = systemd.expect_call(member)
        if number == step:
            systemd.refuse(call, E + "AccessDenied", "not allowed")
            break
        systemd.reply(call, *answer)
    assert starting.refused == [f"cannot talk to systemd: {E}AccessDenied: not allowed"]
    assert systemd.closed
    starting.clock.advance(10)
    starting.to_systemd.expect_none()


def test_a_systemd_that_is_not_there_at_the_start_is_a_refusal(starting):
    starting.to_systemd.refuse("No such file or directory")
    assert starting.refused == ["cannot talk to systemd: No such file or directory"]


def test_a_systemd_that_does_not_answer_at_the_start_is_a_refusal(starting):
    starting.to_systemd.accept().greet(GREETING)
    starting.clock.advance(CALL_TIMEOUT)
    assert len(starting.refused) == 1


def test_the_manager_is_not_called_before_systemd_is_there(starting):
    starting.to_manager.expect_none()


def test_systemd_cannot_call_the_agent(world):
    serial = world.systemd.call("/org/containers/hirte", "a.b", "Do")
    world.systemd.expect_error(serial, E + "UnknownObject")


# What is passed on

FORWARDED = [each for each in internal.AGENT.methods.values() if each.forward]


@pytest.mark.parametrize("method", FORWARDED, ids=lambda method: method.name)
def test_a_call_and_its_answer_are_passed_on(world, method):
    serial = world.call(method.name, method.signature, *VALUES[method.signature])
    request = world.systemd.expect_call(method.name, *VALUES[method.signature])
    assert (request.path, request.interface) == (PATH, MANAGER)
    world.systemd.reply(request, method.result, *RESULTS[method.result])
    answer = world.manager.expect_return(serial, *RESULTS[method.result])
    assert (answer.destination, answer.sender, answer.flags) == (
        "org.containers.hirte",
        "",
        NO_REPLY_EXPECTED,
    )


@pytest.mark.parametrize(
    ("member", "values", "theirs", "signature", "arguments"),
    [
        ("GetUnitProperties", ("ss", "u.service", "x"), "GetAll", PROPERTIES, ("x",)),
        ("GetUnitProperty", ("sss", "u.service", "x", "Y"), "Get", PROPERTIES, ("x", "Y")),
        ("FreezeUnit", ("s", "u.service"), "Freeze", UNIT, ()),
        ("ThawUnit", ("s", "u.service"), "Thaw", UNIT, ()),
        (
            "SetUnitProperties",
            ("sba(sv)", "u.service", True, [("A", ("t", 5)), ("B", ("s", "x"))]),
            "SetProperties",
            UNIT,
            (True, [("A", ("t", 5)), ("B", ("s", "x"))]),
        ),
    ],
)
def test_what_is_asked_of_a_unit(world, member, values, theirs, signature, arguments):
    serial = world.call(member, *values)
    request = world.systemd.expect_call(theirs, *arguments)
    assert (request.path, request.interface) == (unit_path("u.service"), signature)
    world.systemd.refuse(request, f"{SYSTEMD}.Odd", "odd")
    world.manager.expect_error(serial, f"{SYSTEMD}.Odd", "odd")


def test_the_arguments_behind_a_units_name_are_found_whatever_its_length(world):
    for length in range(1, 10):
        serial = world.call("SetUnitProperties", "sba(sv)", "u" * length, False, [("A", ("u", 1))])
        request = world.systemd.expect_call("SetProperties", False, [("A", ("u", 1))])
        world.systemd.reply(request)
        world.manager.expect_return(serial)


def test_a_name_that_would_cost_the_conversation_with_systemd_is_refused(world):
    for letter in "u-":
        serial = world.call("GetUnitProperties", "ss", letter * 66000, "")
        world.manager.expect_error(serial, E + "InvalidArgs")
    world.systemd.expect_nothing()


def test_a_call_that_wants_no_answer_is_passed_on_and_not_answered(world):
    world.call("Reload", flags=NO_REPLY_EXPECTED)
    world.systemd.reply(world.systemd.expect_call("Reload"))
    world.manager.expect_nothing()


def test_a_systemd_that_does_not_answer(world):
    serial = world.call("ListUnitFiles")
    world.clock.advance(CALL_TIMEOUT - 0.5)
    world.manager.forget()
    world.clock.advance(0.5)
    world.manager.expect_error(serial, E + "NoReply")


@pytest.mark.parametrize("member", ["Nothing", "Register"])
def test_what_the_agent_does_not_know(world, member):
    world.manager.expect_error(world.call(member), E + "UnknownMethod")


def test_wrong_arguments(world):
    world.manager.expect_error(world.call("StartUnit", "ss", "a", "b"), E + "InvalidArgs")
    world.manager.expect_error(world.call("ListUnits", "s", "a"), E + "InvalidArgs")
    world.systemd.expect_nothing()


def test_the_agents_object_is_in_both_dialects_and_answers_the_standard_interfaces(world):
    for path in ("/org/containers/hirte", "/org/eclipse/bluechi"):
        serial = world.manager.call(
            f"{path}/internal/agent", "org.freedesktop.DBus.Introspectable", "Introspect"
        )
        (text,) = world.manager.take().values()
        assert "StartUnit" in text
        assert serial
    bus = ("/org/freedesktop/DBus", "org.freedesktop.DBus", "Hello")
    world.manager.expect_error(world.manager.call(*bus), E + "UnknownObject")
    world.manager.expect_return(world.manager.call("/", "org.freedesktop.DBus.Peer", "Ping"))


# Log level, metrics


def test_the_log_level(world):
    world.manager.expect_return(world.call("SetLogLevel", "s", "DEBUG"))
    assert world.log.level == "DEBUG"
    world.manager.expect_error(world.call("SetLogLevel", "s", "debug"), E + "Failed")
    assert world.log.level == "DEBUG"


def test_metrics_are_switched_on_once_and_off_once(world):
    world.manager.expect_return(world.call("EnableMetrics"))
    world.manager.expect_error(world.call("EnableMetrics"), E + "InvalidArgs")
    world.manager.expect_return(world.call("DisableMetrics"))
    world.manager.expect_error(world.call("DisableMetrics"), E + "InvalidArgs")


def test_metrics_come_before_the_end_of_their_job(world):
    world.call("EnableMetrics", flags=NO_REPLY_EXPECTED)
    world.start_job(7, 1)
    world.clock.advance(0.25)
    world.job_removed(1)
    measure = world.manager.take()
    assert (measure.path, measure.interface, measure.member, measure.values()) == (
        "/org/containers/hirte/internal/agent/metrics",
        "org.containers.hirte.internal.Agent.Metrics",
        "AgentJobMetrics",
        ("u.service", "StartUnit", 250_000),
    )
    world.manager.expect_signal("JobDone", 7, "done")


def test_metrics_are_off_after_the_loss_of_the_manager(world):
    world.call("EnableMetrics", flags=NO_REPLY_EXPECTED)
    world.manager.leave()
    world.register()
    world.manager.expect_return(world.call("EnableMetrics"))


# Jobs


@pytest.mark.parametrize("member", ["StartUnit", "StopUnit", "RestartUnit", "ReloadUnit"])
def test_the_life_of_a_job(world, member):
    serial = world.call(member, "ssu", "u.service", "fail", 7)
    request = world.systemd.expect_call(member, "u.service", "fail")
    assert (request.path, request.interface) == (PATH, MANAGER)
    world.manager.expect_nothing()
    world.systemd.reply(request, "o", job_path(1))
    world.manager.expect_return(serial)
    world.changed(job_path(1), JOB, {"State": "running"})
    world.job_removed(1)
    told = world.manager.expect_signal("JobStateChanged", 7, "running")
    assert (told.path, told.interface) == (
        "/org/containers/hirte/internal/agent",
        "org.containers.hirte.internal.Agent",
    )
    world.manager.expect_signal("JobDone", 7, "done")
    world.job_removed(1)
    world.changed(job_path(1), JOB, {"State": "running"})
    world.manager.expect_nothing()


def test_a_refused_job_is_forgotten(world):
    serial = world.call("StartUnit", "ssu", "no.service", "replace", 7)
    request = world.systemd.expect_call("StartUnit", "no.service", "replace")
    world.systemd.refuse(request, f"{SYSTEMD}.NoSuchUnit", "Unit no.service not found.")
    world.manager.expect_error(serial, f"{SYSTEMD}.NoSuchUnit", "Unit no.service not found.")
    world.manager.expect_error(world.call("JobCancel", "u", 7), E + "Failed")


def test_other_peoples_jobs_are_not_told(world):
    world.start_job(7, 1)
    world.changed(job_path(2), JOB, {"State": "running"})
    world.job_removed(2)
    world.changed(job_path(1), JOB, {"Other": "x"})
    world.manager.expect_nothing()


def test_jobs_that_systemd_merged_end_both(world):
    world.start_job(7, 1)
    world.start_job(8, 1)
    world.changed(job_path(1), JOB, {"State": "running"})
    world.job_removed(1, result="failed")
    assert world.told() == [
        ("JobStateChanged", 7, "running"),
        ("JobStateChanged", 8, "running"),
        ("JobDone", 7, "failed"),
        ("JobDone", 8, "failed"),
    ]
    world.manager.expect_error(world.call("JobCancel", "u", 7), E + "Failed")


def test_cancelling(world):
    world.start_job(7, 1)
    serial = world.call("JobCancel", "u", 7)
    request = world.systemd.expect_call("Cancel")
    assert (request.path, request.interface) == (job_path(1), JOB)
    world.systemd.reply(request)
    world.manager.expect_return(serial)
    world.job_removed(1, result="canceled")
    world.manager.expect_signal("JobDone", 7, "canceled")


def test_what_is_no_job_cannot_be_cancelled(world):
    world.manager.expect_error(world.call("JobCancel", "u", 7), E + "Failed", "Job 7 not found")


def test_at_the_loss_of_the_manager_its_jobs_are_forgotten(world):
    world.start_job(7, 1)
    world.manager.leave()
    world.register()
    world.job_removed(1)
    world.manager.expect_nothing()
    world.manager.expect_error(world.call("JobCancel", "u", 7), E + "Failed")


def test_a_job_that_systemd_accepts_after_the_loss_of_the_manager_is_not_the_new_ones(world):
    world.call("StartUnit", "ssu", "u.service", "replace", 7)
    request = world.systemd.take()
    world.manager.leave()
    world.register()
    world.systemd.reply(request, "o", job_path(1))
    world.job_removed(1)
    world.manager.expect_nothing()


# systemd goes away


def test_calls_wait_for_a_systemd_that_restarts_itself(world):
    under_way = world.call("ListUnitFiles")
    world.systemd.leave("reexecuting")
    world.manager.expect_error(under_way, E + "NoReply", "Connection terminated")
    first, second = world.call("Reload"), world.call("ResetFailed")
    world.manager.expect_nothing()
    world.clock.advance(RETRY)
    world.sync()
    world.systemd.reply(world.systemd.expect_call("Reload"))
    world.systemd.reply(world.systemd.expect_call("ResetFailed"))
    world.manager.expect_return(first)
    world.manager.expect_return(second)
    world.clock.advance(HOLD)
    world.manager.forget()
    assert world.refused == []


def test_calls_do_not_wait_long_for_a_systemd_that_stays_away(world):
    world.systemd.leave("crashed")
    serial = world.call("ListUnits")
    for _ in range(int(HOLD / RETRY) + 1):
        world.clock.advance(RETRY)
        world.to_systemd.refuse()
    world.manager.heard = [m for m in world.manager.heard if m.member != "Heartbeat"]
    world.manager.expect_error(serial, E + "Failed", "systemd cannot be reached at the moment")
    late = world.call("ListUnits")
    world.agent.systemd.close()
    world.manager.expect_error(late, E + "Failed")


def test_systemd_comes_back(world):
    world.systemd.leave("reexecuting")
    for _ in range(20):
        world.clock.advance(RETRY)
        world.to_systemd.refuse()
    world.clock.advance(RETRY)
    world.sync(row("u.service"))
    world.call("ListUnits")
    world.systemd.expect_call("ListUnits")
    assert world.log.of("info")[-2:] == ["systemd is away: reexecuting", "systemd is back"]
    assert len(world.ready) == 1


def test_jobs_outlive_a_systemd_that_restarts_itself(world):
    world.start_job(7, 1)
    world.start_job(8, 2)
    world.systemd.leave("reexecuting")
    world.clock.advance(RETRY)
    world.sync(jobs=[(1, "u.service", "start", "running", job_path(1), unit_path("u.service"))])
    assert world.told() == [("JobDone", 8, RESULT_UNKNOWN)]
    world.job_removed(1)
    assert world.told() == [("JobDone", 7, "done")]


def test_a_later_failure_to_list_is_a_loss(world):
    world.systemd.leave()
    world.clock.advance(RETRY)
    systemd = world.to_systemd.accept().greet(GREETING)
    systemd.refuse(systemd.expect_call("Subscribe"), E + "Failed")
    assert systemd.closed
    assert world.refused == []
    world.clock.advance(RETRY)
    world.sync()


# The end


def test_the_end(world):
    world.agent.shut_down()
    assert world.manager.closed
    assert world.systemd.closed
    world.bus.peer.expect_changed("/org/containers/hirte", "org.containers.hirte.Agent",
                                  Status="offline")  # fmt: skip
    world.bus.peer.expect_nothing()
    world.clock.advance(60)
    for way in (world.to_systemd, world.to_manager, world.to_bus):
        way.expect_none()


def test_the_end_while_systemd_is_being_dialled(world):
    world.systemd.leave()
    world.clock.advance(RETRY)
    world.agent.shut_down()
    assert world.to_systemd.accept().closed
