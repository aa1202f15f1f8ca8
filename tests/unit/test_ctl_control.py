"""hirte ctl start, stop, restart, reload: one request, one job, its end, whatever comes between."""

from __future__ import annotations

import pytest

from tests.hints import FILES, GOES_ON, NODE_HANGS, NODES, OFFLINE
from tests.unit.ctl_fake import DRIVER, ERROR, NAME, OWNER, ROOT, FakeBus, ctl, node_path

NODE1 = node_path("node1")
JOB = f"{ROOT}/job/1"


@pytest.fixture
def bus() -> FakeBus:
    """A manager that takes any request for node1 as job 1."""
    made = FakeBus()
    made.nodes(("node1", "online", "192.168.1.2"))
    for method in ("StartUnit", "StopUnit", "RestartUnit", "ReloadUnit"):
        made.answer(NODE1, method, "o", JOB)
    return made


@pytest.mark.parametrize(
    ("verb", "method"),
    [
        ("start", "StartUnit"),
        ("stop", "StopUnit"),
        ("restart", "RestartUnit"),
        ("reload", "ReloadUnit"),
    ],
)
def test_it_listens_then_asks_then_waits(
    bus: FakeBus, capsys: pytest.CaptureFixture[str], verb: str, method: str
) -> None:
    bus.to_come.append(bus.job_removed("done"))
    assert ctl(bus, verb, "node1", "a.service") == 0
    assert capsys.readouterr() == (f"node1 a.service {verb}: done\n", "")
    assert [call[0] for call in bus.calls[:-1]] == ["GetNameOwner", *["AddMatch"] * 3]
    assert bus.calls[-1] == (OWNER, NODE1, f"{NAME}.Node", method, "a.service", "replace")


def test_what_it_listens_to(bus: FakeBus) -> None:
    bus.to_come.append(bus.job_removed("done"))
    ctl(bus, "start", "node1", "a.service")
    rules = [set(rule.split(",")) for _, rule in bus.calls[1:4]]
    assert {f"sender='{DRIVER}'", "member='NameOwnerChanged'", f"arg0='{NAME}'"} <= rules[0]
    assert {f"sender='{OWNER}'", f"path_namespace='{ROOT}'", f"arg0='{NAME}.Node'"} <= rules[1]
    assert {f"sender='{OWNER}'", "member='JobRemoved'", f"path='{ROOT}'"} <= rules[2]


@pytest.mark.parametrize(
    ("word", "unit"),
    [
        ("nginx", "nginx.service"),
        ("a.b", "a.b.service"),
        ("getty@tty1", "getty@tty1.service"),
        ("x.timer", "x.timer"),
        ("dev-sda1.device", "dev-sda1.device"),
    ],
)
def test_a_name_without_a_type_is_a_service(
    bus: FakeBus, capsys: pytest.CaptureFixture[str], word: str, unit: str
) -> None:
    bus.to_come.append(bus.job_removed("done", unit=unit))
    assert ctl(bus, "start", "node1", word) == 0
    assert bus.calls[-1][4] == unit
    assert capsys.readouterr().out == f"node1 {unit} start: done\n"


def test_a_job_that_ends_before_the_call_is_answered(
    bus: FakeBus, capsys: pytest.CaptureFixture[str]
) -> None:
    def at_once(member: str) -> None:
        if member == "StartUnit":
            bus.deliver(bus.job_removed("done"))

    bus.on_call = at_once
    assert ctl(bus, "start", "node1", "a.service") == 0
    assert capsys.readouterr().out == "node1 a.service start: done\n"


def test_many_other_jobs_end_around_ours(bus: FakeBus, capsys: pytest.CaptureFixture[str]) -> None:
    def all_at_once(member: str) -> None:
        if member == "StartUnit":
            for number in range(-100, 100):
                bus.deliver(bus.job_removed("failed" if number else "done", job=number + 1001))

    bus.on_call = all_at_once
    bus.answer(NODE1, "StartUnit", "o", f"{ROOT}/job/1001")
    assert ctl(bus, "start", "node1", "a.service") == 0
    assert capsys.readouterr().out == "node1 a.service start: done\n"


def test_somebody_else_cannot_end_the_job(bus: FakeBus, capsys: pytest.CaptureFixture[str]) -> None:
    bus.to_come.append(bus.job_removed("done", sender=":1.66"))
    bus.to_come.append(bus.job_removed("done", path="/other"))
    bus.to_come.append(bus.job_removed("failed"))
    assert ctl(bus, "start", "node1", "a.service") == 1
    assert capsys.readouterr().out == "node1 a.service start: failed\n"


@pytest.mark.parametrize(
    ("result", "reason"),
    [
        ("failed", ""),
        ("timeout", "the job timed out; "),
        ("canceled", "the job was cancelled before it ended; "),
        ("dependency", "a unit that it needs did not start; "),
        ("skipped", "it does not apply to the unit as it is; "),
        ("invalid", "the unit is not active; "),
        ("something new", ""),
    ],
)
def test_only_done_is_a_success(
    bus: FakeBus, capsys: pytest.CaptureFixture[str], result: str, reason: str
) -> None:
    bus.to_come.append(bus.job_removed(result))
    assert ctl(bus, "restart", "node1", "a.service") == 1
    assert capsys.readouterr() == (
        f"node1 a.service restart: {result}\n",
        f"hirte ctl: {reason}see `hirte ctl status node1 a.service`"
        " and `journalctl -u a.service` on node1\n",
    )


@pytest.mark.parametrize("options", [("-q",), ("-o", "json")])
def test_without_a_line_of_the_answer_the_error_says_what_failed(
    bus: FakeBus, capsys: pytest.CaptureFixture[str], options: tuple[str, ...]
) -> None:
    bus.to_come.append(bus.job_removed("failed"))
    assert ctl(bus, "start", "node1", "a", *options) == 1
    assert capsys.readouterr().err == (
        "hirte ctl: node1 a.service start: failed; see `hirte ctl status node1 a.service`"
        " and `journalctl -u a.service` on node1\n"
    )


def test_a_result_plays_no_tricks_on_the_terminal(
    bus: FakeBus, capsys: pytest.CaptureFixture[str]
) -> None:
    bus.to_come.append(bus.job_removed("done\x1b[2J\n"))
    assert ctl(bus, "start", "node1", "a.service") == 1
    assert capsys.readouterr().out == "node1 a.service start: done\\x1b[2J\\n\n"


def test_somebody_else_cannot_send_the_manager_away(bus: FakeBus) -> None:
    gone = ("NameOwnerChanged", "sss", NAME, OWNER, "")
    where = {"path": "/org/freedesktop/DBus", "interface": DRIVER}
    bus.to_come.append(bus.signal(*gone, **where, sender=":1.66"))
    bus.to_come.append(bus.owner_changed(name="org.example.Other"))
    bus.to_come.append(bus.job_removed("done"))
    assert ctl(bus, "start", "node1", "a.service") == 0


def test_an_interrupt_leaves_the_job_alone(
    bus: FakeBus, capsys: pytest.CaptureFixture[str]
) -> None:
    bus.to_come.append(KeyboardInterrupt())
    assert ctl(bus, "stop", "node1", "a") == 130
    assert capsys.readouterr() == (
        "",
        f"hirte ctl: interrupted; the stop of a.service on node1 goes on\n{GOES_ON}",
    )
    assert bus.calls[-1][3] == "StopUnit"


@pytest.mark.parametrize(
    ("name", "text", "code", "complaint", "hint"),
    [
        (
            "org.freedesktop.systemd1.NoSuchUnit",
            "Unit no.service not found.",
            4,
            "node1: Unit no.service not found.",
            FILES,
        ),
        (f"{NAME}.Offline", "Node is offline", 5, "node1 is offline", OFFLINE),
        (ERROR + "AccessDenied", "Access denied", 6, "not permitted: Access denied", ""),
        (ERROR + "InvalidArgs", "Unit name is not valid.", 1, "node1: Unit name is not valid.", ""),
        (ERROR + "NoReply", "Connection terminated", 1, "node1: Connection terminated", NODE_HANGS),
        (
            "org.freedesktop.systemd1.JobTypeNotApplicable",
            "Job type reload is not applicable for unit no.service.",
            1,
            "node1: Job type reload is not applicable for unit no.service.",
            "",
        ),
    ],
)
def test_a_request_that_is_refused(
    bus: FakeBus,
    capsys: pytest.CaptureFixture[str],
    name: str,
    text: str,
    code: int,
    complaint: str,
    hint: str,
) -> None:
    bus.refuse(NODE1, "ReloadUnit", name, text)
    assert ctl(bus, "reload", "node1", "no.service") == code
    assert capsys.readouterr() == ("", f"hirte ctl: {complaint}\n{hint}")


def test_an_unknown_node(bus: FakeBus, capsys: pytest.CaptureFixture[str]) -> None:
    assert ctl(bus, "start", "node9", "a") == 4
    assert capsys.readouterr() == ("", f"hirte ctl: no node 'node9' is configured\n{NODES}")


@pytest.mark.parametrize("name", ["NameHasNoOwner", "ServiceUnknown"])
def test_the_manager_is_not_running(
    bus: FakeBus, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    bus.refuse("/org/freedesktop/DBus", "GetNameOwner", ERROR + name, "?", sender=DRIVER)
    assert ctl(bus, "start", "node1", "a") == 6
    assert "the manager is not running" in capsys.readouterr().err
    assert [call[0] for call in bus.calls] == ["GetNameOwner"]
