"""Tell every change of a unit's state, on one node or on all of them.

usage: monitor_unit.py NODE UNIT     (either may be '*')
"""

from __future__ import annotations

import sys

from hirte.client import UnitRemoved, UnitStateChanged, connect


def main(node: str, unit: str) -> None:
    """Print a line per change, until the manager goes away or somebody presses Ctrl-C."""
    with connect() as manager, manager.create_monitor() as monitor:
        monitor.subscribe(node, unit)
        print("watching", flush=True)
        for event in monitor:
            if isinstance(event, UnitStateChanged):
                print(event.node, event.unit, event.active_state, event.substate, flush=True)
            elif isinstance(event, UnitRemoved):
                print(event.node, event.unit, "unloaded", flush=True)


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit("usage: monitor_unit.py NODE UNIT")
    try:
        main(*sys.argv[1:])
    except KeyboardInterrupt:
        pass
