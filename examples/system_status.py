"""Wait until all nodes are online.

usage: system_status.py [SECONDS]
"""

from __future__ import annotations

import sys
from time import monotonic

from hirte.client import ManagerStatus, Timeout, connect


def main(seconds: str = "30") -> int:
    """Print the status of the system whenever it changes; return 0 as soon as it is `up`."""
    deadline = monotonic() + float(seconds)
    with connect(wait=float(seconds)) as manager, manager.watch_status() as events:
        while True:
            try:
                event = events.next(timeout=max(0.0, deadline - monotonic()))
            except Timeout:
                return 1
            if isinstance(event, ManagerStatus):
                print(event.status, flush=True)
                if event.status == "up":
                    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
