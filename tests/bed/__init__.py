"""The test bed: fleets of real systemd machines ("nodes") on one Linux host, in a second.

    with Fleet() as fleet:
        one, two = fleet.boot("node1", "node2")
        print(one.run(["systemctl", "is-system-running"]).stdout)

`fleet.py` is the side of the tests, `keeper.py` the process that owns a fleet and clears it away,
`machine.py` what a node is made of, `bus.py` a client for the nodes' system buses, `product.py`
puts hirte on nodes, `demo.py` is `make run`.

Needs root, cgroup2 that may be written, overlayfs, systemd, dbus-daemon, ip, nsenter, setpriv and
tar.
"""

from tests.bed.fleet import BedError, CommandFailed, Fleet, Node

__all__ = ["BedError", "CommandFailed", "Fleet", "Node"]
