"""Build the one file: wheel -> shiv -> the finished archive.

    packaging/onefile.py --python /usr/bin/python3 --output dist/hirte

shiv collects hirte's wheel and what it depends on into one archive. Its start-up code would unpack
that archive into a cache in the home directory and run whatever lies there already: slow, and a way
into a service that runs as root. All that we ship is pure Python, so this program finishes the
archive differently. The rules of the finished file:

- Python imports from `<file>/site-packages`, straight from the archive; nothing is ever unpacked.
- Stored, not deflated, and with byte code beside each source: zipimport looks for `m.pyc`, then
  `m.py`. The byte code serves the interpreter it was made by, the source all others; it is marked
  as not to be compared with the source (PEP 552), so no time stamp matters.
- The same sources, pins and interpreter give the same bytes, wherever and by whomever it is built.
- The first line isolates the interpreter (-I: no environment, no current directory, -S: no
  site-packages) and starts our code by -c: that spares the 8 ms and 0.9 MB which Python's own way
  to run an archive (`__main__.py` by runpy) costs. `python3 dist/hirte` takes that way and works.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

SOURCES = ("setup.cfg", "pyproject.toml", "README.md", "LICENSE", "hirte")
PINS = ROOT / "requirements" / "run.txt"
WHEELS = ROOT / "build" / "wheels"

ENTRY = "hirte.main:run"
START = "import sys;del sys.argv[0];sys.path[:0]=sys.argv[:1];import boot;boot.run()"

# Older kernels than 5.1 read no more than this of a first line, the others twice as much.
SHEBANG_MAX = 127

# The modules of the archive's root, and the program that compiles for the chosen interpreter.
ROOT_SOURCES = ROOT / "packaging" / "archive"
BYTECODE = ROOT / "packaging" / "bytecode.py"

# The oldest time that a zip archive can tell.
EPOCH = (1980, 1, 1, 0, 0, 0)
EPOCH_SECONDS = "315532800"


class BuildError(Exception):
    """The file cannot be built; the text says why."""


def run(*command: str, given: str = "", **environ: str) -> None:
    """Run `command`; raise BuildError with all that it said if it fails."""
    done = subprocess.run(
        command,
        input=given,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env={**os.environ, **environ},
    )
    if done.returncode:
        raise BuildError(f"{' '.join(command)}: exit code {done.returncode}\n{done.stdout}")


def pip(*arguments: str) -> None:
    """Run the virtual environment's pip, quietly."""
    run(sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", *arguments)


def build_wheel(work: Path) -> Path:
    """Build hirte's wheel from a copy of the sources, so that the clone stays clean."""
    copy = work / "source"
    copy.mkdir()
    for name in SOURCES:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / name, copy / name)
    pip("wheel", "--no-index", "--no-deps", "--no-build-isolation", "-w", str(work), str(copy))
    (wheel,) = work.glob("hirte-*.whl")
    return wheel


def dependencies() -> list[Path]:
    """Return the wheels that the pins name; they are fetched once."""
    cache = WHEELS / hashlib.sha256(PINS.read_bytes()).hexdigest()[:16]
    if not cache.is_dir():
        WHEELS.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=WHEELS) as fresh:
            pip("wheel", "--require-hashes", "--no-deps", "-w", f"{fresh}/wheels", "-r", str(PINS))
            os.replace(f"{fresh}/wheels", cache)
    return sorted(cache.glob("*.whl"))


def collect(work: Path) -> Path:
    """Let shiv put the wheels together; return its archive."""
    wheels = [build_wheel(work), *dependencies()]
    archive = work / "shiv.pyz"
    run(
        sys.executable, "-m", "shiv.cli", "--no-deps", "--no-index", "--reproducible",
        "--entry-point", ENTRY, "--output-file", str(archive), *map(str, wheels),
        SOURCE_DATE_EPOCH=EPOCH_SECONDS,
    )
    return archive


def is_shipped(name: str) -> bool:
    """Return whether shiv's archive member `name` belongs into the finished file."""
    top, *parts = name.split("/")
    if top != "site-packages" or "tests" in parts:
        return False
    licence = ".dist-info/" in name and parts[-1].startswith(("LICENSE", "COPYING"))
    return licence or parts[-1].endswith(".py")


def compiled(sources: dict[str, bytes], python: str, work: Path) -> dict[str, bytes]:
    """Return the byte code that the interpreter `python` makes of `sources`, by file name."""
    top = work / "compile"
    for name, source in sources.items():
        (top / name).parent.mkdir(parents=True, exist_ok=True)
        (top / name).write_bytes(source)
    names = sorted(sources)
    # Without a fixed seed the order of a set constant would differ each time.
    run(
        python, "-sSB", "-X", "no_debug_ranges", str(BYTECODE), str(top),
        given="\n".join(names), PYTHONHASHSEED="0",
    )  # fmt: skip
    return {name + "c": (top / (name + "c")).read_bytes() for name in names}


def shebang(python: str) -> bytes:
    """Return the first line; raise BuildError if a kernel could not read all of it."""
    line = f"#!{python} -ISc{START}"
    if len(line) > SHEBANG_MAX:
        room = SHEBANG_MAX - len(line) + len(python)
        raise BuildError(f"path of the interpreter is longer than {room} bytes: {python}")
    return line.encode() + b"\n"


def members_of(archive: Path) -> dict[str, bytes]:
    """Return what the finished file shall hold of shiv's archive, and the modules of its root."""
    with zipfile.ZipFile(archive) as shivs:
        members = {name: shivs.read(name) for name in shivs.namelist() if is_shipped(name)}
    return {**members, **{path.name: path.read_bytes() for path in ROOT_SOURCES.glob("*.py")}}


def archived(members: dict[str, bytes], first_line: bytes) -> bytes:
    """Return the archive of `members`, in the order of their names, behind the first line."""
    file = io.BytesIO()
    file.write(first_line)
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted(members):
            entry = zipfile.ZipInfo(name, EPOCH)
            entry.create_system = 3
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, members[name])
    return file.getvalue()


def write(output: Path, data: bytes) -> None:
    """Write the executable `output`, whole or not at all."""
    output.parent.mkdir(parents=True, exist_ok=True)
    fresh = output.with_name(f".{output.name}.{os.getpid()}")
    try:
        fresh.write_bytes(data)
        fresh.chmod(0o755)
        fresh.replace(output)
    finally:
        fresh.unlink(missing_ok=True)


def build(python: str, output: Path) -> None:
    """Build the one file `output`, to be run and compiled by the interpreter `python`."""
    if not os.path.isabs(python):
        raise BuildError(f"not an absolute path: {python}")
    first_line = shebang(python)
    with tempfile.TemporaryDirectory(prefix="hirte-build-") as name:
        work = Path(name)
        members = members_of(collect(work))
        sources = {name: data for name, data in members.items() if name.endswith(".py")}
        code = compiled(sources, python, work)
    write(output, archived({**members, **code}, first_line))


def main() -> int:
    """Build as the command line says; return the exit code."""
    parser = argparse.ArgumentParser(description="Build the one file.")
    parser.add_argument("--python", required=True, help="absolute path of the interpreter")
    parser.add_argument("--output", required=True, type=Path)
    options = parser.parse_args()
    try:
        build(options.python, options.output)
    except (BuildError, OSError) as problem:
        print(f"onefile: {problem}", file=sys.stderr)
        return 1
    size = options.output.stat().st_size
    print(f"built {options.output} ({size // 1024} KiB) for {options.python}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
