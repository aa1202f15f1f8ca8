"""Start a unit on a node, and wait for the end of the job.

usage: start_and_wait.py NODE UNIT
"""

from __future__ import annotations

import sys

from hirte.client import CallError, Timeout, connect


def main(node: str, unit: str) -> int:
    """Print how the job ended; return 0 if it did what it should."""
    with connect() as manager:
        try:
            result = manager.node(node).start_unit(unit).wait(timeout=60)
        except (CallError, Timeout) as error:
            # The node is unknown or offline, the unit is unknown, or it takes too long.
            print(error)
            return 1
        print(unit, result)
        return 0 if result == "done" else 1


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit("usage: start_and_wait.py NODE UNIT")
    sys.exit(main(*sys.argv[1:]))
