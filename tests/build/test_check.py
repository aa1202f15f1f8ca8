"""The check runner tells the truth: every stage runs, every failure counts, nothing is left."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import check
import preflight
import pytest
from check import Outcome, Stage, Totals

PACKAGING = Path(check.__file__).resolve().parent

JUNIT = '<testsuites><testsuite tests="7" failures="1" errors="1" skipped="2"/></testsuites>'


@pytest.fixture
def stages(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Let the runner work in a directory of its own; leave the signal handlers as they were."""
    monkeypatch.setattr(check.signal, "signal", lambda number, handler: None)
    monkeypatch.setattr(check, "RESULTS", tmp_path)
    return tmp_path


def shell(name: str, script: str, **more: tuple[str, ...]) -> Stage:
    """Return a stage that runs `script`."""
    return Stage(name, ("sh", "-c", script), **more)


def test_all_stages_run_and_the_last_line_sums_up(
    stages: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    suite = f"echo '{JUNIT}' > {stages}/suite/results.xml; exit 1"
    table = (shell("first", "exit 3"), shell("suite", suite), shell("last", "echo seen"))
    monkeypatch.setattr(check, "STAGES", table)
    assert check.main([]) == 1
    lines = capfd.readouterr().out.splitlines()
    assert "seen" in lines
    assert lines[-1] == "3 passed, 3 failed, 2 skipped"
    told = [line.split()[:2] for line in lines[-5:-2]]
    assert told == [["first", "FAILED"], ["suite", "FAILED"], ["last", "ok"]]


def test_success_is_exit_code_0(
    stages: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(check, "STAGES", (shell("only", "true"),))
    assert check.main(["only"]) == 0
    assert capfd.readouterr().out.splitlines()[-1] == "0 passed, 0 failed"


def test_results_of_an_earlier_run_do_not_count(
    stages: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    (stages / "crash").mkdir()
    (stages / "crash" / "old.xml").write_text(JUNIT)
    monkeypatch.setattr(check, "STAGES", (shell("crash", "kill -9 $$"),))
    assert check.main([]) == 1
    assert capfd.readouterr().out.splitlines()[-1] == "0 passed, 1 failed"


def test_a_stage_that_finds_no_tests_has_failed(stages: Path, tmp_path: Path) -> None:
    (tmp_path / "none").mkdir()
    outcome = check.run_stage(Stage("none", tests=(str(tmp_path / "none"),)), check.Runner())
    assert (outcome.ok, outcome.totals) == (False, Totals(failed=1))


def test_what_is_missing_is_named_and_is_a_failure(
    stages: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    gap = preflight.Condition("moon", "a rocket", lambda: False, "to get there", "saturn", "v")
    monkeypatch.setattr(preflight, "CONDITIONS", (gap,))
    outcome = check.run_stage(shell("trip", "echo launched", needs=("moon",)), check.Runner())
    assert not outcome.ok
    said = capfd.readouterr().out
    assert "missing: a rocket (to get there)" in said
    assert "launched" not in said


def test_a_hung_stage_is_ended_with_all_its_processes(
    stages: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(check, "STAGE_SECONDS", 0.2)
    monkeypatch.setattr(check, "GRACE_SECONDS", 0.2)
    deaf = f"trap '' INT; echo $$ > {stages}/pid; sleep 1000 & echo $! >> {stages}/pid; wait"
    outcome = check.run_stage(shell("deaf", deaf), check.Runner())
    assert not outcome.ok
    assert "no end after 0.2 s" in capfd.readouterr().out
    shell_pid, sleeper = (stages / "pid").read_text().split()
    assert not Path(f"/proc/{shell_pid}").exists()
    assert not alive(sleeper)


def alive(pid: str) -> bool:
    """Return whether the process runs; it may still wait to be reaped by its new parent."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_lets_the_stage_tear_down_and_skips_the_rest(
    tmp_path: Path, number: signal.Signals
) -> None:
    """In a process of its own: the stage says when it runs, gets the signal once, tidies up."""
    stage = (
        "import signal, sys\n"
        "def torn(number, frame): print('torn down', flush=True); sys.exit(0)\n"
        "for n in (signal.SIGINT, signal.SIGTERM): signal.signal(n, torn)\n"
        "print('running', flush=True)\n"
        "signal.pause()\n"
    )
    program = (
        f"import sys, pathlib; sys.path.insert(0, {str(PACKAGING)!r}); import check\n"
        f"check.RESULTS = pathlib.Path({str(tmp_path)!r})\n"
        f"check.STAGES = (check.Stage('one', (sys.executable, '-c', {stage!r})),\n"
        "    check.Stage('two', ('echo', 'went on')))\n"
        "sys.exit(check.main([]))\n"
    )
    child = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    with child.stdout as lines:
        while lines.readline() != "running\n":
            assert child.poll() is None
        os.kill(child.pid, number)
        rest = lines.read()
    assert child.wait() == 128 + number
    assert rest.startswith(f"torn down\nended by {number.name}\n")
    assert "went on" not in rest


def test_unknown_stage(capsys: pytest.CaptureFixture[str]) -> None:
    assert check.main(["unit", "nonsense"]) == 2
    assert "no such stage: nonsense" in capsys.readouterr().err


def test_summary_leaves_zero_skipped_out() -> None:
    done = [Outcome("unit", True, 1.04, Totals(5)), Outcome("lint", True, 0.26, Totals())]
    assert check.summary(done) == (
        "\nunit      ok         1.0 s  5 passed, 0 failed\nlint      ok         0.3 s\n"
        "\n5 passed, 0 failed"
    )
