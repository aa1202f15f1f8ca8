"""Starts programs inside a node and tells when: without the cost of entering the node.

A small process stays in the node and takes orders. Its clock is CLOCK_MONOTONIC, which all
processes of one kernel share.
"""

from __future__ import annotations

import json
import subprocess

from bench.client import CallFailed
from tests.bed import Node

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

PYTHON = "/usr/bin/python3"
BARE = (PYTHON, "-I", "-S", "-c", "pass")

# Orders are lines of JSON: a program to start, or null for the end of the one started last; and
# whether to wait for its end.
_CODE = """
import json, os, signal, sys, time
null = os.open("/dev/null", os.O_RDWR)
streams = [(os.POSIX_SPAWN_DUP2, null, fd) for fd in (0, 1, 2)]
pid = 0
for line in sys.stdin:
    argv, wait = json.loads(line)
    begin = time.monotonic()
    if argv is None:
        os.kill(pid, signal.SIGTERM)
    else:
        pid = os.posix_spawn(argv[0], argv, os.environ, file_actions=streams)
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) if wait else 0
    print(json.dumps([begin, time.monotonic(), pid, code]), flush=True)
"""


class Launcher:
    """Starts one program at a time in `node`. A context manager."""

    def __init__(self, node: Node) -> None:
        command = [PYTHON, "-I", "-S", "-c", _CODE]
        self._process = node.popen(command, stdin=subprocess.PIPE)

    def __enter__(self) -> Launcher:
        return self

    def __exit__(self, *reason: object) -> None:
        # Reads no more orders, so it ends.
        self._process.communicate()

    def time_run(self, argv: Sequence[str]) -> float:
        """Run a program to its end; return the seconds. Raises CallFailed when it fails."""
        begin, end, _, code = self._order(list(argv), wait=True)
        if code:
            raise CallFailed(f"{' '.join(argv)}: exit code {code}")
        return float(end - begin)

    def start(self, argv: Sequence[str]) -> tuple[float, int]:
        """Start a program; return when that was, and its PID in the node."""
        begin, _, pid, _ = self._order(list(argv), wait=False)
        return float(begin), int(pid)

    def stop(self) -> None:
        """End the program that was started last with SIGTERM, and wait for it."""
        self._order(None, wait=True)

    def _order(self, argv: list[str] | None, wait: bool) -> Any:
        orders, answers = self._process.stdin, self._process.stdout
        if orders is None or answers is None:
            raise CallFailed("the launcher has no pipes")
        orders.write(json.dumps([argv, wait]) + "\n")
        orders.flush()
        answer = answers.readline()
        if not answer:
            raise CallFailed(f"the launcher ended: {self._process.communicate()[1]}")
        return json.loads(answer)
