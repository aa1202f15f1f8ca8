"""hirte proxy: what it asks the agent for, how long it waits, and how each bad answer reads."""

from __future__ import annotations

import pytest

import hirte
from hirte.client.connection import Connection
from hirte.client.errors import BUS_GONE, ManagerAway
from hirte.proxy.main import run
from tests.unit.ctl_fake import DRIVER, ERROR, NAME, ROOT, FakeBus

BLUECHI, BLUECHI_ROOT = "org.eclipse.bluechi", "/org/eclipse/bluechi"


@pytest.fixture
def opened() -> list[bool]:
    """Say for each bus that was opened whether it is the user's."""
    return []


@pytest.fixture
def bus(monkeypatch: pytest.MonkeyPatch, opened: list[bool]) -> FakeBus:
    """A bus with agents of both names that do what they are asked for."""
    made = FakeBus()
    # As the reference's helper: where the bus can start an agent, it may.
    made.may_start = True

    def open_bus(user: bool) -> tuple[Connection, str]:
        opened.append(user)
        return Connection(made, BUS_GONE), ":1.99"

    monkeypatch.setattr("hirte.proxy.call.open_bus", open_bus)
    for root in (ROOT, BLUECHI_ROOT):
        made.answer(root, "CreateProxy")
        made.answer(root, "RemoveProxy")
    return made


def proxy(*argv: str, program: str = "hirte proxy") -> int:
    return run(argv, program)


@pytest.mark.parametrize(
    ("word", "method"),
    [("create", "CreateProxy"), ("remove", "RemoveProxy"), ("CReaTe", "CreateProxy")],
)
@pytest.mark.parametrize(
    ("program", "name", "root", "template"),
    [
        ("hirte proxy", NAME, ROOT, "hirte-proxy"),
        ("hirte-proxy", NAME, ROOT, "hirte-proxy"),
        ("bluechi-proxy", BLUECHI, BLUECHI_ROOT, "bluechi-proxy"),
    ],
)
def test_it_asks_the_agent(
    bus: FakeBus,
    opened: list[bool],
    capsys: pytest.CaptureFixture[str],
    program: str,
    name: str,
    root: str,
    template: str,
    word: str,
    method: str,
) -> None:
    assert proxy(word, "bar_db.service", program=program) == 0
    assert capsys.readouterr() == ("", "")
    service = f"{template}@bar_db.service"
    call = (f"{name}.Agent", root, f"{name}.Agent", method, service, "bar", "db.service")
    assert (bus.calls, opened) == ([call], [False])


@pytest.mark.parametrize(
    ("target", "node", "unit"),
    [
        ("bar_my_db.service", "bar", "my_db.service"),
        ("a-b.c__x.service", "a-b.c", "_x.service"),
        (r"bar_a\x2db.service", "bar", r"a\x2db.service"),
        ("bar_x@y.service", "bar", "x@y.service"),
    ],
)
def test_the_first_underscore_splits(bus: FakeBus, target: str, node: str, unit: str) -> None:
    assert proxy("create", target) == 0
    assert bus.calls[0][4:] == (f"hirte-proxy@{target}", node, unit)


@pytest.mark.parametrize(
    "argv",
    [
        ["-u", "create", "bar_db.service"],
        ["create", "bar_db.service", "--user"],
        ["create", "--us", "bar_db.service"],
        ["-u", "--", "create", "bar_db.service"],
    ],
)
def test_the_bus_of_the_user(bus: FakeBus, opened: list[bool], argv: list[str]) -> None:
    assert proxy(*argv) == 0
    assert opened == [True]


def test_a_word_like_an_option(bus: FakeBus) -> None:
    assert proxy("create", "--", "-a_db.service") == 0
    assert bus.calls[0][5:] == ("-a", "db.service")


def test_it_waits_without_an_end(bus: FakeBus) -> None:
    bus.ignore(ROOT, "CreateProxy")
    with pytest.raises(AssertionError, match="this would wait for ever"):
        proxy("create", "bar_db.service")


def start_of(method: str = "CreateProxy") -> str:
    return f"hirte proxy: {method} for db.service on bar: "


@pytest.mark.parametrize(
    ("name", "text", "why"),
    [
        (f"{NAME}.ActivationFailed", "No such", "the unit did not become active: No such"),
        (ERROR + "UnknownMethod", "Unknown method CreateProxy", "Unknown method CreateProxy"),
        (ERROR + "NoReply", "I give up", "I give up"),
        (ERROR + "AccessDenied", "not you", "not you"),
        (ERROR + "Failed", "", ERROR + "Failed"),
    ],
)
def test_what_the_agent_says(
    bus: FakeBus, capsys: pytest.CaptureFixture[str], name: str, text: str, why: str
) -> None:
    bus.refuse(ROOT, "CreateProxy", name, text)
    assert proxy("create", "bar_db.service") == 1
    assert capsys.readouterr() == ("", f"{start_of()}{why}\n")


def test_each_dialect_has_its_own_error(
    bus: FakeBus, capsys: pytest.CaptureFixture[str]
) -> None:
    bus.refuse(BLUECHI_ROOT, "CreateProxy", f"{BLUECHI}.ActivationFailed", "x")
    assert proxy("create", "bar_db.service", program="bluechi-proxy") == 1
    assert capsys.readouterr().err == (
        "bluechi-proxy: CreateProxy for db.service on bar: the unit did not become active: x\n"
    )


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("ServiceUnknown", f"the agent is not running: nobody owns {NAME}.Agent on the BUS bus"),
        ("NameHasNoOwner", f"the agent is not running: nobody owns {NAME}.Agent on the BUS bus"),
        ("NoReply", "the agent went away before it answered"),
        ("AccessDenied", "the BUS bus refuses it; try as root"),
        ("LimitsExceeded", "a text of the bus"),
    ],
)
@pytest.mark.parametrize("user", [True, False])
def test_what_the_bus_says(
    bus: FakeBus, capsys: pytest.CaptureFixture[str], name: str, why: str, user: bool
) -> None:
    bus.refuse(ROOT, "RemoveProxy", ERROR + name, "a text of the bus", sender=DRIVER)
    assert proxy("remove", "bar_db.service", *(["--user"] if user else [])) == 1
    why = why.replace("BUS", "user" if user else "system")
    assert capsys.readouterr() == ("", f"{start_of('RemoveProxy')}{why}\n")


def test_a_bus_that_goes_away(bus: FakeBus, capsys: pytest.CaptureFixture[str]) -> None:
    bus.ignore(ROOT, "CreateProxy")
    bus.to_come.append(ConnectionResetError(104, "Connection reset by peer"))
    assert proxy("create", "bar_db.service") == 1
    assert capsys.readouterr().err == (
        "hirte proxy: the system bus went away: Connection reset by peer\n"
    )


def test_no_bus(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def away(user: bool) -> None:
        raise ManagerAway("the system bus cannot be reached: No")

    monkeypatch.setattr("hirte.proxy.call.open_bus", away)
    assert proxy("create", "bar_db.service") == 1
    assert capsys.readouterr().err == "hirte proxy: the system bus cannot be reached: No\n"


# The command line


@pytest.mark.parametrize(
    ("argv", "complaint"),
    [
        ([], "too few words: it takes create or remove, and NODE_UNIT"),
        (["create"], "too few words: it takes create or remove, and NODE_UNIT"),
        (["create", "a_b", "c"], "too many words: it takes create or remove, and NODE_UNIT"),
        (["frob", "a_b"], "unknown operation 'frob': it is create or remove"),
        (["help", "a_b"], "unknown operation 'help': it is create or remove"),
        (["create", "bar"], "'bar' is not NODE_UNIT, e.g. second_db.service"),
        (["create", "_db.service"], "'_db.service' is not NODE_UNIT, e.g. second_db.service"),
        (["create", "bar_"], "'bar_' is not NODE_UNIT, e.g. second_db.service"),
        (["create", ""], "'' is not NODE_UNIT, e.g. second_db.service"),
        (["create", "bar_\udcff"], r"'bar_\udcff' is not UTF-8"),
        (["create", "a_b", "--frob"], "unrecognized option '--frob'"),
        (["create", "a_b", "-x"], "unrecognized option '-x'"),
    ],
)
def test_wrong_usage_ends_at_once(
    bus: FakeBus, capsys: pytest.CaptureFixture[str], argv: list[str], complaint: str
) -> None:
    for program in ("hirte proxy", "bluechi-proxy"):
        assert proxy(*argv, program=program) == 1
        assert capsys.readouterr() == ("", f"{program}: {complaint}\n")
    assert bus.calls == []


@pytest.mark.parametrize("argv", [["-h"], ["--help"], ["create", "--he"], ["frob", "-uh"]])
def test_help(bus: FakeBus, capsys: pytest.CaptureFixture[str], argv: list[str]) -> None:
    assert proxy(*argv, program="bluechi-proxy") == 0
    out, err = capsys.readouterr()
    assert out.startswith("usage: bluechi-proxy [OPTION...] create|remove NODE_UNIT\n")
    assert (err, bus.calls) == ("", [])


@pytest.mark.parametrize("argv", [["-v"], ["--version"], ["create", "--vers"]])
def test_version(bus: FakeBus, capsys: pytest.CaptureFixture[str], argv: list[str]) -> None:
    assert proxy(*argv, program="bluechi-proxy") == 0
    assert capsys.readouterr() == (f"bluechi-proxy version {hirte.__version__}\n", "")
    assert bus.calls == []
