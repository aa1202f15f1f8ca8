"""Run the unit and property tests under the oldest and the newest Python of this machine.

Looked for on PATH and among pyenv's versions. Each gets a virtual environment of its own with the
pinned test requirements. The version that .venv has is left out: `make unit property` covers it.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

from preflight import OLDEST_PYTHON

ROOT = Path(__file__).resolve().parent.parent
PINS = ROOT / "requirements" / "test.txt"
RESULTS = ROOT / "build" / "results" / "pythons"

NAME = re.compile(r"python3(\.\d+)?")

# Only a final release that can make virtual environments is of use.
PROBE = """\
import ensurepip, os, sys, venv
print(*sys.version_info[:2], sys.version_info.releaselevel, os.path.realpath(sys.executable))
"""
PROBE_SECONDS = 30


class Interpreter(NamedTuple):
    """A Python that runs."""

    version: tuple[int, int]
    path: str

    def __str__(self) -> str:
        return "{}.{}".format(*self.version)


def candidates() -> list[Path]:
    """Return everything here that is called like a Python 3, in the order of PATH."""
    places = [Path(place) for place in os.get_exec_path()]
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    places += sorted(pyenv.glob("versions/*/bin"))
    found = []
    for place in dict.fromkeys(places):
        if place.is_dir():
            found += [path for path in sorted(place.iterdir()) if NAME.fullmatch(path.name)]
    return found


def probe(path: Path) -> Interpreter | None:
    """Return the interpreter at `path`; None, with a line that says so, if it is of no use."""
    try:
        done = subprocess.run(
            [path, "-I", "-c", PROBE], capture_output=True, text=True, timeout=PROBE_SECONDS
        )
    except (OSError, subprocess.TimeoutExpired) as problem:
        print(f"left out: {path}: {problem}")
        return None
    if done.returncode:
        words = (done.stderr.strip() or f"exit code {done.returncode}").splitlines()
        print(f"left out: {path}: {words[-1] if 'Traceback' in words[0] else words[0]}")
        return None
    major, minor, level, real = done.stdout.strip().split(" ", 3)
    if level != "final":
        print(f"left out: {path}: {major}.{minor} is not released yet")
        return None
    return Interpreter((int(major), int(minor)), real)


def interpreters() -> list[Interpreter]:
    """Return one interpreter for each supported version here, from the oldest to the newest."""
    found: dict[tuple[int, int], Interpreter] = {}
    for path in candidates():
        interpreter = probe(path)
        if interpreter is not None and interpreter.version >= OLDEST_PYTHON:
            found.setdefault(interpreter.version, interpreter)
    return [found[version] for version in sorted(found)]


def environment(interpreter: Interpreter) -> Path:
    """Return the Python of the interpreter's virtual environment, made anew for new pins."""
    place = ROOT / f".venv-{interpreter}"
    mark = hashlib.sha256(interpreter.path.encode() + PINS.read_bytes()).hexdigest()[:16]
    stamp = place / f"made-for-{mark}"
    python = place / "bin" / "python"
    if not stamp.exists():
        print(f"setting up {place.name}", flush=True)
        shutil.rmtree(place, ignore_errors=True)
        subprocess.run([interpreter.path, "-m", "venv", place], check=True)
        pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, "--no-deps", "--require-hashes", "-r", str(PINS)], check=True)
        stamp.touch()
    return python


def run_tests(interpreter: Interpreter) -> bool:
    """Run the tests under `interpreter`; return whether they passed."""
    print(f"--- Python {interpreter}: {interpreter.path}", flush=True)
    try:
        python = environment(interpreter)
    except subprocess.CalledProcessError as problem:
        print(f"cannot set up: {problem}")
        return False
    done = subprocess.run(
        [
            str(python), "-m", "pytest", "--quiet", "--numprocesses=auto", "--maxprocesses=8",
            f"--junitxml={RESULTS}/{interpreter}.xml", "tests/unit", "tests/property",
        ],
        cwd=ROOT,
    )
    return done.returncode == 0


def main() -> int:
    """Test under the oldest and the newest; return the exit code."""
    found = interpreters()
    print(f"found: Python {', '.join(map(str, found))}; .venv has {sys.version.split()[0]}")
    ends = dict.fromkeys(found[:1] + found[-1:])
    chosen = [one for one in ends if one.version != sys.version_info[:2]]
    if not chosen:
        print("neither is older or newer than .venv's Python")
    results = [run_tests(one) for one in chosen]
    return 0 if all(results) else 1


if __name__ == "__main__":
    raise SystemExit(main())
