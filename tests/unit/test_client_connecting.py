"""Which way to which manager: the private sockets for root, then the bus; native names first."""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest

import hirte.client.connecting
from hirte.client import CallError, Manager, ManagerAway, NotPermitted, connect
from hirte.ctl.main import run
from tests.hints import NOT_RUNNING
from tests.unit.ctl_fake import DRIVER_PATH, ERROR, NAME, ROOT, FakeBus

BLUECHI, BLUECHI_ROOT = "org.eclipse.bluechi", "/org/eclipse/bluechi"
ROOTS = {NAME: ROOT, BLUECHI: BLUECHI_ROOT}
NATIVE_SOCKET, BLUECHI_SOCKET = "/run/hirte/private", "/run/bluechi/private"
BUS = "/var/run/dbus/system_bus_socket"
AWAY = "the manager is not running: "
NOBODY = f"{AWAY}nobody owns {NAME} or {BLUECHI} on the system bus"


def going_by(*names: str) -> FakeBus:
    """Return a manager, or a bus with one, that goes by these names."""
    made = FakeBus()
    made.answer(DRIVER_PATH, "Hello", "s", ":1.99")
    made.owned(*names)
    for name in names:
        made.answer(ROOTS[name], "Get", "v", ("s", "up"))
    return made


class Machine:
    """What can be reached, by path."""

    def __init__(self, there: dict[str, FakeBus | Exception]) -> None:
        self.there = {BUS: going_by(), **there}
        self.tried: list[str] = []

    def open_link(self, path: str, timeout: float) -> FakeBus:
        self.tried.append(path)
        end = self.there.get(path, FileNotFoundError(2, "No such file or directory"))
        if isinstance(end, Exception):
            raise end
        return end


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Machine]:
    monkeypatch.delenv("DBUS_SYSTEM_BUS_ADDRESS", raising=False)

    def make(there: dict[str, FakeBus | Exception], uid: int = 0) -> Machine:
        made = Machine(there)
        monkeypatch.setattr(hirte.client.connecting, "open_link", made.open_link)
        monkeypatch.setattr(os, "geteuid", lambda: uid)
        return made

    return make


def reached(manager: Manager) -> tuple[str, bool]:
    """Return the root object of the manager, and whether it is reached without the bus."""
    assert manager.status() == "up"
    return manager.path, manager.unique_name == ""


@pytest.mark.parametrize(
    ("there", "dialect", "path", "privately"),
    [
        ({NATIVE_SOCKET: (NAME,)}, "auto", ROOT, True),
        ({NATIVE_SOCKET: (NAME, BLUECHI)}, "auto", ROOT, True),
        ({NATIVE_SOCKET: (BLUECHI,)}, "auto", BLUECHI_ROOT, True),
        ({BLUECHI_SOCKET: (BLUECHI,)}, "auto", BLUECHI_ROOT, True),
        ({BLUECHI_SOCKET: (NAME, BLUECHI)}, "auto", ROOT, True),
        ({NATIVE_SOCKET: (NAME,), BLUECHI_SOCKET: (BLUECHI,)}, "auto", ROOT, True),
        ({NATIVE_SOCKET: (NAME,), BLUECHI_SOCKET: (BLUECHI,)}, "compatible", BLUECHI_ROOT, True),
        ({NATIVE_SOCKET: (NAME, BLUECHI)}, "compatible", BLUECHI_ROOT, True),
        ({BLUECHI_SOCKET: (NAME, BLUECHI)}, "native", ROOT, True),
        ({BUS: (NAME, BLUECHI)}, "auto", ROOT, False),
        ({BUS: (BLUECHI,)}, "auto", BLUECHI_ROOT, False),
        ({BUS: (NAME, BLUECHI)}, "compatible", BLUECHI_ROOT, False),
        ({BUS: (NAME,), NATIVE_SOCKET: (BLUECHI,)}, "native", ROOT, False),
    ],
)
def test_root_finds_the_manager(
    machine: Callable[..., Machine],
    there: dict[str, tuple[str, ...]],
    dialect: str,
    path: str,
    privately: bool,
) -> None:
    machine({where: going_by(*names) for where, names in there.items()})
    assert reached(connect(dialect=dialect)) == (path, privately)


def test_others_go_over_the_bus(machine: Callable[..., Machine]) -> None:
    made = machine({NATIVE_SOCKET: going_by(NAME), BUS: going_by(BLUECHI)}, uid=1000)
    assert reached(connect()) == (BLUECHI_ROOT, False)
    assert made.tried == [BUS]


@pytest.mark.parametrize("way", ["bus", "private"])
def test_a_way_can_be_chosen(machine: Callable[..., Machine], way: str) -> None:
    machine({BLUECHI_SOCKET: going_by(BLUECHI), BUS: going_by(BLUECHI)})
    assert reached(connect(way)) == (BLUECHI_ROOT, way == "private")


@pytest.mark.parametrize(
    ("way", "dialect", "said"),
    [
        ("auto", "auto", NOBODY),
        ("bus", "auto", NOBODY),
        ("bus", "native", f"{AWAY}nobody owns {NAME} on the system bus"),
        ("bus", "compatible", f"{AWAY}nobody owns {BLUECHI} on the system bus"),
        (
            "private",
            "auto",
            f"{AWAY}{NATIVE_SOCKET}: No such file or directory;"
            f" {BLUECHI_SOCKET}: Connection refused",
        ),
    ],
)
def test_there_is_none(
    machine: Callable[..., Machine], way: str, dialect: str, said: str
) -> None:
    made = machine({BLUECHI_SOCKET: ConnectionRefusedError(111, "Connection refused")})
    with pytest.raises(ManagerAway) as raised:
        connect(way, dialect=dialect)
    assert str(raised.value) == said
    # Asking is all it does: nothing is left open.
    assert made.there[BUS].closed == (way != "private")


def test_a_socket_of_a_manager_with_another_name(machine: Callable[..., Machine]) -> None:
    made = machine({NATIVE_SOCKET: going_by(BLUECHI)})
    with pytest.raises(ManagerAway) as raised:
        connect("private", dialect="native")
    assert f"{NATIVE_SOCKET}: nobody there goes by {NAME}; " in str(raised.value)
    assert made.there[NATIVE_SOCKET].closed


def test_a_manager_that_goes_away_meanwhile(machine: Callable[..., Machine]) -> None:
    for way, said in (("private", "^the manager went away$"), ("auto", "nobody owns")):
        leaving = going_by(NAME)
        leaving.ignore(ROOT, "Get")
        leaving.to_come.append(ConnectionResetError(104, "Connection reset by peer"))
        machine({NATIVE_SOCKET: leaving})
        with pytest.raises(ManagerAway, match=said):
            connect(way)
        assert leaving.closed


def test_a_bus_that_does_not_tell(machine: Callable[..., Machine]) -> None:
    deaf = going_by(NAME)
    deaf.refuse(DRIVER_PATH, "NameHasOwner", ERROR + "LimitsExceeded", "too many")
    machine({BUS: deaf})
    with pytest.raises(CallError, match="too many"):
        connect()
    assert deaf.closed


def test_sockets_that_are_not_for_us(machine: Callable[..., Machine]) -> None:
    refused = PermissionError(13, "Permission denied")
    machine({NATIVE_SOCKET: refused, BUS: going_by(NAME)})
    with pytest.raises(NotPermitted, match="/run/hirte/private is for root"):
        connect("private")
    assert reached(connect()) == (ROOT, False)


def test_what_there_is_not() -> None:
    with pytest.raises(ValueError, match="'smoke'"):
        connect("smoke")
    for dialect in ("klingon", "both"):
        with pytest.raises(ValueError, match=f"'{dialect}'"):
            connect(dialect=dialect)


def test_it_waits_for_a_manager(
    machine: Callable[..., Machine], monkeypatch: pytest.MonkeyPatch
) -> None:
    made = machine({BUS: FileNotFoundError(2, "No such file or directory")})
    clock = [100.0]
    comes = {101.0: going_by(), 102.0: going_by(BLUECHI)}

    def sleep(seconds: float) -> None:
        clock[0] += 0.5
        made.there[BUS] = comes.get(clock[0], made.there[BUS])

    monkeypatch.setattr(hirte.client.connecting, "sleep", sleep)
    monkeypatch.setattr(hirte.client.connecting, "monotonic", lambda: clock[0])
    assert reached(connect(wait=5.0)) == (BLUECHI_ROOT, False)
    assert clock == [102.0]
    made.there[BUS] = going_by()
    with pytest.raises(ManagerAway, match="nobody owns"):
        connect(wait=5.0)


def test_the_tool_takes_what_there_is(
    machine: Callable[..., Machine], capsys: pytest.CaptureFixture[str]
) -> None:
    made = machine({BUS: going_by(BLUECHI)})
    made.there[BUS].answer(BLUECHI_ROOT, "ListNodes", "a(soss)", [])
    assert run(["nodes", "--no-legend"], "hirte ctl") == 0
    made.there[BUS] = going_by()
    assert run(["nodes"], "hirte ctl") == 6
    assert capsys.readouterr() == ("", f"hirte ctl: {NOBODY}\n{NOT_RUNNING}")
