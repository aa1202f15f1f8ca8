"""hirte ctl status and list-units: answers, exit codes and errors, against a fake bus."""

from __future__ import annotations

import io
import json
import sys
import time
from collections.abc import Iterator

import pytest

from tests.hints import FILES, MANAGER_HANGS, NO_BUS, NODE_HANGS, NODES, NOT_RUNNING, OFFLINE
from tests.unit.ctl_fake import DRIVER, ERROR, NAME, ROOT, FakeBus, ctl, node_path, unit

NODE = f"{NAME}.Node"


@pytest.fixture
def bus() -> FakeBus:
    """A manager with one node online and one that was never seen."""
    made = FakeBus()
    made.nodes(("node1", "online", "192.168.1.2"), ("n2", "offline", ""))
    made.answer(node_path("n2"), "Get", "v", ("t", 0))
    return made


@pytest.fixture
def in_kathmandu(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A time zone that cannot be mistaken for another."""
    monkeypatch.setenv("TZ", "NPT-5:45")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def properties(
    name: str, active: str, sub: str, load: str = "loaded", **more: str
) -> dict[str, tuple[str, str]]:
    """Return what GetUnitProperties tells of a unit."""
    told = {"Id": name, "LoadState": load, "ActiveState": active, "SubState": sub, **more}
    return {key: ("s", value) for key, value in told.items()} | {"NRestarts": ("u", 3)}


def test_status_shows_all_nodes(bus: FakeBus, capsys: pytest.CaptureFixture[str]) -> None:
    assert ctl(bus, "status") == 0
    assert capsys.readouterr() == (
        "NODE   STATE    IP           LAST SEEN\n"
        "node1  online   192.168.1.2  now\n"
        "n2     offline  -            never\n",
        "",
    )
    assert bus.calls == [
        (NAME, ROOT, f"{NAME}.Manager", "ListNodes"),
        (NAME, node_path("n2"), f"{DRIVER}.Properties", "Get", NODE, "LastSeenTimestamp"),
    ]


@pytest.mark.parametrize(
    ("ip", "shown"),
    [
        ("::ffff:10.0.0.1", "10.0.0.1"),
        ("::ffff:1", "::ffff:1"),
        ("fe80::1%eth0", "fe80::1%eth0"),
        ("", "-"),
    ],
)
def test_an_address_is_shown_as_people_write_it(
    bus: FakeBus, capsys: pytest.CaptureFixture[str], ip: str, shown: str
) -> None:
    bus.nodes(("node1", "online", ip))
    assert ctl(bus, "status") == 0
    assert capsys.readouterr().out.splitlines()[1].split()[2] == shown


def test_status_without_nodes_is_the_titles(
    bus: FakeBus, capsys: pytest.CaptureFixture[str]
) -> None:
    bus.nodes()
    assert ctl(bus, "status") == 0
    assert capsys.readouterr().out == "NODE  STATE  IP  LAST SEEN\n"


def test_last_seen_is_local_time_with_milliseconds(
    bus: FakeBus, in_kathmandu: None, capsys: pytest.CaptureFixture[str]
) -> None:
    bus.answer(node_path("n2"), "Get", "v", ("t", 1_700_000_000_012_999))
    assert ctl(bus, "status", "n2") == 5
    assert capsys.readouterr().out == (
        "NODE  STATE    IP  LAST SEEN\n"
        "n2    offline  -   2023-11-15 03:58:20,012+0545\n"
    )  # fmt: skip


def test_status_of_a_node_that_is_online(bus: FakeBus, capsys: pytest.CaptureFixture[str]) -> None:
    assert ctl(bus, "status", "node1") == 0
    assert capsys.readouterr() == (
        "NODE   STATE   IP           LAST SEEN\nnode1  online  192.168.1.2  now\n",
        "",
    )


@pytest.mark.parametrize("argv", [["status", "n3"], ["status", "n3", "a"], ["list-units", "n3"]])
def test_an_unknown_node(bus: FakeBus, capsys: pytest.CaptureFixture[str], argv: list) -> None:
    assert ctl(bus, *argv) == 4
    assert capsys.readouterr() == ("", f"hirte ctl: no node 'n3' is configured\n{NODES}")


@pytest.mark.parametrize(
    "argv", [["status", "demo.service"], ["start", "demo.service", "a"], ["jobs", "demo.service"]]
)
def test_a_unit_where_the_node_belongs(
    bus: FakeBus, capsys: pytest.CaptureFixture[str], argv: list[str]
) -> None:
    assert ctl(bus, *argv) == 4
    assert capsys.readouterr().err == (
        "hirte ctl: no node 'demo.service' is configured\n"
        "hirte ctl: hint: the node comes first: `hirte ctl status NODE demo.service`\n"
    )


def test_a_hint_with_a_word_that_looks_like_a_format(
    bus: FakeBus, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ctl(bus, "status", "{x}\x1b.timer") == 4
    assert "comes first: `hirte ctl status NODE {x}\\x1b.timer`\n" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("member", "argv"),
    [("ListUnits", ["list-units", "n2"]), ("GetUnitProperties", ["status", "n2", "a"])],
)
def test_a_node_that_is_offline(
    bus: FakeBus, capsys: pytest.CaptureFixture[str], member: str, argv: list[str]
) -> None:
    bus.refuse(node_path("n2"), member, f"{NAME}.Offline", "Node is offline")
    assert ctl(bus, *argv) == 5
    assert capsys.readouterr() == ("", f"hirte ctl: n2 is offline\n{OFFLINE}")


def test_a_name_that_the_locale_cannot_write(bus: FakeBus, monkeypatch: pytest.MonkeyPatch) -> None:
    written = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(written, encoding="ascii"))
    listed = [("kn\xf6", f"{ROOT}/node/kn_c3_b6", "online", "")]
    bus.answer(ROOT, "ListNodes", "a(soss)", listed)
    assert ctl(bus, "status") == 0
    assert b"\nkn\\xf6 " in written.getvalue()


def test_names_are_escaped_in_paths_and_on_the_terminal(
    bus: FakeBus, capsys: pytest.CaptureFixture[str]
) -> None:
    listed = [("a\x1b[31m\n", f"{ROOT}/node/a_1b_5b31m_0a", "online", "")]
    bus.answer(ROOT, "ListNodes", "a(soss)", listed)
    assert ctl(bus, "status") == 0
    assert r"a\x1b[31m\n  online" in capsys.readouterr().out
    ctl(bus, "list-units", "my-node.1")
    assert (NAME, f"{ROOT}/node/my_2dnode_2e1", NODE, "ListUnits") in bus.calls


# Units of a node


def test_status_of_units(bus: FakeBus, capsys: pytest.CaptureFixture[str]) -> None:
    told = properties(
        "nginx.service", "active", "running", FreezerState="running", UnitFileState="enabled"
    )
    bus.answer(node_path("node1"), "GetUnitProperties", "a{sv}", told)
    assert ctl(bus, "status", "node1", "--", "nginx", "-.mount") == 0
    assert capsys.readouterr() == (
        "NODE   UNIT           LOAD    ACTIVE  SUB      ENABLED\n"
        "node1  nginx.service  loaded  active  running  enabled\n"
        "node1  nginx.service  loaded  active  running  enabled\n",
        "",
    )
    assert [call[4:] for call in bus.calls] == [
        ("nginx.service", "org.freedesktop.systemd1.Unit"),
        ("-.mount", "org.freedesktop.systemd1.Unit"),
    ]


@pytest.mark.parametrize(
    ("active", "code"),
    [
        ("active", 0),
        ("reloading", 0),
        ("activating", 0),
        ("deactivating", 0),
        ("inactive", 3),
        ("failed", 3),
    ],
)
def test_status_of_a_unit_tells_like_systemctl_whether_it_runs(
    bus: FakeBus, active: str, code: int
) -> None:
    told = properties("a.service", active, "x")
    bus.answer(node_path("node1"), "GetUnitProperties", "a{sv}", told)
    assert ctl(bus, "status", "node1", "a.service") == code


def test_values_that_an_older_systemd_does_not_tell(
    bus: FakeBus, capsys: pytest.CaptureFixture[str]
) -> None:
    told = properties("a.service", "failed", "failed", UnitFileState="")
    bus.answer(node_path("node1"), "GetUnitProperties", "a{sv}", told)
    assert ctl(bus, "status", "node1", "a") == 3
    assert capsys.readouterr().out == (
        "NODE   UNIT       LOAD    ACTIVE  SUB     ENABLED\n"
        "node1  a.service  loaded  failed  failed  -\n"
    )


def test_the_freezer_is_shown_to_people_when_a_unit_is_in_it(
    bus: FakeBus, capsys: pytest.CaptureFixture[str]
) -> None:
    def is_(freezer: str) -> None:
        told = properties("a.service", "active", "running", FreezerState=freezer)
        bus.answer(node_path("node1"), "GetUnitProperties", "a{sv}", told)

    is_("frozen")
    assert ctl(bus, "status", "node1", "a") == 0
    assert capsys.readouterr().out == (
        "NODE   UNIT       LOAD    ACTIVE  SUB      FREEZER  ENABLED\n"
        "node1  a.service  loaded  active  running  frozen   -\n"
    )
    is_("running")
    assert ctl(bus, "status", "node1", "a", "--plain", "--no-legend") == 0
    assert capsys.readouterr().out.split("\t")[5] == "running"
    assert ctl(bus, "status", "node1", "a", "-o", "json") == 0
    assert json.loads(capsys.readouterr().out)[0]["freezer"] == "running"


@pytest.fixture
def listed(bus: FakeBus) -> FakeBus:
    """node1 with units in several states."""
    units = [
        unit("web.service"),
        unit("bad.service", "failed", "failed"),
        unit("gone.service", "inactive", "dead", "not-found"),
        unit("once.service", "active", "exited"),
    ]
    bus.answer(node_path("node1"), "ListUnits", "a(ssssssouso)", units)
    return bus


@pytest.mark.parametrize(
    ("options", "names"),
    [
        (["--failed"], ["bad"]),
        (["--state=failed"], ["bad"]),
        (["--state", "active"], ["once", "web"]),
        (["--state", "exited,not-found"], ["gone", "once"]),
        (["--state", "exited", "--state", "running", "--failed"], ["bad", "once", "web"]),
        (["--state", "active", "--filter", "w*"], ["web"]),
        (["--state", "nonsense"], []),
    ],
)
def test_units_in_states(
    listed: FakeBus, capsys: pytest.CaptureFixture[str], options: list[str], names: list[str]
) -> None:
    assert ctl(listed, "list-units", "node1", "--no-legend", *options) == 0
    out, err = capsys.readouterr()
    assert [line.split()[1] for line in out.splitlines()] == [f"{name}.service" for name in names]
    assert err == ""


@pytest.mark.parametrize(
    ("pattern", "hint"),
    [
        ("we", "hirte ctl: hint: no name fits 'we'; a part of a name is '*we*'\n"),
        ("{}", "hirte ctl: hint: no name fits '{}'; a part of a name is '*{}*'\n"),
        ("we*x", ""),
        ("web.service", ""),
    ],
)
def test_a_part_of_a_name_is_no_filter(
    listed: FakeBus, capsys: pytest.CaptureFixture[str], pattern: str, hint: str
) -> None:
    assert ctl(listed, "list-units", "node1", "--filter", pattern) == 0
    assert capsys.readouterr().err == hint
    # The name fits, it is the state that does not.
    assert ctl(listed, "list-units", "node1", "--filter", "web.service", "--failed") == 0
    assert capsys.readouterr().err == ""
    listed.answer(node_path("node1"), "ListUnitFiles", "a(ss)", [("/etc/web.service", "static")])
    assert ctl(listed, "list-unit-files", "node1", "--filter", pattern) == 0
    assert capsys.readouterr().err == hint


def test_a_unit_that_does_not_exist(bus: FakeBus, capsys: pytest.CaptureFixture[str]) -> None:
    told = properties("no.service", "inactive", "dead", load="not-found")
    bus.answer(node_path("node1"), "GetUnitProperties", "a{sv}", told)
    assert ctl(bus, "status", "node1", "no") == 4
    complaint = "hirte ctl: node1: unit no.service could not be found\n"
    assert capsys.readouterr() == ("", complaint + FILES)


def test_a_unit_that_runs_on_without_its_file(
    bus: FakeBus, capsys: pytest.CaptureFixture[str]
) -> None:
    told = properties("a.service", "active", "running", load="not-found")
    bus.answer(node_path("node1"), "GetUnitProperties", "a{sv}", told)
    assert ctl(bus, "status", "node1", "a") == 0
    assert "not-found  active" in capsys.readouterr().out


def test_an_error_of_the_nodes_systemd_is_told_with_the_node(
    bus: FakeBus, capsys: pytest.CaptureFixture[str]
) -> None:
    text = "Unknown object '/org/freedesktop/systemd1/unit/b_20c'."
    bus.refuse(node_path("node1"), "GetUnitProperties", ERROR + "UnknownObject", text)
    assert ctl(bus, "status", "node1", "b c") == 1
    assert capsys.readouterr() == ("", f"hirte ctl: node1: {text}\n")


# Lists of units


def test_list_units_of_all_nodes(bus: FakeBus, capsys: pytest.CaptureFixture[str]) -> None:
    listed = {
        "node1": [unit("b.service"), unit("a.service"), unit("long-name.mount", sub="mounted")],
        "n2": [unit("a.service", "inactive", "dead", "not-found")],
    }
    bus.answer(ROOT, "ListUnits", "a{sa(ssssssouso)}", listed)
    assert ctl(bus, "list-units") == 0
    assert capsys.readouterr() == (
        "NODE   UNIT             LOAD       ACTIVE    SUB\n"
        "node1  long-name.mount  loaded     active    mounted\n"
        "node1  a.service        loaded     active    running\n"
        "node1  b.service        loaded     active    running\n"
        "n2     a.service        not-found  inactive  dead\n",
        "",
    )


def test_list_units_tells_whose_units_are_missing(
    bus: FakeBus, capsys: pytest.CaptureFixture[str]
) -> None:
    bus.answer(ROOT, "ListUnits", "a{sa(ssssssouso)}", {"node1": [unit("a.service")]})
    assert ctl(bus, "list-units") == 0
    assert capsys.readouterr() == (
        "NODE   UNIT       LOAD    ACTIVE  SUB\nnode1  a.service  loaded  active  running\n",
        "hirte ctl: not listed, because offline: n2\n",
    )


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("*", ["a.mount", "a.service", "ab.service", "[a].x"]),
        ("a.*", ["a.mount", "a.service"]),
        ("a?.service", ["ab.service"]),
        ("a", []),
        ("A.mount", []),
        ("*service", ["a.service", "ab.service"]),
        ("[a].x", ["[a].x"]),
        ("a[b.]*", []),
        ("", []),
    ],
)
def test_the_filter_is_a_glob_over_the_whole_name(
    bus: FakeBus, capsys: pytest.CaptureFixture[str], pattern: str, expected: list[str]
) -> None:
    listed = [unit("a.service"), unit("ab.service"), unit("a.mount"), unit("[a].x")]
    bus.answer(node_path("node1"), "ListUnits", "a(ssssssouso)", listed)
    assert ctl(bus, "list-units", "node1", "--filter", pattern) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["NODE", "UNIT", "LOAD", "ACTIVE", "SUB"]
    assert [line.split()[1] for line in lines[1:]] == expected


def test_one_node_that_fails_fails_the_list(
    bus: FakeBus, capsys: pytest.CaptureFixture[str]
) -> None:
    text = "Request to at least one node failed: node1: timed out"
    bus.refuse(ROOT, "ListUnits", ERROR + "Failed", text)
    assert ctl(bus, "list-units") == 1
    assert capsys.readouterr() == ("", f"hirte ctl: {text}\n")


# Errors of the way to the manager


@pytest.mark.parametrize("name", ["NameHasNoOwner", "ServiceUnknown", "NoReply"])
def test_the_manager_is_not_running(
    bus: FakeBus, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    bus.refuse(ROOT, "ListNodes", ERROR + name, "something long", sender=DRIVER)
    assert ctl(bus, "status") == 6
    assert capsys.readouterr() == (
        "",
        "hirte ctl: the manager is not running: nobody owns org.containers.hirte on the system"
        f" bus\n{NOT_RUNNING}",
    )


def test_a_node_that_does_not_answer_is_no_missing_manager(
    bus: FakeBus, capsys: pytest.CaptureFixture[str]
) -> None:
    bus.refuse(node_path("node1"), "ListUnits", ERROR + "NoReply", "timed out")
    assert ctl(bus, "list-units", "node1") == 1
    assert capsys.readouterr() == ("", f"hirte ctl: node1: timed out\n{NODE_HANGS}")


@pytest.mark.parametrize(
    ("sender", "complaint"),
    [
        (DRIVER, "not permitted: the system bus refuses it; try as root"),
        (":1.7", "not permitted: Only root may do this"),
    ],
)
def test_not_permitted(
    bus: FakeBus, capsys: pytest.CaptureFixture[str], sender: str, complaint: str
) -> None:
    text = "Only root may do this"
    bus.refuse(ROOT, "ListNodes", ERROR + "AccessDenied", text, sender=sender)
    assert ctl(bus, "status") == 6
    assert capsys.readouterr() == ("", f"hirte ctl: {complaint}\n")


def test_an_error_without_text_is_told_by_name(
    bus: FakeBus, capsys: pytest.CaptureFixture[str]
) -> None:
    bus.refuse(ROOT, "ListNodes", ERROR + "LimitsExceeded")
    assert ctl(bus, "status") == 1
    assert capsys.readouterr().err == f"hirte ctl: {ERROR}LimitsExceeded\n"


def test_an_error_of_many_lines_is_one_line(
    bus: FakeBus, capsys: pytest.CaptureFixture[str]
) -> None:
    bus.refuse(ROOT, "ListNodes", ERROR + "Failed", "one\ntwo\x1b[2J")
    assert ctl(bus, "status") == 1
    assert capsys.readouterr().err == "hirte ctl: one\\ntwo\\x1b[2J\n"


def test_no_answer(bus: FakeBus, capsys: pytest.CaptureFixture[str]) -> None:
    bus.ignore(ROOT, "ListNodes")
    assert ctl(bus, "status") == 6
    complaint = "hirte ctl: no answer to ListNodes within 45 s\n"
    assert capsys.readouterr() == ("", complaint + MANAGER_HANGS)


def test_an_interrupt(bus: FakeBus, capsys: pytest.CaptureFixture[str]) -> None:
    bus.ignore(ROOT, "ListNodes")
    bus.to_come.append(KeyboardInterrupt())
    assert ctl(bus, "status") == 130
    assert capsys.readouterr() == ("", "hirte ctl: interrupted\n")


def test_a_bus_that_goes_away(bus: FakeBus, capsys: pytest.CaptureFixture[str]) -> None:
    def fail(member: str) -> None:
        raise ConnectionResetError(104, "Reset by peer")

    bus.on_call = fail
    assert ctl(bus, "status") == 6
    complaint = "hirte ctl: the system bus went away: Reset by peer\n"
    assert capsys.readouterr() == ("", complaint + NO_BUS)


@pytest.mark.parametrize("signature", ["", "a(sos)"])
def test_an_answer_of_another_version(
    bus: FakeBus, capsys: pytest.CaptureFixture[str], signature: str
) -> None:
    bus.answer(ROOT, "ListNodes", signature, *([[]] if signature else []))
    assert ctl(bus, "status") == 1
    assert f"answered ListNodes with '{signature}'" in capsys.readouterr().err


def test_a_timestamp_of_another_version(bus: FakeBus, capsys: pytest.CaptureFixture[str]) -> None:
    bus.answer(node_path("n2"), "Get", "v", ("s", "yesterday"))
    assert ctl(bus, "status") == 1
    assert "answered LastSeenTimestamp with 's'" in capsys.readouterr().err
