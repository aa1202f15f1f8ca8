"""Exported objects: which error answers what, in which order it is checked, and properties."""

from __future__ import annotations

import pytest

from hirte.api.dialect import COMPATIBLE, NATIVE
from hirte.api.table import CONST, EMITS, EXPLICIT, Interface, Method, Property, Signal
from hirte.dbus.errors import FAILED
from hirte.dbus.objects import Service, Tree
from hirte.wire.message import NO_REPLY_EXPECTED
from tests.unit.talk import PROPERTIES, Clock, E, ListLog, server_connection

PEER = "org.freedesktop.DBus.Peer"
INTROSPECTABLE = "org.freedesktop.DBus.Introspectable"
MACHINE = "0123456789abcdef" * 2
PATH, NAME = "/obj", "org.containers.hirte.Manager"

TABLE = Interface(
    "Manager",
    methods=(
        Method("Echo", "text:s", "text:s"),
        Method("SwitchManager", "", ""),
        Method("Wrong", "", "number:u"),
        Method("Bug"),
        Method("LateBug"),
    ),
    signals=(Signal("Done"),),
    properties=(
        Property("Fixed", "s", CONST),
        Property("State", "u", EMITS),
        Property("Hidden", "t", EXPLICIT),
        Property("ManagerAddress", "s", EMITS),
    ),
)
OTHER = Interface("Other", properties=(Property("More", "b", CONST),))
EMPTY = Interface("Empty")


class Target:
    """What is exported; `refusal` is what its guard says."""

    def __init__(self):
        self.refusal = None
        self.served = []

    def echo(self, call):
        (text,) = call.message.values()
        self.served.append(text)
        call.reply(text)

    def late_bug(self, call):
        call.reply()
        raise ZeroDivisionError("late")


class World:
    """A tree with one object that has three interfaces, and a caller."""

    def __init__(self, dialect=NATIVE, authorize=None):
        self.target = Target()
        self.asked = []
        self.log = ListLog()
        connection, self.peer = server_connection(Clock(), self.log)
        self.tree = Tree(lambda: MACHINE, authorize and self.authorize)
        connection.on_call = lambda message: self.tree.dispatch(connection, message)
        methods = {
            "Echo": Target.echo,
            "SwitchManager": lambda target, call: call.reply(),
            "Wrong": lambda target, call: call.reply("no number"),
            "Bug": lambda target, call: 1 // 0,
            "LateBug": Target.late_bug,
        }
        properties = {
            "Fixed": lambda target: "f",
            "State": lambda target: len(target.served),
            "Hidden": lambda target: 1 << 63,
            "ManagerAddress": lambda target: target.address,
        }
        self.service = Service(
            TABLE, dialect, methods, properties, guard=lambda target: target.refusal
        )
        more = Service(OTHER, dialect, {}, {"More": lambda target: True})
        self.tree.export(PATH, self.target, self.service, more, Service(EMPTY, dialect, {}))
        self.target.address = "here"
        self.peer.open()

    def authorize(self, call, proceed):
        self.asked.append((call, proceed))

    def call(self, *arguments, **more):
        return self.peer.call(*arguments, **more)

    def refused(self, serial, name, text=None):
        self.peer.expect_error(serial, E + name, text)
        self.peer.expect_nothing()


@pytest.fixture
def world():
    return World()


# Methods


def test_a_method_is_served_after_its_row(world):
    world.peer.expect_return(world.call(PATH, NAME, "Echo", "s", "hi"), "hi")


def test_members_have_the_names_of_the_dialect():
    world = World(COMPATIBLE)
    name = "org.eclipse.bluechi.Controller"
    world.peer.expect_return(world.call(PATH, name, "SwitchController"))
    world.refused(world.call(PATH, name, "SwitchManager"), "UnknownMethod")
    world.peer.expect_return(
        world.call(PATH, PROPERTIES, "Get", "ss", name, "ControllerAddress"), ("s", "here")
    )


@pytest.mark.parametrize(
    ("path", "interface", "member", "error"),
    [
        (PATH, NAME, "Other", "UnknownMethod"),
        (PATH, "a.b", "Echo", "UnknownMethod"),
        (PATH, PEER, "Other", "UnknownMethod"),
        (PATH, PROPERTIES, "Other", "UnknownMethod"),
        (PATH, INTROSPECTABLE, "Other", "UnknownMethod"),
        (PATH, NAME, "Done", "UnknownMethod"),
        (PATH, "", "Echo", "UnknownObject"),
        (PATH, "", "Introspect", "UnknownObject"),
        ("/other", NAME, "Echo", "UnknownObject"),
        ("/other", "", "Echo", "UnknownObject"),
        ("/other", PROPERTIES, "Get", "UnknownObject"),
        ("/other", INTROSPECTABLE, "Introspect", "UnknownObject"),
        (PATH + "/below", INTROSPECTABLE, "Introspect", "UnknownObject"),
        (PATH + "x", NAME, "Echo", "UnknownObject"),
        ("/", NAME, "Echo", "UnknownObject"),
    ],
)
def test_what_is_not_there(world, path, interface, member, error):
    world.refused(world.call(path, interface, member, "s", "hi"), error)
    assert world.target.served == []


@pytest.mark.parametrize(
    ("member", "signature", "values"),
    [("Echo", "", ()), ("Echo", "u", (1,)), ("Echo", "ss", ("a", "b")), ("Bug", "s", ("a",))],
)
def test_wrong_arguments(world, member, signature, values):
    world.refused(world.call(PATH, NAME, member, signature, *values), "InvalidArgs")


@pytest.mark.parametrize(
    ("interface", "member", "signature", "values"),
    [
        (PROPERTIES, "Get", "s", ("a",)),
        (PROPERTIES, "GetAll", "", ()),
        (PROPERTIES, "Set", "sss", ("a", "b", "c")),
        (INTROSPECTABLE, "Introspect", "s", ("a",)),
    ],
)
def test_wrong_arguments_of_the_standard_interfaces(world, interface, member, signature, values):
    world.refused(world.call(PATH, interface, member, signature, *values), "InvalidArgs")


def test_a_call_that_wants_no_answer_is_served_and_not_answered(world):
    for member, arguments in (("Echo", ("s", "hi")), ("Bug", ()), ("Other", ()), ("Echo", ())):
        world.call(PATH, NAME, member, *arguments, flags=NO_REPLY_EXPECTED)
    world.call(PATH, PROPERTIES, "Get", "ss", NAME, "State", flags=NO_REPLY_EXPECTED)
    assert world.target.served == ["hi"]
    world.peer.expect_nothing()


def test_a_removed_object_is_unknown(world):
    world.tree.remove(PATH)
    world.tree.remove(PATH)
    world.refused(world.call(PATH, NAME, "Echo", "s", "hi"), "UnknownObject")


def test_a_table_and_its_functions_must_have_the_same_names():
    with pytest.raises(KeyError, match=r"Manager.*Bug"):
        Service(TABLE, NATIVE, {"Bug": lambda target, call: None})


# The order of checks


def test_the_guard_comes_before_the_member_the_right_and_the_arguments():
    world = World(authorize=True)
    world.target.refusal = ("a.Offline", "away")
    for member, arguments in (("Echo", ("s", "hi")), ("Other", ()), ("Echo", ())):
        serial = world.call(PATH, NAME, member, *arguments)
        world.peer.expect_error(serial, "a.Offline", "away")
    assert world.asked == []


def test_the_guard_does_not_keep_from_properties_and_other_interfaces(world):
    world.target.refusal = ("a.Offline", "away")
    serial = world.call(PATH, PROPERTIES, "Get", "ss", NAME, "Fixed")
    world.peer.expect_return(serial, ("s", "f"))
    world.refused(world.call(PATH, "a.b", "Echo"), "UnknownMethod")


def test_the_member_comes_before_the_right():
    world = World(authorize=True)
    world.refused(world.call(PATH, NAME, "Other"), "UnknownMethod")
    assert world.asked == []


def test_the_right_comes_before_the_arguments():
    world = World(authorize=True)
    serial = world.call(PATH, NAME, "Echo")
    ((call, _),) = world.asked
    world.peer.expect_nothing()
    call.fail(E + "AccessDenied", "no")
    world.refused(serial, "AccessDenied", "no")


def test_who_has_the_right_is_told_of_wrong_arguments():
    world = World(authorize=True)
    serial = world.call(PATH, NAME, "Echo")
    world.asked[0][1]()
    world.refused(serial, "InvalidArgs")


def test_the_guard_is_asked_again_after_the_right():
    world = World(authorize=True)
    serial = world.call(PATH, NAME, "Echo", "s", "hi")
    world.target.refusal = ("a.Offline", "away")
    world.asked[0][1]()
    world.peer.expect_error(serial, "a.Offline", "away")
    assert world.target.served == []


@pytest.mark.parametrize(
    ("interface", "member", "values"),
    [
        (PROPERTIES, "Get", ("ss", NAME, "Fixed")),
        (PROPERTIES, "GetAll", ("s", NAME)),
        (INTROSPECTABLE, "Introspect", ()),
        (PEER, "Ping", ()),
    ],
)
def test_the_standard_interfaces_need_no_right(interface, member, values):
    world = World(authorize=True)
    world.call(PATH, interface, member, *values)
    assert world.asked == []
    assert len(world.peer.heard) == 1


# Our bugs


@pytest.mark.parametrize("member", ["Bug", "Wrong"])
def test_a_method_with_a_bug_is_answered(world, member):
    world.refused(world.call(PATH, NAME, member), "Failed", "Internal error")
    assert len(world.log.bugs) == 1


def test_a_bug_after_the_answer_makes_no_second_one(world):
    world.peer.expect_return(world.call(PATH, NAME, "LateBug"))
    world.peer.expect_nothing()
    assert len(world.log.bugs) == 1


@pytest.mark.parametrize("member", ["Get", "GetAll"])
def test_a_property_with_a_bug_is_answered(world, member):
    del world.target.address
    arguments = ("ss", NAME, "ManagerAddress") if member == "Get" else ("s", NAME)
    world.refused(world.call(PATH, PROPERTIES, member, *arguments), "Failed", "Internal error")
    assert len(world.log.bugs) == 1


def test_a_call_can_be_failed_and_tells_that_it_was(world):
    calls = []
    world.target.echo = None
    tree = world.tree
    keep = Interface("Keep", methods=(Method("Keep"),))
    tree.export("/k", world, Service(keep, NATIVE, {"Keep": lambda _, call: calls.append(call)}))
    serial = world.call("/k", "org.containers.hirte.Keep", "Keep")
    (call,) = calls
    assert not call.answered
    call.fail(FAILED, "no")
    assert call.answered
    world.peer.expect_error(serial, FAILED, "no")


# Properties


@pytest.mark.parametrize(
    ("name", "value"), [("Fixed", ("s", "f")), ("State", ("u", 0)), ("Hidden", ("t", 1 << 63))]
)
def test_get(world, name, value):
    world.peer.expect_return(world.call(PATH, PROPERTIES, "Get", "ss", NAME, name), value)


@pytest.mark.parametrize(
    ("interface", "name"),
    [(NAME, "Other"), ("a.b", "Fixed"), ("", "Fixed"), (PEER, "Fixed"), (NAME, "Echo")],
)
def test_get_what_is_not_there(world, interface, name):
    serial = world.call(PATH, PROPERTIES, "Get", "ss", interface, name)
    world.refused(serial, "UnknownProperty")


def test_get_all_leaves_out_what_tells_no_changes(world):
    serial = world.call(PATH, PROPERTIES, "GetAll", "s", NAME)
    values = {"Fixed": ("s", "f"), "State": ("u", 0), "ManagerAddress": ("s", "here")}
    world.peer.expect_return(serial, values)


def test_get_all_of_all_interfaces(world):
    serial = world.call(PATH, PROPERTIES, "GetAll", "s", "")
    (values,) = world.peer.take().values()
    assert sorted(values) == ["Fixed", "ManagerAddress", "More", "State"]
    assert serial == 1


@pytest.mark.parametrize(
    "interface", [PEER, INTROSPECTABLE, PROPERTIES, "org.containers.hirte.Empty"]
)
def test_get_all_of_an_interface_without_properties(world, interface):
    world.peer.expect_return(world.call(PATH, PROPERTIES, "GetAll", "s", interface), {})


def test_get_all_of_an_unknown_interface(world):
    world.refused(world.call(PATH, PROPERTIES, "GetAll", "s", "a.b"), "UnknownInterface")


@pytest.mark.parametrize("name", ["Fixed", "State", "Hidden"])
def test_no_property_can_be_set(world, name):
    serial = world.call(PATH, PROPERTIES, "Set", "ssv", NAME, name, ("s", "x"))
    world.refused(serial, "PropertyReadOnly")


@pytest.mark.parametrize(("interface", "name"), [(NAME, "Other"), ("a.b", "Fixed")])
def test_set_what_is_not_there(world, interface, name):
    serial = world.call(PATH, PROPERTIES, "Set", "ssv", interface, name, ("s", "x"))
    world.refused(serial, "UnknownProperty")


def test_the_signal_of_a_change_carries_the_value():
    from hirte.wire.decode import decode
    from hirte.wire.encode import NATIVE as ORDER

    world = World()
    body = world.service.changed(world.target, "ManagerAddress")
    assert decode("sa{sv}as", body, ORDER) == (NAME, {"ManagerAddress": ("s", "here")}, [])


# Peer


@pytest.mark.parametrize("path", [PATH, "/", "/any/path/at/all"])
def test_peer_answers_everywhere(world, path):
    world.peer.expect_return(world.call(path, PEER, "Ping"))
    world.peer.expect_return(world.call(path, PEER, "GetMachineId"), MACHINE)
