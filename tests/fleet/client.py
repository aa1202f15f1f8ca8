"""Programs that use the client library, run on a node as a user would run them."""

from __future__ import annotations

from contextlib import contextmanager

from tests.bed.product import EXAMPLES, LIBRARY

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from subprocess import Popen

    from tests.bed import Node

_RUN = ["/usr/bin/env", f"PYTHONPATH={LIBRARY}", "/usr/bin/python3", "-B"]
_IMPORTS = "import select, sys, time\nfrom hirte.client import *\n"


def script(text: str, *words: str) -> list[str]:
    """Return the command for a program that has the library imported."""
    return [*_RUN, "-c", _IMPORTS + text, *words]


def example(name: str, *words: str) -> list[str]:
    """Return the command for one of the examples."""
    return [*_RUN, f"{EXAMPLES}/{name}.py", *words]


@contextmanager
def running(node: Node, command: list[str]) -> Iterator[Popen[str]]:
    """A program that runs on `node`; what it prints is read with `line`."""
    program = node.popen(command)
    try:
        yield program
    finally:
        program.kill()
        program.communicate()


def line(program: Popen[str]) -> str:
    """Return the next line that the program prints, or how it ended."""
    if program.stdout is None or program.stderr is None:
        raise ValueError("the program has no pipes")
    text = program.stdout.readline()
    return text.rstrip("\n") if text else f"ended: {program.stderr.read()}"
