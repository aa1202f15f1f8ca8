"""hirte ctl when the manager goes away while its job runs: it waits, looks, and tells the truth."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from hirte.client.errors import ManagerAway
from hirte.client.manager import Manager
from hirte.ctl.main import run
from hirte.ctl.targets import CALLS_AT_ONCE
from tests.hints import GOES_ON, NOT_RUNNING, OFFLINE, WENT_AWAY
from tests.unit.ctl_fake import DRIVER, ERROR, NAME, ROOT, FakeBus, client, node_path

MONITOR = f"{ROOT}/monitor/1"
SHUTDOWN = "cancelled due to shutdown"
NOBODY = f"the manager is not running: nobody owns {NAME} on the system bus"
STOPPED = "the manager stopped while the job ran"
WAITING = f"hirte ctl: {STOPPED}; waiting for it to come back\n"
LOOK = "see `hirte ctl status node1 a.service` and `journalctl -u a.service` on node1\n"


class Clock:
    """The seconds that the tool sees; `at` has what happens at a moment of them."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.at: dict[float, Callable[[], None]] = {}

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        for moment in sorted(self.at):
            if moment <= self.now - 1000.0:
                self.at.pop(moment)()


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr("hirte.ctl.work.monotonic", made.monotonic)
    monkeypatch.setattr("hirte.ctl.work.sleep", made.sleep)
    monkeypatch.setattr("hirte.ctl.comeback.monotonic", made.monotonic)
    return made


def manager(*nodes: str) -> FakeBus:
    """Return a bus with a manager that takes any request as a job, number 1 on the first node."""
    made = FakeBus()
    nodes = nodes or ("node1",)
    made.nodes(*((node, "online", "") for node in nodes))
    made.answer(ROOT, "Get", "v", ("s", "up"))
    made.answer(ROOT, "CreateMonitor", "o", MONITOR)
    made.answer(MONITOR, "Subscribe", "u", 1)
    made.answer(MONITOR, "SubscribeList", "u", 1)  # of --wait-active
    made.answer(MONITOR, "Close")
    made.answer("/org/freedesktop/DBus", "RemoveMatch")
    for number, node in enumerate(nodes, 1):
        for method in ("StartUnit", "StopUnit", "RestartUnit", "ReloadUnit"):
            made.answer(node_path(node), method, "o", f"{ROOT}/job/{number}")
    return made


def unit_is(bus: FakeBus, state: str, job: int = 0, node: str = "node1") -> None:
    told = {"ActiveState": ("s", state), "Job": ("(uo)", (job, "/j"))}
    bus.answer(node_path(node), "GetUnitProperties", "a{sv}", told)


def after(state: str, job: int = 0) -> FakeBus:
    """Return the manager that is there afterwards, on whose node the unit has that state."""
    made = manager()
    unit_is(made, state, job)
    return made


def leaving(first: FakeBus, how: str = SHUTDOWN) -> FakeBus:
    """Let the first manager go away after the request, in one of the ways in which it does."""
    if how == SHUTDOWN:
        first.to_come.append(first.job_removed(SHUTDOWN))
    elif how == "before it answers":
        for method in ("StartUnit", "StopUnit", "RestartUnit"):
            first.refuse(node_path("node1"), method, ERROR + "Failed", "Request cancelled")
    elif how == "no answer":
        first.refuse(node_path("node1"), "RestartUnit", ERROR + "NoReply", "gone", sender=DRIVER)
    if how == "bus":
        first.to_come.append(ConnectionResetError(104, "Connection reset by peer"))
    else:
        first.to_come.append(first.owner_changed(new=":1.8" if how == "replaced" else ""))
    return first


def ctl(clock: Clock, comings: dict[float, FakeBus], *argv: str) -> int:
    """Run the tool; `comings` are the managers, by the seconds after which they are there.

    Before the next comes there is none, but for the first.
    """
    moments = iter(sorted(comings.items()))
    _, first = next(moments)
    pending = list(moments)
    there = [first]

    def connect() -> Manager:
        if there:
            return client(there.pop())
        if pending and pending[0][0] <= clock.now - 1000.0:
            return client(pending.pop(0)[1])
        raise ManagerAway(NOBODY)

    return run(argv, "hirte ctl", connect)


@pytest.mark.parametrize(
    ("how", "unit", "said"),
    [
        (SHUTDOWN, "a.service", STOPPED),
        ("before it answers", "hirte.service", "the manager stopped before it answered"),
        ("crash", "a.service", "the manager went away, and with it the news of how the job ends"),
        ("replaced", "a.service",
         "the manager went away, and with it the news of how the job ends"),
        ("no answer", "hirte.service", "the manager went away"),
        ("bus", "a.service", "the system bus went away: Connection reset by peer"),
    ],
)  # fmt: skip
def test_it_waits_for_the_manager_and_looks(
    clock: Clock, capsys: pytest.CaptureFixture[str], how: str, unit: str, said: str
) -> None:
    second = after("active")
    assert ctl(clock, {0: leaving(manager(), how), 3: second}, "restart", "node1", unit) == 0
    assert capsys.readouterr() == (
        f"node1 {unit} restart: done\n",
        f"hirte ctl: {said}; waiting for it to come back\n",
    )
    assert [call[3] for call in second.calls if len(call) > 3][:6] == [
        "CreateMonitor", "Get", "ListNodes", "Subscribe", "GetUnitProperties", "Close",
    ]  # fmt: skip


@pytest.mark.parametrize("how", ["before it answers", "no answer"])
def test_a_restart_that_nobody_has_answered_may_not_have_begun(
    clock: Clock, capsys: pytest.CaptureFixture[str], how: str
) -> None:
    """A unit that was active before is active without it as well."""
    comings = {0: leaving(manager(), how), 1: after("active")}
    assert ctl(clock, comings, "restart", "node1", "a") == 6
    out, err = capsys.readouterr()
    assert out == ""
    assert err.splitlines()[0].endswith(", and whether this was begun is not known")


@pytest.mark.parametrize(
    ("verb", "state", "code"),
    [
        ("start", "active", 0),
        ("start", "inactive", 3),
        ("restart", "active", 0),
        ("restart", "failed", 3),
        ("restart", "inactive", 3),
        ("stop", "inactive", 0),
        ("stop", "failed", 0),
        ("stop", "active", 1),
    ],
)
def test_the_state_of_the_unit_tells(
    clock: Clock, capsys: pytest.CaptureFixture[str], verb: str, state: str, code: int
) -> None:
    assert ctl(clock, {0: leaving(manager()), 1: after(state)}, verb, "node1", "a") == code
    result = state if code else "done"
    advice = f"hirte ctl: the unit is {state}, and the news of the job is lost; {LOOK}"
    assert capsys.readouterr() == (
        f"node1 a.service {verb}: {result}\n",
        WAITING + (advice if code else ""),
    )


def told(bus: FakeBus) -> Any:
    """Return the signal that something is new of the unit."""
    return bus.signal(
        "UnitStateChanged", "sssss", "node1", "a.service", "active", "x", "real",
        path=MONITOR, interface=f"{NAME}.Monitor",
    )  # fmt: skip


def status(bus: FakeBus, value: str) -> Any:
    """Return the signal that the node has come or gone."""
    return bus.signal(
        "PropertiesChanged", "sa{sv}as", f"{NAME}.Node", {"Status": ("s", value)}, [],
        path=node_path("node1"), interface=f"{DRIVER}.Properties",
    )  # fmt: skip


@pytest.mark.parametrize(("state", "job"), [("activating", 0), ("active", 7), ("deactivating", 7)])
def test_a_unit_that_is_not_at_rest_yet(
    clock: Clock, capsys: pytest.CaptureFixture[str], state: str, job: int
) -> None:
    second = after(state, job)
    asked: list[str] = []

    def on_call(member: str) -> None:
        if member == "GetUnitProperties":
            asked.append(member)
            if len(asked) == 1:
                second.to_come.append(told(second))
            else:
                unit_is(second, "active")

    second.on_call = on_call
    assert ctl(clock, {0: leaving(manager()), 1: second}, "restart", "node1", "a") == 0
    assert capsys.readouterr().out == "node1 a.service restart: done\n"
    assert len(asked) == 2


def test_old_news_are_no_reason_to_wait(clock: Clock) -> None:
    """What came before the answer is in the answer; what comes with it is looked at."""
    second = after("activating")

    def on_call(member: str) -> None:
        if member == "Subscribe":
            second.deliver(told(second))
        if member == "GetUnitProperties":
            second.on_call = lambda member: unit_is(second, "active")
            second.to_come.append(told(second))

    second.on_call = on_call
    assert ctl(clock, {0: leaving(manager()), 1: second}, "start", "node1", "a") == 0


def test_a_node_that_comes_back_later(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    second = manager()
    second.refuse(node_path("node1"), "GetUnitProperties", f"{NAME}.Offline", "Node is offline")
    second.to_come.append(status(second, "online"))
    asked: list[str] = []

    def on_call(member: str) -> None:
        asked.append(member)
        if asked.count("GetUnitProperties") == 2:
            unit_is(second, "active")

    second.on_call = on_call
    assert ctl(clock, {0: leaving(manager()), 1: second}, "restart", "node1", "a") == 0
    assert capsys.readouterr() == ("node1 a.service restart: done\n", WAITING)


def test_a_node_that_does_not_come_back(
    clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    second = manager()
    second.refuse(node_path("node1"), "GetUnitProperties", f"{NAME}.Offline", "Node is offline")

    def on_call(member: str) -> None:
        if member == "GetUnitProperties":
            clock.now += 15

    second.on_call = on_call
    assert ctl(clock, {0: leaving(manager()), 1: second}, "restart", "node1", "a") == 5
    assert capsys.readouterr() == ("", f"{WAITING}hirte ctl: node1 is offline\n{OFFLINE}")


def test_a_manager_that_does_not_come_back(
    clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ctl(clock, {0: leaving(manager())}, "restart", "node1", "a") == 6
    assert capsys.readouterr() == (
        "",
        f"{WAITING}hirte ctl: node1 a.service restart: the manager was not reached again"
        f" within 20 s; how this ended is not known\n{WENT_AWAY}",
    )
    assert clock.now == pytest.approx(1020)


def test_a_manager_that_does_not_go(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    """It says that it stops, and hangs."""
    first = manager()
    first.to_come.append(first.job_removed(SHUTDOWN))
    assert ctl(clock, {0: first}, "restart", "node1", "a") == 6
    assert "was not reached again within 20 s" in capsys.readouterr().err


def test_a_manager_that_goes_again(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    second = leaving(manager(), "crash")
    second.ignore(node_path("node1"), "GetUnitProperties")
    comings = {0: leaving(manager()), 1: second, 4: after("active")}
    assert ctl(clock, comings, "restart", "node1", "a") == 0
    assert capsys.readouterr() == ("node1 a.service restart: done\n", WAITING)


def another_monitor(bus: FakeBus) -> Callable[[str], None]:
    """Return what lets every monitor have a path of its own."""
    numbers = iter(range(1, 1000))

    def on_call(member: str) -> None:
        if member == "CreateMonitor":
            path = f"{ROOT}/monitor/{next(numbers)}"
            bus.answer(ROOT, "CreateMonitor", "o", path)
            bus.answer(path, "Subscribe", "u", 1)
            bus.answer(path, "Close")

    return on_call


def test_what_was_not_begun_is_begun_then(
    clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    names = [f"n{number}" for number in range(1, CALLS_AT_ONCE + 3)]
    first, second = manager(*names), manager(*names)
    for name in names:
        first.ignore(node_path(name), "StartUnit")
        unit_is(second, "active", node=name)
    first.to_come.append(first.owner_changed())
    second.on_call = another_monitor(second)
    for number in (CALLS_AT_ONCE + 1, CALLS_AT_ONCE + 2):
        second.to_come.append(second.job_removed("done", job=number))
    assert ctl(clock, {0: first, 1: second}, "start", "n*", "a") == 0
    assert sum("StartUnit" in call for call in first.calls) == CALLS_AT_ONCE
    assert sum("StartUnit" in call for call in second.calls) == 2
    assert capsys.readouterr().err.endswith(f"hirte ctl: {CALLS_AT_ONCE + 2} done\n")


def test_it_is_said_once(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    first, second = manager("node1", "node2"), manager("node1", "node2")
    for number in (1, 2):
        first.to_come.append(first.job_removed(SHUTDOWN, job=number, node=f"node{number}"))
        unit_is(second, "active", node=f"node{number}")
    first.to_come.append(first.owner_changed())
    second.on_call = another_monitor(second)
    assert ctl(clock, {0: first, 1: second}, "restart", "node1,node2", "a") == 0
    assert capsys.readouterr() == (
        "node1 a.service restart: done\nnode2 a.service restart: done\n",
        f"{WAITING}hirte ctl: 2 done\n",
    )


@pytest.mark.parametrize("how", [SHUTDOWN, "crash"])
def test_a_job_that_ended_before_is_done(
    clock: Clock, capsys: pytest.CaptureFixture[str], how: str
) -> None:
    first, second = manager("node1", "node2"), after("failed")
    first.to_come.append(first.job_removed("done", job=2, node="node2"))
    assert ctl(clock, {0: leaving(first, how), 1: second}, "restart", "node1,node2", "a") == 3
    out = capsys.readouterr().out
    assert out == "node2 a.service restart: done\nnode1 a.service restart: failed\n"


# The manager itself


@pytest.mark.parametrize("unit", ["hirte.service", "bluechi-controller.service"])
@pytest.mark.parametrize("how", [SHUTDOWN, "before it answers", "crash"])
def test_a_manager_that_was_to_stop(
    clock: Clock, capsys: pytest.CaptureFixture[str], unit: str, how: str
) -> None:
    first = leaving(manager(), how)
    assert ctl(clock, {0: first}, "stop", "node1", unit) == 0
    assert capsys.readouterr() == (
        f"node1 {unit} stop: the manager is away\n",
        "hirte ctl: the manager went away, as was asked, and cannot tell how its stop ended;"
        f" see `systemctl status {unit}` on node1\n",
    )
    assert clock.now == pytest.approx(1002)


def test_a_manager_that_was_to_stop_and_is_there_again(
    clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    comings = {0: leaving(manager()), 1: after("active")}
    assert ctl(clock, comings, "stop", "node1", "hirte.service") == 1
    assert capsys.readouterr().out == "node1 hirte.service stop: active\n"


# When the node is lost

AGENT = "hirte-agent.service"
LOST = "hirte ctl: node1 was lost while the job ran; waiting for it to come back\n"


class Losing:
    """A manager that loses the node over a job; when it is back, the unit has one of `states`.

    The manager says that the node is offline behind the end of its jobs, and behind the errors of
    what it has not answered.
    """

    def __init__(self, clock: Clock, how: str, *states: str, unit: str = AGENT) -> None:
        self.bus = bus = manager()
        self.clock = clock
        self.states = list(states)
        self.is_told = False
        bus.refuse(node_path("node1"), "GetUnitProperties", f"{NAME}.Offline", "Node is offline")
        if how == "job":
            bus.to_come.append(bus.job_removed("failed", unit=unit))
        else:
            for method in ("StartUnit", "StopUnit", "RestartUnit"):
                bus.refuse(node_path("node1"), method, ERROR + "NoReply", "Connection terminated")
        bus.to_come.extend(status(bus, "online") for _ in states)
        self.asked = 0
        bus.on_call = self.on_call

    def on_call(self, member: str) -> None:
        if member == "ListNodes" and not self.is_told:
            self.is_told = True
            self.bus.deliver(status(self.bus, "offline"))
        if member == "GetUnitProperties":
            self.asked += 1
            if self.asked > 1 and self.states:
                unit_is(self.bus, self.states.pop(0))
            elif not self.states:
                self.clock.now += 25


@pytest.mark.parametrize(
    ("how", "unit", "verb"),
    [
        ("job", AGENT, "restart"),
        ("job", "a.service", "start"),
        ("job", "a.service", "restart"),
        ("job", "a.service", "stop"),
        ("call", AGENT, "restart"),
        ("call", "a.service", "start"),
        ("call", "a.service", "stop"),
    ],
)
def test_a_job_that_outlives_its_agent_is_told_by_its_unit(
    clock: Clock, capsys: pytest.CaptureFixture[str], how: str, unit: str, verb: str
) -> None:
    made = Losing(clock, how, "inactive" if verb == "stop" else "active", unit=unit)
    assert ctl(clock, {0: made.bus}, verb, "node1", unit) == 0
    assert capsys.readouterr() == (f"node1 {unit} {verb}: done\n", LOST)


def test_a_job_whose_unit_is_not_as_it_should_be_when_the_node_is_back(
    clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    made = Losing(clock, "job", "failed", unit="a.service")
    assert ctl(clock, {0: made.bus}, "start", "node1", "a") == 3
    text = "hirte ctl: the unit is failed, and the news of the job is lost; "
    assert capsys.readouterr() == ("node1 a.service start: failed\n", f"{LOST}{text}{LOOK}")


def test_a_node_that_is_lost_for_good(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    made = Losing(clock, "job", unit="a.service")
    assert ctl(clock, {0: made.bus}, "restart", "node1", "a") == 5
    text = "hirte ctl: node1 is offline, and how this ended is not known; "
    assert capsys.readouterr() == ("node1 a.service restart: not known\n", f"{LOST}{text}{LOOK}")


def test_a_restart_that_the_node_has_not_answered_may_not_have_begun(
    clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    made = Losing(clock, "call", "active", unit="a.service")
    assert ctl(clock, {0: made.bus}, "restart", "node1", "a") == 1
    assert "Connection terminated" in capsys.readouterr().err


def test_a_reload_does_not_show(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    made = Losing(clock, "job", "active", unit="a.service")
    assert ctl(clock, {0: made.bus}, "reload", "node1", "a") == 1
    text = f"hirte ctl: node1 was lost while the job ran; {LOOK}"
    assert capsys.readouterr() == ("node1 a.service reload: failed\n", text)


def test_a_job_that_failed_on_a_node_that_is_there_has_failed(
    clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    made = manager()
    made.to_come.append(made.job_removed("failed"))
    assert ctl(clock, {0: made}, "restart", "node1", "a") == 1
    assert capsys.readouterr() == ("node1 a.service restart: failed\n", f"hirte ctl: {LOOK}")


def test_an_agent_that_is_stopped_through_itself(
    clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    made = Losing(clock, "job")
    assert ctl(clock, {0: made.bus}, "stop", "node1", AGENT) == 0
    assert capsys.readouterr() == (
        f"node1 {AGENT} stop: the agent is away\n",
        "hirte ctl: the agent went away, as was asked, and cannot tell how its stop ended;"
        f" see `systemctl status {AGENT}` on node1\n",
    )


def test_an_agent_that_was_to_stop_and_is_back(
    clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    made = Losing(clock, "job", "active")
    assert ctl(clock, {0: made.bus}, "stop", "node1", AGENT) == 1
    assert capsys.readouterr().out == f"node1 {AGENT} stop: active\n"


def test_the_restart_of_the_manager_is_done_when_its_nodes_are_back(
    clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    first, second = manager("node1", "node2"), after("active")
    second.nodes(("node1", "online", ""), ("node2", "offline", ""))
    second.to_come.append(
        second.signal(
            "PropertiesChanged", "sa{sv}as", f"{NAME}.Node", {"Status": ("s", "online")}, [],
            path=node_path("node2"), interface=f"{DRIVER}.Properties",
        )
    )  # fmt: skip
    comings = {0: leaving(first), 1: second}
    assert ctl(clock, comings, "restart", "node1", "hirte.service") == 0
    assert capsys.readouterr() == ("node1 hirte.service restart: done\n", WAITING)
    assert not second.to_come


def test_a_node_that_does_not_find_back_to_the_manager_is_named(
    clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    first, second = manager("node1", "node2"), after("active")
    second.nodes(("node1", "online", ""), ("node2", "offline", ""))
    second.on_call = lambda member: setattr(clock, "now", clock.now + 7)
    comings = {0: leaving(first), 1: second}
    assert ctl(clock, comings, "restart", "node1", "hirte.service") == 0
    advice = "hirte ctl: not back yet: node2; `hirte ctl nodes` tells when they are\n"
    assert capsys.readouterr() == ("node1 hirte.service restart: done\n", WAITING + advice)


# Those who do not wait


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["restart", "--no-block"], "the manager stopped before it answered"),
        (["reload"], STOPPED),
    ],
)
def test_what_is_not_waited_for(
    clock: Clock, capsys: pytest.CaptureFixture[str], argv: list[str], said: str
) -> None:
    first = leaving(manager(), SHUTDOWN if argv == ["reload"] else "before it answers")
    assert ctl(clock, {0: first, 0.1: after("active")}, *argv, "node1", "a") == 6
    label = f"hirte ctl: node1 a.service {argv[0]}"
    assert capsys.readouterr() == ("", f"{label}: {said}\n{WENT_AWAY}")
    assert clock.now == 1000


def test_a_request_that_was_not_made(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    first = manager()
    first.refuse("/org/freedesktop/DBus", "GetNameOwner", ERROR + "NameHasNoOwner", sender=DRIVER)
    assert ctl(clock, {0: first, 0.1: after("active")}, "restart", "node1", "a") == 6
    assert capsys.readouterr().err == (
        f"hirte ctl: node1 a.service restart: {NOBODY}\n{NOT_RUNNING}"
    )
    assert clock.now == 1000


def test_a_request_that_could_not_be_sent(
    clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    """That the unit is active afterwards does not mean that it was restarted."""
    first = manager()

    def lose(member: str) -> None:
        if member == "RestartUnit":
            raise BrokenPipeError(32, "Broken pipe")

    first.on_call = lose
    assert ctl(clock, {0: first, 0.1: after("active")}, "restart", "node1", "a") == 6
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.startswith(
        "hirte ctl: node1 a.service restart: the system bus went away: Broken pipe\n"
    )
    assert clock.now == 1000


def test_a_time_out(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    argv = ("restart", "--timeout", "5", "node1", "a")
    assert ctl(clock, {0: leaving(manager()), 6: after("active")}, *argv) == 124
    text = "not done within 5 s; the restart of a.service on node1 goes on"
    assert capsys.readouterr() == ("", f"{WAITING}hirte ctl: {text}\n{GOES_ON}")
    assert clock.now == pytest.approx(1005)


def test_an_interrupt(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    clock.at[5.0] = interrupt
    assert ctl(clock, {0: leaving(manager())}, "restart", "node1", "a") == 130
    text = "interrupted; the restart of a.service on node1 goes on"
    assert capsys.readouterr() == ("", f"{WAITING}hirte ctl: {text}\n{GOES_ON}")


# How it is told


def test_for_programs(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    comings = {0: leaving(manager()), 1: after("failed")}
    assert ctl(clock, comings, "restart", "node1", "a", "-o", "json") == 3
    assert json.loads(capsys.readouterr().out) == {
        "node": "node1",
        "units": ["a.service"],
        "verb": "restart",
        "result": "failed",
        "code": 3,
    }


def test_quietly(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    comings = {0: leaving(manager()), 1: after("active")}
    assert ctl(clock, comings, "restart", "node1", "a", "-q") == 0
    assert capsys.readouterr() == ("", "")


def test_who_wanted_it_active(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    comings = {0: leaving(manager()), 1: after("active")}
    assert ctl(clock, comings, "restart", "node1", "a", "--wait-active") == 0
    assert capsys.readouterr().out == "node1 a.service restart: active\n"


def test_own_units_come_last_and_one_by_one(
    clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nobody would be left to tell of the others."""
    made = manager("node1", "node2")
    begun: list[str] = []
    paths = iter(f"{ROOT}/job/{number}" for number in range(1, 9))
    answers = {node: node_path(node) for node in ("node1", "node2")}

    def on_call(member: str) -> None:
        if member == "StartUnit":
            path = next(paths)
            begun.append(made.calls[-1][4])
            for place in answers.values():
                made.answer(place, "StartUnit", "o", path)
            made.to_come.append(made.job_removed("done", job=int(path.rpartition("/")[2])))

    made.on_call = on_call
    units = ("hirte.service", "hirte-agent.service", "a", "b")
    assert ctl(clock, {0: made}, "start", "node1,node2", *units) == 0
    assert begun == ["a.service", "b.service"] * 2 + ["hirte-agent.service"] * 2 + [
        "hirte.service"
    ] * 2
    told = [line.split()[1] for line in capsys.readouterr().out.splitlines()]
    assert told == begun
