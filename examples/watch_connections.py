"""Tell whenever a node comes or goes, from a loop of our own, whatever happens to the manager.

usage: watch_connections.py
"""

from __future__ import annotations

import select

from hirte.client import Manager, ManagerAway, NodeStatus, connect

# Seconds to wait for a manager that is being restarted.
PATIENCE = 60


def watch(manager: Manager) -> None:
    """Print the status of all nodes, and every change, until the manager goes away."""
    manager.watch_status()
    poll = select.poll()
    # A program with other work to do adds its own descriptors here.
    poll.register(manager, select.POLLIN)
    while True:
        poll.poll()
        for event in manager.process():
            if isinstance(event, NodeStatus):
                print(event.node, event.status, flush=True)


def main() -> None:
    """Watch one manager after the other."""
    while True:
        with connect(wait=PATIENCE) as manager:
            try:
                watch(manager)
            except ManagerAway as error:
                print(error, flush=True)


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        pass
