"""Say what this machine lacks for a job, and the command that installs it.

    python3 packaging/preflight.py [--packages] NEED...      (venv, build, fleet, foreign)

With --packages it only prints the names of the packages that are missing, for whoever installs.

Rules of this file: it installs nothing, it names everything that is missing at once, and it is
one table. It runs before the virtual environment exists, under whatever `python3` is, so it uses
the standard library only and no syntax younger than Python 3.7.
"""

from __future__ import annotations

import ctypes.util
import importlib.util
import os
import shutil
import sys
from collections.abc import Iterable
from typing import Callable, NamedTuple

OLDEST_PYTHON = (3, 9)

EXIT_MISSING = 1


class Condition(NamedTuple):
    """One thing that has to be there; Debian's and Fedora's packages of it, or else a sentence."""

    need: str
    name: str
    holds: Callable[[], bool]
    why: str
    debian: str = ""
    fedora: str = ""
    remedy: str = ""


def program(name: str) -> Callable[[], bool]:
    """Return the question whether `name` can be found, also where only root looks."""
    path = os.environ.get("PATH", os.defpath) + ":/usr/sbin:/sbin"
    return lambda: shutil.which(name, path=path) is not None


def file(path: str) -> Callable[[], bool]:
    """Return the question whether `path` exists and is executable."""
    return lambda: os.access(path, os.X_OK)


def module(name: str) -> Callable[[], bool]:
    """Return the question whether this Python has the module `name`."""
    return lambda: importlib.util.find_spec(name) is not None


def library(name: str) -> Callable[[], bool]:
    """Return the question whether a shared library `lib<name>.so` is installed."""
    return lambda: ctypes.util.find_library(name) is not None


def python_is_supported() -> bool:
    """Return whether the running Python is not too old for hirte."""
    return sys.version_info >= OLDEST_PYTHON


def is_root() -> bool:
    """Return whether we may make namespaces, mounts and cgroups."""
    return os.geteuid() == 0


def has_overlayfs() -> bool:
    """Return whether the kernel has overlayfs, or the module is there to be loaded."""
    with open("/proc/filesystems", encoding="ascii") as lines:
        if any(line.split()[-1] == "overlay" for line in lines):
            return True
    try:
        dependencies = f"/lib/modules/{os.uname().release}/modules.dep"
        with open(dependencies, encoding="ascii") as modules:
            return any("/overlay.ko" in line for line in modules)
    except FileNotFoundError:
        return False


def has_cgroup2() -> bool:
    """Return whether a cgroup2 tree is mounted in which root can make groups."""
    with open("/proc/self/mounts", encoding="utf-8") as mounts:
        for line in mounts:
            _, _, kind, options = line.split()[:4]
            if kind == "cgroup2" and "rw" in options.split(","):
                return True
    return False


def has_namespaces() -> bool:
    """Return whether the kernel has every kind of namespace that a node lives in."""
    kinds = ("pid", "mnt", "uts", "ipc", "net", "cgroup")
    return all(os.path.exists("/proc/self/ns/" + kind) for kind in kinds)


CONDITIONS = (
    Condition(
        "venv", "Python >= {}.{}".format(*OLDEST_PYTHON), python_is_supported,
        "hirte is written in it",
        remedy="put a younger python3 first on PATH",
    ),
    Condition(
        "venv", "python3's ensurepip and venv", module("ensurepip"),
        "the development tools live in .venv",
        debian="python3-venv", fedora="python3",
    ),
    Condition(
        "fleet", "root", is_root,
        "nodes are made of namespaces, mounts and cgroups",
        remedy="run it as root: sudo make ...",
    ),
    Condition(
        "fleet", "namespaces (pid, mnt, uts, ipc, net, cgroup)", has_namespaces,
        "each node lives in its own",
        remedy="use a kernel with CONFIG_NAMESPACES and all kinds of it",
    ),
    Condition(
        "fleet", "a writable cgroup2 tree", has_cgroup2,
        "each node's systemd needs one",
        remedy="mkdir -p /sys/fs/cgroup/unified"
        " && mount -t cgroup2 none /sys/fs/cgroup/unified;"
        " in a container: start it privileged",
    ),
    Condition(
        "fleet", "overlayfs", has_overlayfs,
        "each node's root lies over this machine's",
        remedy="modprobe overlay, or a kernel with CONFIG_OVERLAY_FS",
    ),
    Condition(
        "fleet", "systemd", file("/lib/systemd/systemd"),
        "it is each node's init",
        debian="systemd", fedora="systemd",
    ),
    Condition(
        "fleet", "/usr/bin/python3", file("/usr/bin/python3"),
        "nodes run hirte with it",
        debian="python3", fedora="python3",
    ),
    Condition(
        "fleet", "dbus-daemon", program("dbus-daemon"),
        "it is each node's system bus",
        debian="dbus", fedora="dbus-daemon",
    ),
    Condition(
        "fleet", "ip", program("ip"),
        "the nodes' network is made with it",
        debian="iproute2", fedora="iproute",
    ),
    Condition(
        "fleet", "nsenter", program("nsenter"),
        "nodes are entered with it",
        debian="util-linux", fedora="util-linux",
    ),
    Condition(
        "fleet", "setpriv", program("setpriv"),
        "what runs in a node ends with the test",
        debian="util-linux", fedora="util-linux",
    ),
    Condition(
        "fleet", "tar", program("tar"),
        "files are put on nodes with it",
        debian="tar", fedora="tar",
    ),
    Condition(
        "fleet", "bash", program("bash"),
        "it completes the words of hirte",
        debian="bash", fedora="bash",
    ),
    Condition(
        "fleet", "zsh", program("zsh"),
        "it completes the words of hirte",
        debian="zsh", fedora="zsh",
    ),
    Condition(
        "fleet", "fish", program("fish"),
        "it completes the words of hirte",
        debian="fish", fedora="fish",
    ),
    Condition(
        "build", "unshare", program("unshare"),
        "the one file is tried on a read-only root",
        debian="util-linux", fedora="util-linux",
    ),
    Condition(
        "build", "groff", program("groff"),
        "the manual pages must be clean",
        debian="groff-base", fedora="groff-base",
    ),
    Condition(
        "build", "lexgrog", program("lexgrog"),
        "apropos must find the manual pages",
        debian="man-db", fedora="man-db",
    ),
    Condition(
        "foreign", "busctl", program("busctl"),
        "it calls hirte's public interface as a foreign client",
        debian="systemd", fedora="systemd",
    ),
    Condition(
        "foreign", "gdbus", program("gdbus"),
        "it calls hirte's public interface as a foreign client",
        debian="libglib2.0-bin", fedora="glib2",
    ),
    Condition(
        "foreign", "dbus-daemon", program("dbus-daemon"),
        "it is the bus between hirte and foreign peers",
        debian="dbus", fedora="dbus-daemon",
    ),
    Condition(
        "foreign", "libsystemd", library("systemd"),
        "the reference implementation speaks D-Bus with it",
        debian="libsystemd0", fedora="systemd-libs",
    ),
)


def missing(needs: Iterable[str]) -> list[Condition]:
    """Return the conditions of `needs` that do not hold, in the order of the table."""
    wanted = set(needs)
    return [row for row in CONDITIONS if row.need in wanted and not row.holds()]


def is_fedora() -> bool:
    """Return whether this machine's packages are Fedora's."""
    return os.path.exists("/etc/fedora-release") or os.path.exists("/etc/redhat-release")


def packages(gaps: Iterable[Condition]) -> str:
    """Return the names of the packages that close the gaps, each once."""
    fedora = is_fedora()
    # A dictionary drops the doubles and keeps the order.
    names = dict.fromkeys(row.fedora if fedora else row.debian for row in gaps)
    return " ".join(name for name in names if name)


def report(gaps: Iterable[Condition]) -> str:
    """Return the text that names each gap, why it matters, and how to close them all."""
    gaps = list(gaps)
    lines = [f"missing: {row.name} ({row.why})" for row in gaps]
    names = packages(gaps)
    if names:
        install = "dnf install" if is_fedora() else "apt-get install"
        lines.append(f"install with: {install} {names}")
    lines.extend(f"{row.name}: {row.remedy}" for row in gaps if row.remedy)
    return "\n".join(lines)


def main(argv: list[str]) -> int:
    """Check what is needed; print what is missing on stderr. Return the exit code."""
    needs = [word for word in argv if word != "--packages"]
    unknown = sorted(set(needs) - {row.need for row in CONDITIONS})
    if unknown or not needs:
        print(f"preflight: unknown need: {' '.join(unknown) or 'none given'}", file=sys.stderr)
        return 2
    gaps = missing(needs)
    if needs != argv:
        print(packages(gaps))
        return 0
    if gaps:
        print(report(gaps), file=sys.stderr)
        return EXIT_MISSING
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
