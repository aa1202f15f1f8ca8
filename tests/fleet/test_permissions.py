"""Who may do what on the system bus: the bus's policy, and behind it the services' own check."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from hirte.api.dialect import COMPATIBLE, NATIVE, Dialect
from tests.bed import Fleet, Node
from tests.bed.product import AGENT_UNIT
from tests.fleet.conftest import open_fleet
from tests.fleet.lines import Lines
from tests.fleet.mixed import deploy_mixed
from tests.fleet.statemanager import ERROR, PROPERTIES, StateManager

NOBODY = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--"]
DIALECTS = pytest.mark.parametrize("dialect", [NATIVE, COMPATIBLE], ids=lambda each: each.name)
# What a package of another product could bring, or an administrator: the bus lets everybody send.
PERMISSIVE = """\
<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-BUS Bus Configuration 1.0//EN"
  "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <policy context="mandatory">
    <allow send_destination="org.containers.hirte"/>
    <allow send_destination="org.containers.hirte.Agent"/>
    <allow send_destination="org.eclipse.bluechi"/>
    <allow send_destination="org.eclipse.bluechi.Agent"/>
  </policy>
</busconfig>
"""
POLICY = "/etc/dbus-1/system.d/permissive.conf"


@pytest.fixture(scope="module")
def mixed() -> Iterator[Fleet]:
    with open_fleet() as fleet:
        deploy_mixed(fleet)
        yield fleet


@pytest.fixture(scope="module")
def one(mixed: Fleet) -> Node:
    """The manager's node, with the bus policy as it is installed."""
    return mixed["node1"]


@pytest.fixture
def permissive(one: Node) -> Iterator[Node]:
    """The same node while its bus policy lets everybody send everything to our names."""
    one.write(POLICY, PERMISSIVE)
    one.systemctl("reload", "dbus.service")
    yield one
    one.run(["rm", POLICY])
    one.systemctl("reload", "dbus.service")


def calls(dialect: Dialect) -> dict[str, list[str]]:
    """One call of each kind, as words for `busctl call`, by what it needs the caller to be."""
    manager = [dialect.bus_name, dialect.root, dialect.interface("Manager")]
    node = [dialect.bus_name, dialect.path("node/node3"), dialect.interface("Node")]
    agent = [dialect.agent_bus_name, dialect.root, dialect.interface("Agent")]
    return {
        "manager": [*manager, "ListNodes"],
        "node": [*node, "ListUnits"],
        "arguments": [*node, "StartUnit", "u", "1"],
        "unknown": [*node, "NoSuchMethod"],
        "agent": [*agent, "JobCancel", "u", "1"],
        "get": [dialect.bus_name, dialect.root, PROPERTIES, "GetAll", "s", ""],
    }


def say(node: Node, who: list[str], words: list[str]) -> str:
    """What busctl says of a call: the answer, or the error's text."""
    done = node.run([*who, "busctl", "--timeout=5", "call", *words], check=False)
    assert (done.returncode == 0) == (done.stderr == "")
    return done.stdout or done.stderr


def error_of(node: Node, who: list[str], words: list[str]) -> str:
    """The name of the error that answers a call."""
    destination, path, interface, member, *arguments = words
    typed = [f"uint32:{value}" for value in arguments[1:]] if arguments[:1] == ["u"] else []
    send = [*who, "dbus-send", "--system", "--print-reply", "--reply-timeout=5000"]
    target = [f"--dest={destination}", path, f"{interface}.{member}"]
    done = node.run([*send, *target, *typed], check=False)
    assert done.returncode == 1
    return done.stderr.split(":")[0].removeprefix("Error ")


@DIALECTS
def test_the_bus_lets_only_root_in(one: Node, dialect: Dialect) -> None:
    for words in calls(dialect).values():
        assert "Access denied" in say(one, NOBODY, words)


@DIALECTS
def test_everybody_may_introspect_and_ping(one: Node, dialect: Dialect) -> None:
    for name in (dialect.bus_name, dialect.agent_bus_name):
        target = [name, dialect.root]
        said = say(one, NOBODY, [*target, "org.freedesktop.DBus.Introspectable", "Introspect"])
        assert dialect.interface("Manager") in said or dialect.interface("Agent") in said
        assert say(one, NOBODY, [*target, "org.freedesktop.DBus.Peer", "Ping"]) == ""


@DIALECTS
def test_the_service_looks_itself(permissive: Node, dialect: Dialect) -> None:
    """What the bus lets through is refused all the same; properties are for everybody then."""
    words = calls(dialect)
    # Access is looked at before arguments; what is not there is no secret.
    for kind in ("manager", "node", "arguments", "agent"):
        assert error_of(permissive, NOBODY, words[kind]) == f"{ERROR}.AccessDenied"
    assert error_of(permissive, NOBODY, words["unknown"]) == f"{ERROR}.UnknownMethod"
    assert '"Status" s "up"' in say(permissive, NOBODY, words["get"])
    assert say(permissive, [], words["manager"]).startswith("a(soss) 3 ")
    assert error_of(permissive, [], words["arguments"]) == f"{ERROR}.InvalidArgs"


@DIALECTS
def test_offline_comes_before_everything(mixed: Fleet, permissive: Node, dialect: Dialect) -> None:
    """Before access, members and arguments are looked at."""
    node = [dialect.bus_name, dialect.path("node/node2"), dialect.interface("Node")]
    with StateManager(permissive, dialect) as caller:
        mixed["node2"].systemctl("stop", AGENT_UNIT)
        caller.changed(caller.path("node/node2"), "Status", "offline")
        for who in (NOBODY, []):
            for call in (["ListUnits"], ["StartUnit", "u", "1"], ["NoSuchMethod"]):
                assert error_of(permissive, who, [*node, *call]) == dialect.interface("Offline")
        mixed["node2"].systemctl("start", AGENT_UNIT)
        caller.changed(caller.path("node/node2"), "Status", "online")


# Listening


class Listener(Lines):
    """Somebody without rights on the bus who prints every signal of one name, a line each."""

    # `name` of the client first; then "path member" of what arrives. GLib's Python is no part of a
    # node, jeepney is part of hirte.
    _PROGRAM = (
        "import sys; sys.path.insert(0, '/usr/bin/hirte/site-packages')\n"
        "from jeepney import HeaderFields as H, MatchRule, message_bus\n"
        "from jeepney.io.blocking import open_dbus_connection\n"
        "bus = open_dbus_connection('SYSTEM')\n"
        "rule = MatchRule(type='signal', sender=sys.argv[1])\n"
        "bus.send_and_get_reply(message_bus.AddMatch(rule))\n"
        "print(bus.unique_name, flush=True)\n"
        "while True:\n"
        "    fields = bus.receive().header.fields\n"
        "    print(fields[H.path], fields[H.member], H.destination in fields, flush=True)\n"
    )

    def __init__(self, node: Node, name: str) -> None:
        # Who changes the user forgets with whom he wanted to die.
        die_with_us = ["setpriv", "--pdeathsig", "KILL", "--"]
        program = ["/usr/bin/python3", "-ISc", self._PROGRAM, name]
        super().__init__(node.popen([*NOBODY, *die_with_us, *program]))
        self.name = self.next()


@DIALECTS
def test_everybody_hears_broadcasts_and_what_is_for_him(one: Node, dialect: Dialect) -> None:
    """As a peer of a monitor: its signals are sent to him alone, and the bus lets them through."""
    listener = Listener(one, dialect.bus_name)
    try:
        with StateManager(one, dialect) as owner:
            monitor = owner.manager("CreateMonitor")
            owner.object(monitor, "Monitor", "AddPeer", "s", listener.name)
            owner.object(monitor, "Monitor", "Subscribe", "ss", "node3", "quick.service")
            owner.job("node3", "StartUnit", "quick.service")
            listener.until(f"{monitor} UnitNew True")
            listener.until(f"{dialect.root} JobNew False")
            owner.object(monitor, "Monitor", "Close")
            listener.until(f"{monitor} PeerRemoved True")
    finally:
        listener.end()
