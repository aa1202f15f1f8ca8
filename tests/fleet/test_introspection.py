"""What the living objects say of themselves is what the tables say, in both dialects, no more."""

from __future__ import annotations

from collections.abc import Iterator
from xml.etree import ElementTree

import pytest

from hirte.api import public
from hirte.api.dialect import COMPATIBLE, NATIVE, Dialect
from hirte.api.table import EMITS, Interface, arguments_of
from tests.bed import Fleet
from tests.bed.bus import BusError
from tests.fleet.conftest import open_fleet
from tests.fleet.mixed import deploy_mixed
from tests.fleet.statemanager import ERROR, INTROSPECTABLE, PROPERTIES, StateManager

STANDARD = ["org.freedesktop.DBus.Peer", INTROSPECTABLE, PROPERTIES]
ANNOTATION = "org.freedesktop.DBus.Property.EmitsChangedSignal"


@pytest.fixture(scope="module")
def mixed() -> Iterator[Fleet]:
    with open_fleet() as fleet:
        deploy_mixed(fleet)
        yield fleet


@pytest.fixture(params=[NATIVE, COMPATIBLE], ids=lambda dialect: dialect.name)
def caller(mixed: Fleet, request: pytest.FixtureRequest) -> Iterator[StateManager]:
    with StateManager(mixed["node1"], request.param) as made:
        yield made


def introspect(caller: StateManager, path: str, name: str = "") -> ElementTree.Element:
    """The document of an object of the manager, or of `name`."""
    text = caller.ask(name or caller.dialect.bus_name, path, INTROSPECTABLE, "Introspect")
    return ElementTree.fromstring(text)


def rows_of_table(table: Interface, dialect: Dialect) -> list[tuple[object, ...]]:
    """A table as introspection has to tell it."""
    rows: list[tuple[object, ...]] = []
    for method in table.methods.values():
        arguments = [("in", kind, name) for name, kind in arguments_of(method.inputs)]
        arguments += [("out", kind, name) for name, kind in arguments_of(method.outputs)]
        rows.append(("method", dialect.member(method.name), arguments))
    for row in table.properties.values():
        # Absent means that changes are told.
        change = None if row.change == EMITS else row.change
        rows.append(("property", dialect.member(row.name), row.signature, "read", change))
    for signal in table.signals.values():
        arguments = [(None, kind, name) for name, kind in arguments_of(signal.arguments)]
        rows.append(("signal", dialect.member(signal.name), arguments))
    return rows


def rows_of_document(interface: ElementTree.Element) -> list[tuple[object, ...]]:
    """The same, of a living object."""
    rows: list[tuple[object, ...]] = []
    for member in interface:
        if member.tag == "property":
            notes = {note.get("name"): note.get("value") for note in member}
            assert notes.keys() <= {ANNOTATION}
            details = (member.get("type"), member.get("access"), notes.get(ANNOTATION))
            rows.append(("property", member.get("name"), *details))
        else:
            arguments = [(a.get("direction"), a.get("type"), a.get("name")) for a in member]
            rows.append((member.tag, member.get("name"), arguments))
    return rows


def assert_is(document: ElementTree.Element, table: Interface, dialect: Dialect) -> None:
    interfaces = {found.get("name"): found for found in document.findall("interface")}
    assert list(interfaces) == [*STANDARD, dialect.interface(table.name)]
    found = interfaces[dialect.interface(table.name)]
    assert sorted(rows_of_document(found), key=str) == sorted(
        rows_of_table(table, dialect), key=str
    )


def children(document: ElementTree.Element) -> list[str | None]:
    return [node.get("name") for node in document.findall("node")]


def test_the_manager(caller: StateManager) -> None:
    document = introspect(caller, caller.path(""))
    assert_is(document, public.MANAGER, caller.dialect)
    assert children(document) == ["node"]


def test_nodes(caller: StateManager) -> None:
    for node in ("node1", "node2", "node3"):
        document = introspect(caller, caller.path(f"node/{node}"))
        assert_is(document, public.NODE, caller.dialect)
        assert children(document) == []


def test_jobs(caller: StateManager) -> None:
    path = caller.node("node3", "StartUnit", "ss", "held.service", "replace")
    assert_is(introspect(caller, path), public.JOB, caller.dialect)
    assert children(introspect(caller, caller.path(""))) == ["job", "node"]
    caller.object(path, "Job", "Cancel")
    caller.removed(path)
    assert children(introspect(caller, caller.path(""))) == ["node"]


def test_monitors(caller: StateManager) -> None:
    path = caller.manager("CreateMonitor")
    assert_is(introspect(caller, path), public.MONITOR, caller.dialect)
    assert children(introspect(caller, caller.path("monitor"))) == [path.rpartition("/")[2]]
    caller.object(path, "Monitor", "Close")
    assert children(introspect(caller, caller.path(""))) == ["node"]


def test_metrics(caller: StateManager) -> None:
    caller.manager("EnableMetrics")
    assert_is(introspect(caller, caller.path("metrics")), public.METRICS, caller.dialect)
    assert children(introspect(caller, caller.path(""))) == ["metrics", "node"]
    caller.manager("DisableMetrics")


def test_agents(caller: StateManager) -> None:
    document = introspect(caller, caller.path(""), caller.dialect.agent_bus_name)
    assert_is(document, public.AGENT, caller.dialect)
    assert children(document) == []


def test_parents_tell_their_children_and_nothing_else(caller: StateManager) -> None:
    nodes = introspect(caller, caller.path("node"))
    assert children(nodes) == ["node1", "node2", "node3"]
    top = introspect(caller, "/")
    # One manager under both names: both trees are there under either.
    assert children(top) == ["org"]
    for parent in (nodes, top):
        assert parent.findall("interface") == []
    with pytest.raises(BusError) as refused:
        introspect(caller, caller.path("job"))
    assert refused.value.name == f"{ERROR}.UnknownObject"
