"""Our place on the message bus: names, callers' users, and a bus that goes away and comes back."""

from __future__ import annotations

import gc
import weakref

import pytest

from hirte.api.dialect import NATIVE
from hirte.api.table import EMITS, Interface, Method, Property, Signal
from hirte.dbus import bus as bus_module
from hirte.dbus.objects import Service, Tree
from hirte.dbus.presence import RETRY, Presence
from hirte.dbus.publisher import Publisher
from hirte.wire.limits import BUS_MESSAGE_BYTES
from tests.unit.talk import BUS, BUS_PATH, GREETING, Bus, Clock, Dialled, E, ListLog

TABLE = Interface(
    "Thing",
    methods=(Method("Do", "what:s"),),
    signals=(Signal("Done", "what:s"),),
    properties=(Property("State", "s", EMITS),),
)
PATH, NAME = "/org/containers/hirte", "org.containers.hirte.Thing"
OWNER = 77


class World:
    """A presence that serves one object, and the bus that the test plays."""

    def __init__(self, names=("a.b",), uid=OWNER):
        self.clock = Clock()
        self.log = ListLog()
        self.dial = Dialled(self.clock, self.log, "the bus")
        self.done = []
        self.ups = 0
        self.downs = []
        self.refused = []
        self.presence = Presence(self.dial, names, self.clock, self.log, uid)
        self.presence.on_up = self._up
        self.presence.on_down = self.downs.append
        self.presence.on_refused = self.refused.append
        self.tree = Tree(lambda: "0" * 32, self.presence.authorize)
        self.publisher = Publisher(self.tree, lambda: self.presence.connection)
        service = Service(TABLE, NATIVE, {"Do": self._do}, {"State": lambda _: "fine"})
        self.publisher.speak(NATIVE, {"Thing": service})
        self.publisher.export("", self, "Thing")
        self.names = names

    def _up(self):
        self.ups += 1

    def _do(self, target, call):
        (what,) = call.message.values()
        if what == "bug":
            raise ZeroDivisionError("oops")
        self.done.append(what)
        call.reply()

    def start(self):
        self.presence.start(self.tree)
        return self.come()

    def come(self):
        """Let the bus take us."""
        bus = Bus(self.dial.accept().greet(GREETING)).welcome(*self.names)
        bus.users = {":1.0": 0, f":1.{OWNER}": OWNER, ":1.5": 5}
        return bus


# Names


def test_it_says_hello_and_asks_for_its_names_one_after_the_other():
    world = World(names=("a.b", "c.d"))
    world.presence.start(world.tree)
    peer = world.dial.accept().greet(GREETING)
    hello = peer.expect_call("Hello")
    assert (hello.path, hello.interface, hello.destination) == (BUS_PATH, BUS, BUS)
    peer.expect_nothing()
    peer.reply(hello, "s", ":1.7")
    peer.reply(peer.expect_call("RequestName", "a.b", 6), "u", 1)
    assert world.ups == 0
    peer.reply(peer.expect_call("RequestName", "c.d", 6), "u", 4)
    assert world.ups == 1
    assert world.refused == []


@pytest.mark.parametrize("answer", [2, 3])
def test_a_name_that_another_owns_is_a_refusal(answer):
    world = World()
    world.presence.start(world.tree)
    peer = world.dial.accept().greet(GREETING)
    peer.reply(peer.expect_call("Hello"), "s", ":1.7")
    peer.reply(peer.expect_call("RequestName", "a.b", 6), "u", answer)
    assert world.refused == ["cannot own a.b: another process owns it"]
    assert world.ups == 0
    assert peer.closed
    world.clock.advance(60)
    world.dial.expect_none()


def test_a_name_that_the_policy_forbids_is_a_refusal():
    world = World()
    world.presence.start(world.tree)
    peer = world.dial.accept().greet(GREETING)
    peer.reply(peer.expect_call("Hello"), "s", ":1.7")
    peer.refuse(peer.expect_call("RequestName", "a.b", 6), E + "AccessDenied", "not allowed")
    assert world.refused == ["cannot own a.b: not allowed"]


def test_a_bus_that_refuses_hello_is_a_refusal():
    world = World()
    world.presence.start(world.tree)
    peer = world.dial.accept().greet(GREETING)
    peer.refuse(peer.expect_call("Hello"), E + "LimitsExceeded", "full")
    assert world.refused == ["the bus refused Hello: full"]


def test_a_bus_that_is_not_there_at_the_start_is_a_refusal():
    world = World()
    world.presence.start(world.tree)
    world.dial.refuse("No such file or directory")
    assert world.refused == ["cannot connect to the bus: No such file or directory"]


def test_a_bus_that_leaves_before_we_are_up_is_a_refusal():
    world = World()
    world.presence.start(world.tree)
    world.dial.accept().greet(GREETING).leave("gone")
    assert world.refused == ["gone"]


# Who may call


@pytest.mark.parametrize("sender", [":1.0", f":1.{OWNER}"])
def test_root_and_the_owner_may_call(sender):
    world = World()
    bus = world.start()
    serial = bus.call(PATH, NAME, "Do", "s", "it", sender=sender)
    bus.peer.expect_return(serial)
    assert world.done == ["it"]


def test_others_may_not_call():
    world = World()
    bus = world.start()
    serial = bus.call(PATH, NAME, "Do", "s", "it", sender=":1.5")
    bus.peer.expect_error(serial, E + "AccessDenied")
    assert world.done == []


def test_whom_the_bus_does_not_know_may_not_call():
    world = World()
    bus = world.start()
    serial = bus.call(PATH, NAME, "Do", "s", "it", sender=":1.6")
    bus.peer.expect_error(serial, E + "AccessDenied")


def test_others_may_read_properties_and_introspect():
    bus = World().start()
    for interface, member, values in (
        ("org.freedesktop.DBus.Properties", "Get", ("ss", NAME, "State")),
        ("org.freedesktop.DBus.Properties", "GetAll", ("s", NAME)),
        ("org.freedesktop.DBus.Introspectable", "Introspect", ()),
        ("org.freedesktop.DBus.Peer", "Ping", ()),
    ):
        serial = bus.call(PATH, interface, member, *values, sender=":1.5")
        assert bus.peer.take().reply_serial == serial
        bus.peer.expect_nothing()


def test_on_a_users_own_bus_everybody_may_call():
    world = World(uid=None)
    bus = world.start()
    serial = bus.call(PATH, NAME, "Do", "s", "it", sender=":1.5")
    bus.peer.expect_return(serial)


def test_the_user_of_a_caller_is_asked_for_once():
    world = World()
    bus = world.start()
    bus.call(PATH, NAME, "Do", "s", "1", sender=":1.0")
    bus.peer.forget()
    serial = bus.peer.call(PATH, NAME, "Do", "s", "2", sender=":1.0")
    bus.peer.expect_return(serial)
    assert world.done == ["1", "2"]


def test_the_memory_for_callers_is_bounded(monkeypatch):
    monkeypatch.setattr(bus_module, "KNOWN_CALLERS", 2)
    world = World()
    bus = world.start()
    bus.users = {f":1.{number}": 0 for number in range(10)}
    for sender in list(bus.users) * 2:
        bus.call(PATH, NAME, "Do", "s", sender, sender=sender)
        assert len(world.presence._bus._users) <= 2
    assert world.done == list(bus.users) * 2


def test_the_calls_of_one_caller_are_served_in_their_order():
    world = World()
    bus = world.start()
    for what in ("1", "2"):
        bus.peer.call(PATH, NAME, "Do", "s", what, sender=":1.0")
    first, second = (bus.peer.expect_call("GetConnectionUnixUser", ":1.0") for _ in range(2))
    bus.peer.reply(first, "u", 0)
    bus.peer.forget()
    bus.peer.call(PATH, NAME, "Do", "s", "3", sender=":1.0")
    third = bus.peer.expect_call("GetConnectionUnixUser", ":1.0")
    assert world.done == ["1"]
    bus.peer.reply(second, "u", 0)
    bus.peer.reply(third, "u", 0)
    assert world.done == ["1", "2", "3"]
    bus.peer.forget()
    serial = bus.peer.call(PATH, NAME, "Do", "s", "4", sender=":1.0")
    bus.peer.expect_return(serial)


def test_a_bug_in_a_method_is_answered_also_after_the_question_for_the_user():
    world = World()
    bus = world.start()
    serial = bus.call(PATH, NAME, "Do", "s", "bug", sender=":1.0")
    bus.peer.expect_error(serial, E + "Failed", "Internal error")
    assert len(world.log.bugs) == 1


# The bus goes away and comes back


def test_a_bus_that_was_away_finds_us_as_we_were():
    world = World(names=("a.b", "c.d"))
    bus = world.start()
    connection = bus.peer.connection
    bus.peer.leave("gone")
    assert world.downs == [connection]
    assert world.presence.connection is None
    assert world.refused == []
    world.dial.expect_none()
    world.clock.advance(RETRY)
    world.dial.refuse()
    world.clock.advance(RETRY)
    bus = world.come()
    assert world.ups == 2
    serial = bus.call(PATH, NAME, "Do", "s", "it", sender=":1.0")
    bus.peer.expect_return(serial)


def test_a_name_that_was_taken_meanwhile_is_asked_for_until_it_is_free():
    world = World()
    world.start().peer.leave()
    world.clock.advance(RETRY)
    peer = world.dial.accept().greet(GREETING)
    peer.reply(peer.expect_call("Hello"), "s", ":1.7")
    peer.reply(peer.expect_call("RequestName", "a.b", 6), "u", 3)
    assert world.refused == []
    world.clock.advance(RETRY)
    world.come()
    assert world.ups == 2


def test_one_line_of_log_tells_that_the_bus_is_away_and_one_that_it_is_back():
    world = World()
    world.start().peer.leave("gone")
    for _ in range(20):
        world.clock.advance(RETRY)
        world.dial.refuse()
    assert world.log.of("warning") == ["Away from the bus: gone"]
    world.clock.advance(RETRY)
    world.come()
    assert world.log.of("info") == ["Back on the bus"]


def test_users_are_asked_for_again_on_a_new_bus():
    world = World()
    bus = world.start()
    bus.call(PATH, NAME, "Do", "s", "1", sender=":1.0")
    bus.peer.leave()
    world.clock.advance(RETRY)
    bus = world.come()
    bus.peer.call(PATH, NAME, "Do", "s", "2", sender=":1.0")
    bus.peer.expect_call("GetConnectionUnixUser", ":1.0")
    assert world.done == ["1"]


def test_a_caller_whose_user_was_asked_for_when_the_bus_went_is_forgotten():
    world = World()
    bus = world.start()
    bus.peer.call(PATH, NAME, "Do", "s", "1", sender=":1.0")
    bus.peer.leave()
    assert world.done == []
    assert world.log.bugs == []


# What is published


def test_signals_and_changes_go_to_everybody():
    world = World()
    bus = world.start()
    world.publisher.emit("", "Thing", "Done", lambda dialect: (dialect.name,))
    done = bus.peer.expect_signal("Done", "native")
    assert (done.path, done.interface, done.destination) == (PATH, NAME, "")
    world.publisher.changed("", "Thing", world, "State")
    bus.peer.expect_changed(PATH, NAME, State="fine")


def test_nothing_is_published_before_the_names_are_ours():
    world = World()
    world.start().peer.leave()
    world.clock.advance(RETRY)
    peer = world.dial.accept()
    opening = peer.raw
    world.publisher.changed("", "Thing", world, "State")
    assert peer.raw == opening
    peer.greet(GREETING)
    hello = peer.expect_call("Hello")
    world.publisher.changed("", "Thing", world, "State")
    peer.expect_nothing()
    peer.reply(hello, "s", ":1.7")
    request = peer.expect_call("RequestName", "a.b", 6)
    world.publisher.changed("", "Thing", world, "State")
    peer.expect_nothing()
    peer.reply(request, "u", 1)
    world.publisher.changed("", "Thing", world, "State")
    peer.expect_changed(PATH, NAME, State="fine")


def test_nothing_is_published_while_the_bus_is_away():
    world = World()
    bus = world.start()
    bus.peer.leave()
    world.publisher.changed("", "Thing", world, "State")
    bus.peer.expect_nothing()


def test_calls_that_come_before_all_names_are_ours_are_checked_like_others():
    world = World(names=("a.b", "c.d"))
    world.presence.start(world.tree)
    peer = world.dial.accept().greet(GREETING)
    peer.reply(peer.expect_call("Hello"), "s", ":1.7")
    peer.expect_call("RequestName", "a.b", 6)
    serial = peer.call(PATH, NAME, "Do", "s", "it", sender=":1.5")
    peer.reply(peer.expect_call("GetConnectionUnixUser", ":1.5"), "u", 5)
    peer.expect_error(serial, E + "AccessDenied")


# The end


def test_an_answer_that_the_bus_would_not_carry_is_an_error(monkeypatch):
    # dbus-daemon throws out who sends more than 32 MiB in one message.
    world = World()
    bus = world.start()
    too_long = bytes(BUS_MESSAGE_BYTES)
    world.tree.dispatch = lambda connection, call: connection.reply(call, "ay", too_long)
    serial = bus.call(PATH, NAME, "Do", "s", "it", sender=":1.0")
    bus.peer.expect_error(serial, E + "LimitsExceeded")


def test_the_end_is_no_loss():
    world = World()
    bus = world.start()
    world.presence.close()
    assert bus.peer.closed
    world.clock.advance(60)
    world.dial.expect_none()
    assert (world.log.records, world.refused) == ([], [])


@pytest.mark.parametrize("moment", ["dialling", "greeting", "owning", "away"])
def test_the_end_comes_at_any_moment(moment):
    world = World()
    if moment == "away":
        world.start().peer.leave()
    else:
        world.presence.start(world.tree)
    if moment in ("greeting", "owning"):
        peer = world.dial.accept()
    if moment == "owning":
        peer.greet(GREETING)
    world.presence.close()
    if moment in ("greeting", "owning"):
        assert peer.closed
    if moment == "dialling":
        assert world.dial.accept().closed
    world.clock.advance(60)
    world.dial.expect_none()
    assert world.refused == []
    assert world.ups == (moment == "away")


def test_what_is_left_of_a_bus_that_went_is_freed_at_once():
    gc.collect()
    gc.disable()
    try:
        world = World()
        bus = world.start()
        bus.call(PATH, NAME, "Do", "s", "1", sender=":1.0")
        connection = weakref.ref(bus.peer.connection)
        bus.peer.leave()
        world.downs.clear()
        bus.peer.connection = None
        assert connection() is None
    finally:
        gc.enable()


# Names that others own


def test_a_watch_tells_once_when_a_name_leaves_the_bus():
    world = World()
    bus = world.start()
    gone = []
    ends = [world.presence.watch(":1.9", lambda n=n: (gone.append(n), ends[n]())) for n in (0, 1)]
    rule = (
        f"type='signal',sender='{BUS}',path='{BUS_PATH}',interface='{BUS}',"
        "member='NameOwnerChanged',arg0=':1.9'"
    )
    bus.peer.expect_call("AddMatch", rule)
    for _ in ends:
        bus.peer.reply(bus.peer.expect_call("NameHasOwner", ":1.9"), "b", True)
    signal = (BUS_PATH, BUS, "NameOwnerChanged", "sss", ":1.9", ":1.9", "")
    bus.peer.signal(*signal, sender=":1.66")
    assert gone == []
    bus.peer.signal(*signal, sender=BUS)
    assert gone == [0, 1]
    bus.peer.expect_call("RemoveMatch", rule)
    bus.peer.signal(*signal, sender=BUS)
    assert gone == [0, 1]


def test_a_bus_allows_only_so_many_matches(monkeypatch):
    monkeypatch.setattr(bus_module, "OWNER_MATCHES", 2)
    world = World()
    bus = world.start()
    gone = []
    names = [f":1.{number}" for number in range(5)]
    ends = {n: world.presence.watch(n, lambda n=n: (gone.append(n), ends[n]())) for n in names}
    rules = [m.values()[0] for m in bus.peer.heard if m.member == "AddMatch"]
    assert ["arg0" in rule for rule in rules] == [True, True, False]
    bus.peer.forget()
    for name in names:
        bus.peer.signal(BUS_PATH, BUS, "NameOwnerChanged", "sss", name, name, "", sender=BUS)
    assert gone == names
    removed = [m.values()[0] for m in bus.peer.heard]
    assert removed[:2] == rules[:2]
    bus.peer.forget()
    world.presence.watch(":1.9", lambda: None)
    bus.peer.expect_call("NameHasOwner", ":1.9")


def test_a_name_that_left_before_it_was_watched_is_told_too():
    world = World()
    bus = world.start()
    gone = []
    world.presence.watch(":1.9", lambda: gone.append(True))
    bus.peer.take()
    bus.peer.reply(bus.peer.expect_call("NameHasOwner", ":1.9"), "b", False)
    assert gone == [True]
