"""The agent's way up: the state machine of the connection to its manager, event by event."""

from __future__ import annotations

import gc
import weakref

import pytest

from hirte.agent import uplink as module
from hirte.agent.uplink import CONNECTED, CONNECTING, RETRY, Uplink
from hirte.dbus.objects import Tree
from hirte.settings.table import AgentSettings
from hirte.wire.message import NO_REPLY_EXPECTED
from tests.unit.talk import GREETING, Attempt, Clock, Dialled, E, ListLog, settings

NATIVE = ("/org/containers/hirte/internal", "org.containers.hirte.internal.Manager")
COMPATIBLE = ("/org/eclipse/bluechi/internal", "org.eclipse.bluechi.internal.Controller")
ADDRESS = "tcp:host=192.0.2.1,port=842"


class Resolver:
    """The look-up of names: literal addresses are answered at once, others when the test says."""

    def __init__(self):
        self.asked = []

    def __call__(self, host, on_done):
        if host[0].isdigit():
            on_done(host, "")
            return None
        attempt = Attempt(on_done)
        self.asked.append(attempt)
        return attempt

    def answer(self, host, error=""):
        (attempt,) = [attempt for attempt in self.asked if not attempt.cancelled]
        self.asked.clear()
        attempt.on_done(host, error)


class Agent:
    """An uplink, and all that the rest of the agent and the world see of it."""

    def __init__(self, **options):
        options = {"NodeName": "n1", "ManagerAddress": ADDRESS, **options}
        lines = [f"{key}={value}\n" for key, value in options.items()]
        self.clock = Clock()
        self.log = ListLog()
        self.dial = Dialled(self.clock, self.log, "the manager", trusted=False)
        self.resolve = Resolver()
        self.changes = []
        self.losses = 0
        self.uplink = Uplink(
            settings(AgentSettings, "".join(lines)),
            self.clock,
            self.log,
            self.dial,
            self.resolve,
            Tree(lambda: "0" * 32),
        )
        self.uplink.on_change = self._changed
        self.uplink.on_lost = self._lost

    def _changed(self, name):
        value = self.uplink.status if name == "Status" else self.uplink.address
        self.changes.append((name, value))

    def _lost(self):
        self.losses += 1

    def took(self):
        """What changed since it was asked last."""
        changes, self.changes = self.changes, []
        return changes

    def accept(self):
        """Let the attempt succeed; returns the manager's end and the Register call."""
        manager = self.dial.accept().greet(GREETING)
        return manager, manager.expect_call("Register", "n1")

    def register(self):
        manager, call = self.accept()
        manager.reply(call)
        assert self.uplink.state == CONNECTED
        self.took()
        self.losses = 0
        return manager


@pytest.fixture
def agent():
    agent = Agent()
    agent.uplink.start()
    return agent


# start


def test_at_the_start_it_connects_and_registers_with_the_native_manager(agent):
    assert agent.uplink.state == CONNECTING
    assert agent.dial.addresses == [ADDRESS]
    manager, call = agent.accept()
    assert (call.path, call.interface) == NATIVE
    assert (call.destination, call.sender, call.flags) == ("org.containers.hirte", "", 0)
    assert (agent.uplink.state, agent.uplink.status) == (CONNECTING, "offline")
    manager.expect_nothing()


def test_registered(agent):
    manager, call = agent.accept()
    agent.clock.advance(0.5)
    manager.reply(call)
    assert (agent.uplink.state, agent.uplink.status) == (CONNECTED, "online")
    assert agent.took() == [("Status", "online")]
    assert agent.uplink.last_seen_us == agent.clock.realtime_us()
    assert agent.uplink.last_seen_monotonic_us == agent.clock.monotonic_us()
    assert (agent.uplink.disconnected_us, agent.uplink.disconnected_monotonic_us) == (0, 0)
    assert agent.log.of("info") == ["Connected to the manager as n1"]


def test_before_the_first_loss_there_is_no_time_of_it(agent):
    agent.dial.refuse()
    assert agent.uplink.disconnected_us == 0
    assert agent.uplink.last_seen_us == 0


# CONNECTING


@pytest.mark.parametrize("tick", [1, 2])
def test_a_refused_connection_is_tried_again_at_every_tick(agent, tick):
    for _ in range(tick):
        agent.dial.refuse()
        assert agent.uplink.state == RETRY
        agent.clock.advance(1.99)
        agent.dial.expect_none()
        agent.clock.advance(0.01)
        assert agent.uplink.state == CONNECTING
    agent.register()


def test_a_refused_registration_waits_for_the_tick_on_the_open_connection(agent):
    manager, call = agent.accept()
    manager.refuse(call, E + "ServiceUnknown", "Unexpected node name")
    assert agent.uplink.state == CONNECTING
    assert agent.log.of("warning") == ["The manager refused node 'n1': Unexpected node name"]
    agent.clock.advance(1.9)
    assert not manager.closed
    agent.dial.expect_none()
    agent.clock.advance(0.1)
    assert manager.closed
    agent.register()


def test_a_loss_before_the_registration_waits_for_the_tick(agent):
    manager, _ = agent.accept()
    manager.leave()
    assert agent.uplink.state == CONNECTING
    assert agent.took() == []
    agent.dial.expect_none()
    agent.clock.advance(2)
    agent.register()


def test_a_registration_that_is_not_answered_is_dropped_at_the_tick(agent):
    manager, _ = agent.accept()
    agent.clock.advance(2)
    assert manager.closed
    assert agent.took() == []
    agent.register()


def test_a_manager_that_does_not_even_greet_is_dropped_at_the_tick(agent):
    manager = agent.dial.accept()
    agent.clock.advance(2)
    assert manager.closed
    agent.register()


def test_a_manager_that_refuses_the_authentication_is_tried_again_at_the_tick(agent):
    manager = agent.dial.accept()
    manager.say(b"REJECTED EXTERNAL\r\n")
    assert manager.closed
    agent.dial.expect_none()
    agent.clock.advance(2)
    agent.register()


def test_an_attempt_that_hangs_is_given_up_at_the_tick(agent):
    (first,) = agent.dial.waiting
    agent.clock.advance(2)
    assert first.cancelled
    agent.register()


def test_calls_before_the_answer_to_register_are_served(agent):
    manager, call = agent.accept()
    serial = manager.call("/", "org.freedesktop.DBus.Peer", "Ping")
    manager.expect_return(serial)
    agent.uplink.emit("UnitNew", "ss", b"\1\0\0\0a\0\0\0\1\0\0\0b\0")
    manager.expect_signal("UnitNew", "a", "b")
    manager.reply(call)
    assert agent.uplink.state == CONNECTED


# CONNECTED


def test_every_tick_brings_a_heartbeat(agent):
    manager = agent.register()
    for _ in range(3):
        agent.clock.advance(1.99)
        manager.expect_nothing()
        agent.clock.advance(0.01)
        beat = manager.expect_signal("Heartbeat")
        assert (beat.path, beat.interface) == (
            "/org/containers/hirte/internal/agent",
            "org.containers.hirte.internal.Agent",
        )
        assert (beat.sender, beat.destination, beat.flags) == ("", "", NO_REPLY_EXPECTED)


def test_a_lost_connection_is_tried_again_at_once(agent):
    manager = agent.register()
    agent.clock.advance(1)
    manager.leave()
    assert agent.took() == [("Status", "offline")]
    assert agent.losses == 1
    assert agent.uplink.state == CONNECTING
    assert agent.uplink.disconnected_us == agent.clock.realtime_us()
    assert agent.uplink.disconnected_monotonic_us == agent.clock.monotonic_us()
    agent.register()
    assert agent.uplink.disconnected_us == 0


def test_after_the_immediate_attempt_comes_the_tick(agent):
    agent.register().leave()
    agent.dial.refuse()
    agent.dial.expect_none()
    agent.clock.advance(2)
    agent.register()


def test_broken_bytes_are_a_loss(agent):
    agent.register().say(b"?" * 16)
    assert agent.took() == [("Status", "offline")]
    agent.register()


def test_the_managers_heartbeat_is_seen_with_any_arguments(agent):
    manager = agent.register()
    for arguments in ((), ("s", "x")):
        agent.clock.advance(0.25)
        manager.signal(*NATIVE, "Heartbeat", *arguments)
        assert agent.uplink.last_seen_us == agent.clock.realtime_us()
        assert agent.uplink.last_seen_monotonic_us == agent.clock.monotonic_us()


def test_other_signals_are_no_heartbeat(agent):
    manager = agent.register()
    seen = agent.uplink.last_seen_us
    agent.clock.advance(0.5)
    manager.signal(NATIVE[0], NATIVE[1], "Other")
    manager.signal(*COMPATIBLE, "Heartbeat")
    assert agent.uplink.last_seen_us == seen


def test_by_default_a_silent_manager_is_not_missed(agent):
    manager = agent.register()
    agent.clock.advance(3600)
    assert not manager.closed


def test_a_manager_that_is_silent_for_longer_than_the_threshold_is_lost():
    agent = Agent(ManagerHeartbeatThreshold=5000)
    agent.uplink.start()
    agent.clock.advance(1)
    manager = agent.register()
    # Ticks at 2, 4, 6 seconds after the start: 1, 3, 5 after the registration.
    agent.clock.advance(5)
    assert not manager.closed
    agent.clock.advance(2)
    assert manager.closed
    assert agent.took() == [("Status", "offline")]
    assert agent.losses == 1
    assert agent.uplink.state == CONNECTING
    assert agent.log.of("warning") == [
        "Lost the connection to the manager: no heartbeat within the threshold"
    ]
    agent.register()


def test_heartbeats_keep_the_manager():
    agent = Agent(ManagerHeartbeatThreshold=5000)
    agent.uplink.start()
    manager = agent.register()
    for _ in range(10):
        agent.clock.advance(4)
        manager.signal(*NATIVE, "Heartbeat")
    assert not manager.closed


@pytest.mark.parametrize("interval", [0, -1])
def test_without_heartbeats_attempts_go_on_all_the_same(interval):
    agent = Agent(HeartbeatInterval=interval)
    agent.uplink.start()
    agent.dial.refuse()
    agent.clock.advance(2)
    manager = agent.register()
    agent.clock.advance(60)
    manager.expect_nothing()


# Dialects


def test_a_manager_that_does_not_know_the_native_names_is_asked_in_the_compatible_ones(agent):
    manager, call = agent.accept()
    manager.refuse(call, E + "UnknownObject")
    call = manager.expect_call("Register", "n1")
    assert (call.path, call.interface) == COMPATIBLE
    assert call.destination == "org.eclipse.bluechi"
    manager.reply(call)
    assert agent.uplink.state == CONNECTED
    agent.clock.advance(2)
    beat = manager.expect_signal("Heartbeat")
    assert (beat.path, beat.interface) == (
        "/org/eclipse/bluechi/internal/agent",
        "org.eclipse.bluechi.internal.Agent",
    )
    manager.signal(*COMPATIBLE, "Heartbeat")
    assert agent.uplink.last_seen_us == agent.clock.realtime_us()
    assert agent.log.of("warning") == []


@pytest.mark.parametrize("name", ["UnknownObject", "UnknownMethod", "UnknownInterface"])
def test_a_manager_that_knows_neither_dialect_is_tried_again_at_the_tick(agent, name):
    manager, call = agent.accept()
    manager.refuse(call, E + name)
    manager.refuse(manager.expect_call("Register", "n1"), E + name)
    manager.expect_nothing()
    assert len(agent.log.of("warning")) == 1
    agent.clock.advance(2)
    _, call = agent.accept()
    assert (call.path, call.interface) == NATIVE


def test_a_refusal_is_not_asked_again_in_the_other_dialect(agent):
    manager, call = agent.accept()
    manager.refuse(call, E + "AddressInUse")
    manager.expect_nothing()


@pytest.mark.parametrize(("dialect", "names"), [("native", NATIVE), ("compatible", COMPATIBLE)])
def test_the_dialect_can_be_fixed(dialect, names):
    agent = Agent(ManagerDialect=dialect)
    agent.uplink.start()
    manager, call = agent.accept()
    assert (call.path, call.interface) == names
    manager.refuse(call, E + "UnknownObject")
    manager.expect_nothing()


# Addresses


def test_a_name_is_resolved_for_every_attempt():
    agent = Agent(ManagerAddress="", ManagerHost="manager.example")
    found = []
    agent.uplink.find(found.append)
    agent.resolve.answer("192.0.2.1")
    assert found == [""]
    assert agent.uplink.address == ADDRESS
    agent.uplink.start()
    agent.resolve.answer("192.0.2.1")
    assert agent.took() == []
    agent.dial.refuse()
    agent.clock.advance(2)
    agent.resolve.answer("2001:db8::1")
    assert agent.took() == [("ManagerAddress", "tcp:host=2001:db8::1,port=842")]
    assert agent.dial.addresses == [ADDRESS, "tcp:host=2001:db8::1,port=842"]


def test_a_name_that_cannot_be_found_at_the_start_is_told():
    agent = Agent(ManagerAddress="", ManagerHost="manager.example")
    found = []
    agent.uplink.find(found.append)
    agent.resolve.answer(None, "manager.example: not known")
    assert found == ["manager.example: not known"]


def test_a_name_that_cannot_be_found_later_is_a_failed_attempt():
    agent = Agent(ManagerAddress="", ManagerHost="manager.example")
    agent.uplink.start()
    agent.resolve.answer(None, "not known")
    assert agent.uplink.state == RETRY
    agent.clock.advance(2)
    agent.resolve.answer("192.0.2.1")
    agent.register()


def test_a_look_up_that_takes_longer_than_the_interval_is_waited_for():
    agent = Agent(ManagerAddress="", ManagerHost="manager.example")
    agent.uplink.start()
    agent.clock.advance(11)
    assert [attempt.cancelled for attempt in agent.resolve.asked] == [False]
    agent.resolve.answer("192.0.2.1")
    agent.register()


def test_the_end_while_a_name_is_looked_up():
    agent = Agent(ManagerAddress="", ManagerHost="manager.example")
    agent.uplink.start()
    agent.uplink.close()
    assert [attempt.cancelled for attempt in agent.resolve.asked] == [True]
    agent.clock.advance(10)
    assert len(agent.resolve.asked) == 1


def test_an_attempt_to_a_literal_address_that_hangs_is_given_up_at_the_tick():
    agent = Agent(ManagerAddress="", ManagerHost="192.0.2.1")
    agent.uplink.start()
    (first,) = agent.dial.waiting
    agent.clock.advance(2)
    assert first.cancelled
    agent.register()


def test_a_literal_address_needs_no_look_up():
    agent = Agent(ManagerAddress="", ManagerHost="192.0.2.1")
    found = []
    agent.uplink.find(found.append)
    assert (found, agent.uplink.address) == ([""], ADDRESS)


# Silence


def quiet_after(count, failures):
    agent = Agent(ConnectionRetryCountUntilQuiet=count)
    agent.uplink.start()
    for _ in range(failures):
        agent.dial.refuse()
        agent.clock.advance(2)
    return agent


def test_after_some_failures_nothing_is_logged_until_the_manager_is_back():
    agent = quiet_after(3, failures=2)
    assert not agent.log.quiet
    agent.dial.refuse()
    agent.clock.advance(2)
    assert agent.log.quiet
    before = len(agent.log.records)
    for _ in range(20):
        agent.dial.refuse()
        agent.clock.advance(2)
    assert len(agent.log.records) == before
    agent.register()
    assert not agent.log.quiet
    assert agent.log.of("info")


def test_a_registration_starts_the_count_anew():
    agent = quiet_after(3, failures=2)
    agent.register().leave()
    for _ in range(2):
        agent.dial.refuse()
        agent.clock.advance(2)
    assert not agent.log.quiet


@pytest.mark.parametrize("count", [0, -1])
def test_silence_can_be_switched_off(count):
    assert not quiet_after(count, failures=50).log.quiet


def test_a_log_that_is_quiet_by_configuration_stays_so():
    agent = Agent(ConnectionRetryCountUntilQuiet=1, LogIsQuiet=True)
    agent.uplink.start()
    agent.dial.refuse()
    agent.clock.advance(2)
    agent.register()
    assert agent.log.quiet


# SwitchManager


def test_switching_while_connected():
    agent = Agent()
    agent.uplink.start()
    manager = agent.register()
    agent.clock.advance(0.5)
    agent.uplink.switch("tcp:host=192.0.2.9,port=1")
    assert agent.took() == [
        ("ManagerAddress", "tcp:host=192.0.2.9,port=1"),
        ("Status", "offline"),
    ]
    assert manager.closed
    assert agent.losses == 1
    assert agent.uplink.disconnected_us == agent.clock.realtime_us()
    assert agent.dial.addresses[-1] == "tcp:host=192.0.2.9,port=1"
    agent.register()


def test_switching_while_offline_tells_offline_again():
    agent = Agent()
    agent.uplink.start()
    agent.dial.refuse()
    agent.uplink.switch("unix:path=/a")
    assert agent.took() == [("ManagerAddress", "unix:path=/a"), ("Status", "offline")]
    agent.register()


def test_switching_gives_the_attempt_up_that_there_is():
    agent = Agent()
    agent.uplink.start()
    (first,) = agent.dial.waiting
    agent.uplink.switch("unix:path=/a")
    assert first.cancelled
    agent.register()


def test_the_address_stays_switched():
    agent = Agent(ManagerAddress="", ManagerHost="manager.example")
    agent.uplink.start()
    agent.uplink.switch("unix:path=/a")
    agent.register().leave()
    agent.dial.refuse()
    agent.clock.advance(2)
    agent.register()
    assert agent.dial.addresses == ["unix:path=/a"] * 3


# The end


def test_the_end_while_connected():
    agent = Agent()
    agent.uplink.start()
    manager = agent.register()
    agent.uplink.close()
    assert manager.closed
    assert agent.took() == [("Status", "offline")]
    agent.clock.advance(60)
    agent.dial.expect_none()


def test_the_end_while_connecting():
    agent = Agent()
    agent.uplink.start()
    (attempt,) = agent.dial.waiting
    agent.uplink.close()
    assert attempt.cancelled
    assert agent.took() == []
    agent.clock.advance(60)
    agent.dial.expect_none()


def test_nothing_is_sent_without_a_connection():
    agent = Agent()
    agent.uplink.emit("JobDone")
    agent.uplink.start()
    agent.uplink.emit("JobDone")
    manager = agent.register()
    manager.leave()
    agent.uplink.emit("JobDone")
    manager.expect_nothing()


def test_nothing_is_sent_before_the_authentication_is_over(agent):
    manager = agent.dial.accept()
    before = manager.raw
    agent.uplink.emit("JobDone")
    assert manager.raw == before


def test_what_is_left_of_a_lost_connection_is_freed_at_once(agent):
    gc.collect()
    gc.disable()
    try:
        manager = agent.register()
        connection = weakref.ref(manager.connection)
        manager.leave()
        manager.connection = None
        assert connection() is None
    finally:
        gc.enable()


def test_the_interval_between_attempts_without_heartbeats_is_the_default_one():
    assert settings(AgentSettings, "").heartbeat_interval / 1000 == module._DEFAULT_TICK
