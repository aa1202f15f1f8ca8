"""hirte ctl and the manager's comings and goings: under which name, and through itself."""

from __future__ import annotations

import pytest

from tests.bed import Fleet, Node
from tests.bed.bus import Bus
from tests.bed.product import (
    AGENT_UNIT,
    MANAGER,
    MANAGER_UNIT,
    configure,
    configure_manager,
    deploy,
)
from tests.fleet.mixed import be_bluechi
from tests.hints import GOES_ON

CONTROLLER_UNIT = "bluechi-controller.service"
WAIT_UP = "until hirte ctl list-units node1 >/dev/null 2>&1; do sleep 0.1; done"
AS_NOBODY = ("setpriv", "--reuid=65534", "--clear-groups")


def ctl(node: Node, *words: str, under: tuple[str, ...] = ()) -> tuple[int, str, str]:
    """Run the tool on `node`; return its exit code, stdout and stderr."""
    done = node.run([*under, "hirte", "ctl", *words], check=False)
    return done.returncode, done.stdout, done.stderr


# Under BlueChi's name only


@pytest.mark.parametrize("how", ["a setting", "another program"])
def test_a_manager_that_goes_by_bluechis_name(fleet: Fleet, how: str) -> None:
    (one,) = deploy(fleet, "node1")
    if how == "a setting":
        configure_manager(one, ["node1"], BusNames="compatible")
        one.systemctl("restart", MANAGER_UNIT)
        is_bound = "/run/hirte/private"
    else:
        one.systemctl("stop", MANAGER_UNIT)
        be_bluechi(one, "bluechi-controller")
        allowed = {"AllowedNodeNames": "node1"}
        configure(one, "/etc/bluechi/controller.conf", "bluechi-controller", allowed)
        one.systemctl("start", CONTROLLER_UNIT)
        is_bound = "/run/bluechi/private"
    one.run(["sh", "-c", WAIT_UP])
    assert ctl(one, "restart", "node1", "systemd-tmpfiles-clean")[0] == 0
    code, out, err = ctl(one, "status", "node1", "hirte-agent.service", "--no-legend", "--plain")
    assert (code, out.split()[3:5], err) == (0, ["active", "running"], "")
    assert ctl(one, "start", "node1", "no-such")[0] == 4
    assert ctl(one, "start", "node2", "x")[0] == 4
    # Over the bus as well, once there is no other way.
    one.run(["rm", is_bound])
    assert ctl(one, "is-active", "node1", "hirte-agent.service") == (0, "active\n", "")
    code, out, err = ctl(one, "status", under=AS_NOBODY)
    assert (code, out) == (6, "")
    assert err == "hirte ctl: not permitted: the system bus refuses it; try as root\n"


# Through itself


def restarts(node: Node, unit: str = MANAGER_UNIT) -> tuple[str, str]:
    """The process of the manager, or of another unit, and the invocation of the unit."""
    names = ("MainPID", "InvocationID")
    shown = node.systemctl("show", unit, "--property", ",".join(names)).stdout
    told = dict(line.split("=", 1) for line in shown.splitlines())
    return told["MainPID"], told["InvocationID"]


@pytest.mark.parametrize("way", ["private", "bus"])
def test_a_manager_that_restarts_itself(fleet: Fleet, way: str) -> None:
    """Who wins is chance: the end of the manager, or its answer that the job has begun."""
    one, _ = deploy(fleet, "node1", "node2")
    for _ in range(3):
        if way == "bus":
            one.run(["rm", "/run/hirte/private"])
        before = restarts(one)
        code, out, err = ctl(one, "restart", "node1", "hirte.service")
        assert (code, out) == (0, "node1 hirte.service restart: done\n")
        assert err in (
            "hirte ctl: the manager stopped before it answered; waiting for it to come back\n",
            "hirte ctl: the manager stopped while the job ran; waiting for it to come back\n",
        )
        assert restarts(one) != before
        # Its nodes are back as well.
        assert ctl(one, "daemon-reload", "--all-nodes")[0] == 0


def test_a_manager_that_does_not_start_again(fleet: Fleet) -> None:
    (one,) = deploy(fleet, "node1")
    one.write("/etc/hirte/hirte.conf", "[hirte]\nManagerPort=nonsense\n")
    argv = ("restart", "node1", "hirte.service", "--timeout", "2")
    code, out, err = ctl(one, *argv)
    assert (code, out) == (124, "")
    assert err.endswith(
        f"hirte ctl: not done within 2 s; the restart of hirte.service on node1 goes on\n{GOES_ON}"
    )


def test_a_manager_that_stops_itself(fleet: Fleet) -> None:
    (one,) = deploy(fleet, "node1")
    assert ctl(one, "stop", "node1", "hirte.service") == (
        0,
        "node1 hirte.service stop: the manager is away\n",
        "hirte ctl: the manager went away, as was asked, and cannot tell how its stop ended;"
        " see `systemctl status hirte.service` on node1\n",
    )
    assert one.systemctl("is-active", MANAGER_UNIT, check=False).stdout == "inactive\n"


def test_an_agent_that_restarts_and_stops_itself(fleet: Fleet) -> None:
    one, two = deploy(fleet, "node1", "node2")
    for _ in range(3):
        before = restarts(two, AGENT_UNIT)
        assert ctl(one, "restart", "node2", AGENT_UNIT) == (
            0,
            f"node2 {AGENT_UNIT} restart: done\n",
            "hirte ctl: node2 was lost while the job ran; waiting for it to come back\n",
        )
        assert restarts(two, AGENT_UNIT) != before
        assert ctl(one, "is-active", "node2", AGENT_UNIT) == (0, "active\n", "")
    assert ctl(one, "stop", "node2", AGENT_UNIT) == (
        0,
        f"node2 {AGENT_UNIT} stop: the agent is away\n",
        "hirte ctl: the agent went away, as was asked, and cannot tell how its stop ended;"
        f" see `systemctl status {AGENT_UNIT}` on node2\n",
    )
    assert two.systemctl("is-active", AGENT_UNIT, check=False).stdout == "inactive\n"


def test_a_manager_and_an_agent_that_restart_together(fleet: Fleet) -> None:
    one, _ = deploy(fleet, "node1", "node2")
    before = [restarts(one), restarts(one, AGENT_UNIT)]
    code, out, err = ctl(one, "restart", "node1", "hirte*.service")
    assert (code, sorted(out.splitlines())) == (
        0,
        ["node1 hirte-agent.service restart: done", "node1 hirte.service restart: done"],
    ), err
    after = [restarts(one), restarts(one, AGENT_UNIT)]
    assert all(then != now for then, now in zip(before, after))


def test_a_job_goes_on_while_its_agent_restarts(fleet: Fleet) -> None:
    one, two = deploy(fleet, "node1", "node2")
    wait = "ExecStart=/bin/sh -c 'until test -e /run/go; do sleep 0.1; done'"
    two.units({"long.service": f"[Service]\nType=oneshot\nRemainAfterExit=yes\n{wait}\n"})
    with Bus(one.bus_address) as bus, bus.listen(interface=MANAGER, member="JobNew") as jobs:
        tool = one.popen(["hirte", "ctl", "start", "node2", "long"])
        jobs.next()
    two.systemctl("restart", AGENT_UNIT)
    assert tool.stderr.readline() == (
        "hirte ctl: node2 was lost while the job ran; waiting for it to come back\n"
    )
    two.write("/run/go", "")
    out, err = tool.communicate(timeout=30)
    assert (tool.returncode, out, err) == (0, "node2 long.service start: done\n", "")
