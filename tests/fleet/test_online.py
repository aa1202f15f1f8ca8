"""hirte online on a real fleet: now, after a while, as long as it lasts, and after a crash."""

from __future__ import annotations

import pytest

import hirte
from tests.bed import Fleet, Node
from tests.bed.bus import Bus
from tests.bed.product import (
    AGENT_UNIT,
    MANAGER_UNIT,
    NAME,
    ROOT,
    configure_manager,
    deploy,
    wait_for_status,
)

OFFLINE = "{} is offline\n"
NOT_RUNNING = "{} is not running: it is offline\n"


@pytest.fixture
def pair(fleet: Fleet) -> Fleet:
    """Two nodes, node1 with the manager, all online."""
    deploy(fleet, "node1", "node2")
    return fleet


def online(node: Node, *words: str, name: str = "hirte online") -> tuple[int, str, str]:
    """Run the check on `node`; return its exit code, stdout and stderr."""
    done = node.run([*name.split(), *words], check=False)
    return done.returncode, done.stdout, done.stderr


class Watching:
    """A check that runs on a node; it is known to listen when `listens` returns."""

    def __init__(self, node: Node, *words: str) -> None:
        unit = "--unit=check"
        quiet = ["--quiet", "--wait", "--pipe", "--service-type=exec"]
        self._node = node
        self._before = self._connections()
        self.process = node.popen(["systemd-run", unit, *quiet, "hirte", "online", *words])

    def _connections(self) -> set[str]:
        with Bus(self._node.bus_address) as bus:
            (names,) = bus.call(
                "org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus", "ListNames"
            )
        return set(names)

    def listens(self) -> Watching:
        """Wait until the bus knows its rules; the last is set before it asks."""
        with Bus(self._node.bus_address) as bus:
            while True:
                (rules,) = bus.call(
                    "org.freedesktop.DBus", "/org/freedesktop/DBus",
                    "org.freedesktop.DBus.Debug.Stats", "GetAllMatchRules",
                )  # fmt: skip
                for name, its in rules.items():
                    changes = [rule for rule in its if "member='PropertiesChanged'" in rule]
                    if name not in self._before and changes and "hirte" in changes[0]:
                        return self

    def ended(self) -> tuple[int, str]:
        """Return exit code and stderr, when it has ended by itself."""
        _, err = self.process.communicate(timeout=20)
        return self.process.returncode, err


def test_now(trio: Fleet) -> None:
    one, three = trio["node1"], trio["node3"]
    for words in (("agent",), ("node", "node3"), ("system",)):
        assert online(one, *words) == (0, "", "")
    assert online(three, "agent") == (0, "", "")
    # There is no manager on that node.
    assert online(three, "system") == (1, "", NOT_RUNNING.format("the manager"))
    assert online(one, "version") == (0, f"hirte online version {hirte.__version__}\n", "")
    code, out, err = online(one, "node", "node9")
    assert (code, out) == (1, "")
    assert err == "no node 'node9' is configured\nnode9 is offline\n"


def test_who_is_not_root_is_told_why(trio: Fleet) -> None:
    as_nobody = "setpriv --reuid=65534 --clear-groups hirte online"
    code, out, err = online(trio["node1"], "system", name=as_nobody)
    assert (code, out) == (1, "")
    assert err.startswith("Failed to read the status: ")
    assert err.endswith(OFFLINE.format("the system"))


def test_a_node_that_is_offline(pair: Fleet) -> None:
    one, two = pair["node1"], pair["node2"]
    two.systemctl("stop", AGENT_UNIT)
    wait_for_status(one, "degraded")
    assert online(one, "node", "node2") == (1, "", OFFLINE.format("node2"))
    assert online(one, "system") == (1, "", OFFLINE.format("the system"))
    assert online(one, "node", "node1") == (0, "", "")
    assert online(two, "agent") == (1, "", NOT_RUNNING.format("the agent"))
    for more in (("--monitor",), ("--wait", "100")):
        assert online(one, "node", "node2", *more) == (1, "", OFFLINE.format("node2"))


@pytest.mark.parametrize("words", [("node", "node2"), ("system",)])
def test_it_waits_for_a_node(pair: Fleet, words: tuple[str, ...]) -> None:
    one, two = pair["node1"], pair["node2"]
    two.systemctl("stop", AGENT_UNIT)
    wait_for_status(one, "degraded")
    check = Watching(one, *words, "--wait", "20000").listens()
    two.systemctl("start", AGENT_UNIT)
    assert check.ended() == (0, "")


def test_it_waits_for_a_manager(pair: Fleet) -> None:
    one = pair["node1"]
    one.systemctl("stop", MANAGER_UNIT)
    check = Watching(one, "system", "--wait", "20000").listens()
    one.systemctl("start", MANAGER_UNIT)
    assert check.ended() == (0, "")


@pytest.mark.parametrize("signal", ["TERM", "KILL"])
@pytest.mark.parametrize(
    ("words", "where", "unit", "who"),
    [
        (("agent",), "node2", AGENT_UNIT, "the agent"),
        (("node", "node2"), "node1", AGENT_UNIT, "node2"),
        (("system",), "node1", MANAGER_UNIT, "the system"),
    ],
    ids=["agent", "node", "system"],
)
def test_it_notices_the_end(
    pair: Fleet, words: tuple[str, ...], where: str, unit: str, who: str, signal: str
) -> None:
    """A daemon that stops says so; one that crashes does not, but its name disappears."""
    check = Watching(pair[where], *words, "--monitor").listens()
    ends = pair["node2"] if unit == AGENT_UNIT else pair["node1"]
    ends.systemctl("kill", f"--signal={signal}", unit)
    code, err = check.ended()
    assert code == 1
    # It may have heard already that the one who told is gone as well.
    gone = "the manager" if unit == MANAGER_UNIT else who
    assert err in (OFFLINE.format(who), NOT_RUNNING.format(gone))


@pytest.mark.parametrize("signal", ["INT", "TERM"])
def test_it_can_be_told_to_stop(pair: Fleet, signal: str) -> None:
    one = pair["node1"]
    check = Watching(one, "system", "--monitor").listens()
    one.systemctl("kill", f"--signal={signal}", "check.service")
    assert check.ended() == (0, "")


@pytest.mark.parametrize("patient", [True, False])
def test_an_agent_changes_the_manager(pair: Fleet, patient: bool) -> None:
    two = pair["node2"]
    words = ("--switch-timeout", "20000") if patient else ()
    check = Watching(two, "agent", "--monitor", *words).listens()
    with Bus(two.bus_address) as bus:
        agent, interface = f"{NAME}.Agent", f"{NAME}.Agent"
        bus.call(
            agent,
            ROOT,
            interface,
            "SwitchManager",
            "s",
            f"tcp:host={pair['node1'].ip},port=842,x=y",
        )
        bus.wait_for_property(agent, ROOT, interface, "Status", lambda is_: is_ == "online")
    if patient:
        assert check.process.poll() is None
        two.systemctl("stop", AGENT_UNIT)
    code, err = check.ended()
    assert code == 1
    assert err in (OFFLINE.format("the agent"), NOT_RUNNING.format("the agent"))


def test_the_compatible_program(pair: Fleet) -> None:
    one, two = pair["node1"], pair["node2"]
    configure_manager(one, ["node1", "node2"], BusNames="both")
    one.systemctl("restart", MANAGER_UNIT)
    wait_for_status(one, "up")
    for node in (one, two):
        node.run(["ln", "-s", "hirte", "/usr/bin/bluechi-is-online"])
    name = "bluechi-is-online"
    assert online(one, "node", "node2", name=name) == (0, "", "")
    assert online(one, "system", name=name) == (0, "", "")
    assert online(two, "system", name=name) == (1, "", "org.eclipse.bluechi is offline\n")
    assert online(one, "version", name=name) == (0, f"{name} version {hirte.__version__}\n", "")
    assert online(one, "frob", name=name)[0] == 1
