"""Jobs: the life of a lifecycle request, in the order in which callers see it."""

from __future__ import annotations

import pytest

from hirte.api.dialect import COMPATIBLE
from hirte.dbus.limits import CALL_TIMEOUT
from hirte.manager import jobs as module
from hirte.manager.counters import Counters
from hirte.manager.jobs import Jobs
from hirte.wire.message import NO_REPLY_EXPECTED
from tests.unit.managed import JOB, MANAGER, NODE, ROOT, World
from tests.unit.talk import PROPERTIES, E


@pytest.fixture
def world():
    return World()


@pytest.fixture
def agent(world):
    return world.agent("a")


def start(world, agent, unit="u.service", member="StartUnit", number=None):
    """Let a job begin; returns its id."""
    world.call("/node/a", NODE, member, "ss", unit, "replace")
    request = agent.take()
    number = request.values()[2]
    agent.reply(request)
    world.forget()
    return number


@pytest.mark.parametrize(
    ("member", "kind"),
    [
        ("StartUnit", "start"),
        ("StopUnit", "stop"),
        ("RestartUnit", "restart"),
        ("ReloadUnit", "reload"),
    ],
)
def test_the_life_of_a_job(world, agent, member, kind):
    world.call("/node/a", NODE, member, "ss", "u.service", "fail")
    request = agent.expect_call(member, "u.service", "fail", 1)
    assert (request.path, request.interface) == (agent.path, agent.interface)
    assert (request.sender, request.destination, request.flags) == (
        "org.containers.hirte",
        "org.containers.hirte.Agent",
        0,
    )
    assert world.heard() == [f"a: call {member}('u.service', 'fail', 1)"]
    agent.reply(request)
    assert world.heard() == [
        f"bus: signal JobNew(1, '{ROOT}/job/1')",
        f"bus: return ('{ROOT}/job/1',)",
    ]
    serial = world.call("/job/1", PROPERTIES, "GetAll", "s", JOB)
    world.bus.peer.expect_return(
        serial,
        {
            "Id": ("u", 1),
            "Node": ("s", "a"),
            "Unit": ("s", "u.service"),
            "JobType": ("s", kind),
            "State": ("s", "waiting"),
        },
    )
    world.forget()
    agent.tell("JobStateChanged", "us", 1, "running")
    agent.tell("JobDone", "us", 1, "done")
    assert world.heard() == [
        f"bus: Job {ROOT}/job/1 changed {{'State': 'running'}}",
        f"bus: signal JobRemoved(1, '{ROOT}/job/1', 'a', 'u.service', 'done')",
    ]
    assert world.get("/job/1", JOB, "State") == E + "UnknownObject"


def test_the_object_is_there_before_anybody_hears_of_it(world, agent):
    world.call("/node/a", NODE, "StartUnit", "ss", "u", "replace")
    request = agent.take()
    agent.reply(request)
    world.bus.peer.expect_signal("JobNew", 1, f"{ROOT}/job/1")
    assert world.get("/job/1", JOB, "State") == "waiting"


def test_a_refused_request_makes_no_job_and_burns_its_id(world, agent):
    serial = world.call("/node/a", NODE, "StartUnit", "ss", "no.service", "replace")
    agent.refuse(agent.take(), "org.freedesktop.systemd1.NoSuchUnit", "Unit not found.")
    world.bus.peer.expect_error(serial, "org.freedesktop.systemd1.NoSuchUnit", "Unit not found.")
    world.bus.peer.expect_nothing()
    assert world.get("/job/1", JOB, "State") == E + "UnknownObject"
    assert start(world, agent) == 2


def test_wrong_arguments_burn_no_id(world, agent):
    serial = world.call("/node/a", NODE, "StartUnit", "s", "u")
    world.bus.peer.expect_error(serial, E + "InvalidArgs")
    agent.expect_nothing()
    assert start(world, agent) == 1


def test_a_request_to_a_node_that_is_offline_burns_no_id(world):
    world.call("/node/a", NODE, "StartUnit", "ss", "u", "replace")
    assert start(world, world.agent("a")) == 1


def test_ids_are_of_all_nodes_together(world, agent):
    other = world.agent("b")
    assert start(world, agent) == 1
    world.call("/node/b", NODE, "StartUnit", "ss", "u", "replace")
    assert other.take().values()[2] == 2


def test_ids_start_again_before_they_do_not_fit(world, agent):
    world.manager.jobs._last_id = module._ID_MAX - 1
    assert [start(world, agent), start(world, agent)] == [module._ID_MAX, 1]


def test_an_agent_that_does_not_answer(world, agent):
    serial = world.call("/node/a", NODE, "StartUnit", "ss", "u", "replace")
    request = agent.take()
    world.clock.advance(CALL_TIMEOUT)
    world.bus.peer.expect_error(serial, E + "NoReply", "Method call timed out")
    agent.reply(request)
    world.bus.peer.expect_nothing()
    assert world.get("/job/1", JOB, "State") == E + "UnknownObject"


def test_an_agent_that_is_lost_before_it_answers(world, agent):
    serial = world.call("/node/a", NODE, "StartUnit", "ss", "u", "replace")
    world.forget()
    agent.leave()
    message = world.bus.peer.expect_error(serial, E + "NoReply", "Connection terminated")
    assert message.destination == ":1.42"
    assert not any("Job" in line for line in world.heard())


def test_a_request_that_wants_no_answer_makes_a_job_all_the_same(world, agent):
    world.call("/node/a", NODE, "StartUnit", "ss", "u", "replace", flags=NO_REPLY_EXPECTED)
    world.forget()
    agent.reply(agent.take())
    assert world.heard() == [f"bus: signal JobNew(1, '{ROOT}/job/1')"]


# State and end


@pytest.mark.parametrize(
    ("state", "shown"),
    [("running", "running"), ("waiting", "waiting"), ("other", "invalid"), ("", "invalid")],
)
def test_every_state_is_told_also_if_it_is_the_same(world, agent, state, shown):
    start(world, agent)
    for _ in range(2):
        agent.tell("JobStateChanged", "us", 1, state)
        world.changed("/job/1", JOB, State=shown)


@pytest.mark.parametrize("result", ["canceled", "timeout", "failed", "dependency", "x y"])
def test_results_are_told_as_they_are(world, agent, result):
    start(world, agent)
    agent.tell("JobDone", "us", 1, result)
    world.bus.peer.expect_signal("JobRemoved", 1, f"{ROOT}/job/1", "a", "u.service", result)


def test_a_job_ends_once(world, agent):
    start(world, agent)
    agent.tell("JobDone", "us", 1, "done")
    agent.tell("JobDone", "us", 1, "done")
    agent.tell("JobStateChanged", "us", 1, "running")
    assert len(world.heard()) == 1


@pytest.mark.parametrize(
    ("signature", "values"),
    [("us", (2, "done")), ("s", ("done",)), ("u", (1,)), ("su", ("done", 1)), ("uss", (1, "", ""))],
)
def test_what_is_no_news_of_a_job_is_ignored(world, agent, signature, values):
    start(world, agent)
    for member in ("JobDone", "JobStateChanged"):
        agent.tell(member, signature, *values)
    assert world.heard() == []
    assert world.get("/job/1", JOB, "State") == "waiting"


def test_a_node_cannot_end_the_job_of_another(world, agent):
    other = world.agent("b")
    start(world, agent)
    other.tell("JobDone", "us", 1, "done")
    other.tell("JobStateChanged", "us", 1, "running")
    assert world.heard() == []


def test_a_signal_of_another_interface_or_dialect_is_ignored(world, agent):
    start(world, agent)
    for interface in (COMPATIBLE.interface("internal.Agent"), "a.b"):
        agent.signal(agent.path, interface, "JobDone", "us", 1, "done")
    assert world.heard() == []


def test_an_agent_of_the_compatible_dialect(world):
    agent = world.agent("b", COMPATIBLE)
    world.call("/node/b", NODE, "StartUnit", "ss", "u", "replace")
    request = agent.expect_call("StartUnit", "u", "replace", 1)
    assert (request.path, request.interface) == (
        "/org/eclipse/bluechi/internal/agent",
        "org.eclipse.bluechi.internal.Agent",
    )
    assert (request.sender, request.destination) == (
        "org.eclipse.bluechi",
        "org.eclipse.bluechi.Agent",
    )
    agent.reply(request)
    agent.tell("JobDone", "us", 1, "done")
    assert world.heard()[-1].startswith("bus: signal JobRemoved(1, ")


def test_jobs_of_a_lost_node_end_in_the_order_in_which_they_began(world, agent):
    other = world.agent("b")
    start(world, agent, "first")
    world.call("/node/b", NODE, "StartUnit", "ss", "other", "replace")
    other.reply(other.take())
    start(world, agent, "second")
    agent.leave()
    removed = [line for line in world.heard() if "JobRemoved" in line]
    assert removed == [
        f"bus: signal JobRemoved(1, '{ROOT}/job/1', 'a', 'first', 'failed')",
        f"bus: signal JobRemoved(3, '{ROOT}/job/3', 'a', 'second', 'failed')",
    ]
    assert world.get("/job/2", JOB, "State") == "waiting"


def test_a_node_that_comes_back_knows_nothing_of_its_old_jobs(world, agent):
    start(world, agent)
    agent.leave()
    agent = world.agent("a")
    agent.tell("JobDone", "us", 1, "done")
    assert world.heard() == []


def test_both_dialects_see_the_job_at_their_own_path():
    world = World("AllowedNodeNames=a\nBusNames=both\n")
    agent = world.agent("a")
    serial = world.bus.call(
        "/org/eclipse/bluechi/node/a", "org.eclipse.bluechi.Node", "StartUnit", "ss", "u", "fail"
    )
    agent.reply(agent.take())
    world.bus.peer.expect_signal("JobNew", 1, f"{ROOT}/job/1")
    world.bus.peer.expect_signal("JobNew", 1, "/org/eclipse/bluechi/job/1")
    world.bus.peer.expect_return(serial, "/org/eclipse/bluechi/job/1")
    agent.tell("JobDone", "us", 1, "done")
    for root in (ROOT, "/org/eclipse/bluechi"):
        world.bus.peer.expect_signal("JobRemoved", 1, f"{root}/job/1", "a", "u", "done")


# Cancel


def test_cancelling_is_answered_at_once(world, agent):
    start(world, agent)
    serial = world.call("/job/1", JOB, "Cancel")
    world.bus.peer.expect_return(serial)
    request = agent.expect_call("JobCancel", 1)
    agent.reply(request)
    agent.tell("JobDone", "us", 1, "canceled")
    world.bus.peer.expect_signal("JobRemoved", 1, f"{ROOT}/job/1", "a", "u.service", "canceled")


def test_a_cancel_that_the_agent_refuses_is_only_logged(world, agent):
    start(world, agent)
    world.call("/job/1", JOB, "Cancel")
    world.forget()
    agent.refuse(agent.take(), E + "Failed", "Job not found")
    world.bus.peer.expect_nothing()
    ((_, text, fields),) = [record for record in world.log.records if record[0] == "warning"]
    assert text == "Job 1 was not cancelled: Job not found"
    assert (fields["NODE"], fields["UNIT"], fields["JOB_ID"]) == ("a", "u.service", 1)


def test_the_loss_of_the_node_while_cancelling_is_no_news(world, agent):
    start(world, agent)
    world.call("/job/1", JOB, "Cancel")
    agent.leave()
    assert not [text for text in world.log.of("warning") if "cancel" in text]
    assert world.log.bugs == []


def test_a_finished_job_cannot_be_cancelled(world, agent):
    start(world, agent)
    agent.tell("JobDone", "us", 1, "done")
    world.forget()
    serial = world.call("/job/1", JOB, "Cancel")
    world.bus.peer.expect_error(serial, E + "UnknownObject")


def test_any_permitted_caller_may_cancel_and_others_not(world, agent):
    start(world, agent)
    world.bus.users[":1.99"] = 1000
    serial = world.call("/job/1", JOB, "Cancel", sender=":1.99")
    world.bus.peer.expect_error(serial, E + "AccessDenied")
    agent.expect_nothing()
    serial = world.call("/job/1", JOB, "Cancel", sender=":1.43")
    world.bus.peer.expect_return(serial)


def test_the_root_lists_jobs_while_there_are_any(world, agent):
    introspect = ("", "org.freedesktop.DBus.Introspectable", "Introspect")
    world.call(*introspect)
    assert '<node name="job"/>' not in world.bus.peer.take().values()[0]
    start(world, agent)
    world.call(*introspect)
    assert '<node name="job"/>' in world.bus.peer.take().values()[0]


# Our bugs


def fail(*arguments):
    raise ZeroDivisionError


@pytest.mark.parametrize(
    ("where", "member", "arguments", "answer"),
    [
        ((Jobs, "_accept"), "StartUnit", ("ss", "u.service", "replace"), ()),
        ((Counters, "relayed_from_node"), "ResetFailedUnit", ("s", "u.service"), ()),
        ((Counters, "relayed_from_node"), "ListUnits", (), ("a(ssssssouso)", [])),
    ],
)
def test_a_bug_when_the_agent_has_answered_is_an_answer_too(
    world, agent, monkeypatch, where, member, arguments, answer
):
    monkeypatch.setattr(*where, fail)
    on_manager = member == "ListUnits"
    path, interface = ("", MANAGER) if on_manager else ("/node/a", NODE)
    serial = world.call(path, interface, member, *arguments)
    agent.reply(agent.take(), *answer)
    world.bus.peer.expect_error(serial, E + "Failed", "Internal error")
    assert len(world.log.bugs) == 1


# What the log tells at DEBUG


def test_the_life_of_a_job_in_the_log(world, agent):
    number = start(world, agent)
    agent.tell("JobDone", "us", number, "failed")
    world.call("/node/a", NODE, "StopUnit", "ss", "no.service", "fail")
    name = "org.freedesktop.systemd1.NoSuchUnit"
    agent.refuse(agent.take(), name, "Unit no.service not loaded.")
    told = [(text, fields) for kind, text, fields in world.log.records if kind == "debug"]
    first = {"NODE": "a", "UNIT": "u.service", "JOB_ID": 1}
    second = {"NODE": "a", "UNIT": "no.service", "JOB_ID": 2}
    assert told == [
        ("Job 1: start of u.service on a, mode replace, for :1.42", first),
        ("Job 1: failed", first),
        ("Job 2: stop of no.service on a, mode fail, for :1.42", second),
        ("Job 2: refused, Unit no.service not loaded.", second),
    ]


def test_a_call_that_is_passed_on_in_the_log(world, agent):
    world.call("/node/a", NODE, "FreezeUnit", "s", "u.service")
    assert ("debug", "FreezeUnit on node a, for :1.42", {}) in world.log.records
