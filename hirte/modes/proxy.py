"""`hirte proxy`: asks the agent for a proxy of a unit of another node; systemd calls it."""

from __future__ import annotations

from hirte.proxy.main import run

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence


def main(argv: Sequence[str], program: str) -> int:
    """Do what the command line says; return the exit code."""
    return run(argv, program)
