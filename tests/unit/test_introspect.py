"""Introspection: clients discover members from it, so it must tell all of them as they are."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest

from hirte.api.dialect import COMPATIBLE, NATIVE
from hirte.api.table import CONST, EMITS, EXPLICIT, Interface, Method, Property, Signal
from hirte.dbus.objects import Service, Tree
from tests.unit.talk import Clock, ListLog, server_connection

INTROSPECTABLE = "org.freedesktop.DBus.Introspectable"
STANDARD = [
    "org.freedesktop.DBus.Peer",
    INTROSPECTABLE,
    "org.freedesktop.DBus.Properties",
]

TABLE = Interface(
    "Manager",
    methods=(Method("SwitchManager", "dbus_address:s count:a{sv}", "path:o"), Method("Plain")),
    signals=(Signal("Gone", "id:u result:s"), Signal("Nothing")),
    properties=(
        Property("Name", "s", CONST),
        Property("State", "s", EMITS),
        Property("Hidden", "t", EXPLICIT),
    ),
)


class World:
    def __init__(self, dialect=NATIVE):
        connection, self.peer = server_connection(Clock(), ListLog())
        self.tree = Tree(lambda: "0" * 32)
        connection.on_call = lambda message: self.tree.dispatch(connection, message)
        nobody = dict.fromkeys(TABLE.methods, lambda target, call: None)
        self.service = Service(
            TABLE, dialect, nobody, dict.fromkeys(TABLE.properties, lambda target: "")
        )
        self.peer.open()

    def export(self, *paths):
        for path in paths:
            self.tree.export(path, self, self.service)

    def introspect(self, path):
        self.peer.call(path, INTROSPECTABLE, "Introspect")
        (text,) = self.peer.take().values()
        assert text.startswith("<!DOCTYPE node PUBLIC")
        return ElementTree.fromstring(text)

    def children(self, path):
        return [node.get("name") for node in self.introspect(path).findall("node")]


@pytest.fixture
def world():
    return World()


@pytest.mark.parametrize(
    ("dialect", "interface", "method"),
    [
        (NATIVE, "org.containers.hirte.Manager", "SwitchManager"),
        (COMPATIBLE, "org.eclipse.bluechi.Controller", "SwitchController"),
    ],
)
def test_every_row_of_the_table_is_told(dialect, interface, method):
    world = World(dialect)
    world.export("/a")
    root = world.introspect("/a")
    assert [e.get("name") for e in root.findall("interface")] == [*STANDARD, interface]
    found = root.findall("interface")[-1]
    assert shape(found) == [
        ("method", method, ["in s dbus_address", "in a{sv} count", "out o path"]),
        ("method", "Plain", []),
        ("property", "Name", ["s read const"]),
        ("property", "State", ["s read None"]),
        ("property", "Hidden", ["t read false"]),
        ("signal", "Gone", ["None u id", "None s result"]),
        ("signal", "Nothing", []),
    ]


def shape(interface):
    """The rows of an interface: kind, name, arguments."""
    rows = []
    for element in interface:
        if element.tag == "property":
            note = element.find("annotation")
            if note is not None:
                assert note.get("name") == "org.freedesktop.DBus.Property.EmitsChangedSignal"
            change = note.get("value") if note is not None else None
            arguments = [f"{element.get('type')} {element.get('access')} {change}"]
        else:
            arguments = [
                f"{a.get('direction')} {a.get('type')} {a.get('name')}"
                for a in element.findall("arg")
            ]
        rows.append((element.tag, element.get("name"), arguments))
    return rows


def test_parents_tell_their_children_and_no_interfaces(world):
    world.export("/a/b/d", "/a/b/c", "/x", "/a/bb")
    assert world.children("/") == ["a", "x"]
    assert world.children("/a") == ["b", "bb"]
    assert world.children("/a/b") == ["c", "d"]
    assert world.introspect("/a/b").findall("interface") == []


def test_an_object_can_have_children(world):
    world.export("/a", "/a/b")
    root = world.introspect("/a")
    assert len(root.findall("interface")) == 4
    assert [e.get("name") for e in root.findall("node")] == ["b"]


def test_a_parent_is_gone_with_its_last_child(world):
    world.export("/a/b")
    world.tree.remove("/a/b")
    world.peer.call("/a", INTROSPECTABLE, "Introspect")
    assert world.peer.take().error_name == "org.freedesktop.DBus.Error.UnknownObject"


def test_the_standard_interfaces_are_as_the_specification_has_them(world):
    world.export("/a")
    found = {e.get("name"): shape(e) for e in world.introspect("/a").findall("interface")}
    assert [row[:2] for row in found["org.freedesktop.DBus.Peer"]] == [
        ("method", "Ping"),
        ("method", "GetMachineId"),
    ]
    properties = dict(row[1:] for row in found["org.freedesktop.DBus.Properties"])
    assert [text.rsplit(" ", 1)[0] for text in properties["Get"]] == ["in s", "in s", "out v"]
    assert [text.rsplit(" ", 1)[0] for text in properties["GetAll"]] == ["in s", "out a{sv}"]
    assert [text.rsplit(" ", 1)[0] for text in properties["Set"]] == ["in s", "in s", "in v"]
