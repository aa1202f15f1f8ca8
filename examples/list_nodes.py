"""List the nodes and the services that run on them.

usage: list_nodes.py
"""

from __future__ import annotations

from hirte.client import connect


def main() -> None:
    """Print a line per node, and under it a line per service that runs."""
    with connect() as manager:
        units = manager.list_units()
        for node in manager.list_nodes():
            print(node.name, node.status, node.ip)
            for unit in units.get(node.name, []):
                if unit.name.endswith(".service") and unit.sub == "running":
                    print("   ", unit.name, unit.description)


if __name__ == "__main__":
    main()
