"""The manager's public methods: what they answer themselves, what they pass on, how they fail."""

from __future__ import annotations

import pytest

from hirte.api import public
from hirte.api.dialect import COMPATIBLE
from hirte.dbus.limits import CALL_TIMEOUT
from hirte.wire import build, splice
from hirte.wire.encode import encode
from hirte.wire.message import NO_REPLY_EXPECTED
from tests.unit.managed import MANAGER, NODE, ROOT, UNITS, World, units
from tests.unit.talk import PROPERTIES, E


@pytest.fixture
def world():
    return World()


# What the manager answers itself


def test_list_nodes_in_the_order_of_the_configuration(world):
    world.agent("b", peer_ip="::ffff:192.0.2.2")
    serial = world.call("", MANAGER, "ListNodes")
    world.bus.peer.expect_return(
        serial,
        [
            ("a", f"{ROOT}/node/a", "offline", ""),
            ("b", f"{ROOT}/node/b", "online", "::ffff:192.0.2.2"),
            ("c", f"{ROOT}/node/c", "offline", ""),
        ],
    )


def test_list_nodes_is_true_whenever_it_is_asked(world):
    def listed():
        world.call("", MANAGER, "ListNodes")
        return [(name, *rest) for name, _, *rest in world.bus.peer.take().values()[0]]

    gone = [("a", "offline", ""), ("b", "offline", ""), ("c", "offline", "")]
    assert listed() == gone
    agent = world.agent("b", peer_ip="192.0.2.2")
    assert listed() == listed() == [gone[0], ("b", "online", "192.0.2.2"), gone[2]]
    agent.leave()
    world.forget()
    assert listed() == gone
    world.agent("b", peer_ip="192.0.2.3")
    assert listed() == [gone[0], ("b", "online", "192.0.2.3"), gone[2]]


def test_get_node(world):
    world.agent("b")
    for name in "ab":
        serial = world.call("", MANAGER, "GetNode", "s", name)
        world.bus.peer.expect_return(serial, f"{ROOT}/node/{name}")
    serial = world.call("", MANAGER, "GetNode", "s", "x")
    world.bus.peer.expect_error(serial, E + "ServiceUnknown", "Node not found")


@pytest.mark.parametrize("level", ["DEBUG", "INFO", "WARN", "ERROR"])
def test_the_managers_log_level(world, level):
    serial = world.call("", MANAGER, "SetLogLevel", "s", level)
    world.bus.peer.expect_return(serial)
    assert world.log.level == level
    assert world.get("", MANAGER, "LogLevel") == level


@pytest.mark.parametrize("level", ["debug", "WARNING", "", "7"])
def test_no_log_level(world, level):
    serial = world.call("", MANAGER, "SetLogLevel", "s", level)
    world.bus.peer.expect_error(serial, E + "InvalidArgs")
    assert world.log.level == "INFO"


def test_the_managers_properties(world):
    serial = world.call("", PROPERTIES, "GetAll", "s", MANAGER)
    world.bus.peer.expect_return(serial, {"Status": ("s", "down"), "LogTarget": ("s", "journald")})


def test_in_the_compatible_dialect():
    world = World("AllowedNodeNames=a\nBusNames=compatible\n")
    root, controller = "/org/eclipse/bluechi", "org.eclipse.bluechi.Controller"
    serial = world.bus.call(root, controller, "ListNodes")
    world.bus.peer.expect_return(serial, [("a", f"{root}/node/a", "offline", "")])
    serial = world.bus.call(ROOT, MANAGER, "ListNodes")
    world.bus.peer.expect_error(serial, E + "UnknownObject")


# What is passed on

VALUES = {
    "": (),
    "s": ("x",),
    "ss": ("x", "y"),
    "sss": ("x", "y", "z"),
    "ssi": ("x", "all", 9),
    "sb": ("x", True),
    "asb": (["x"], True),
    "asbb": (["x", "y"], True, False),
    "sba(sv)": ("x", True, [("CPUWeight", ("t", 5))]),
    "ssa(sv)a(sa(sv))": ("x", "fail", [("A", ("s", "b"))], []),
}
RESULTS = {
    "": (),
    "s": ("enabled",),
    "o": ("/org/freedesktop/systemd1/job/5",),
    "v": (("s", "x"),),
    "a{sv}": ({"A": ("s", "b")},),
    "a(ss)": ([("/x", "enabled")],),
    "a(sss)": ([("symlink", "/x", "/y")],),
    "ba(sss)": (True, [("symlink", "/x", "/y")]),
    UNITS: (units("x"),),
}
FORWARDED = [row for row in public.NODE.methods.values() if row.forward]


def test_what_is_passed_on_is_all_that_the_contract_names():
    assert sorted(row.name for row in FORWARDED) == [
        "DisableUnitFiles", "EnableUnitFiles", "FreezeUnit", "GetDefaultTarget",
        "GetUnitFileState", "GetUnitProperties", "GetUnitProperty", "KillUnit", "ListUnitFiles",
        "ListUnits", "Reload", "ResetFailed", "ResetFailedUnit", "SetDefaultTarget",
        "SetUnitProperties", "StartTransientUnit", "ThawUnit",
    ]  # fmt: skip


@pytest.mark.parametrize("row", FORWARDED, ids=lambda row: row.name)
def test_a_call_and_its_answer_are_passed_on(world, row):
    agent = world.agent("a")
    serial = world.call("/node/a", NODE, row.name, row.signature, *VALUES[row.signature])
    request = agent.expect_call(row.name, *VALUES[row.signature])
    assert (request.path, request.interface, request.flags) == (agent.path, agent.interface, 0)
    agent.reply(request, row.result, *RESULTS[row.result])
    world.bus.peer.expect_return(serial, *RESULTS[row.result])
    world.bus.peer.expect_nothing()


@pytest.mark.parametrize("row", FORWARDED, ids=lambda row: row.name)
def test_wrong_arguments_are_not_passed_on(world, row):
    agent = world.agent("a")
    serial = world.call("/node/a", NODE, row.name, row.signature + "u", *VALUES[row.signature], 1)
    world.bus.peer.expect_error(serial, E + "InvalidArgs")
    agent.expect_nothing()


def test_to_an_agent_of_the_compatible_dialect_too(world):
    agent = world.agent("a", COMPATIBLE)
    world.call("/node/a", NODE, "ListUnits")
    request = agent.expect_call("ListUnits")
    assert (request.interface, request.destination) == (
        "org.eclipse.bluechi.internal.Agent",
        "org.eclipse.bluechi.Agent",
    )


def test_an_error_is_passed_on_as_it_is(world):
    agent = world.agent("a")
    serial = world.call("/node/a", NODE, "ListUnits")
    agent.refuse(agent.take(), "org.freedesktop.systemd1.Odd", "text")
    world.bus.peer.expect_error(serial, "org.freedesktop.systemd1.Odd", "text")


def test_the_byte_order_of_the_caller_and_of_the_agent_are_kept(world):
    agent = world.agent("a")
    body = b"\0\0\0\1x\0\0\0\0\0\0\0\0"
    serial = world.bus.peer.call(
        f"{ROOT}/node/a", NODE, "GetUnitProperties", "ss", sender=":1.42", order=">", body=body
    )
    world.bus.peer.reply(world.bus.peer.expect_call("GetConnectionUnixUser", ":1.42"), "u", 0)
    request = agent.expect_call("GetUnitProperties", "x", "")
    assert request.order == ">"
    agent.say(build.method_return(99, request.serial, "a{sv}", bytes(8), order=">"))
    assert world.bus.peer.expect_return(serial, {}).order == ">"


def test_an_answer_of_another_type_is_not_passed_on(world):
    agent = world.agent("a")
    serial = world.call("/node/a", NODE, "ListUnits")
    agent.reply(agent.take(), "s", "rubbish")
    world.bus.peer.expect_error(serial, E + "Failed")


def test_an_agent_that_does_not_answer(world):
    world.agent("a")
    serial = world.call("/node/a", NODE, "ListUnits")
    world.clock.advance(CALL_TIMEOUT)
    world.bus.peer.expect_error(serial, E + "NoReply", "Method call timed out")


def test_a_call_that_wants_no_answer_is_passed_on_and_not_answered(world):
    agent = world.agent("a")
    world.call("/node/a", NODE, "Reload", flags=NO_REPLY_EXPECTED)
    agent.reply(agent.expect_call("Reload"))
    world.bus.peer.expect_nothing()


def test_others_than_root_are_refused(world):
    agent = world.agent("a")
    world.bus.users[":1.99"] = 1000
    for path, interface, member in (("/node/a", NODE, "ListUnits"), ("", MANAGER, "ListNodes")):
        serial = world.call(path, interface, member, sender=":1.99")
        world.bus.peer.expect_error(serial, E + "AccessDenied")
    agent.expect_nothing()


def test_a_node_that_is_lost_while_the_caller_is_looked_up(world):
    agent = world.agent("a")
    serial = world.bus.peer.call(f"{ROOT}/node/a", NODE, "ListUnits", sender=":1.42")
    question = world.bus.peer.expect_call("GetConnectionUnixUser", ":1.42")
    agent.leave()
    world.forget()
    world.bus.peer.reply(question, "u", 0)
    world.bus.peer.expect_error(serial, "org.containers.hirte.Offline")
    assert world.log.bugs == []


# The agent's log level


def test_an_agents_log_level(world):
    agent = world.agent("a")
    serial = world.call("/node/a", NODE, "SetLogLevel", "s", "DEBUG")
    agent.reply(agent.expect_call("SetLogLevel", "DEBUG"))
    world.bus.peer.expect_return(serial)


def test_no_log_level_of_an_agent(world):
    agent = world.agent("a")
    serial = world.call("/node/a", NODE, "SetLogLevel", "s", "debug")
    world.bus.peer.expect_error(serial, E + "InvalidArgs")
    agent.expect_nothing()


def test_an_agent_that_cannot_set_its_log_level(world):
    agent = world.agent("a")
    serial = world.call("/node/a", NODE, "SetLogLevel", "s", "DEBUG")
    agent.refuse(agent.take(), "x.Odd", "cannot")
    world.bus.peer.expect_error(serial, E + "Failed", "cannot")


# Questions to all nodes


def test_list_units_of_all_nodes_that_are_online(world):
    b, a = world.agent("b"), world.agent("a")
    serial = world.call("", MANAGER, "ListUnits")
    b.reply(b.expect_call("ListUnits"), UNITS, units("b1", "b2"))
    world.bus.peer.expect_nothing()
    a.reply(a.expect_call("ListUnits"), UNITS, units())
    (answer,) = world.bus.peer.take().values()
    assert list(answer.items()) == [("a", units()), ("b", units("b1", "b2"))]
    assert serial


def test_list_units_of_nobody(world):
    world.bus.peer.expect_return(world.call("", MANAGER, "ListUnits"), {})


def test_list_units_of_a_node_of_the_other_byte_order(world):
    agent = world.agent("a")
    serial = world.call("", MANAGER, "ListUnits")
    request = agent.take()
    body = b"\0\0\0\0\0\0\0\0"
    agent.say(build.method_return(9, request.serial, UNITS, body, order=">"))
    world.bus.peer.expect_return(serial, {"a": []})


def test_list_unit_files(world):
    agent = world.agent("a")
    serial = world.call("", MANAGER, "ListUnitFiles")
    agent.reply(agent.expect_call("ListUnitFiles"), "a(ss)", [("/x", "enabled")])
    world.bus.peer.expect_return(serial, {"a": [("/x", "enabled")]})


def failed(world, serial):
    text = world.bus.peer.expect_error(serial, E + "Failed").error_text()
    assert text.startswith("Request to at least one node failed: ")
    world.bus.peer.expect_nothing()
    return text.partition(": ")[2]


def test_one_error_fails_the_whole_question_when_all_have_answered(world):
    a, b = world.agent("a"), world.agent("b")
    serial = world.call("", MANAGER, "ListUnits")
    a.refuse(a.take(), "x.Odd", "odd")
    world.bus.peer.expect_nothing()
    b.reply(b.take(), UNITS, units("x"))
    assert failed(world, serial) == "a: odd"


def test_a_node_that_does_not_answer_fails_the_question(world):
    a, _ = world.agent("a"), world.agent("b")
    serial = world.call("", MANAGER, "ListUnits")
    a.reply(a.take(), UNITS, units("x"))
    world.clock.advance(CALL_TIMEOUT)
    assert failed(world, serial) == "b: Method call timed out"


def test_a_node_that_is_lost_fails_the_question(world):
    a, b = world.agent("a"), world.agent("b")
    serial = world.call("", MANAGER, "ListUnits")
    a.reply(a.take(), UNITS, units("x"))
    world.forget()
    b.leave()
    message = world.bus.peer.take()
    assert (message.reply_serial, message.error_name) == (serial, E + "Failed")


def test_an_answer_of_another_type_fails_the_question(world):
    agent = world.agent("a")
    serial = world.call("", MANAGER, "ListUnits")
    agent.reply(agent.take(), "s", "rubbish")
    assert failed(world, serial) == "a: answered with 's'"


def test_an_answer_that_would_be_too_long_is_refused(world, monkeypatch):
    monkeypatch.setattr(splice, "ARRAY_BYTES", 100)
    agent = world.agent("a")
    serial = world.call("", MANAGER, "ListUnits")
    agent.reply(agent.take(), UNITS, units("x" * 50))
    world.bus.peer.expect_error(serial, E + "LimitsExceeded")


def test_a_caller_that_left_disturbs_nobody(world):
    agent = world.agent("a")
    world.call("", MANAGER, "ListUnits")
    world.call("/node/a", NODE, "ListUnits")
    world.bus.peer.leave()
    for _ in range(2):
        agent.reply(agent.take(), UNITS, units("x"))
    assert world.log.bugs == []


def test_the_bodies_are_what_an_encoder_would_write(world):
    agents = {name: world.agent(name) for name in "abc"}
    listed = {"a": units("a"), "b": units(), "c": units("c1", "c2")}
    world.call("", MANAGER, "ListUnits")
    for name, agent in agents.items():
        agent.reply(agent.take(), UNITS, listed[name])
    message = world.bus.peer.take()
    assert message.body == encode("a{sa(ssssssouso)}", (listed,))
