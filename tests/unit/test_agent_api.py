"""The agent's object on the public bus: properties, SwitchManager, JobCancel."""

from __future__ import annotations

import pytest

from tests.unit.agented import ADDRESS, AGENT, ROOT, World, job_path
from tests.unit.talk import PROPERTIES, E

OTHER = "tcp:host=192.0.2.9,port=1"


@pytest.fixture
def world():
    return World()


def get(world, name):
    world.bus.peer.heard.clear()
    world.bus.call(ROOT, PROPERTIES, "Get", "ss", AGENT, name)
    return world.bus.peer.take().values()[0]


def test_the_properties_of_a_registered_agent(world):
    values = {
        "Status": ("s", "online"),
        "LogLevel": ("s", "INFO"),
        "LogTarget": ("s", "journald"),
        "DisconnectTimestamp": ("t", 0),
        "DisconnectTimestampMonotonic": ("t", 0),
        "LastSeenTimestamp": ("t", world.clock.realtime_us()),
        "LastSeenTimestampMonotonic": ("t", world.clock.monotonic_us()),
        "ManagerAddress": ("s", ADDRESS),
    }
    assert {name: get(world, name) for name in values} == values


def test_get_all_leaves_out_what_tells_no_changes(world):
    serial = world.bus.call(ROOT, PROPERTIES, "GetAll", "s", AGENT)
    world.bus.peer.expect_return(
        serial,
        {
            "Status": ("s", "online"),
            "LogTarget": ("s", "journald"),
            "ManagerAddress": ("s", ADDRESS),
        },
    )


def test_the_loss_of_the_manager_is_told(world):
    world.clock.advance(1)
    world.bus.peer.forget()
    world.manager.leave()
    world.bus.peer.expect_changed(ROOT, AGENT, Status="offline")
    assert get(world, "DisconnectTimestamp") == ("t", world.clock.realtime_us())
    assert get(world, "DisconnectTimestampMonotonic") == ("t", world.clock.monotonic_us())
    assert get(world, "LastSeenTimestamp") == ("t", world.clock.realtime_us() - 1_000_000)


# SwitchManager


def test_switching_to_another_manager(world):
    old = world.manager
    serial = world.bus.call(ROOT, AGENT, "SwitchManager", "s", OTHER)
    assert old.closed
    world.bus.peer.expect_changed(ROOT, AGENT, ManagerAddress=OTHER)
    world.bus.peer.expect_changed(ROOT, AGENT, Status="offline")
    world.bus.peer.expect_return(serial)
    assert world.to_manager.addresses[-1] == OTHER
    new = world.to_manager.accept()
    world.manager = new.greet(b"DATA\r\nOK 0\r\n")
    world.manager.reply(world.manager.expect_call("Register", "n1"))
    world.bus.peer.expect_changed(ROOT, AGENT, Status="online")


@pytest.mark.parametrize("online", [True, False])
def test_switching_to_the_same_manager_fails(world, online):
    if not online:
        world.manager.leave()
        world.to_manager.refuse()
        world.bus.peer.forget()
    serial = world.bus.call(ROOT, AGENT, "SwitchManager", "s", ADDRESS)
    world.bus.peer.expect_error(serial, E + "Failed")
    world.bus.peer.expect_nothing()
    assert world.manager.closed != online


def test_switching_back(world):
    for address in (OTHER, ADDRESS):
        serial = world.bus.call(ROOT, AGENT, "SwitchManager", "s", address)
        world.bus.peer.take()
        world.bus.peer.take()
        world.bus.peer.expect_return(serial)
    assert world.to_manager.addresses == [ADDRESS, OTHER, ADDRESS]


def test_an_address_that_is_none_is_taken_and_tried(world):
    serial = world.bus.call(ROOT, AGENT, "SwitchManager", "s", "rubbish")
    world.bus.peer.expect_changed(ROOT, AGENT, ManagerAddress="rubbish")
    world.bus.peer.expect_changed(ROOT, AGENT, Status="offline")
    world.bus.peer.expect_return(serial)
    world.to_manager.refuse("an address has no transport")
    world.clock.advance(2)
    world.to_manager.refuse("an address has no transport")
    assert get(world, "ManagerAddress") == ("s", "rubbish")


def test_what_the_old_manager_asked_for_is_forgotten(world):
    world.subscribe("*")
    world.start_job(7, 1)
    world.bus.call(ROOT, AGENT, "SwitchManager", "s", OTHER)
    world.register()
    world.job_removed(1)
    world.unit_new("a.service")
    assert world.told() == []


def test_others_may_not_switch(world):
    world.bus.users[":1.99"] = 1000
    serial = world.bus.call(ROOT, AGENT, "SwitchManager", "s", OTHER, sender=":1.99")
    world.bus.peer.expect_error(serial, E + "AccessDenied")
    assert not world.manager.closed


def test_the_compatible_names():
    world = World("BusNames=compatible\n")
    path, name = "/org/eclipse/bluechi", "org.eclipse.bluechi.Agent"
    serial = world.bus.call(path, name, "SwitchController", "s", OTHER)
    world.bus.peer.expect_changed(path, name, ControllerAddress=OTHER)
    world.bus.peer.expect_changed(path, name, Status="offline")
    world.bus.peer.expect_return(serial)
    serial = world.bus.call(path, name, "SwitchManager", "s", OTHER)
    world.bus.peer.expect_error(serial, E + "UnknownMethod")


def test_a_switch_before_systemd_is_there():
    world = World(start=False)
    world.bus.call(ROOT, AGENT, "SwitchManager", "s", OTHER)
    world.sync()
    world.register()
    assert world.agent.uplink.status == "online"


# JobCancel


def test_cancelling_a_job_of_the_manager(world):
    world.start_job(7, 1)
    serial = world.bus.call(ROOT, AGENT, "JobCancel", "u", 7)
    request = world.systemd.expect_call("Cancel")
    assert request.path == job_path(1)
    world.systemd.reply(request)
    world.bus.peer.expect_return(serial)


def test_a_manager_that_uses_an_id_twice_hears_of_both_ends(world):
    world.start_job(7, 1)
    world.start_job(7, 2)
    world.job_removed(1)
    world.job_removed(2, result="failed")
    assert world.told() == [("JobDone", 7, "done"), ("JobDone", 7, "failed")]
    assert world.log.bugs == []


def test_cancelling_what_is_no_job(world):
    serial = world.bus.call(ROOT, AGENT, "JobCancel", "u", 7)
    world.bus.peer.expect_error(serial, E + "Failed")


def test_the_internal_interface_is_not_on_the_public_bus(world):
    serial = world.bus.call(
        f"{ROOT}/internal/agent", "org.containers.hirte.internal.Agent", "ListUnits"
    )
    world.bus.peer.expect_error(serial, E + "UnknownObject")
