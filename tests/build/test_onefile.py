"""The one file: the same bytes from everywhere, runs anywhere, and runs nobody else's code."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from pythons import interpreters

import hirte
from hirte.main import MODES

ROOT = Path(__file__).resolve().parent.parent.parent
SYSTEM_PYTHON = "/usr/bin/python3"
VERSION = f"hirte version {hirte.__version__}\n"

# The last are the dependencies as fetched: no build here needs the network again.
BUILT_FROM = (
    "hirte", "packaging", "requirements", "setup.cfg", "pyproject.toml", "README.md", "LICENSE",
    "build/wheels",
)  # fmt: skip


def build(root: Path, output: Path, python: str = SYSTEM_PYTHON, **environ: str) -> str:
    """Build the file from the clone at `root`; return what the build said on failure, or ""."""
    done = subprocess.run(
        [sys.executable, "packaging/onefile.py", "--python", python, "--output", str(output)],
        cwd=root,
        env={**os.environ, **environ},
        capture_output=True,
        text=True,
    )
    assert (done.returncode == 0) == (done.stderr == ""), done.stderr
    return done.stderr


def run(*argv: object, **environ: str) -> subprocess.CompletedProcess[str]:
    """Run a command with nothing in its environment but `environ`."""
    return subprocess.run(
        [str(word) for word in argv], capture_output=True, text=True, cwd="/", env=environ
    )


def copy(source: Path, target: Path) -> None:
    """Copy all that a build needs, without times and modes."""
    for name in BUILT_FROM:
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        if (source / name).is_dir():
            shutil.copytree(source / name, target / name, copy_function=shutil.copyfile)
        else:
            shutil.copyfile(source / name, target / name)


@pytest.fixture(scope="session")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Take a copy of this clone: whoever goes on editing here does not disturb the tests."""
    place = tmp_path_factory.mktemp("clone")
    copy(ROOT, place)
    return place


@pytest.fixture(scope="session")
def file(clone: Path) -> Path:
    """Build the file."""
    output = clone / "dist" / "hirte"
    assert build(clone, output) == ""
    return output


@pytest.fixture(scope="session")
def archive(file: Path) -> dict[str, bytes]:
    """Read all members of the file."""
    with zipfile.ZipFile(file) as members:
        return {name: members.read(name) for name in members.namelist()}


def test_the_same_bytes_from_another_directory(clone: Path, file: Path, tmp_path: Path) -> None:
    """Neither place, umask, home, hash seed, time zone nor the files' times and modes matter."""
    other = tmp_path / "some where else"
    copy(clone, other)
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    elsewhere = {"HOME": str(scratch), "TMPDIR": str(scratch), "PYTHONHASHSEED": "4711"}
    old = os.umask(0o077)
    try:
        assert build(other, other / "dist" / "hirte", TZ="Asia/Tokyo", **elsewhere) == ""
    finally:
        os.umask(old)
    assert (other / "dist" / "hirte").read_bytes() == file.read_bytes()
    assert list(scratch.glob("hirte-build-*")) == []


def test_it_holds_every_module_and_nothing_else(clone: Path, archive: dict[str, bytes]) -> None:
    ours = {str(path.relative_to(clone)) for path in (clone / "hirte").rglob("*.py")}
    sources = {name for name in archive if name.endswith(".py")}
    byte_code = {name for name in archive if name.endswith(".pyc")}
    rest = set(archive) - sources - byte_code
    assert {f"site-packages/{name}" for name in ours} <= sources
    theirs = {n for n in sources if n.removeprefix("site-packages/") not in ours}
    assert {n for n in theirs if not n.startswith("site-packages/jeepney/")} == {
        "__main__.py",
        "boot.py",
    }
    assert byte_code == {f"{name}c" for name in sources}
    assert [name for name in archive if "test" in name or "bin/" in name] == []
    assert {name.rpartition("/")[2] for name in rest} == {"LICENSE"}


def test_it_is_stored_and_timeless(file: Path) -> None:
    with zipfile.ZipFile(file) as members:
        entries = members.infolist()
    assert {entry.compress_type for entry in entries} == {zipfile.ZIP_STORED}
    assert {entry.date_time for entry in entries} == {(1980, 1, 1, 0, 0, 0)}
    assert {entry.external_attr >> 16 for entry in entries} == {0o644}
    names = [entry.filename for entry in entries]
    assert names == sorted(names)


def test_byte_code_is_for_its_interpreter_and_never_stale(archive: dict[str, bytes]) -> None:
    code = "import importlib.util; print(importlib.util.MAGIC_NUMBER.hex())"
    magic = bytes.fromhex(run(SYSTEM_PYTHON, "-c", code).stdout)
    for name, data in archive.items():
        if name.endswith(".pyc"):
            # PEP 552: the flags say "by hash of the source, and do not look".
            assert data[:8] == magic + b"\1\0\0\0", name


def test_it_does_not_tell_where_it_was_built(clone: Path, file: Path) -> None:
    data = file.read_bytes()
    for place in (str(clone), "hirte-build-", str(Path.home()), sys.prefix):
        assert place.encode() not in data


@pytest.mark.parametrize("way", [[], [SYSTEM_PYTHON], [sys.executable, "-I"]], ids=len)
def test_it_starts_without_a_home_and_writes_nothing(
    file: Path, tmp_path: Path, way: list[str]
) -> None:
    done = run(*way, file, "version")
    assert (done.returncode, done.stdout, done.stderr) == (0, VERSION, "")
    homes = {name: str(tmp_path) for name in ("HOME", "TMPDIR", "XDG_CACHE_HOME", "SHIV_ROOT")}
    assert run(*way, file, "version", **homes).stdout == VERSION
    assert list(tmp_path.iterdir()) == []
    assert os.listdir(file.parent) == [file.name]


@pytest.mark.parametrize("python", [one.path for one in interpreters()])
def test_it_runs_under_every_python_here(file: Path, python: str) -> None:
    assert run(python, file, "version").stdout == VERSION
    done = run(python, file, "nonsense")
    assert done.returncode == 2
    assert "unknown mode 'nonsense'" in done.stderr


@pytest.fixture
def shadows(tmp_path: Path) -> Path:
    """Make a directory of modules that have the names of ours, the library's and jeepney's."""
    place = tmp_path / "shadows"
    place.mkdir()
    for name in ("hirte", "jeepney", "boot", "sitecustomize", "usercustomize", "struct"):
        (place / f"{name}.py").write_text(f"raise SystemExit('{name} of somebody else')\n")
    return place


def test_nobody_elses_code_runs(file: Path, shadows: Path) -> None:
    """By its first line it takes no notice of the environment and the current directory."""
    hostile = {"PYTHONPATH": str(shadows), "PYTHONSTARTUP": str(shadows / "boot.py")}
    hostile |= {"SHIV_ENTRY_POINT": "boot:run", "SHIV_INTERPRETER": "/bin/false"}
    done = subprocess.run(
        [str(file), "version"], capture_output=True, text=True, cwd=shadows, env=hostile
    )
    assert (done.stdout, done.stderr) == (VERSION, "")


def test_ours_comes_first_when_given_to_an_interpreter(file: Path, shadows: Path) -> None:
    """There the environment is the caller's choice, but what we ship is not replaced by it."""
    (shadows / "sitecustomize.py").unlink()
    (shadows / "usercustomize.py").unlink()
    (shadows / "struct.py").unlink()
    done = subprocess.run(
        [SYSTEM_PYTHON, str(file), "version"],
        capture_output=True,
        text=True,
        cwd=shadows,
        env={"PYTHONPATH": str(shadows)},
    )
    assert (done.stdout, done.stderr) == (VERSION, "")


def test_jeepney_comes_from_the_file(file: Path) -> None:
    code = (
        "import sys; sys.path.insert(0, sys.argv[1] + '/site-packages');"
        " import jeepney.io.blocking; print(jeepney.__file__)"
    )
    done = run(SYSTEM_PYTHON, "-IS", "-c", code, file)
    assert done.stdout == f"{file}/site-packages/jeepney/__init__.pyc\n"


@pytest.mark.parametrize("mode", ["manager", "agent"])
def test_a_link_chooses_the_mode(file: Path, tmp_path: Path, mode: str) -> None:
    link = tmp_path / f"hirte-{mode}"
    link.symlink_to(file)
    by_link, by_word = run(link, "--version"), run(file, mode, "--version")
    assert by_link.stdout == f"hirte-{mode} version {hirte.__version__}\n"
    assert by_word.stdout == f"hirte {mode} version {hirte.__version__}\n"
    assert (by_link.returncode, by_word.returncode) == (0, 0)


def test_a_link_works_by_path_search_and_relative(file: Path, tmp_path: Path) -> None:
    (tmp_path / "hirtectl").symlink_to(file)
    found = subprocess.run(
        ["hirtectl", "help"], capture_output=True, env={"PATH": str(tmp_path)}, cwd="/"
    )
    relative = subprocess.run(["./hirtectl", "help"], capture_output=True, env={}, cwd=tmp_path)
    assert (found.returncode, found.stderr) == (0, b"")
    assert (relative.returncode, relative.stdout) == (0, found.stdout)


@pytest.mark.parametrize("mode", MODES)
def test_every_mode_is_in_the_file(file: Path, mode: str) -> None:
    done = run(file, mode, "--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert f"hirte {mode}" in done.stdout


@pytest.mark.parametrize(
    ("python", "complaint"),
    [
        ("python3", "onefile: not an absolute path: python3\n"),
        ("/nowhere/python3", "onefile: [Errno 2] No such file or directory: '/nowhere/python3'\n"),
        ("/" + 60 * "x", "onefile: path of the interpreter is longer than 45 bytes: /" + 60 * "x"),
        ("/bin/false", "/bin/false -sSB"),
    ],
    ids=["relative", "missing", "too long", "no Python"],
)
def test_a_build_that_fails_says_why_and_leaves_the_old_file(
    tmp_path: Path, python: str, complaint: str
) -> None:
    (tmp_path / "hirte").write_text("the old one")
    assert complaint in build(ROOT, tmp_path / "hirte", python)
    assert (tmp_path / "hirte").read_text() == "the old one"
    assert os.listdir(tmp_path) == ["hirte"]


@pytest.mark.skipif(os.geteuid() != 0, reason="makes a read-only root, as root only")
def test_it_runs_on_a_read_only_root(file: Path, tmp_path: Path) -> None:
    """Nothing at all can be written: no cache, no temporary file, and it runs as nobody."""
    (tmp_path / "root").mkdir()
    public = tmp_path / "public"
    public.mkdir(mode=0o755)
    shutil.copy(file, public)
    script = (
        "set -e; cd $0; mount --bind / root; mount --bind $1 root/mnt;"
        " mount -o remount,bind,ro root/mnt; mount -t proc none root/proc;"
        " mount -o remount,bind,ro root;"
        " exec chroot --userspec=65534:65534 root /mnt/hirte version"
    )
    done = run(
        "unshare", "--mount", "--pid", "--fork", "sh", "-c", script, tmp_path, public,
        PATH=os.environ["PATH"],
    )  # fmt: skip
    assert (done.stdout, done.stderr) == (VERSION, "")
