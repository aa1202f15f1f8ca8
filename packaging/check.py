"""Run the checks, all of them or those named, and sum up.

    packaging/check.py [STAGE...]

Every stage runs, also after another has failed. The last line of a full run is

    N passed, N failed[, N skipped]

over the tests of all stages. A stage that fails without a failed test (a linter, a crash, a time
limit, something missing on this machine) counts as one failed. The exit code is 0 only if no stage
failed. SIGINT and SIGTERM are passed on to the running stage, once, so that it can tear down what
it has set up; then the rest is left out.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import FrameType
from typing import NamedTuple
from xml.etree import ElementTree

import preflight

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "build" / "results"

PYTHON = sys.executable

# For a hung test: far more than any stage takes on a slow machine.
STAGE_SECONDS = 1800
# What a stage gets to tear down its nodes after it was told to end.
GRACE_SECONDS = 60

EXIT_USAGE = 2


class Stage(NamedTuple):
    """One step: a command, or a directory of tests; `needs` are preflight's."""

    name: str
    command: tuple[str, ...] = ()
    tests: tuple[str, ...] = ()
    parallel: bool = False
    needs: tuple[str, ...] = ()


STAGES = (
    Stage("lint", (PYTHON, "-m", "ruff", "check", "--quiet", ".")),
    Stage("types", (PYTHON, "-m", "mypy", "--no-error-summary")),
    Stage("unit", tests=("tests/unit",), parallel=True),
    Stage("property", tests=("tests/property",), parallel=True),
    Stage("sim", tests=("tests/sim",)),
    Stage("zipapp", ("make", "--no-print-directory", "zipapp")),
    Stage("build", tests=("tests/build",), needs=("build",)),
    Stage("foreign", tests=("tests/foreign",), needs=("fleet", "foreign")),
    # One at a time: nodes that boot beside each other would measure each other's load.
    Stage("fleet", tests=("tests/fleet",), needs=("fleet", "foreign")),
    Stage("pythons", (PYTHON, "packaging/pythons.py")),
)


class Totals(NamedTuple):
    """Numbers of tests."""

    passed: int = 0
    failed: int = 0
    skipped: int = 0

    def plus(self, other: Totals) -> Totals:
        """Return the sum of both."""
        return Totals(*(mine + its for mine, its in zip(self, other)))

    def __str__(self) -> str:
        text = f"{self.passed} passed, {self.failed} failed"
        return f"{text}, {self.skipped} skipped" if self.skipped else text


class Outcome(NamedTuple):
    """How a stage went."""

    stage: str
    ok: bool
    seconds: float
    totals: Totals


class Runner:
    """Runs one command after the other; passes on the signals that ask us to end."""

    def __init__(self) -> None:
        self.child: subprocess.Popen[bytes] | None = None
        self.ended_by: int | None = None
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self.pass_on)

    def pass_on(self, number: int, frame: FrameType | None) -> None:
        """Ask the running command to end, at the first signal only."""
        if self.ended_by is None:
            self.ended_by = number
            if self.child is not None:
                self.child.send_signal(number)

    def run(self, command: list[str]) -> int:
        """Run `command` to its end, or to the time limit's; return its exit code."""
        # In a session of its own, or a terminal would send it Ctrl-C as well, a second time.
        self.child = subprocess.Popen(command, cwd=ROOT, start_new_session=True)
        if self.ended_by is not None:
            self.child.send_signal(self.ended_by)
        try:
            return self.child.wait(STAGE_SECONDS)
        except subprocess.TimeoutExpired:
            print(f"no end after {STAGE_SECONDS} s: {' '.join(command)}", flush=True)
            self.child.send_signal(signal.SIGINT)
            return self.end()
        finally:
            self.child = None

    def end(self) -> int:
        """Wait for the command to tear down; kill it when it does not. Return a failure."""
        child = self.child
        if child is not None:
            try:
                child.wait(GRACE_SECONDS)
            except subprocess.TimeoutExpired:
                os.killpg(child.pid, signal.SIGKILL)
                child.wait()
        return 1


def results_of(stage: str) -> Path:
    """Return the directory of the stage's JUnit files, emptied."""
    place = RESULTS / stage
    place.mkdir(parents=True, exist_ok=True)
    for old in place.glob("*.xml"):
        old.unlink()
    return place


def totals_of(place: Path) -> Totals:
    """Return the sum over all JUnit files in `place`."""
    total = Totals()
    for path in sorted(place.glob("*.xml")):
        for suite in ElementTree.parse(path).getroot().iter("testsuite"):
            count = {key: int(suite.get(key, "0")) for key in ("failures", "errors", "skipped")}
            failed = count["failures"] + count["errors"]
            passed = int(suite.get("tests", "0")) - failed - count["skipped"]
            total = total.plus(Totals(passed, failed, count["skipped"]))
    return total


def pytest_command(stage: Stage, place: Path) -> list[str]:
    """Return the command that runs the stage's tests and leaves their results in `place`."""
    command = [PYTHON, "-m", "pytest", "--quiet", f"--junitxml={place}/results.xml"]
    if stage.parallel:
        command += ["--numprocesses=auto", "--maxprocesses=8"]
    return [*command, *stage.tests]


def run_stage(stage: Stage, runner: Runner) -> Outcome:
    """Run one stage and count its tests."""
    print(f"--- {stage.name}", flush=True)
    started = time.monotonic()
    place = results_of(stage.name)
    gaps = preflight.missing(stage.needs)
    if gaps:
        print(preflight.report(gaps), flush=True)
        ok = False
    else:
        command = pytest_command(stage, place) if stage.tests else list(stage.command)
        ok = runner.run(command) == 0
    totals = totals_of(place)
    if not ok and not totals.failed:
        totals = totals.plus(Totals(failed=1))
    return Outcome(stage.name, ok, time.monotonic() - started, totals)


def summary(outcomes: list[Outcome]) -> str:
    """Return the table of stages; its last line is the sum of all tests."""
    lines = [""]
    total = Totals()
    for outcome in outcomes:
        word = "ok" if outcome.ok else "FAILED"
        tests = str(outcome.totals) if any(outcome.totals) else ""
        lines.append(f"{outcome.stage:9} {word:6} {outcome.seconds:7.1f} s  {tests}".rstrip())
        total = total.plus(outcome.totals)
    return "\n".join([*lines, "", str(total)])


def main(names: list[str]) -> int:
    """Run the stages `names`, or all of them; return the exit code."""
    table = {stage.name: stage for stage in STAGES}
    unknown = [name for name in names if name not in table]
    if unknown:
        print(f"check: no such stage: {' '.join(unknown)}; {' '.join(table)}", file=sys.stderr)
        return EXIT_USAGE
    runner = Runner()
    outcomes: list[Outcome] = []
    for name in names or table:
        outcomes.append(run_stage(table[name], runner))
        if runner.ended_by is not None:
            print(f"ended by {signal.Signals(runner.ended_by).name}", flush=True)
            break
    print(summary(outcomes), flush=True)
    if runner.ended_by is not None:
        return 128 + runner.ended_by
    return 0 if all(outcome.ok for outcome in outcomes) else 1


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
