"""hirte ctl on a real fleet: many targets at once, and the commands that are no jobs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.bed import Fleet, Node
from tests.bed.product import AGENT_UNIT, MANAGER_UNIT, deploy, wait_for_status
from tests.hints import FILES, GOES_ON, JOBS, LOADED, NODES, OFFLINE

UNITS = {
    "fine.service": "[Service]\nExecStart=/usr/bin/sleep infinity\n",
    "finer.service": "[Service]\nExecStart=/usr/bin/sleep infinity\n",
    "bad.service": "[Service]\nType=oneshot\nExecStart=/usr/bin/false\n",
    "held.service": "[Service]\nType=oneshot\nExecStart=/usr/bin/sleep infinity\n",
    "known.service": "[Service]\nExecStart=/usr/bin/true\n[Install]\nWantedBy=multi-user.target\n",
    "quick.service": "[Service]\nType=oneshot\nExecStart=/usr/bin/true\n",
}


@pytest.fixture(scope="module")
def one(trio: Fleet) -> Node:
    """The node of the manager, in a fleet whose node2 and node3 have the units."""
    for name in ("node2", "node3"):
        trio[name].units(UNITS)
    return trio["node1"]


def ctl(node: Node, words: str) -> tuple[int, str, str]:
    """Run the tool on `node`; return its exit code, stdout and stderr."""
    done = node.run(["hirte", "ctl", *words.split()], check=False)
    return done.returncode, done.stdout, done.stderr


def answer(node: Node, words: str) -> str:
    """Return what the tool answers when all goes well."""
    code, out, err = ctl(node, words)
    assert (code, err) == (0, "")
    return out


@contextmanager
def listening(one: Node, words: str) -> Iterator[None]:
    """A tool that prints to the journal until the block ends; then it is interrupted."""
    one.run(["systemd-run", "--quiet", "--unit=tool", "hirte", "ctl", *words.split()])
    yield
    # A service that fails would stay to be seen.
    one.run(["systemctl", "kill", "--signal=INT", "tool.service"])
    one.run(["/bin/sh", "-c", "while systemctl is-active -q tool; do :; done"])
    assert one.run(["systemctl", "is-failed", "tool"], check=False).stdout == "inactive\n"


def until_told(one: Node, text: str, doing: str = ":") -> None:
    """Do something on `one`, again and again, until the tool has told the text."""
    told = f"journalctl -u tool -o cat | grep -qF '{text}'"
    one.run(["/bin/sh", "-c", f"until {told}; do {doing} || exit; done"])


# Many


def test_many_start_and_stop(one: Node) -> None:
    code, out, err = ctl(one, "start node2,node3 fine finer")
    assert (code, err) == (0, "hirte ctl: 4 done\n")
    assert sorted(out.splitlines()) == [
        f"{node} {unit}.service start: done"
        for node in ("node2", "node3")
        for unit in ("fine", "finer")
    ]
    assert answer(one, "is-active node2 fine") == "active\n"
    code, out, err = ctl(one, "stop --all-nodes fine*")
    missing = "hirte ctl: node1: no unit 'fine*' is loaded\n"
    assert (code, err) == (4, f"{missing}hirte ctl: 4 done\n{LOADED}")
    assert len(out.splitlines()) == 4
    assert ctl(one, "is-active node2,node3 fine finer")[0] == 3


def test_some_fail(one: Node) -> None:
    code, out, err = ctl(one, "start node2,node1 fine bad -o json")
    ends = [json.loads(line) for line in out.splitlines()]
    assert code == 4
    assert sorted((end["node"], *end["units"], end["result"], end["code"]) for end in ends) == [
        ("node1", "bad.service", "error", 4),
        ("node1", "fine.service", "error", 4),
        ("node2", "bad.service", "failed", 1),
        ("node2", "fine.service", "done", 0),
    ]
    assert "hirte ctl: node1 fine.service start: Unit fine.service not found.\n" in err
    ctl(one, "stop node2 fine")
    ctl(one, "reset-failed node2 bad")


def test_one_hundred_and_fifty_at_once(one: Node) -> None:
    units = " ".join(f"none{number}" for number in range(50))
    code, out, err = ctl(one, f"start --all-nodes {units}")
    assert (code, out) == (4, "")
    # One hint is enough for all.
    assert len(err.splitlines()) == 152
    assert err.endswith(f"hirte ctl: 0 done, 150 failed\n{FILES}")


def test_the_time_is_over_and_the_jobs_are_cancelled(one: Node) -> None:
    assert ctl(one, "start node2,node3 held --timeout 0.5") == (
        124,
        "",
        "hirte ctl: not done within 0.5 s; the start of held.service on node2,"
        f" held.service on node3 goes on\nhirte ctl: 0 done, 2 left\n{GOES_ON}",
    )
    assert ctl(one, "stop node2,node3 held")[0] == 0
    job = json.loads(answer(one, "start node2 held --no-block -o json"))["job"]
    assert answer(one, f"cancel {job}") == "node2 held.service start: asked to end\n"
    assert ctl(one, "is-active node2 held")[0] == 3
    assert ctl(one, f"cancel {job}") == (
        4,
        "",
        f"hirte ctl: there is no job {job}; it may have ended\n{JOBS}",
    )


def test_wait_active(one: Node) -> None:
    assert answer(one, "start node2 fine --wait-active") == "node2 fine.service start: active\n"
    code, out, err = ctl(one, "start node2 quick --wait-active")
    assert (code, out) == (3, "node2 quick.service start: inactive\n")
    assert "the job is done, but the unit is not active" in err
    ctl(one, "stop node2 fine")


def test_dry_run(one: Node) -> None:
    assert answer(one, "stop --all-nodes hirte.service --dry-run").splitlines() == [
        f"node{number} hirte.service stop: would call StopUnit('hirte.service', 'replace')"
        for number in (1, 2, 3)
    ]
    assert answer(one, f"is-active node1 {MANAGER_UNIT}") == "active\n"


def test_a_node_that_is_offline(fleet: Fleet) -> None:
    deploy(fleet, "node1", "node3")
    fleet["node3"].systemctl("stop", AGENT_UNIT)
    one = fleet["node1"]
    wait_for_status(one, "degraded")
    assert ctl(one, "reset-failed") == (
        5,
        "node1 reset-failed: done\n",
        f"hirte ctl: node3 reset-failed: node3 is offline\nhirte ctl: 1 done, 1 failed\n{OFFLINE}",
    )
    assert ctl(one, "status *")[0] == 5
    assert ctl(one, "nodes")[0] == 0
    assert ctl(one, "is-enabled node3 fine") == (5, "", f"hirte ctl: node3 is offline\n{OFFLINE}")


# Changes that are no jobs


def test_enable_and_disable(trio: Fleet, one: Node) -> None:
    link = "/etc/systemd/system/multi-user.target.wants/known.service"
    assert ctl(one, "is-enabled node2 known") == (1, "disabled\n", "")
    assert answer(one, "enable node2 known") == (
        f"node2 known.service enable: created symlink {link} -> /etc/systemd/system/known.service\n"
    )
    assert answer(one, "is-enabled node2 known") == "enabled\n"
    assert trio["node2"].run(["test", "-L", link]).returncode == 0
    assert answer(one, "enable node2 known") == "node2 known.service enable: nothing to change\n"
    assert answer(one, "disable node2 known") == f"node2 known.service disable: removed {link}\n"
    assert answer(one, "enable node2 known --runtime -o json").startswith('{"node": "node2"')
    assert answer(one, "is-enabled node2 known") == "enabled-runtime\n"
    assert answer(one, "disable node2 known --runtime") != ""
    code, out, err = ctl(one, "enable node2 fine")
    assert (code, out) == (0, "node2 fine.service enable: nothing to change\n")
    assert "no [Install] section" in err
    assert ctl(one, "enable node2 none")[0] == 4
    assert ctl(one, "is-enabled node2 none") == (
        4,
        "",
        f"hirte ctl: node2: there is no unit file none.service\n{FILES}",
    )


def test_the_default_target(one: Node) -> None:
    before = answer(one, "get-default node2").strip()
    assert answer(one, "set-default node2 rescue").startswith("node2 rescue.target set-default: ")
    assert answer(one, "get-default node2") == "rescue.target\n"
    assert ctl(one, "set-default node2 none")[0] == 4
    answer(one, f"set-default node2 {before}")


def test_freeze_kill_and_properties(trio: Fleet, one: Node) -> None:
    answer(one, "start node3 fine")
    answer(one, "freeze node3 fine")
    assert answer(one, "show node3 fine -p FreezerState --value") == "frozen\n"
    answer(one, "thaw node3 fine")
    assert answer(one, "show node3 fine -p FreezerState") == "FreezerState=running\n"
    answer(one, "set-property node3 fine MemoryMax=64M CPUWeight=7 CPUQuota=50% --runtime")
    asked = "--property=MemoryMax,CPUWeight,CPUQuotaPerSecUSec"
    assert sorted(trio["node3"].systemctl("show", asked, "fine").stdout.split()) == [
        "CPUQuotaPerSecUSec=500ms",
        "CPUWeight=7",
        "MemoryMax=67108864",
    ]
    answer(one, "kill node3 fine -s KILL")
    trio["node3"].run(["/bin/sh", "-c", "until systemctl is-failed -q fine; do :; done"])
    assert ctl(one, "status node3 fine")[0] == 3
    answer(one, "reset-failed node3 fine")
    answer(one, "daemon-reload node3")
    assert ctl(one, "is-active node3 fine") == (3, "inactive\n", "")


def test_a_property_of_a_unit_that_does_not_exist_leaves_nothing_behind(
    trio: Fleet, one: Node
) -> None:
    for more in ("", " --runtime"):
        assert ctl(one, f"set-property node3 nosuch CPUWeight=50{more}") == (
            4,
            "",
            f"hirte ctl: node3: Unit nosuch.service not found.\n{FILES}",
        )
    found = ["find", "/etc/systemd", "/run/systemd", "-name", "nosuch*"]
    assert trio["node3"].run(found).stdout == ""


def test_properties_are_shown_as_systemctl_shows_them(trio: Fleet, one: Node) -> None:
    answer(one, "start node3 finer")
    ours = dict(line.split("=", 1) for line in answer(one, "show node3 finer").splitlines())
    theirs = trio["node3"].systemctl("show", "--all", "finer").stdout.splitlines()
    wanted = dict(line.split("=", 1) for line in theirs)
    # Of these, systemctl 252 prints the number that means that there is none.
    but = ("IORead", "IOWrite")
    alike = [
        name
        for name, shown in ours.items()
        if name.endswith("Timestamp") or shown in ("infinity", "[no data]", "[not set]")
        if not name.startswith(but)
    ]
    assert {"ActiveEnterTimestamp", "MemoryMax", "LimitCPU", "CPUWeight"} <= {*alike}
    assert {name: ours[name] for name in alike} == {name: wanted[name] for name in alike}


def test_a_node_beside_all_nodes(one: Node) -> None:
    for words in ("restart --all node1 fine", "restart --all-nodes node1 fine"):
        code, out, err = ctl(one, words)
        assert (code, out) == (2, "")
        assert "--all-nodes" in err


def test_log_levels(one: Node) -> None:
    answer(one, "set-loglevel node2 debug")
    answer(one, "set-loglevel debug")
    code, _, err = ctl(one, "set-loglevel node2,node3,node9 info")
    assert (code, err) == (
        4,
        "hirte ctl: node9 set-loglevel: no node 'node9' is configured\n"
        f"hirte ctl: 2 done, 1 failed\n{NODES}",
    )
    answer(one, "set-loglevel info")


def test_unit_files_and_nodes(one: Node) -> None:
    assert answer(one, "list-unit-files node2,node3 --filter known.* --no-legend") == (
        "node2  known.service  disabled\nnode3  known.service  disabled\n"
    )
    told = json.loads(answer(one, "nodes -o json"))
    assert [(node["node"], node["state"]) for node in told] == [
        ("node1", "online"),
        ("node2", "online"),
        ("node3", "online"),
    ]


def test_the_fleet(one: Node) -> None:
    ctl(one, "start node2 bad")
    nodes, failed = answer(one, "").split("\n\n")
    assert [line.split()[:2] for line in nodes.splitlines()[1:]] == [
        ["node1", "online"],
        ["node2", "online"],
        ["node3", "online"],
    ]
    row = ["node2", "bad.service", "loaded", "failed", "failed"]
    assert row in [line.split() for line in failed.splitlines()]
    answer(one, "reset-failed node2 bad")
    assert row not in [line.split() for line in answer(one, "fleet").splitlines()]


# What happens


def test_monitor(one: Node) -> None:
    with listening(one, "monitor node3 fine*"):
        again = "hirte ctl restart -q node3 finer quick"
        until_told(one, "node3 finer.service active running (real)", again)
        answer(one, "stop node3 finer")
        until_told(one, "node3 finer.service inactive dead (real)")
        assert "quick" not in one.run(["journalctl", "-u", "tool", "-o", "cat"]).stdout


def test_metrics(one: Node) -> None:
    answer(one, "metrics enable")
    with listening(one, "metrics listen"):
        until_told(one, "node3 quick.service StartUnit: ", "hirte ctl start -q node3 quick")
        assert "measuring is off" not in one.run(["journalctl", "-u", "tool", "-o", "cat"]).stdout
    answer(one, "metrics disable")
    with listening(one, "metrics listen"):
        until_told(one, "measuring is off; hirte ctl metrics enable turns it on")
    assert ctl(one, "metrics disable")[0] == 1


def test_watch_outlives_the_manager(fleet: Fleet) -> None:
    deploy(fleet, "node1", "node3")
    one = fleet["node1"]
    with listening(one, "status -w"):
        until_told(one, "node3  online")
        one.systemctl("stop", MANAGER_UNIT)
        until_told(one, "the manager went away; waiting for it to come back")
        one.systemctl("start", MANAGER_UNIT)
        until_told(one, "node3  offline")


def test_watch_units(one: Node) -> None:
    with listening(one, "status -w node3 fine"):
        until_told(one, "node3  fine.service  loaded  inactive")
        answer(one, "start node3 fine")
        until_told(one, "node3  fine.service  loaded  active")
        answer(one, "stop node3 fine")
