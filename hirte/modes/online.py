"""`hirte online`: tells by its exit code whether an agent, a node or the whole system is online."""

from __future__ import annotations

from hirte.online.main import run

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence


def main(argv: Sequence[str], program: str) -> int:
    """Do what the command line says; return the exit code."""
    return run(argv, program)
