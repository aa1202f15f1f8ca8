"""hirte ctl and the manager's comings and goings: under which name, and through itself."""

from __future__ import annotations

import pytest

from tests.bed import Fleet, Node
from tests.bed.product import MANAGER_UNIT, configure, configure_manager, deploy
from tests.fleet.mixed import be_bluechi

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
