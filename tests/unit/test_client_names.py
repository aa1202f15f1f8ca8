"""The library has everything that the tables have, under the names and arguments of the tables."""

from __future__ import annotations

import inspect
import re
import subprocess
import sys
from pathlib import Path

import pytest

import hirte.client
from hirte.api import public
from hirte.api.table import Interface, Method, arguments_of
from hirte.client.events import EVENTS, UnitPropertiesChanged
from hirte.client.job import Job
from hirte.client.manager import Manager
from hirte.client.monitor import Monitor
from hirte.client.node import Node

ROOT = Path(__file__).resolve().parent.parent.parent
CLASSES = {"Manager": Manager, "Node": Node, "Job": Job, "Monitor": Monitor}
TABLES = (public.MANAGER, public.NODE, public.JOB, public.MONITOR)
# What a job and a node know of themselves without asking.
KNOWN = {("Node", "Name"), *(("Job", name) for name in ("Id", "Node", "Unit", "JobType"))}


def snake(name: str) -> str:
    """Return a member's name as Python writes it."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()


def rows(kind: str) -> list[tuple[Interface, str]]:
    """Return all (interface, member) of the tables."""
    return [(table, name) for table in TABLES for name in getattr(table, kind)]


@pytest.mark.parametrize(("table", "name"), rows("methods"), ids=lambda x: getattr(x, "name", x))
def test_every_method(table: Interface, name: str) -> None:
    row: Method = table.methods[name]
    method = getattr(CLASSES[table.name], "cancel" if name == "Cancel" else snake(name))
    given = [argument for argument in inspect.signature(method).parameters if argument != "self"]
    assert sorted(given) == sorted(argument for argument, _ in arguments_of(row.inputs))


@pytest.mark.parametrize(("table", "name"), rows("properties"), ids=lambda x: getattr(x, "name", x))
def test_every_property(table: Interface, name: str) -> None:
    if (table.name, name) in KNOWN:
        assert f"self.{snake(name)} = " in inspect.getsource(CLASSES[table.name])
    else:
        assert list(inspect.signature(getattr(CLASSES[table.name], snake(name))).parameters) == [
            "self"
        ]


@pytest.mark.parametrize("table", [public.MANAGER, public.MONITOR, public.METRICS])
def test_every_signal(table: Interface) -> None:
    assert set(EVENTS[table.name]) == set(table.signals)
    for name, row in table.signals.items():
        made = EVENTS[table.name][name]
        kind = UnitPropertiesChanged if name == "UnitPropertiesChanged" else made
        assert kind.__name__ == name
        assert list(kind._fields) == [argument for argument, _ in arguments_of(row.arguments)]


def test_everything_offered_is_there() -> None:
    for name in hirte.client.__all__:
        assert getattr(hirte.client, name) is not None
    assert dir(hirte.client) == hirte.client.__all__
    with pytest.raises(AttributeError, match="no attribute 'frob'"):
        getattr(hirte.client, "frob")  # noqa: B009 - mypy knows better
    offered = set(re.findall(r"as (\w+)$", (ROOT / "hirte/client/__init__.py").read_text(), re.M))
    assert offered == set(hirte.client.__all__)


def test_errors_cost_no_jeepney() -> None:
    code = (
        f"import sys; sys.path.insert(0, {str(ROOT)!r}); from hirte.client import ManagerAway\n"
        "print(*sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-ISB", "-c", code], capture_output=True, text=True, check=True
    )
    assert {"jeepney", "typing", "enum"} & set(done.stdout.split()) == set()
