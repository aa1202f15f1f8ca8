"""Jobs on real nodes: their order, their ends, merged requests, and many at once."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from jeepney import DBusAddress, MessageFlag, new_method_call

from hirte.api.dialect import NATIVE
from tests.bed import Fleet
from tests.bed.bus import BusError
from tests.fleet.statemanager import ERROR, StateManager
from tests.fleet.units import UNITS


@pytest.fixture(scope="module")
def three(trio: Fleet) -> Fleet:
    """The fleet with the units on all nodes."""
    for node in trio.nodes.values():
        node.units(UNITS)
    return trio


@pytest.fixture
def caller(three: Fleet) -> Iterator[StateManager]:
    """A new caller on the manager's node."""
    with StateManager(three["node1"], NATIVE) as made:
        yield made
    tidy = "systemctl stop stay.service held.service 'one@*.service'; systemctl reset-failed"
    three["node3"].run(["/bin/sh", "-c", tidy])


def test_the_order_of_one_job(caller: StateManager) -> None:
    """The object, JobNew, the caller's answer, changes of State, JobRemoved, no object."""
    path = caller.node("node3", "StartUnit", "ss", "quick.service", "replace")
    caller.removed(path)
    number = int(path.rpartition("/")[2])
    told = [
        "answer" if not heard.is_signal else heard.event
        for heard in caller.heard
        if heard.is_signal or heard.values == (path,)
    ]
    assert told[:2] == [("JobNew", number, path), "answer"]
    assert told[-1] == ("JobRemoved", number, path, "node3", "quick.service", "done")
    assert told[2:-1]
    assert {event[2]["State"] for event in told[2:-1]} <= {"waiting", "running"}
    with pytest.raises(BusError) as refused:
        caller.get(path, "Job", "State")
    assert refused.value.name == f"{ERROR}.UnknownObject"


@pytest.mark.parametrize(
    ("member", "unit", "result"),
    [
        ("StartUnit", "quick.service", "done"),
        ("StartUnit", "bad.service", "failed"),
        ("StartUnit", "needy.service", "dependency"),
        ("StartUnit", "late.service", "timeout"),
        # systemd starts nothing, and is content.
        ("StartUnit", "choosy.service", "done"),
        ("StopUnit", "quick.service", "done"),
        ("ReloadUnit", "stay.service", "invalid"),
    ],
)
def test_a_result_is_systemds_own_word(
    caller: StateManager, member: str, unit: str, result: str
) -> None:
    assert caller.job("node3", member, unit) == result


@pytest.mark.parametrize(
    ("member", "unit", "mode", "error"),
    [
        ("StartUnit", "no.service", "replace", "org.freedesktop.systemd1.NoSuchUnit"),
        ("StopUnit", "no.service", "replace", "org.freedesktop.systemd1.NoSuchUnit"),
        ("StartUnit", "a b", "replace", f"{ERROR}.InvalidArgs"),
        ("StartUnit", "", "replace", f"{ERROR}.InvalidArgs"),
        ("StartUnit", "quick.service", "no-such-mode", f"{ERROR}.InvalidArgs"),
        (
            "ReloadUnit", "quick.service", "replace",
            "org.freedesktop.systemd1.JobTypeNotApplicable",
        ),
    ],
)  # fmt: skip
def test_what_systemd_refuses_is_no_job(
    caller: StateManager, member: str, unit: str, mode: str, error: str
) -> None:
    before = caller.node("node3", "StartUnit", "ss", "quick.service", "replace")
    caller.removed(before)
    caller.forget()
    with pytest.raises(BusError) as refused:
        caller.node("node3", member, "ss", unit, mode)
    assert refused.value.name == error
    assert caller.settle() == []
    # The id is burnt.
    after = caller.node("node3", "StartUnit", "ss", "quick.service", "replace")
    assert int(after.rpartition("/")[2]) == int(before.rpartition("/")[2]) + 2


def test_requests_that_systemd_merges_all_end(caller: StateManager) -> None:
    """Three requests are one job of systemd; each of ours gets its own end, in their order."""
    paths = [caller.node("node3", "StartUnit", "ss", "held.service", "replace") for _ in range(3)]
    assert len(set(paths)) == 3
    caller.object(paths[1], "Job", "Cancel")
    assert [caller.removed(path) for path in paths] == ["canceled"] * 3
    ends = [event[2] for event in caller.settle() if event[0] == "JobRemoved"]
    assert ends == paths


def test_a_stop_replaces_the_start(caller: StateManager) -> None:
    start = caller.node("node3", "StartUnit", "ss", "held.service", "replace")
    assert caller.job("node3", "StopUnit", "held.service") == "done"
    assert caller.removed(start) == "canceled"


def test_a_stop_that_may_not_replace_fails(caller: StateManager) -> None:
    start = caller.node("node3", "StartUnit", "ss", "held.service", "replace")
    with pytest.raises(BusError) as refused:
        caller.node("node3", "StopUnit", "ss", "held.service", "fail")
    assert refused.value.name == "org.freedesktop.systemd1.TransactionIsDestructive"
    caller.object(start, "Job", "Cancel")
    assert caller.removed(start) == "canceled"


def test_cancel_is_answered_at_once_and_once(caller: StateManager) -> None:
    path = caller.node("node3", "StartUnit", "ss", "held.service", "replace")
    assert caller.object(path, "Job", "Cancel") is None
    assert caller.removed(path) == "canceled"
    with pytest.raises(BusError) as refused:
        caller.object(path, "Job", "Cancel")
    assert refused.value.name == f"{ERROR}.UnknownObject"


def test_a_hundred_calls_in_flight(caller: StateManager) -> None:
    """All answered and ended, ids in the order of the calls of each node, and none twice."""
    destination, interface = NATIVE.bus_name, NATIVE.interface("Node")
    calls = [
        (
            node,
            caller.send(
                destination, caller.path(f"node/{node}"), interface, "StartUnit", "ss",
                f"one@{number}.service", "replace",
            ),
        )
        for number in range(34)
        for node in ("node1", "node2", "node3")
    ]  # fmt: skip
    paths: dict[str, list[str]] = {}
    for node, serial in calls:
        answer = caller.answer(serial)
        assert not answer.error
        paths.setdefault(node, []).append(answer.values[0])
    everything = [path for of_node in paths.values() for path in of_node]
    assert len(set(everything)) == len(calls)
    for of_node in paths.values():
        numbers = [int(path.rpartition("/")[2]) for path in of_node]
        assert numbers == sorted(numbers)
    assert {caller.removed(path) for path in everything} == {"done"}
    ends = [event[2] for event in caller.settle() if event[0] == "JobRemoved"]
    assert sorted(ends) == sorted(everything)


def test_a_caller_who_wants_no_answer(caller: StateManager) -> None:
    """busctl sends with NO_REPLY_EXPECTED: the job is made, nobody is answered."""
    address = DBusAddress(
        caller.path("node/node3"), bus_name=NATIVE.bus_name, interface=NATIVE.interface("Node")
    )
    call = new_method_call(address, "StartUnit", "ss", ("quick.service", "replace"))
    call.header.flags = MessageFlag.no_reply_expected
    caller.send_message(call)
    assert caller.hear("JobRemoved").values[3:] == ("quick.service", "done")
    caller.settle()
    assert not [heard for heard in caller.heard if not heard.is_signal and heard.values]


@pytest.mark.parametrize("verb", ["daemon-reload", "daemon-reexec"])
def test_systemd_reloads_while_a_job_is_under_way(
    three: Fleet, caller: StateManager, verb: str
) -> None:
    path = caller.node("node3", "StartUnit", "ss", "held.service", "replace")
    caller.changed(path, "State", "running")
    three["node3"].systemctl(verb)
    assert caller.get(path, "Job", "State") == ("s", "running")
    caller.wait_for_systemd("node3")
    assert caller.job("node3", "StartUnit", "quick.service") == "done"
    caller.object(path, "Job", "Cancel")
    assert caller.removed(path) == "canceled"
