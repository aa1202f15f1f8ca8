"""Jobs from the client's point of view, on two nodes whose systemd does what systemd does."""

from __future__ import annotations

import pytest

from tests.sim.client import Client, Heard
from tests.sim.conftest import Fleet


def story(client: Client, start: int) -> list[str]:
    """Return what was heard since `start` in few words, without properties of units."""
    return [words(heard) for heard in client.heard[start:] if heard.what != "call"]


def words(heard: Heard) -> str:
    if heard.what == "answer":
        return f"answer {heard.number} {heard.member.rpartition('.')[2]}"
    if heard.member == "PropertiesChanged":
        ((name, (_, value)),) = heard.values[1].items()
        return f"{heard.path} {name}={value}"
    if heard.member == "JobNew":
        return f"JobNew {heard.values[0]}"
    if heard.member == "JobRemoved":
        return f"JobRemoved {heard.values[0]} {' '.join(heard.values[2:])}"
    return heard.member


def test_a_job_begins_runs_and_ends_in_this_order(fleet: Fleet) -> None:
    start = len(fleet.client.heard)
    fleet.client.start("a", "slow-0.service")
    fleet.world.run(1.0)
    state = fleet.client.property("job/1", "Job", "State")
    fleet.world.run(4.0)
    assert state.values == (("s", "running"),)
    assert story(fleet.client, start) == [
        "JobNew 1",
        "answer 1 return",
        "job/1 State=running",
        "answer 2 return",
        "JobRemoved 1 a slow-0.service done",
    ]
    gone = fleet.client.property("job/1", "Job", "State")
    fleet.world.run(1.0)
    assert gone.error == "UnknownObject"


@pytest.mark.parametrize(
    ("unit", "result"),
    [("quick-0.service", "done"), ("fails-0.service", "failed"), ("fragile-0.service", "done")],
)
def test_the_result_is_systemds_word(fleet: Fleet, unit: str, result: str) -> None:
    fleet.client.start("b", unit)
    fleet.world.run(5.0)
    assert fleet.client.results() == {1: result}


@pytest.mark.parametrize(
    ("unit", "mode", "method", "error"),
    [
        ("ghost.service", "replace", "StartUnit", "NoSuchUnit"),
        ("quick-0.service", "replace", "ReloadUnit", "JobTypeNotApplicable"),
        ("quick-0.service", "bogus", "StartUnit", "InvalidArgs"),
    ],
)
def test_what_systemd_refuses_is_no_job_and_burns_an_id(
    fleet: Fleet, unit: str, mode: str, method: str, error: str
) -> None:
    refused = fleet.client.node("a", method, "ss", unit, mode)
    fleet.world.run(1.0)
    assert refused.error == error
    assert fleet.client.signals("JobNew") == []
    fleet.client.start("a", "quick-0.service")
    fleet.world.run(1.0)
    assert fleet.client.results() == {2: "done"}


def test_two_requests_that_systemd_merges_both_end(fleet: Fleet) -> None:
    first = fleet.client.start("a", "slow-0.service")
    fleet.world.run(0.5)
    second = fleet.client.start("a", "slow-0.service")
    fleet.world.run(5.0)
    assert first.values != second.values
    assert fleet.client.results() == {1: "done", 2: "done"}
    assert len(fleet.world.hosts["a"].systemd.ended) == 1


def test_a_stop_cancels_the_start_and_says_so_first(fleet: Fleet) -> None:
    fleet.client.start("a", "hangs-0.service")
    fleet.world.run(1.0)
    start = len(fleet.client.heard)
    fleet.client.stop("a", "hangs-0.service")
    fleet.world.run(1.0)
    assert story(fleet.client, start) == [
        "JobRemoved 1 a hangs-0.service canceled",
        "JobNew 2",
        "answer 2 return",
        "job/2 State=running",
        "JobRemoved 2 a hangs-0.service done",
    ]


def test_cancel_is_answered_at_once_and_ends_the_job(fleet: Fleet) -> None:
    job = fleet.client.start("a", "hangs-0.service")
    fleet.world.run(1.0)
    start = len(fleet.client.heard)
    fleet.client.cancel(job.values[0])
    fleet.world.run(1.0)
    assert story(fleet.client, start) == [
        "answer 2 return",
        "JobRemoved 1 a hangs-0.service canceled",
    ]


def test_cancel_of_a_job_that_has_just_ended_harms_nobody(fleet: Fleet) -> None:
    job = fleet.client.start("a", "slow-0.service")
    fleet.world.until(lambda: bool(fleet.world.hosts["a"].systemd.ended))
    fleet.client.cancel(job.values[0])
    fleet.world.run(1.0)
    assert fleet.client.results() == {1: "done"}


def test_a_systemd_that_does_not_answer_is_noreply_after_thirty_seconds(fleet: Fleet) -> None:
    fleet.world.hosts["a"].systemd.mute = True
    asked_at = fleet.world.now()
    started = fleet.client.start("a", "quick-0.service")
    units = fleet.client.manager("ListUnits")
    fleet.world.until(lambda: bool(started.answers and units.answers))
    assert 30.0 <= fleet.world.now() - asked_at < 30.1
    assert started.error == "NoReply"
    assert units.error == "Failed"
    assert "Request to at least one node failed" in units.text
    assert fleet.client.signals("JobNew") == []


def test_an_answer_that_comes_too_late_starts_no_job(plain: Fleet) -> None:
    plain.agents["a"].freeze()
    started = plain.client.start("a", "slow-0.service")
    plain.world.run(31.0)
    assert started.error == "NoReply"
    plain.agents["a"].thaw()
    plain.world.run(60.0)
    assert [unit for _, unit, _ in plain.world.hosts["a"].systemd.ended] == ["slow-0.service"]
    assert len(started.answers) == 1
    assert plain.client.signals("JobNew") == []
    assert plain.client.signals("JobRemoved") == []


def test_units_of_all_online_nodes_are_listed_together(fleet: Fleet) -> None:
    fleet.client.start("a", "quick-0.service")
    fleet.client.start("b", "slow-1.service")
    fleet.world.run(5.0)
    units = fleet.client.manager("ListUnits")
    fleet.world.run(1.0)
    (listed,) = units.values
    assert {node: [(unit[0], unit[3]) for unit in rows] for node, rows in listed.items()} == {
        "a": [("quick-0.service", "active")],
        "b": [("slow-1.service", "active")],
    }


def test_properties_of_units_come_as_systemd_gives_them(fleet: Fleet) -> None:
    everything = fleet.client.node("a", "GetUnitProperties", "ss", "ghost.service", "")
    one = fleet.client.node("a", "GetUnitProperty", "sss", "quick-0.service", "x", "LoadState")
    none = fleet.client.node("a", "GetUnitProperty", "sss", "quick-0.service", "x", "Nothing")
    fleet.world.run(1.0)
    assert everything.values[0]["LoadState"] == ("s", "not-found")
    assert one.values == (("s", "loaded"),)
    assert none.error == "UnknownProperty"


def test_strangers_may_listen_but_not_call(fleet: Fleet) -> None:
    stranger = fleet.world.client(uid=1000)
    refused = stranger.start("a", "quick-0.service")
    fleet.client.start("b", "quick-0.service")
    fleet.world.run(1.0)
    assert refused.error == "AccessDenied"
    assert stranger.results() == {1: "done"}
