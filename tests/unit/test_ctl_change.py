"""hirte ctl's changes that are no jobs: what is called, what is said."""

from __future__ import annotations

import json

import pytest

from hirte.ctl.properties import assignment
from tests.hints import FILES, JOBS, OFFLINE
from tests.unit.ctl_fake import ERROR, NAME, OWNER, ROOT, FakeBus, ctl, node_path

NODE1 = node_path("node1")
LINK = ("symlink", "/etc/a", "/usr/a")


@pytest.fixture
def bus() -> FakeBus:
    """A node that does whatever it is told, and one that is offline."""
    made = FakeBus()
    made.nodes(("node1", "online", ""), ("n2", "offline", ""))
    for member in (
        "FreezeUnit", "ThawUnit", "KillUnit", "Reload", "ResetFailed", "ResetFailedUnit",
        "SetLogLevel", "SetUnitProperties",
    ):  # fmt: skip
        made.answer(NODE1, member)
        made.refuse(node_path("n2"), member, f"{NAME}.Offline", "Node is offline")
    made.answer(NODE1, "EnableUnitFiles", "ba(sss)", True, [LINK])
    made.answer(NODE1, "DisableUnitFiles", "a(sss)", [("unlink", "/etc/a", "")])
    made.answer(NODE1, "SetDefaultTarget", "a(sss)", [("unlink", "/etc/d", ""), LINK])
    made.answer(ROOT, "SetLogLevel")
    made.answer(NODE1, "GetUnitProperty", "v", ("s", "loaded"))
    made.refuse(node_path("n2"), "GetUnitProperty", f"{NAME}.Offline", "Node is offline")
    return made


def called(bus: FakeBus) -> list[tuple]:
    """Return what was called at node1: members with their arguments."""
    calls = [call[3:] for call in bus.calls if call[1] == NODE1]
    return [call for call in calls if call[0] != "GetUnitProperty"]


@pytest.mark.parametrize(
    ("words", "calls", "said"),
    [
        ("freeze node1 a", [("FreezeUnit", "a.service")], "a.service freeze: done"),
        ("thaw node1 a", [("ThawUnit", "a.service")], "a.service thaw: done"),
        ("kill node1 a", [("KillUnit", "a.service", "all", 15)], "a.service kill: done"),
        (
            "kill node1 a -s hup --kill-whom main",
            [("KillUnit", "a.service", "main", 1)],
            "a.service kill: done",
        ),
        ("kill node1 a -s SIGKILL", [("KillUnit", "a.service", "all", 9)], "a.service kill: done"),
        ("kill node1 a -s 10", [("KillUnit", "a.service", "all", 10)], "a.service kill: done"),
        ("daemon-reload node1", [("Reload",)], "daemon-reload: done"),
        ("reset-failed node1", [("ResetFailed",)], "reset-failed: done"),
        (
            "reset-failed node1 a",
            [("ResetFailedUnit", "a.service")],
            "a.service reset-failed: done",
        ),
        ("set-loglevel node1 debug", [("SetLogLevel", "DEBUG")], "set-loglevel: done"),
        (
            "enable node1 a b.timer",
            [("EnableUnitFiles", ["a.service", "b.timer"], False, False), ("Reload",)],
            "a.service b.timer enable: created symlink /etc/a -> /usr/a",
        ),
        (
            "enable node1 a -f --runtime --no-reload",
            [("EnableUnitFiles", ["a.service"], True, True)],
            "a.service enable: created symlink /etc/a -> /usr/a",
        ),
        (
            "disable node1 a",
            [("DisableUnitFiles", ["a.service"], False), ("Reload",)],
            "a.service disable: removed /etc/a",
        ),
        (
            "disable node1 a --runtime --no-reload",
            [("DisableUnitFiles", ["a.service"], True)],
            "a.service disable: removed /etc/a",
        ),
        (
            "set-property node1 a CPUWeight=50 --runtime",
            [("SetUnitProperties", "a.service", True, [("CPUWeight", ("t", 50))])],
            "a.service set-property: done",
        ),
    ],
)
def test_what_is_called(
    bus: FakeBus, capsys: pytest.CaptureFixture[str], words: str, calls: list, said: str
) -> None:
    assert ctl(bus, *words.split()) == 0
    assert capsys.readouterr() == (f"node1 {said}\n", "")
    assert called(bus) == calls


def test_a_property_of_a_unit_that_does_not_exist(
    bus: FakeBus, capsys: pytest.CaptureFixture[str]
) -> None:
    """systemd would take it, and keep a file for a unit that there is not."""
    bus.answer(NODE1, "GetUnitProperty", "v", ("s", "not-found"))
    assert ctl(bus, "set-property", "node1", "nosuch", "CPUWeight=50") == 4
    assert capsys.readouterr() == (
        "",
        f"hirte ctl: node1: Unit nosuch.service not found.\n{FILES}",
    )
    assert called(bus) == []
    told = "org.freedesktop.systemd1.Unit", "LoadState"
    assert bus.calls[-1][3:] == ("GetUnitProperty", "nosuch.service", *told)


def test_a_property_of_a_unit_on_many_nodes(
    bus: FakeBus, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ctl(bus, "set-property", "--all-nodes", "a", "CPUWeight=50") == 5
    assert capsys.readouterr().out == "node1 a.service set-property: done\n"
    assert [member for member, *_ in called(bus)] == ["SetUnitProperties"]


@pytest.mark.parametrize("word", ["rescue", "rescue.target"])
def test_set_default(bus: FakeBus, capsys: pytest.CaptureFixture[str], word: str) -> None:
    assert ctl(bus, "set-default", "node1", word) == 0
    assert capsys.readouterr().out == (
        "node1 rescue.target set-default: removed /etc/d\n"
        "node1 rescue.target set-default: created symlink /etc/a -> /usr/a\n"
    )
    assert called(bus) == [("SetDefaultTarget", "rescue.target", True)]


def test_a_unit_file_that_cannot_be_enabled(
    bus: FakeBus, capsys: pytest.CaptureFixture[str]
) -> None:
    bus.answer(NODE1, "EnableUnitFiles", "ba(sss)", False, [])
    assert ctl(bus, "enable", "node1", "a") == 0
    out, err = capsys.readouterr()
    assert out == "node1 a.service enable: nothing to change\n"
    assert "no [Install] section" in err


def test_what_fails_is_not_reloaded(bus: FakeBus, capsys: pytest.CaptureFixture[str]) -> None:
    text = "Unit file a.service does not exist."
    bus.refuse(NODE1, "EnableUnitFiles", "org.freedesktop.systemd1.NoSuchUnit", text)
    assert ctl(bus, "enable", "node1", "a") == 4
    assert capsys.readouterr() == ("", f"hirte ctl: node1: {text}\n{FILES}")
    assert [member for member, *_ in called(bus)] == ["EnableUnitFiles"]


def test_a_reload_that_fails_fails_the_whole(
    bus: FakeBus, capsys: pytest.CaptureFixture[str]
) -> None:
    bus.refuse(NODE1, "Reload", ERROR + "Failed", "No space")
    assert ctl(bus, "disable", "node1", "a") == 1
    assert capsys.readouterr() == ("", "hirte ctl: node1: No space\n")


def test_reset_failed_of_all_nodes(bus: FakeBus, capsys: pytest.CaptureFixture[str]) -> None:
    assert ctl(bus, "reset-failed") == 5
    assert capsys.readouterr() == (
        "node1 reset-failed: done\n",
        f"hirte ctl: n2 reset-failed: n2 is offline\nhirte ctl: 1 done, 1 failed\n{OFFLINE}",
    )


def test_the_changes_for_programs(bus: FakeBus, capsys: pytest.CaptureFixture[str]) -> None:
    assert ctl(bus, "enable", "node1", "a", "-o", "json") == 0
    assert json.loads(capsys.readouterr().out) == {
        "node": "node1",
        "units": ["a.service"],
        "verb": "enable",
        "result": "done",
        "code": 0,
        "carries_install_info": True,
        "changes": [{"type": "symlink", "file": "/etc/a", "destination": "/usr/a"}],
    }


def test_the_log_level_of_the_manager(bus: FakeBus, capsys: pytest.CaptureFixture[str]) -> None:
    assert ctl(bus, "set-loglevel", "debug", "--dry-run") == 0
    assert capsys.readouterr().out == "manager: would call SetLogLevel('DEBUG')\n"
    assert bus.calls == []
    assert ctl(bus, "set-loglevel", "debug") == 0
    assert bus.calls[-1] == (NAME, ROOT, f"{NAME}.Manager", "SetLogLevel", "DEBUG")


@pytest.mark.parametrize(
    ("text", "variant"),
    [
        ("MemoryMax=2G", ("MemoryMax", ("t", 2 << 30))),
        ("MemoryHigh=512", ("MemoryHigh", ("t", 512))),
        ("MemoryLow=1k", ("MemoryLow", ("t", 1024))),
        ("MemoryMax=infinity", ("MemoryMax", ("t", 2**64 - 1))),
        ("TasksMax=infinity", ("TasksMax", ("t", 2**64 - 1))),
        ("TasksMax=7", ("TasksMax", ("t", 7))),
        ("CPUQuota=150%", ("CPUQuotaPerSecUSec", ("t", 1_500_000))),
        ("CPUQuota=", ("CPUQuotaPerSecUSec", ("t", 2**64 - 1))),
        ("IOAccounting=Yes", ("IOAccounting", ("b", True))),
        ("IOAccounting=0", ("IOAccounting", ("b", False))),
        ("Description=a=b c", ("Description", ("s", "a=b c"))),
    ],
)
def test_properties_as_people_write_them(text: str, variant: tuple) -> None:
    assert assignment(text) == variant


@pytest.mark.parametrize(
    "text",
    ["MemoryMax=2X", "MemoryMax=", "MemoryMax=-1", "CPUQuota=50", "CPUQuota=0%", "TasksMax="],
)
def test_values_that_are_none(bus: FakeBus, text: str) -> None:
    assert ctl(bus, "set-property", "node1", "a", text) == 2
    assert bus.calls == []


@pytest.mark.parametrize(
    ("word", "guess"),
    [("CPUWieght=50", "; did you mean CPUWeight?"), ("Nonsense=1", ""), ("=1", "")],
)
def test_a_property_that_there_is_not(
    bus: FakeBus, capsys: pytest.CaptureFixture[str], word: str, guess: str
) -> None:
    assert ctl(bus, "set-property", "node1", "a", word) == 2
    complaint, hint = capsys.readouterr().err.splitlines()
    name = word.partition("=")[0]
    assert complaint == f"hirte ctl: no property '{name}' can be set{guess}"
    assert hint.startswith("hirte ctl: hint: these can be set: CPUAccounting, CPUQuota, CPUWeight")
    assert bus.calls == []


# Jobs by their numbers


def test_cancel(bus: FakeBus, capsys: pytest.CaptureFixture[str]) -> None:
    job = f"{ROOT}/job/7"
    told = {"Node": "node1", "Unit": "a.service", "JobType": "start", "Id": 7}
    values = {name: ("u" if name == "Id" else "s", value) for name, value in told.items()}
    bus.answer(job, "GetAll", "a{sv}", values)
    bus.answer(job, "Cancel")
    assert ctl(bus, "cancel", "8", "7") == 4
    assert capsys.readouterr() == (
        "node1 a.service start: asked to end\n",
        f"hirte ctl: there is no job 8; it may have ended\n{JOBS}",
    )
    assert bus.calls[-1] == (OWNER, job, f"{NAME}.Job", "Cancel")


def test_cancel_of_a_job_that_ends_just_then(
    bus: FakeBus, capsys: pytest.CaptureFixture[str]
) -> None:
    for number in (7, 8):
        told = {"Node": "node1", "Unit": f"{number}.service", "JobType": "stop"}
        values = {name: ("s", value) for name, value in told.items()}
        bus.answer(f"{ROOT}/job/{number}", "GetAll", "a{sv}", values)
    bus.answer(f"{ROOT}/job/8", "Cancel")
    assert ctl(bus, "cancel", "7", "8") == 4
    assert capsys.readouterr() == (
        "node1 8.service stop: asked to end\n",
        f"hirte ctl: there is no job 7; it may have ended\n{JOBS}",
    )
