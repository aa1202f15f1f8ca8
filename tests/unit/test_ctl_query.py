"""What hirte ctl asks of units and unit files, and how it answers programs."""

from __future__ import annotations

import json

import pytest

from tests.hints import FILES, NODE_HANGS, NODES, OFFLINE, PROPERTIES
from tests.unit.ctl_fake import ERROR, NAME, ROOT, FakeBus, ctl, node_path, unit

NODE1 = node_path("node1")


@pytest.fixture
def bus() -> FakeBus:
    """node1, which is online, and n2, which is not."""
    made = FakeBus()
    made.nodes(("node1", "online", "10.0.0.1"), ("n2", "offline", ""))
    made.answer(node_path("n2"), "Get", "v", ("t", 0))
    for member in ("GetUnitProperties", "GetUnitFileState", "GetDefaultTarget", "ListUnitFiles"):
        made.refuse(node_path("n2"), member, f"{NAME}.Offline", "Node is offline")
    made.answer(NODE1, "GetUnitFileState", "s", "enabled")
    made.answer(NODE1, "GetDefaultTarget", "s", "multi-user.target")
    return made


def is_(bus: FakeBus, active: str, load: str = "loaded", **more: tuple) -> None:
    """Let every unit of node1 be so."""
    told = {"ActiveState": ("s", active), "LoadState": ("s", load), **more}
    bus.answer(NODE1, "GetUnitProperties", "a{sv}", told)


@pytest.mark.parametrize(
    ("active", "load", "code"),
    [
        ("active", "loaded", 0),
        ("reloading", "loaded", 0),
        ("activating", "loaded", 3),
        ("inactive", "loaded", 3),
        ("failed", "loaded", 3),
        ("inactive", "not-found", 4),
        ("active", "not-found", 0),
    ],
)
def test_is_active(
    bus: FakeBus, capsys: pytest.CaptureFixture[str], active: str, load: str, code: int
) -> None:
    is_(bus, active, load)
    assert ctl(bus, "is-active", "node1", "a") == code
    assert capsys.readouterr() == (f"{active}\n", "")
    assert ctl(bus, "is-active", "node1", "a", "-q") == code
    assert capsys.readouterr() == ("", "")


def test_is_active_of_many(bus: FakeBus, capsys: pytest.CaptureFixture[str]) -> None:
    is_(bus, "active")
    assert ctl(bus, "is-active", "node1,n2", "a", "b.timer") == 5
    assert capsys.readouterr() == (
        "node1 a.service: active\nnode1 b.timer: active\n",
        f"hirte ctl: n2 is offline\n{OFFLINE}",
    )


@pytest.mark.parametrize(
    ("state", "code"),
    [("enabled", 0), ("static", 0), ("generated", 0), ("disabled", 1), ("masked", 1)],
)
def test_is_enabled(
    bus: FakeBus, capsys: pytest.CaptureFixture[str], state: str, code: int
) -> None:
    bus.answer(NODE1, "GetUnitFileState", "s", state)
    assert ctl(bus, "is-enabled", "node1", "a") == code
    assert capsys.readouterr() == (f"{state}\n", "")


def test_is_enabled_of_no_unit_file(bus: FakeBus, capsys: pytest.CaptureFixture[str]) -> None:
    text = "No such file or directory"
    bus.refuse(NODE1, "GetUnitFileState", ERROR + "FileNotFound", text)
    assert ctl(bus, "is-enabled", "node1", "a") == 4
    complaint = "hirte ctl: node1: there is no unit file a.service\n"
    assert capsys.readouterr() == ("", complaint + FILES)


def test_who_is_told_of_depends_on_what_was_asked(
    bus: FakeBus, capsys: pytest.CaptureFixture[str]
) -> None:
    """Not on how many answered: a script must know what it reads."""
    is_(bus, "active")
    assert ctl(bus, "is-active", "--all-nodes", "a") == 5
    assert capsys.readouterr().out == "node1 a.service: active\n"
    assert ctl(bus, "is-enabled", "node1,n2", "a") == 5
    assert capsys.readouterr().out == "node1 a.service: enabled\n"
    assert ctl(bus, "get-default", "node1,n2") == 5
    assert capsys.readouterr().out == "node1: multi-user.target\n"


def test_get_default(bus: FakeBus, capsys: pytest.CaptureFixture[str]) -> None:
    assert ctl(bus, "get-default", "node1") == 0
    assert capsys.readouterr().out == "multi-user.target\n"
    assert ctl(bus, "get-default", "--all-nodes", "-o", "json") == 5
    out, err = capsys.readouterr()
    assert json.loads(out) == [{"node": "node1", "default_target": "multi-user.target"}]
    assert err == f"hirte ctl: n2 is offline\n{OFFLINE}"


def test_list_unit_files(bus: FakeBus, capsys: pytest.CaptureFixture[str]) -> None:
    files = [("/usr/lib/b.service", "static"), ("/etc/a.service", "enabled"), ("/etc/x", "bad")]
    bus.answer(NODE1, "ListUnitFiles", "a(ss)", files)
    bus.answer(ROOT, "ListUnitFiles", "a{sa(ss)}", {"node1": files})
    expected = (
        "NODE   UNIT FILE  STATE\n"
        "node1  a.service  enabled\n"
        "node1  b.service  static\n"
    )  # fmt: skip
    assert ctl(bus, "list-unit-files", "node1", "--filter", "*.service") == 0
    assert capsys.readouterr() == (expected, "")
    assert ctl(bus, "list-unit-files", "--filter", "*.service") == 0
    assert capsys.readouterr() == (expected, "hirte ctl: not listed, because offline: n2\n")
    assert ctl(bus, "list-unit-files", "n2") == 5
    assert capsys.readouterr() == ("", f"hirte ctl: n2 is offline\n{OFFLINE}")


def test_show(bus: FakeBus, capsys: pytest.CaptureFixture[str]) -> None:
    is_(
        bus,
        "active",
        MainPID=("u", 7),
        CanStart=("b", True),
        After=("as", ["b.target", "c.target"]),
        ExecStart=("a(sb)", [("/bin/x", False)]),
        InvocationID=("ay", b"\x01\xff"),
        Evil=("s", "a\nb"),
    )
    assert ctl(bus, "show", "node1", "a") == 0
    assert capsys.readouterr().out == (
        "ActiveState=active\nAfter=b.target c.target\nCanStart=yes\nEvil=a\\nb\n"
        "ExecStart=(/bin/x, no)\nInvocationID=01ff\nLoadState=loaded\nMainPID=7\n"
    )
    assert bus.calls[-1][4:] == ("a.service", "")
    assert ctl(bus, "show", "node1", "a", "-p", "MainPID", "-p", "ActiveState", "--value") == 0
    assert capsys.readouterr().out == "7\nactive\n"
    assert ctl(bus, "show", "node1", "a", "b", "-p", "MainPID") == 0
    assert capsys.readouterr().out == (
        "# node1 a.service\nMainPID=7\n\n# node1 b.service\nMainPID=7\n"
    )
    assert ctl(bus, "show", "node1", "a", "-p", "InvocationID,Nope", "-o", "json") == 1
    out, err = capsys.readouterr()
    properties = {"InvocationID": [1, 255]}
    assert json.loads(out) == [{"node": "node1", "unit": "a.service", "properties": properties}]
    assert err == f"hirte ctl: node1: a.service has no property Nope\n{PROPERTIES}"


# Tables


def test_tables_for_programs(bus: FakeBus, capsys: pytest.CaptureFixture[str]) -> None:
    assert ctl(bus, "nodes", "-o", "json") == 0
    assert json.loads(capsys.readouterr().out) == [
        {"node": "node1", "state": "online", "ip": "10.0.0.1", "last_seen": "now"},
        {"node": "n2", "state": "offline", "ip": "", "last_seen": "never"},
    ]
    assert ctl(bus, "nodes", "--plain") == 0
    assert capsys.readouterr().out == (
        "NODE\tSTATE\tIP\tLAST SEEN\nnode1\tonline\t10.0.0.1\tnow\nn2\toffline\t-\tnever\n"
    )
    assert ctl(bus, "nodes", "n?", "--no-legend") == 0
    assert capsys.readouterr().out == "n2  offline  -  never\n"


def test_a_table_of_nothing_without_titles(
    bus: FakeBus, capsys: pytest.CaptureFixture[str]
) -> None:
    bus.nodes()
    assert ctl(bus, "nodes", "--no-legend") == 0
    assert capsys.readouterr().out == ""
    assert ctl(bus, "nodes", "-o", "json") == 0
    assert capsys.readouterr().out == "[]\n"


def test_status_of_nodes_by_glob(bus: FakeBus, capsys: pytest.CaptureFixture[str]) -> None:
    assert ctl(bus, "status", "n*") == 5
    assert len(capsys.readouterr().out.splitlines()) == 3
    assert ctl(bus, "status", "node1,node1") == 0
    assert len(capsys.readouterr().out.splitlines()) == 2
    assert ctl(bus, "status", "x*") == 4
    assert capsys.readouterr() == ("", f"hirte ctl: no node 'x*' is configured\n{NODES}")


# Without a command


def test_the_fleet(bus: FakeBus, capsys: pytest.CaptureFixture[str]) -> None:
    listed = [unit("b.service", "failed", "failed"), unit("a.service"), unit("c.mount", "failed")]
    bus.answer(NODE1, "ListUnits", "a(ssssssouso)", listed)
    assert ctl(bus) == 0
    nodes = (
        "NODE   STATE    IP        LAST SEEN\n"
        "node1  online   10.0.0.1  now\n"
        "n2     offline  -         never\n"
    )
    assert capsys.readouterr() == (
        f"{nodes}\n"
        "NODE   UNIT       LOAD    ACTIVE  SUB\n"
        "node1  c.mount    loaded  failed  running\n"
        "node1  b.service  loaded  failed  failed\n",
        "",
    )
    assert ctl(bus, "-o", "json") == 0
    told = json.loads(capsys.readouterr().out)
    assert [node["node"] for node in told["nodes"]] == ["node1", "n2"]
    assert told["failed_units"][0] == {
        "node": "node1", "unit": "c.mount", "load": "loaded", "active": "failed", "sub": "running",
    }  # fmt: skip
    bus.answer(NODE1, "ListUnits", "a(ssssssouso)", [])
    assert ctl(bus, "fleet") == 0
    assert capsys.readouterr() == (nodes, "")
    bus.refuse(NODE1, "ListUnits", ERROR + "NoReply", "timed out")
    assert ctl(bus) == 1
    assert capsys.readouterr() == (nodes, f"hirte ctl: node1: timed out\n{NODE_HANGS}")
