"""Whole outputs of hirte ctl on a real fleet: in a pipe, and on terminals of 80 and 200 columns.

What it should print stands in golden/VIEW/CASE.txt: every command, what it prints and its exit
code, with ESC as `^[`. `make golden` writes the files anew from what is printed now; read the
difference before you commit it. What is different each time has a name of the same width there.
"""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

import pytest

from hirte.ctl.exits import BROKEN_PIPE, INTERRUPTED, MEANINGS
from tests.bed import Fleet, Node
from tests.bed.product import AGENT_UNIT, wait_for_status
from tests.fleet.terminal import Terminal

GOLDEN = Path(__file__).parent / "golden"
# How many columns; 0 is a pipe.
VIEWS = {"pipe": 0, "80-columns": 80, "200-columns": 200}

LONG = "navigation-map-tile-prefetch-and-cache-warm-up-for-the-western-hemisphere.service"
UNITS = {
    "fine.service": "[Service]\nExecStart=/usr/bin/sleep infinity\n",
    "known.service": "[Service]\nExecStart=/usr/bin/true\n[Install]\nWantedBy=multi-user.target\n",
    "bad.service": "[Service]\nType=oneshot\nExecStart=/usr/bin/false\n",
    "held.service": "[Service]\nType=oneshot\nExecStart=/usr/bin/sleep infinity\n",
    LONG: "[Service]\nType=oneshot\nExecStart=/usr/bin/false\n",
}
NOBODY = "setpriv --reuid=65534 --clear-groups"

# Case -> commands, in this order; those of `offline` with the agent of node2 stopped.
CASES = {
    "jobs": (
        "hirte ctl start node3 fine",
        "hirte ctl start node3 bad",
        f"hirte ctl start node3 {LONG}",
        "hirte ctl reload node3 known",
        "hirte ctl restart node3 fine --wait-active",
        "hirte ctl restart node2,node3 fine --dry-run",
        "hirte ctl start -q node3 bad",
        "hirte ctl start --timeout 0.1 node3 held",
        "hirte ctl jobs",
        "hirte ctl stop node3 held",
        "hirte ctl reset-failed node3 held",
    ),
    "many": ("hirte ctl start node2,node3 fine bad none",),
    "fleet": ("hirte ctl", "hirte ctl fleet --no-legend"),
    "status": (
        "hirte ctl status",
        "hirte ctl status node2",
        "hirte ctl status node3 fine bad known none",
        f"hirte ctl status node2,node3 {LONG}",
        f"hirte ctl status node3 {LONG} --full",
    ),
    "nodes": ("hirte ctl nodes", "hirte ctl nodes node1,node3 --plain"),
    "units": (
        "hirte ctl list-units --filter 'hirte-*'",
        "hirte ctl list-units node3 --filter 'nav*.service'",
        "hirte ctl list-units node3 --filter 'nav*.service' -l --no-legend",
        "hirte ctl list-units node3 --failed",
        "hirte ctl list-units node3 --filter navigation",
        "hirte ctl list-unit-files node3 --filter 'nav*'",
        "hirte ctl list-unit-files node2,node3 --filter 'known*'",
    ),
    "questions": (
        "hirte ctl is-active node3 fine",
        "hirte ctl is-active node2,node3 fine bad",
        "hirte ctl is-enabled node3 known",
        "hirte ctl show node3 fine -p Id,ActiveState,Type,CanStart,WatchdogUSec",
        "hirte ctl show node3 fine -p ActiveSate",
        "hirte ctl show node3 fine -p MemoryMax,CPUWeight,ReloadResult",
    ),
    "errors": (
        "hirte ctl strat node3 fine",
        "hirte ctl status --fliter x",
        "hirte ctl start node3",
        "hirte ctl start noed3 fine",
        "hirte ctl start node9 fine",
        "hirte ctl start node3 none",
        "hirte ctl status node3 none",
        "hirte ctl stop node3 'none*'",
        "hirte ctl is-enabled node3 none",
        "hirte ctl cancel 99999",
        "hirte ctl restart --all node3 fine",
        "hirte ctl restart --all-nodes node3 fine",
        "hirte ctl status fine.service",
        "hirte ctl start node9 fine --dry-run",
        "hirte ctl start node3 fine --timeout",
        "hirte ctl set-property node3 nosuch CPUWeight=50",
        "hirte ctl set-property node3 fine CPUWieght=50",
        f"{NOBODY} hirte ctl status",
    ),
    "offline": (
        "hirte ctl",
        "hirte ctl status node2",
        "hirte ctl start node2 fine",
        "hirte ctl status node2 fine bad",
        "hirte ctl list-units --filter 'hirte-*'",
    ),
    "help": (
        "hirte ctl help",
        "hirte ctl help start",
        "hirte ctl help monitor",
        "hirte ctl help strat",
    ),
}
# Whose lines come in any order: they are sorted.
SORTED = ("many",)
_STDERR = "--- stderr\n"
VARIABLE = {
    # The number of a job, which is not wider than its title.
    re.compile(r"^\d[\d ]{4}(?=node)", re.MULTILINE): "N    ",
    re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3}[+-]\d{4}"): "YYYY-MM-DD hh:mm:ss,mmm+zzzz",
}


@pytest.fixture(scope="module")
def at_work(trio: Fleet) -> Fleet:
    """A fleet whose node2 and node3 have the units; one of them runs, others have failed."""
    for name in ("node2", "node3"):
        trio[name].units(UNITS)
        trio[name].systemctl("start", "fine.service", "bad.service", check=False)
    trio["node3"].systemctl("start", LONG, check=False)
    return trio


@contextmanager
def offline(fleet: Fleet, name: str) -> Iterator[None]:
    """For a while the agent of this node is stopped."""
    fleet[name].systemctl("stop", AGENT_UNIT)
    wait_for_status(fleet["node1"], "degraded")
    yield
    fleet[name].systemctl("start", AGENT_UNIT)
    wait_for_status(fleet["node1"], "up")


def printed(node: Node, argv: list[str], columns: int, is_sorted: bool) -> str:
    """Return what a command prints, and its exit code."""
    if columns:
        with Terminal(node, argv, columns) as terminal:
            code = terminal.end()
        out, err = terminal.written, ""
    else:
        done = node.run(argv, check=False)
        code, out, err = done.returncode, done.stdout, done.stderr
    if is_sorted:
        out, err = ("".join(sorted(text.splitlines(keepends=True))) for text in (out, err))
    return f"{out}{err and _STDERR}{err}--- exit code {code}\n"


def comparable(text: str) -> str:
    """Return the text as it stands in a file: without what is different each time."""
    text = text.replace("\r\n", "\n").replace("\x1b", "^[")
    for pattern, name in VARIABLE.items():
        text = pattern.sub(name, text)
    return text


@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize("case", CASES)
def test_what_it_prints(at_work: Fleet, case: str, view: str) -> None:
    shown = []
    with offline(at_work, "node2") if case == "offline" else nullcontext():
        for command in CASES[case]:
            argv = shlex.split(command)
            text = printed(at_work["node1"], argv, VIEWS[view], case in SORTED)
            shown.append(f"$ {command}\n{comparable(text)}")
    path = GOLDEN / view / f"{case}.txt"
    if os.environ.get("GOLDEN") == "write":
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("\n".join(shown))
    assert "\n".join(shown) == path.read_text()


def test_every_exit_code_is_provoked() -> None:
    """Those that somebody at the terminal, or at the other end of the pipe, provokes are not here.

    They are in test_ctl_terminal.
    """
    files = GOLDEN.glob("*/*.txt")
    codes = {
        int(code) for path in files for code in re.findall(r"exit code (\d+)", path.read_text())
    }
    assert codes == set(MEANINGS) - {INTERRUPTED, BROKEN_PIPE}
