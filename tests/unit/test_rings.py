"""The rings: imports point inwards only, and the daemons import little.

Read from the sources, so that an import within a function counts for the rings as well: late is
cheap, but it is still knowledge.
"""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent

# Ring -> what it may know of ours, beside itself. "" is the top level: hirte and hirte.main.
RINGS: dict[str, set[str]] = {
    "": {"complete"},
    "wire": set(),
    "api": {"wire"},
    "dbus": {"wire", "api"},
    "settings": set(),
    "manager": {"wire", "api", "dbus", "settings"},
    "agent": {"wire", "api", "dbus", "settings"},
    "runtime": {"wire", "dbus"},
    "client": {"wire", "api"},
    "ctl": {"api", "client"},
    "online": {"wire", "api", "client"},
    "proxy": {"api", "client"},
    "complete": {"settings", "client", "ctl", "online", "proxy"},
    "modes": {
        "wire", "api", "dbus", "settings", "manager", "agent", "runtime", "client", "ctl", "online",
        "proxy",
    },
}

# What runs as a daemon, where an import is memory for ever.
DAEMON = ("wire", "api", "dbus", "settings", "manager", "agent", "runtime")

# Module level only; each costs 0.6 MB and more. `_socket` and `_signal` do what the daemons need.
HEAVY = {
    "argparse", "asyncio", "collections", "configparser", "contextlib", "dataclasses", "datetime",
    "difflib", "enum", "functools", "hashlib", "inspect", "ipaddress", "jeepney", "json",
    "logging", "pathlib", "random", "re", "shlex", "shutil", "signal", "socket", "ssl", "string",
    "subprocess", "tempfile", "textwrap", "threading", "traceback", "typing", "urllib", "uuid",
    "xml",
}  # fmt: skip

# Modules that may load heavy ones, because they are loaded late themselves, within a function, when
# there is what the table says.
LATE = {
    "hirte.settings.command_line": "a command line",
    "hirte.manager.openmetrics": "a socket for metrics",
    "hirte.manager.latency": "a socket for metrics",
    "hirte.runtime.http": "a socket for metrics",
}

# The decisions never touch the world, or the simulator could not stand in for it. The protocol
# rings neither.
WORLD = {
    "_random", "_signal", "_socket", "asyncio", "datetime", "fcntl", "io", "multiprocessing", "os",
    "posix", "random", "secrets", "select", "selectors", "signal", "socket", "ssl", "subprocess",
    "tempfile", "threading", "time", "uuid",
}  # fmt: skip
WORLDLESS = ("wire", "api", "dbus", "manager", "agent")

# What runs with the standard library and jeepney alone, and where jeepney is welcome at all.
JEEPNEY = ("client", "online", "proxy")


class Import(NamedTuple):
    """One import: of what module, where, and whether it takes effect as the module is loaded."""

    module: str
    line: int
    at_load: bool
    for_types: bool


def imports_of(source: str, package: str) -> list[Import]:
    """Return all imports of a module whose text is `source` and that lies in `package`."""
    found: list[Import] = []

    def absolute(node: ast.ImportFrom) -> list[str]:
        base = node.module or ""
        if node.level:
            above = package.split(".")[: len(package.split(".")) - node.level + 1]
            base = ".".join([*above, *filter(None, [base])])
        # `from hirte import wire` names a module as well.
        return [f"{base}.{name.name}" for name in node.names]

    def visit(node: ast.AST, at_load: bool, for_types: bool) -> None:
        if isinstance(node, ast.Import):
            found.extend(Import(n.name, node.lineno, at_load, for_types) for n in node.names)
        elif isinstance(node, ast.ImportFrom):
            found.extend(Import(n, node.lineno, at_load, for_types) for n in absolute(node))
        elif isinstance(node, ast.Call) and getattr(node.func, "id", "") == "__import__":
            named = node.args[0]
            if isinstance(named, ast.Constant):
                found.append(Import(str(named.value), node.lineno, at_load, for_types))
        if isinstance(node, ast.If) and getattr(node.test, "id", "") == "TYPE_CHECKING":
            for child in node.body:
                visit(child, False, True)
            for child in node.orelse:
                visit(child, at_load, for_types)
            return
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
            at_load = False
        for child in ast.iter_child_nodes(node):
            visit(child, at_load, for_types)

    visit(ast.parse(source), True, False)
    return found


def ring_of(module: str) -> str:
    """Return the ring of a module of ours: `hirte.wire.sasl` -> `wire`."""
    parts = module.split(".")
    return parts[1] if len(parts) > 1 and parts[1] in RINGS else ""


def is_late(module: str) -> bool:
    """Return whether `module`, or what it is imported from, is loaded late."""
    return module in LATE or module.rpartition(".")[0] in LATE


def faults_of(source: str, ring: str, package: str, late: bool = False) -> list[str]:
    """Return what is wrong with the imports of a module of `ring`, a line of text each."""
    found = []
    for module, line, at_load, for_types in imports_of(source, package):
        top = module.split(".")[0]
        at_load = at_load and not late
        if top == "hirte":
            other = ring_of(module)
            if other not in (ring, "", *RINGS[ring]):
                found.append(f"line {line}: {ring or 'hirte'} must not know {other}")
            if is_late(module) and at_load:
                found.append(f"line {line}: {module} is for late use; import it where it is used")
        elif for_types:
            continue
        elif ring in WORLDLESS and top in WORLD:
            found.append(f"line {line}: {ring} must not touch the world: {top}")
        elif ring in DAEMON and top in HEAVY and at_load:
            found.append(f"line {line}: {top} is heavy; import it where it is used")
        elif top == "jeepney" and ring not in JEEPNEY:
            found.append(f"line {line}: jeepney has no place in {ring}")
    return found


def modules() -> list[Path]:
    """Return every source below hirte/."""
    return sorted((ROOT / "hirte").rglob("*.py"))


def where(path: Path) -> tuple[str, str]:
    """Return the ring and the package of the source at `path`."""
    package = ".".join(path.relative_to(ROOT).parent.parts)
    return ring_of(package), package


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(ROOT)))
def test_module_keeps_to_its_ring(path: Path) -> None:
    ring, package = where(path)
    late = is_late(f"{package}.{path.stem}")
    assert faults_of(path.read_text("utf-8"), ring, package, late) == []


def loaded(statement: str) -> set[str]:
    """Return the modules that a bare interpreter has after `statement`."""
    code = f"import sys; sys.path.insert(0, {str(ROOT)!r}); {statement}; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-ISB", "-c", code], capture_output=True, text=True, check=True
    )
    return set(done.stdout.split())


@pytest.mark.parametrize("mode", ["agent", "manager"])
def test_a_daemon_loads_nothing_heavy(mode: str) -> None:
    """Ours as a whole, with what the standard library drags in: no more than `selectors` does."""
    heavy = loaded(f"import hirte.modes.{mode}") & HEAVY
    assert sorted(heavy - loaded("import selectors")) == []


def test_every_directory_is_a_ring_and_a_package() -> None:
    directories = {path.parent for path in modules()} - {ROOT / "hirte"}
    tops = {path.relative_to(ROOT / "hirte").parts[0] for path in directories}
    assert tops <= set(RINGS)
    assert [str(path) for path in directories if not (path / "__init__.py").exists()] == []


@pytest.mark.parametrize(
    ("ring", "source", "fault"),
    [
        ("wire", "import hirte.api", "wire must not know api"),
        ("wire", "from hirte import dbus", "wire must not know dbus"),
        ("wire", "from ..manager import nodes", "wire must not know manager"),
        ("wire", "from .. import runtime", "wire must not know runtime"),
        ("dbus", "def f():\n    from hirte.manager import nodes", "dbus must not know manager"),
        ("manager", "if TYPE_CHECKING:\n    import hirte.agent", "manager must not know agent"),
        ("manager", "__import__('hirte.runtime.loop')", "manager must not know runtime"),
        ("agent", "import time", "agent must not touch the world: time"),
        ("agent", "def f():\n    from os import path", "agent must not touch the world: os"),
        ("modes", "from hirte.settings.command_line import parse", "is for late use"),
        ("settings", "from . import command_line", "is for late use"),
        ("runtime", "import re", "re is heavy"),
        ("runtime", "try:\n    import typing\nfinally:\n    pass", "typing is heavy"),
        ("runtime", "class A:\n    from enum import Enum", "enum is heavy"),
        ("settings", "import hirte.wire", "settings must not know wire"),
        ("dbus", "def f():\n    import jeepney", "jeepney has no place in dbus"),
        ("ctl", "import jeepney", "jeepney has no place in ctl"),
        ("client", "import hirte.dbus", "client must not know dbus"),
        ("", "import hirte.modes.ctl", "hirte must not know modes"),
    ],
)
def test_the_rules_find_the_fault(ring: str, source: str, fault: str) -> None:
    (found,) = faults_of(source, ring, f"hirte.{ring}".rstrip("."))
    assert fault in found


@pytest.mark.parametrize(
    ("ring", "source"),
    [
        ("wire", "from . import limits"),
        ("wire", "import struct"),
        ("wire", "if TYPE_CHECKING:\n    from typing import Callable"),
        ("manager", "from hirte.dbus.tree import Tree"),
        ("manager", "from hirte import __version__"),
        ("runtime", "import os, selectors, time, _socket"),
        ("settings", "def parser():\n    import argparse"),
        ("settings", "def parser():\n    from . import command_line"),
        ("client", "import jeepney, socket, re"),
        ("modes", "from hirte.manager.core import Manager"),
    ],
)
def test_the_rules_let_pass(ring: str, source: str) -> None:
    assert faults_of(source, ring, f"hirte.{ring}") == []
