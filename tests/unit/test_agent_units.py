"""The agent's unit table: what systemd's signals make of it, and what the manager hears."""

from __future__ import annotations

import pytest

from hirte.api.dialect import COMPATIBLE
from hirte.wire import build
from hirte.wire.message import NO_REPLY_EXPECTED
from tests.unit.agented import UNIT, World, row, unit_path
from tests.unit.talk import PROPERTIES, E

SERVICE = "org.freedesktop.systemd1.Service"


@pytest.fixture
def world():
    return World(units=[row("a.service"), row("b.service", "inactive", "dead")])


def subscribe(world, unit):
    """Subscribe as the manager does, which wants no answer."""
    world.call("Subscribe", "s", unit, flags=NO_REPLY_EXPECTED)
    return world.told()


def state(unit, active, sub, reason="real"):
    return ("UnitStateChanged", unit, active, sub, reason)


# Subscribe and Unsubscribe


@pytest.mark.parametrize(
    ("unit", "events"),
    [
        (
            "a.service",
            [
                ("UnitNew", "a.service", "virtual"),
                state("a.service", "active", "running", "virtual"),
            ],
        ),
        (
            "b.service",
            [
                ("UnitNew", "b.service", "virtual"),
                state("b.service", "inactive", "dead", "virtual"),
            ],
        ),
        ("unknown.service", []),
        ("*", [("UnitNew", "*", "virtual")]),
    ],
)
def test_a_subscription_is_told_what_is_there(world, unit, events):
    assert subscribe(world, unit) == events


def test_the_events_come_before_the_answer_if_one_is_wanted(world):
    serial = world.call("Subscribe", "s", "a.service")
    world.manager.expect_signal("UnitNew", "a.service", "virtual")
    world.manager.expect_signal("UnitStateChanged", "a.service", "active", "running", "virtual")
    world.manager.expect_return(serial)


@pytest.mark.parametrize("unit", ["a.service", "unknown.service", "*"])
def test_a_second_subscription_fails(world, unit):
    subscribe(world, unit)
    world.manager.expect_error(world.call("Subscribe", "s", unit), E + "Failed")
    assert subscribe(world, unit) == []


@pytest.mark.parametrize("unit", ["a.service", "unknown.service", "*"])
def test_unsubscribe(world, unit):
    world.manager.expect_error(world.call("Unsubscribe", "s", unit), E + "Failed")
    subscribe(world, unit)
    world.manager.expect_return(world.call("Unsubscribe", "s", unit))
    world.manager.expect_error(world.call("Unsubscribe", "s", unit), E + "Failed")
    world.unit_new("unknown.service")
    world.unit_changed("a.service", ActiveState="failed", SubState="failed")
    assert world.told() == []


def test_a_unit_and_all_are_subscribed_apart(world):
    subscribe(world, "*")
    subscribe(world, "a.service")
    world.call("Unsubscribe", "s", "*", flags=NO_REPLY_EXPECTED)
    world.unit_new("c.service")
    world.unit_removed("a.service")
    assert world.told() == [("UnitRemoved", "a.service")]


def test_in_the_compatible_dialect():
    world = World(units=[row("a.service")], dialect=COMPATIBLE)
    world.call("Subscribe", "s", "a.service", flags=NO_REPLY_EXPECTED)
    message = world.manager.take()
    assert (message.path, message.interface, message.member) == (
        "/org/eclipse/bluechi/internal/agent",
        "org.eclipse.bluechi.internal.Agent",
        "UnitNew",
    )


# systemd's signals


def test_what_nobody_asked_for_is_not_told(world):
    subscribe(world, "b.service")
    world.unit_new("c.service")
    world.unit_changed("a.service", ActiveState="failed", SubState="failed")
    world.unit_removed("a.service")
    assert world.told() == []


@pytest.mark.parametrize("unit", ["c.service", "*"])
def test_the_life_of_a_unit(world, unit):
    subscribe(world, unit)
    world.unit_new("c.service")
    assert world.told() == [("UnitNew", "c.service", "real")]
    world.unit_changed("c.service", ActiveState="active", SubState="running")
    assert world.told() == [
        state("c.service", "active", "running"),
        (
            "UnitPropertiesChanged",
            "c.service",
            UNIT,
            {"ActiveState": ("s", "active"), "SubState": ("s", "running")},
        ),
    ]
    world.unit_removed("c.service")
    assert world.told() == [("UnitRemoved", "c.service")]


def test_a_state_that_did_not_change_is_not_told_but_the_properties_are(world):
    subscribe(world, "a.service")
    world.unit_changed("a.service", ActiveState="active", SubState="running", Other="x")
    assert [event[0] for event in world.told()] == ["UnitPropertiesChanged"]


@pytest.mark.parametrize(
    ("properties", "states"),
    [
        ({"ActiveState": "failed"}, ("failed", "running")),
        ({"SubState": "exited"}, ("active", "exited")),
        ({"Description": "ActiveState", "SubState": "exited"}, ("active", "exited")),
    ],
)
def test_one_of_the_states_can_change_alone(world, properties, states):
    subscribe(world, "a.service")
    world.unit_changed("a.service", **properties)
    assert world.told()[0] == state("a.service", *states)


def test_properties_of_other_interfaces_are_passed_on_and_are_no_state(world):
    subscribe(world, "a.service")
    world.unit_changed("a.service", SERVICE, invalidated=["X"], ActiveState="odd", MainPID="1")
    assert world.told() == [
        (
            "UnitPropertiesChanged",
            "a.service",
            SERVICE,
            {"ActiveState": ("s", "odd"), "MainPID": ("s", "1")},
        )
    ]


def test_values_of_any_type_are_passed_on(world):
    subscribe(world, "a.service")
    values = {
        "A": ("t", 1 << 63),
        "ActiveState": ("s", "failed"),
        "B": ("a(sasbttttuii)", [("/bin/x", ["x"], False, 1, 2, 3, 4, 5, 6, 7)]),
        "C": ("ay", b"ActiveState"),
        "SubState": ("s", "failed"),
    }
    world.systemd.signal(
        unit_path("a.service"), PROPERTIES, "PropertiesChanged", "sa{sv}as", UNIT, values, ["D"]
    )
    events = world.told()
    assert events[0] == state("a.service", "failed", "failed")
    name, unit, interface, told = events[1]
    assert (name, unit, interface) == ("UnitPropertiesChanged", "a.service", UNIT)
    assert list(told) == list(values)
    assert told["B"] == values["B"]
    assert told["A"] == values["A"]


def test_a_systemd_of_the_other_byte_order(world):
    subscribe(world, "a.service")
    from tests.unit.wire_raw import pad

    def text(value):
        return len(value).to_bytes(4, "big") + value.encode() + b"\0"

    entry = text("SubState") + b"\1s\0"
    entry = pad(entry, 4) + text("exited")
    body = pad(pad(text(UNIT), 4) + len(entry).to_bytes(4, "big"), 8) + entry
    body = pad(body, 4) + bytes(4)
    world.systemd.say(
        build.signal(
            99, unit_path("a.service"), PROPERTIES, "PropertiesChanged", "sa{sv}as", body, order=">"
        )
    )
    assert world.told() == [
        state("a.service", "active", "exited"),
        ("UnitPropertiesChanged", "a.service", UNIT, {"SubState": ("s", "exited")}),
    ]


def test_a_unit_that_is_announced_anew_is_taken_for_dead(world):
    subscribe(world, "a.service")
    world.unit_new("a.service")
    assert world.told() == [("UnitNew", "a.service", "real")]
    world.unit_changed("a.service", ActiveState="active", SubState="running")
    assert world.told()[0] == state("a.service", "active", "running")


def test_what_is_not_known_is_ignored(world):
    subscribe(world, "*")
    world.unit_changed("ghost.service", ActiveState="active", SubState="running")
    world.unit_removed("ghost.service")
    assert world.told() == []


def test_a_state_that_is_not_known_is_told_as_invalid(world):
    subscribe(world, "ghost.service")
    world.unit_changed("ghost.service", ActiveState="active")
    assert world.told()[0] == state("ghost.service", "active", "invalid")


def test_a_removed_unit_is_told_nothing_of_when_it_is_subscribed_again(world):
    subscribe(world, "a.service")
    world.unit_removed("a.service")
    world.told()
    world.call("Unsubscribe", "s", "a.service", flags=NO_REPLY_EXPECTED)
    assert subscribe(world, "a.service") == []


def test_rows_go_when_nobody_needs_them(world):
    rows = len(world.agent.units)
    for unit in ("a.service", "ghost.service"):
        subscribe(world, unit)
    world.unit_new("c.service")
    assert len(world.agent.units) == rows + 2
    world.unit_removed("c.service")
    world.unit_removed("a.service")
    assert len(world.agent.units) == rows + 1
    for unit in ("a.service", "ghost.service"):
        world.call("Unsubscribe", "s", unit)
    assert len(world.agent.units) == rows - 1


def test_unit_names_are_escaped_in_paths_only():
    name = "my-mount@a.b\\x2d.service"
    world = World(units=[row(name)])
    assert subscribe(world, name)[0] == ("UnitNew", name, "virtual")


# Without a manager, without systemd


def test_at_the_loss_of_the_manager_subscriptions_are_forgotten(world):
    for unit in ("a.service", "ghost.service", "*"):
        subscribe(world, unit)
    rows = len(world.agent.units)
    world.manager.leave()
    assert len(world.agent.units) == rows - 1
    world.register()
    world.unit_removed("b.service")
    assert world.told() == []
    assert subscribe(world, "a.service")[0] == ("UnitNew", "a.service", "virtual")
    assert subscribe(world, "*") == [("UnitNew", "*", "virtual")]


def test_the_table_follows_systemd_while_no_manager_listens(world):
    world.manager.leave()
    world.unit_changed("a.service", ActiveState="failed", SubState="failed")
    world.unit_new("c.service")
    world.register()
    assert subscribe(world, "a.service")[1] == state("a.service", "failed", "failed", "virtual")
    assert subscribe(world, "c.service")[0] == ("UnitNew", "c.service", "virtual")


def test_what_happened_while_systemd_was_away_is_told(world):
    subscribe(world, "*")
    world.systemd.leave("reexecuting")
    world.clock.advance(1)
    world.sync(row("a.service", "failed", "failed"), row("c.service"))
    assert world.told() == [
        state("a.service", "failed", "failed"),
        ("UnitNew", "c.service", "real"),
        state("c.service", "active", "running"),
        ("UnitRemoved", "b.service"),
    ]


def test_what_happens_between_the_lists_is_not_missed():
    world = World(start=False)
    from tests.unit.agented import JOBS, UNITS
    from tests.unit.talk import GREETING

    systemd = world.systemd = world.to_systemd.accept().greet(GREETING)
    systemd.reply(systemd.expect_call("Subscribe"))
    systemd.reply(systemd.expect_call("ListUnits"), UNITS, [row("a.service")])
    world.unit_changed("a.service", ActiveState="failed", SubState="failed")
    world.unit_new("b.service")
    systemd.reply(systemd.expect_call("ListJobs"), JOBS, [])
    world.register()
    assert subscribe(world, "a.service")[1] == state("a.service", "failed", "failed", "virtual")
    assert subscribe(world, "b.service")[0] == ("UnitNew", "b.service", "virtual")


def test_after_a_reload_all_states_are_asked_for_again(world):
    subscribe(world, "a.service")
    world.signal("Reloading", "b", True)
    world.systemd.expect_nothing()
    world.unit_new("a.service")
    world.signal("Reloading", "b", False)
    world.told()
    world.list(row("a.service"))
    assert world.told() == [state("a.service", "active", "running")]


def test_what_happens_while_all_states_are_asked_for_again_is_not_undone(world):
    from tests.unit.agented import JOBS, UNITS

    subscribe(world, "a.service")
    world.signal("Reloading", "b", False)
    world.systemd.reply(world.systemd.expect_call("ListUnits"), UNITS, [row("a.service")])
    world.unit_changed("a.service", ActiveState="failed", SubState="failed")
    assert world.told()[0] == state("a.service", "failed", "failed")
    world.systemd.reply(world.systemd.expect_call("ListJobs"), JOBS, [])
    assert world.told() == []
