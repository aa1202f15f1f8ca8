"""hirte online: when it stops to watch, what it answers, how it is told what to watch."""

from __future__ import annotations

import pytest

import hirte
import hirte.online.main
from hirte.client.connection import Connection
from hirte.client.errors import BUS_GONE, ManagerAway
from hirte.online.main import run
from hirte.online.state import State
from tests.unit.ctl_fake import DRIVER, ERROR, NAME, OWNER, ROOT, FakeBus, node_path

# Deciding


def watching(
    online: bool, *, monitor: bool = False, wait: float = 0.0, switch: float = 0.0
) -> State:
    return State(100.0, online, monitor, wait, switch)


@pytest.mark.parametrize(
    ("online", "monitor", "wait", "over"),
    [
        (True, False, 0, True),
        (False, False, 0, True),
        (True, True, 0, False),
        (False, True, 0, True),
        (True, False, 5, True),
        (False, False, 5, False),
        (False, True, 5, False),
    ],
)
def test_whether_to_watch_at_all(online: bool, monitor: bool, wait: float, over: bool) -> None:
    assert watching(online, monitor=monitor, wait=wait).over is over


def test_it_waits_until_it_is_online() -> None:
    state = watching(False, wait=5)
    state.status(False)
    state.tick(104.9)
    assert (state.over, state.deadline) == (False, 105.0)
    state.status(True)
    assert (state.over, state.online) == (True, True)


def test_it_does_not_wait_for_ever() -> None:
    state = watching(False, wait=5)
    state.tick(105.0)
    assert (state.over, state.online) == (True, False)


def test_it_watches_while_it_is_online() -> None:
    state = watching(False, monitor=True, wait=5)
    state.status(True)
    assert (state.over, state.deadline) == (False, None)
    state.tick(200.0)
    assert not state.over
    state.status(True)
    assert not state.over
    state.status(False)
    assert (state.over, state.online) == (True, False)


def test_an_agent_may_be_offline_once_when_it_changes_the_manager() -> None:
    state = watching(True, monitor=True, switch=3)
    state.switching(110.0)
    state.status(False)
    assert (state.over, state.deadline) == (False, 113.0)
    state.status(True)
    state.tick(113.0)
    assert (state.over, state.deadline) == (False, None)
    state.status(False)
    assert state.over


@pytest.mark.parametrize("offline_again", [False, True])
def test_an_agent_that_does_not_find_the_new_manager(offline_again: bool) -> None:
    state = watching(True, monitor=True, switch=3)
    state.switching(110.0)
    state.status(False)
    if offline_again:
        state.status(False)
    state.tick(112.9)
    assert not state.over
    state.tick(113.0)
    assert (state.over, state.online) == (True, False)


def test_a_change_of_the_manager_that_does_not_interrupt() -> None:
    state = watching(True, monitor=True, switch=3)
    state.switching(110.0)
    state.tick(113.0)
    assert (state.over, state.deadline) == (False, None)
    state.status(False)
    assert state.over


def test_without_a_time_for_it_a_change_of_the_manager_is_the_end() -> None:
    state = watching(True, monitor=True)
    state.switching(110.0)
    state.status(False)
    assert state.over


# Asking


@pytest.fixture
def bus(monkeypatch: pytest.MonkeyPatch) -> FakeBus:
    """A bus on which everything is online."""
    made = FakeBus()
    monkeypatch.setattr(
        "hirte.client.connecting.open_bus", lambda: (Connection(made, BUS_GONE), ":1.99")
    )
    made.answer(ROOT, "Get", "v", ("s", "up"))
    made.answer(node_path("node1"), "Get", "v", ("s", "online"))
    return made


def online(*argv: str, program: str = "hirte online") -> int:
    return run(argv, program)


def status(bus: FakeBus, value: str, path: str = ROOT, interface: str = "Manager") -> object:
    return bus.signal(
        "PropertiesChanged", "sa{sv}as", f"{NAME}.{interface}", {"Status": ("s", value)}, [],
        path=path, interface=f"{DRIVER}.Properties",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("argv", "name", "path", "interface"),
    [
        (["system"], NAME, ROOT, "Manager"),
        (["node", "node1"], NAME, node_path("node1"), "Node"),
    ],
)
def test_online(
    bus: FakeBus,
    capsys: pytest.CaptureFixture[str],
    argv: list[str],
    name: str,
    path: str,
    interface: str,
) -> None:
    assert online(*argv) == 0
    assert capsys.readouterr() == ("", "")
    assert [call[0] for call in bus.calls[:3]] == ["AddMatch", "AddMatch", "GetNameOwner"]
    asked = (name, path, f"{DRIVER}.Properties", "Get", f"{NAME}.{interface}", "Status")
    assert bus.calls[3] == asked


def test_the_agent_has_a_name_of_its_own(bus: FakeBus) -> None:
    bus.answer(ROOT, "Get", "v", ("s", "online"))
    assert online("agent") == 0
    assert bus.calls[-1][0] == f"{NAME}.Agent"
    assert bus.calls[-1][4] == f"{NAME}.Agent"


def test_the_compatible_program(bus: FakeBus, capsys: pytest.CaptureFixture[str]) -> None:
    name, root = "org.eclipse.bluechi", "/org/eclipse/bluechi"
    bus.answer(root, "Get", "v", ("s", "down"))
    assert online("system", program="bluechi-is-online") == 1
    assert capsys.readouterr() == ("", f"{name} is offline\n")
    assert bus.calls[-1] == (
        name, root, f"{DRIVER}.Properties", "Get", f"{name}.Controller", "Status",
    )  # fmt: skip
    assert online("version", program="bluechi-is-online") == 0
    assert capsys.readouterr().out == f"bluechi-is-online version {hirte.__version__}\n"


@pytest.mark.parametrize("value", ["degraded", "down", "online", ""])
def test_a_system_is_online_when_it_is_up(
    bus: FakeBus, capsys: pytest.CaptureFixture[str], value: str
) -> None:
    bus.answer(ROOT, "Get", "v", ("s", value))
    assert online("system") == 1
    assert capsys.readouterr() == ("", "the system is offline\n")


@pytest.mark.parametrize(
    ("words", "who"),
    [(("agent",), "the agent"), (("node", "node1"), "the manager"), (("system",), "the manager")],
)
def test_nobody_there(
    bus: FakeBus, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], who: str
) -> None:
    bus.refuse("/org/freedesktop/DBus", "GetNameOwner", ERROR + "NameHasNoOwner", sender=DRIVER)
    assert online(*words) == 1
    assert capsys.readouterr().err == f"{who} is not running: it is offline\n"


def test_a_node_that_is_offline(bus: FakeBus, capsys: pytest.CaptureFixture[str]) -> None:
    bus.answer(node_path("node1"), "Get", "v", ("s", "offline"))
    assert online("node", "node1") == 1
    assert capsys.readouterr().err == "node1 is offline\n"


def test_an_agent_without_a_manager(bus: FakeBus, capsys: pytest.CaptureFixture[str]) -> None:
    bus.answer(ROOT, "Get", "v", ("s", "offline"))
    assert online("agent") == 1
    assert capsys.readouterr().err == "the agent is offline\n"


def test_a_node_that_is_not_configured(bus: FakeBus, capsys: pytest.CaptureFixture[str]) -> None:
    assert online("node", "noed") == 1
    err = "no node 'noed' is configured\nnoed is offline\n"
    assert capsys.readouterr().err == err


def test_a_status_that_cannot_be_read(bus: FakeBus, capsys: pytest.CaptureFixture[str]) -> None:
    bus.refuse(node_path("node1"), "Get", ERROR + "AccessDenied", "not\x1b[2J\nyou", sender=DRIVER)
    assert online("node", "node1") == 1
    assert capsys.readouterr().err == (
        "Failed to read the status: not\\x1b[2J\\nyou\nnode1 is offline\n"
    )
    bus.answer(node_path("node1"), "Get", "v", ("u", 1))
    assert online("node", "node1") == 1
    assert "is it of another version" in capsys.readouterr().err


def test_no_bus(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def away() -> None:
        raise ManagerAway("the system bus cannot be reached: No")

    monkeypatch.setattr("hirte.client.connecting.open_bus", away)
    assert online("agent") == 1
    assert capsys.readouterr().err == "the system bus cannot be reached: No\n"
    assert online("agent", program="bluechi-is-online") == 1
    assert capsys.readouterr().err == (
        "Failed to connect to api bus: the system bus cannot be reached: No\n"
    )


# Watching


def test_it_waits(bus: FakeBus) -> None:
    bus.answer(ROOT, "Get", "v", ("s", "down"))
    bus.to_come += [status(bus, "degraded"), status(bus, "up")]
    assert online("--wait", "1000", "system") == 0
    assert not bus.to_come


def test_it_waits_in_vain(bus: FakeBus) -> None:
    bus.answer(ROOT, "Get", "v", ("s", "down"))
    assert online("--wait=1", "system") == 1


def test_it_waits_for_a_manager_that_starts(bus: FakeBus) -> None:
    bus.refuse("/org/freedesktop/DBus", "GetNameOwner", ERROR + "NameHasNoOwner", sender=DRIVER)
    bus.to_come += [
        status(bus, "up"),
        bus.owner_changed(old="", new=OWNER),
        bus.owner_changed(name="org.example.Other", old="", new=":1.66"),
        status(bus, "up"),
    ]
    assert online("--wait", "1000", "system") == 0
    assert not bus.to_come


@pytest.mark.parametrize("event", ["status", "crash", "interrupt", "bus"])
def test_it_monitors(bus: FakeBus, event: str, capsys: pytest.CaptureFixture[str]) -> None:
    bus.to_come += [
        status(bus, "offline", node_path("node1"), "Node"),
        status(bus, "up"),
        {
            "status": status(bus, "degraded"),
            "crash": bus.owner_changed(),
            "interrupt": KeyboardInterrupt(),
            "bus": ConnectionResetError(104, "Connection reset by peer"),
        }[event],
    ]
    assert online("system", "--monitor") == (0 if event == "interrupt" else 1)
    assert not bus.to_come
    assert ("went away" in capsys.readouterr().err) == (event == "bus")


def test_an_agent_that_changes_the_manager(bus: FakeBus) -> None:
    bus.answer(ROOT, "Get", "v", ("s", "online"))
    moved = bus.signal(
        "PropertiesChanged", "sa{sv}as", f"{NAME}.Agent", {"ManagerAddress": ("s", "tcp:x")}, [],
        path=ROOT, interface=f"{DRIVER}.Properties",
    )  # fmt: skip
    states = [status(bus, value, interface="Agent") for value in ("offline", "online", "offline")]
    bus.to_come += [moved, *states]
    assert online("agent", "--monitor", "--switch-timeout", "60000") == 1
    assert not bus.to_come
    bus.to_come += [moved, *states]
    assert online("agent", "--monitor") == 1
    assert len(bus.to_come) == 2


# The command line


@pytest.mark.parametrize(
    ("argv", "complaint"),
    [
        ([], "No command given"),
        (["frob"], "Method frob not found"),
        (["node"], "Too few arguments for method node"),
        (["node", "a", "b"], "Too many arguments for method node"),
        (["agent", "a"], "Too many arguments for method agent"),
        (["system", "--switch-timeout", "1"], "Unsupported option 'switch-timeout' for method"),
        (["node", "--", "-a", "b"], "Too many arguments for method node"),
        (["agent", "--frob"], "unrecognized option '--frob'"),
        (["agent", "-v"], "unrecognized option '-v'"),
        (["agent", "--wait"], "--wait needs MS: "),
        (["node", "\udcff"], "is not UTF-8"),
        (["agent", "--wait", "soon"], "Failed to parse --wait: 'soon' is not a number of"),
        (["agent", "--switch-timeout=-1"], "Failed to parse --switch-timeout: '-1' is not a"),
    ],
)
def test_wrong_usage(capsys: pytest.CaptureFixture[str], argv: list[str], complaint: str) -> None:
    assert online(*argv) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert complaint in err
    assert online(*argv, program="bluechi-is-online") == 1
    out, err = capsys.readouterr()
    assert out.startswith("usage: bluechi-is-online ")
    assert complaint in err


@pytest.mark.parametrize("argv", [["help"], ["--help"], ["-h"], ["node", "-h"], ["--he"]])
def test_help(capsys: pytest.CaptureFixture[str], argv: list[str]) -> None:
    assert online(*argv) == 0
    assert capsys.readouterr().out.startswith("usage: hirte online agent|node NODE|system")


def test_an_empty_time_is_none(bus: FakeBus) -> None:
    bus.answer(ROOT, "Get", "v", ("s", "down"))
    assert online("system", "--wait=") == 1


def test_a_name_like_an_option(bus: FakeBus) -> None:
    bus.answer(f"{ROOT}/node/_2dx", "Get", "v", ("s", "online"))
    assert online("node", "--", "-x") == 0
