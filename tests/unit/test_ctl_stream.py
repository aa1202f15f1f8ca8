"""hirte ctl monitor, metrics and status --watch: what they say of what happens, how they end."""

from __future__ import annotations

import json
import signal
from time import struct_time

import pytest

from hirte.ctl import watch
from tests.hints import NODES, WENT_AWAY
from tests.unit.ctl_fake import DRIVER, ERROR, NAME, OWNER, ROOT, FakeBus, ctl, node_path

MONITOR = f"{ROOT}/monitor/1"


@pytest.fixture
def bus() -> FakeBus:
    """A manager of two nodes that makes monitors."""
    made = FakeBus()
    made.nodes(("node1", "online", ""), ("node2", "online", ""))
    made.answer(ROOT, "CreateMonitor", "o", MONITOR)
    made.answer(MONITOR, "SubscribeList", "u", 2)
    made.answer(MONITOR, "Close")
    made.answer(ROOT, "Get", "v", ("s", "up"))
    made.answer(ROOT, "Introspect", "s", '<node><node name="job"/><node name="metrics"/></node>')
    return made


@pytest.fixture
def at_noon(monkeypatch: pytest.MonkeyPatch) -> None:
    """A clock that stands."""
    noon = struct_time((2026, 11, 24, 12, 0, 7, 1, 328, 0))
    monkeypatch.setattr("hirte.ctl.stream.localtime", lambda: noon)


def told(bus: FakeBus, member: str, signature: str, *values: object) -> object:
    return bus.signal(member, signature, *values, path=MONITOR, interface=f"{NAME}.Monitor")


def happens(bus: FakeBus) -> None:
    """Let a unit of node1 have a life, and somebody press Ctrl-C."""
    unit = ("node1", "a.service")
    props = {"SubState": ("s", "running"), "Result": ("s", ""), "MainPID": ("u", 7)}
    bus.to_come.extend(
        [
            told(bus, "UnitNew", "sss", *unit, "real"),
            told(bus, "UnitStateChanged", "sssss", *unit, "active", "running", "virtual"),
            told(bus, "UnitPropertiesChanged", "sssa{sv}", *unit, "org.x.Unit", props),
            told(bus, "UnitRemoved", "sss", "node1", "b.timer", "virtual"),
            KeyboardInterrupt(),
        ]
    )


def subscribed(bus: FakeBus) -> list[tuple]:
    return [call[4:] for call in bus.calls if call[3:4] == ("SubscribeList",)]


def test_monitor(bus: FakeBus, at_noon: None, capsys: pytest.CaptureFixture[str]) -> None:
    happens(bus)
    assert ctl(bus, "monitor") == 0
    assert capsys.readouterr() == (
        "12:00:07 node1 a.service loaded (real)\n"
        "12:00:07 node1 a.service active running (virtual)\n"
        "12:00:07 node1 a.service Unit: SubState=running\n"
        "12:00:07 node1 b.timer unloaded (virtual)\n",
        "",
    )
    assert subscribed(bus) == [("*", ["*"])]
    assert bus.calls[-1][3] == "Close"


def test_monitor_for_programs(bus: FakeBus, capsys: pytest.CaptureFixture[str]) -> None:
    happens(bus)
    assert ctl(bus, "monitor", "*", "a.*", "-o", "json") == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["event"] for line in lines] == [
        "UnitNew", "UnitStateChanged", "UnitPropertiesChanged",
    ]  # fmt: skip
    assert lines[0] == {
        "event": "UnitNew", "node": "node1", "unit": "a.service", "reason": "real",
    }  # fmt: skip
    assert lines[2]["props"] == {"SubState": "running", "Result": "", "MainPID": 7}


def test_what_a_monitor_subscribes_to(bus: FakeBus) -> None:
    bus.to_come.append(KeyboardInterrupt())
    assert ctl(bus, "monitor", "node?", "a,b.timer", "c") == 0
    units = ["a.service", "b.timer", "c.service"]
    assert subscribed(bus) == [("node1", units), ("node2", units)]


@pytest.mark.parametrize("word", ["node1,n3", "n*"])
def test_a_node_of_a_monitor_is_offline(
    bus: FakeBus, capsys: pytest.CaptureFixture[str], word: str
) -> None:
    bus.nodes(("node1", "online", ""), ("n3", "offline", ""))
    bus.to_come.append(KeyboardInterrupt())
    assert ctl(bus, "monitor", word) == 0
    complaint = "hirte ctl: n3 is offline; its events come when it is back\n"
    assert capsys.readouterr() == ("", complaint)
    assert [node for node, _ in subscribed(bus)] == ["node1", "n3"]


def test_nodes_that_nobody_named_may_be_offline(
    bus: FakeBus, capsys: pytest.CaptureFixture[str]
) -> None:
    bus.nodes(("n3", "offline", ""))
    bus.to_come.append(KeyboardInterrupt())
    assert ctl(bus, "monitor") == 0
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("node", ["node9", "x*", "node1,node9"])
def test_nothing_to_monitor(bus: FakeBus, capsys: pytest.CaptureFixture[str], node: str) -> None:
    assert ctl(bus, "monitor", node) == 4
    assert capsys.readouterr().err.endswith(f"is configured\n{NODES}")
    assert subscribed(bus) == []


def test_the_manager_of_a_monitor_goes_away(
    bus: FakeBus, capsys: pytest.CaptureFixture[str]
) -> None:
    bus.to_come.append(bus.owner_changed())
    assert ctl(bus, "monitor") == 6
    assert capsys.readouterr() == ("", f"hirte ctl: the manager went away\n{WENT_AWAY}")


def test_metrics(bus: FakeBus, capsys: pytest.CaptureFixture[str]) -> None:
    bus.answer(ROOT, "EnableMetrics")
    bus.refuse(ROOT, "DisableMetrics", ERROR + "Failed", "Metrics are disabled already")
    assert ctl(bus, "metrics", "enable") == 0
    assert ctl(bus, "metrics", "disable") == 1
    assert capsys.readouterr() == ("", "hirte ctl: Metrics are disabled already\n")


def test_metrics_listen(bus: FakeBus, capsys: pytest.CaptureFixture[str]) -> None:
    where = {"path": f"{ROOT}/metrics", "interface": f"{NAME}.Metrics"}
    start = ("node1", "/job/3", "a.service", 2345, 1000)
    bus.to_come.extend(
        [
            bus.signal("AgentJobMetrics", "ssst", "node1", "a.service", "StopUnit", 1678, **where),
            bus.signal("StartUnitJobMetrics", "ssstt", *start, **where),
            KeyboardInterrupt(),
        ]
    )
    assert ctl(bus, "metrics", "listen") == 0
    assert capsys.readouterr() == (
        "node1 a.service StopUnit: 1.7 ms on the node\n"
        "node1 a.service start: 2.3 ms in all, 1.0 ms in the unit, job /job/3\n",
        "",
    )


def test_nothing_is_measured(bus: FakeBus, capsys: pytest.CaptureFixture[str]) -> None:
    """Whoever listens then would wait for ever; but somebody may turn it on."""
    bus.answer(ROOT, "Introspect", "s", '<node><node name="job"/></node>')
    bus.to_come.append(KeyboardInterrupt())
    assert ctl(bus, "metrics", "listen") == 0
    complaint = "hirte ctl: measuring is off; hirte ctl metrics enable turns it on\n"
    assert capsys.readouterr() == ("", complaint)


# status --watch


def test_watch_the_nodes(bus: FakeBus, capsys: pytest.CaptureFixture[str]) -> None:
    bus.to_come.extend([bus.status_changed("node1", "offline"), KeyboardInterrupt()])
    assert ctl(bus, "status", "-w", "--no-legend") == 0
    everything = "node1  online  -  now\nnode2  online  -  now\n"
    assert capsys.readouterr() == (everything * 2, "")


def test_watch_units(bus: FakeBus, capsys: pytest.CaptureFixture[str]) -> None:
    """Looking at a unit may load it; that alone is no reason to look again."""
    is_so = {"Id": ("s", "a.service"), "ActiveState": ("s", "active"), "LoadState": ("s", "loaded")}
    bus.answer(node_path("node1"), "GetUnitProperties", "a{sv}", is_so)
    unit = ("node1", "a.service")
    frozen = ("org.freedesktop.systemd1.Unit", {"FreezerState": ("s", "frozen")})
    bus.to_come.extend(
        [
            told(bus, "UnitStateChanged", "sssss", *unit, "active", "running", "virtual"),
            told(bus, "UnitNew", "sss", *unit, "real"),
            told(bus, "UnitStateChanged", "sssss", *unit, "active", "running", "real"),
            told(bus, "UnitRemoved", "sss", *unit, "real"),
            told(bus, "UnitPropertiesChanged", "sssa{sv}", *unit, *frozen),
            KeyboardInterrupt(),
        ]
    )
    assert ctl(bus, "status", "node1", "a", "-w", "--no-legend") == 0
    assert len(capsys.readouterr().out.splitlines()) == 3


def test_watch_units_of_no_node(bus: FakeBus, capsys: pytest.CaptureFixture[str]) -> None:
    assert ctl(bus, "status", "node9", "a", "-w") == 4
    assert capsys.readouterr() == ("", f"hirte ctl: no node 'node9' is configured\n{NODES}")


def test_watch_outlives_the_manager(
    bus: FakeBus, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    slept = []
    monkeypatch.setattr(watch.time, "sleep", slept.append)
    bus.to_come.extend([bus.owner_changed(), KeyboardInterrupt()])
    assert ctl(bus, "status", "--watch", "--no-legend") == 0
    everything = "node1  online  -  now\nnode2  online  -  now\n"
    assert capsys.readouterr() == (
        everything * 2,
        "hirte ctl: the manager went away; waiting for it to come back\n",
    )
    assert slept == [0.5]


def test_watch_without_a_manager(bus: FakeBus) -> None:
    bus.refuse("/org/freedesktop/DBus", "GetNameOwner", ERROR + "NameHasNoOwner", "", DRIVER)
    assert ctl(bus, "status", "-w") == 6
    assert OWNER not in [call[0] for call in bus.calls]


@pytest.mark.parametrize("words", [("monitor",), ("metrics", "listen"), ("status", "-w")])
def test_sigterm_ends_what_listens_for_ever_well(bus: FakeBus, words: tuple[str, ...]) -> None:
    before = signal.getsignal(signal.SIGTERM)
    bus.to_come.append(lambda: signal.raise_signal(signal.SIGTERM))
    assert ctl(bus, *words) == 0
    assert signal.getsignal(signal.SIGTERM) == before
