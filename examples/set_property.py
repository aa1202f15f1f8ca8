"""Give a running unit less or more of the processors, until its node is booted again.

usage: set_property.py NODE UNIT WEIGHT     (1 to 10000; 100 is usual)
"""

from __future__ import annotations

import sys

from hirte.client import connect


def main(node: str, unit: str, weight: str) -> None:
    """Set the unit's CPUWeight, and print what its systemd says it is now."""
    with connect() as manager:
        place = manager.node(node)
        # systemd tells the type of each property in org.freedesktop.systemd1(5).
        place.set_unit_properties(unit, {"CPUWeight": ("t", int(weight))}, runtime=True)
        interface = "org.freedesktop.systemd1.Service"
        print(unit, "CPUWeight", place.get_unit_property(unit, "CPUWeight", interface))


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit("usage: set_property.py NODE UNIT WEIGHT")
    main(*sys.argv[1:])
