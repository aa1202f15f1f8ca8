"""hirte ctl for many targets: which are meant, how each ends, and what the whole is worth."""

from __future__ import annotations

import json

import pytest

from tests.hints import GOES_ON, LOADED, NODES, OFFLINE
from tests.unit.ctl_fake import ERROR, NAME, OWNER, ROOT, FakeBus, ctl, node_path, unit

MONITOR = f"{ROOT}/monitor/1"


@pytest.fixture
def bus() -> FakeBus:
    """Two nodes that are online, whose units a and b make jobs 1 and 2 when started, and n3."""
    made = FakeBus()
    made.nodes(("n1", "online", ""), ("n2", "online", ""), ("n3", "offline", ""))
    for number, node in enumerate(("n1", "n2"), start=1):
        made.answer(node_path(node), "StartUnit", "o", f"{ROOT}/job/{number}")
        listed = [unit("a.service"), unit("ab.service"), unit("b.timer")]
        made.answer(node_path(node), "ListUnits", "a(ssssssouso)", listed)
    for member in ("StartUnit", "ListUnits"):
        made.refuse(node_path("n3"), member, f"{NAME}.Offline", "Node is offline")
    return made


def started(bus: FakeBus) -> list[tuple[str, str]]:
    """Return the node and unit of every start that was asked for."""
    return [
        (call[1].rpartition("/")[2], call[4]) for call in bus.calls if call[3:4] == ("StartUnit",)
    ]


def test_each_is_told_as_it_ends(bus: FakeBus, capsys: pytest.CaptureFixture[str]) -> None:
    bus.to_come.extend([bus.job_removed("done", job=2), bus.job_removed("done", job=1)])
    assert ctl(bus, "start", "n1,n2", "a") == 0
    assert capsys.readouterr() == (
        "n2 a.service start: done\nn1 a.service start: done\n",
        "hirte ctl: 2 done\n",
    )


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["n1", "a", "a.service"], [("n1", "a.service")]),
        (["n2,n1,n2", "a"], [("n2", "a.service"), ("n1", "a.service")]),
        (["n?,", "a"], [("n1", "a.service"), ("n2", "a.service"), ("n3", "a.service")]),
        (["--all-nodes", "b.timer"], [("n1", "b.timer"), ("n2", "b.timer"), ("n3", "b.timer")]),
        (["n1", "a*,b.timer"], [("n1", "a.service"), ("n1", "ab.service"), ("n1", "b.timer")]),
        (["n1", "*"], [("n1", "a.service"), ("n1", "ab.service"), ("n1", "b.timer")]),
        (["n3,n1", "*.timer"], [("n1", "b.timer")]),
        (["n1", "a,", ",b.timer,"], [("n1", "a.service"), ("n1", "b.timer")]),
    ],
)
def test_what_lists_and_globs_mean(
    bus: FakeBus, words: list[str], expected: list[tuple[str, str]]
) -> None:
    ctl(bus, "start", *words, "--no-block")
    assert started(bus) == expected


@pytest.mark.parametrize(
    ("words", "complaint", "hint"),
    [
        (["x*", "a"], "no node 'x*' is configured", NODES),
        (["", "a"], "no node '' is configured", NODES),
        ([",", "a"], "no node ',' is configured", NODES),
        (["n1", "x*"], "n1: no unit 'x*' is loaded", LOADED),
    ],
)
def test_globs_that_mean_nothing(
    bus: FakeBus, capsys: pytest.CaptureFixture[str], words: list[str], complaint: str, hint: str
) -> None:
    assert ctl(bus, "start", "-q", *words) == 4
    assert capsys.readouterr() == ("", f"hirte ctl: {complaint}\n")
    assert ctl(bus, "start", "--dry-run", *words) == 4
    assert capsys.readouterr() == ("", f"hirte ctl: {complaint}\n{hint}")
    assert started(bus) == []


@pytest.mark.parametrize("word", ["n1", "n9,n1"])
@pytest.mark.parametrize("verb", ["restart", "kill", "enable", "status", "is-active"])
def test_all_nodes_and_a_node(
    bus: FakeBus, capsys: pytest.CaptureFixture[str], verb: str, word: str
) -> None:
    assert ctl(bus, verb, "--all-nodes", word, "web") == 2
    hint = "hirte ctl: hint: a unit that is called like a node is n1.service\n"
    assert capsys.readouterr() == (
        "",
        f"hirte ctl: with --all-nodes the word NODE is left out, but 'n1' is a node\n{hint}",
    )
    assert [call[3] for call in bus.calls] == ["ListNodes"]


def test_a_unit_that_is_called_like_a_node(bus: FakeBus) -> None:
    ctl(bus, "start", "--all-nodes", "a", "n1", "n2.service", "--no-block")
    assert ("n1", "n1.service") in started(bus)
    assert ("n1", "n2.service") in started(bus)


def test_the_worst_end_counts(bus: FakeBus, capsys: pytest.CaptureFixture[str]) -> None:
    bus.to_come.extend([bus.job_removed("done", job=2), bus.job_removed("failed", job=1)])
    assert ctl(bus, "start", "*", "a") == 5
    assert capsys.readouterr() == (
        "n2 a.service start: done\nn1 a.service start: failed\n",
        "hirte ctl: n3 a.service start: n3 is offline\n"
        "hirte ctl: see `hirte ctl status n1 a.service` and `journalctl -u a.service` on n1\n"
        f"hirte ctl: 1 done, 2 failed\n{OFFLINE}",
    )


def test_an_error_of_a_node_tells_its_name_once(
    bus: FakeBus, capsys: pytest.CaptureFixture[str]
) -> None:
    bus.refuse(node_path("n1"), "StartUnit", "org.freedesktop.systemd1.NoSuchUnit", "None such.")
    assert ctl(bus, "start", "n1,n3", "a") == 5
    assert "hirte ctl: n1 a.service start: None such.\n" in capsys.readouterr().err


def test_fail_fast(bus: FakeBus, capsys: pytest.CaptureFixture[str]) -> None:
    bus.to_come.append(bus.job_removed("failed", job=2))
    assert ctl(bus, "start", "n1,n2", "a", "--fail-fast") == 1
    assert capsys.readouterr().err.endswith(
        "hirte ctl: something failed; the start of a.service on n1 goes on\n"
        f"hirte ctl: 0 done, 1 failed, 1 left\n{GOES_ON}"
    )


def test_fail_fast_when_many_are_not_answered_in_time(
    bus: FakeBus, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("hirte.ctl.work.monotonic", lambda: 1000.0)
    for node in ("n1", "n2"):
        bus.ignore(node_path(node), "StartUnit")
    assert ctl(bus, "start", "n1,n2", "a", "--fail-fast") == 6
    assert "something failed; the start of a.service on n2 goes on" in capsys.readouterr().err


def test_no_more_calls_at_once_than_a_bus_keeps(
    bus: FakeBus, capsys: pytest.CaptureFixture[str]
) -> None:
    bus.refuse(node_path("n1"), "StartUnit", ERROR + "Failed", "no")
    units = [f"u{number}" for number in range(150)]
    assert ctl(bus, "start", "n1", *units, "--fail-fast") == 1
    assert len(started(bus)) == 100
    assert "the start of u100.service on n1, " in capsys.readouterr().err
    bus.calls.clear()
    assert ctl(bus, "start", "n1", *units) == 1
    assert len(started(bus)) == 150
    assert capsys.readouterr().err.endswith("hirte ctl: 0 done, 150 failed\n")


def test_an_interrupt(bus: FakeBus, capsys: pytest.CaptureFixture[str]) -> None:
    bus.to_come.extend([bus.job_removed("done", job=2), KeyboardInterrupt()])
    assert ctl(bus, "start", "n1,n2", "a") == 130
    assert capsys.readouterr() == (
        "n2 a.service start: done\n",
        "hirte ctl: interrupted; the start of a.service on n1 goes on\n"
        f"hirte ctl: 1 done, 1 left\n{GOES_ON}",
    )


def test_the_time_is_over(bus: FakeBus, capsys: pytest.CaptureFixture[str]) -> None:
    bus.to_come.append(bus.job_removed("done", job=1))
    assert ctl(bus, "start", "n1,n2", "a", "--timeout", "1.5") == 124
    assert capsys.readouterr() == (
        "n1 a.service start: done\n",
        "hirte ctl: not done within 1.5 s; the start of a.service on n2 goes on\n"
        f"hirte ctl: 1 done, 1 left\n{GOES_ON}",
    )


def test_a_node_that_does_not_answer(bus: FakeBus, capsys: pytest.CaptureFixture[str]) -> None:
    bus.ignore(node_path("n2"), "StartUnit")
    bus.to_come.append(bus.job_removed("done", job=1))
    assert ctl(bus, "start", "n1,n2", "a") == 6
    assert "hirte ctl: n2 a.service start: no answer within 45 s\n" in capsys.readouterr().err


def test_dry_run_touches_nothing(bus: FakeBus, capsys: pytest.CaptureFixture[str]) -> None:
    assert ctl(bus, "start", "n1,n2", "a", "--dry-run") == 0
    assert capsys.readouterr() == (
        "n1 a.service start: would call StartUnit('a.service', 'replace')\n"
        "n2 a.service start: would call StartUnit('a.service', 'replace')\n",
        "",
    )
    assert ctl(bus, "enable", "n1", "a", "--dry-run", "-o", "json") == 0
    assert json.loads(capsys.readouterr().out) == {
        "node": "n1",
        "units": ["a.service"],
        "verb": "enable",
        "would_call": [["EnableUnitFiles", ["a.service"], False, False], ["Reload"]],
    }
    assert {call[3] for call in bus.calls} == {"ListNodes"}


@pytest.mark.parametrize("more", [(), ("-o", "json")])
def test_dry_run_fails_of_nodes_that_there_are_not(
    bus: FakeBus, capsys: pytest.CaptureFixture[str], more: tuple[str, ...]
) -> None:
    assert ctl(bus, "start", "n1,mode4,n2", "a", "b", "--dry-run", *more) == 4
    out, err = capsys.readouterr()
    assert [line.count("StartUnit") for line in out.splitlines()] == [1, 1, 1, 1]
    assert err == f"hirte ctl: no node 'mode4' is configured\n{NODES}"


def test_no_block(bus: FakeBus, capsys: pytest.CaptureFixture[str]) -> None:
    assert ctl(bus, "start", "n2", "a", "--no-block") == 0
    assert capsys.readouterr() == ("n2 a.service start: job 2 begun\n", "")


def test_json_lines(bus: FakeBus, capsys: pytest.CaptureFixture[str]) -> None:
    bus.to_come.append(bus.job_removed("done", job=1))
    assert ctl(bus, "start", "n1,n3", "a", "-o", "json") == 5
    out, err = capsys.readouterr()
    common = {"units": ["a.service"], "verb": "start"}
    assert [json.loads(line) for line in out.splitlines()] == [
        {"node": "n3", **common, "result": "error", "code": 5, "error": "n3 is offline"},
        {"node": "n1", **common, "result": "done", "code": 0, "job": 1},
    ]
    assert err == f"hirte ctl: n3 a.service start: n3 is offline\n{OFFLINE}"


def test_quiet(bus: FakeBus, capsys: pytest.CaptureFixture[str]) -> None:
    bus.to_come.extend([bus.job_removed("done", job=1), bus.job_removed("done", job=2)])
    assert ctl(bus, "start", "n1,n2", "a", "-q") == 0
    assert capsys.readouterr() == ("", "")


# Until it is really up


@pytest.fixture
def monitored(bus: FakeBus) -> FakeBus:
    """The bus, where a monitor can be made."""
    bus.answer(ROOT, "CreateMonitor", "o", MONITOR)
    bus.answer(MONITOR, "SubscribeList", "u", 2)
    return bus


def state_changed(bus: FakeBus, active: str) -> object:
    return bus.signal(
        "UnitStateChanged", "sssss", "n1", "a.service", active, "x", "real",
        path=MONITOR, interface=f"{NAME}.Monitor",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("at_first", "then", "code", "shown"),
    [
        ("active", [], 0, "active"),
        ("inactive", [], 3, "inactive"),
        ("failed", [], 3, "failed"),
        ("activating", ["activating", "active"], 0, "active"),
        ("activating", ["deactivating", "failed"], 3, "failed"),
    ],
)
def test_wait_active(
    monitored: FakeBus,
    capsys: pytest.CaptureFixture[str],
    at_first: str,
    then: list[str],
    code: int,
    shown: str,
) -> None:
    # What was told before the answer is older than it.
    monitored.to_come.extend(
        [
            state_changed(monitored, "active"),
            state_changed(monitored, "inactive"),
            monitored.job_removed("done", unit="a.service"),
        ]
    )
    monitored.answer(node_path("n1"), "GetUnitProperty", "v", ("s", at_first))
    monitored.to_come.extend(state_changed(monitored, state) for state in then)
    assert ctl(monitored, "start", "n1", "a", "--wait-active") == code
    out, err = capsys.readouterr()
    assert out == f"n1 a.service start: {shown}\n"
    assert ("the job is done, but the unit is not active" in err) == (code == 3)
    assert (OWNER, MONITOR, f"{NAME}.Monitor", "SubscribeList", "n1", ["a.service"]) in (
        monitored.calls
    )


def test_a_job_that_fails_is_not_waited_for(
    monitored: FakeBus, capsys: pytest.CaptureFixture[str]
) -> None:
    monitored.to_come.append(monitored.job_removed("failed"))
    assert ctl(monitored, "start", "n1", "a", "--wait-active") == 1
    assert capsys.readouterr().out == "n1 a.service start: failed\n"
