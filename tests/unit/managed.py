"""A manager in memory: the test plays the message bus, its clients, and the agents."""

from __future__ import annotations

from hirte.api.dialect import CHOICES, NATIVE
from hirte.dbus.connection import Connection
from hirte.dbus.presence import Presence
from hirte.manager.manager import Manager
from hirte.settings.table import ManagerSettings
from hirte.wire.encode import encode
from hirte.wire.sasl import Server
from tests.unit.talk import GREETING, GUID, Bus, Clock, Dialled, ListLog, Peer, settings

MACHINE = "0123456789abcdef" * 2
ROOT = "/org/containers/hirte"
MANAGER = "org.containers.hirte.Manager"
NODE = "org.containers.hirte.Node"
JOB = "org.containers.hirte.Job"
OFFLINE = "org.containers.hirte.Offline"


class World:
    """A manager on a bus. `trace` tells everything that it says, to whomever, in order."""

    def __init__(self, text="AllowedNodeNames=a,b,c\n"):
        given = settings(ManagerSettings, text)
        self.clock = Clock()
        self.log = ListLog()
        self.trace = []
        self.dial = Dialled(self.clock, self.log, "bus", trace=self.trace)
        names = [dialect.bus_name for dialect in CHOICES[given.bus_names]]
        self.presence = Presence(self.dial, names, self.clock, self.log, 0)
        self.manager = Manager(
            given,
            self.clock,
            self.log,
            lambda: MACHINE,
            self.presence,
        )
        self.presence.start(self.manager.tree)
        self.names = names
        self.come()

    def come(self):
        self.bus = Bus(self.dial.accept().greet(GREETING)).welcome(*self.names)
        self.bus.users = {":1.42": 0, ":1.43": 0}
        self.bus.peer.forget()

    def connect(self, name="agent", **peer):
        """Let somebody connect to where agents connect."""
        connection = Connection(Server(GUID, unix=False), self.clock, self.log, name)
        end = AgentPeer(connection, name, trace=self.trace, **peer)
        connection.attach(end)
        self.manager.accept(connection)
        return end

    def agent(self, node, dialect=NATIVE, **peer):
        """Let the agent of `node` register; what was said until then is forgotten."""
        agent = self.connect(node, **peer).open()
        agent.speak(dialect)
        agent.expect_return(agent.register(node))
        self.forget()
        return agent

    def forget(self):
        self.bus.peer.forget()

    def call(self, path, interface, member, *arguments, **more):
        """Call the manager from the bus; returns the serial."""
        return self.bus.call(ROOT + path, interface, member, *arguments, **more)

    def get(self, path, interface, name):
        self.bus.peer.heard.clear()
        serial = self.call(path, "org.freedesktop.DBus.Properties", "Get", "ss", interface, name)
        message = self.bus.peer.take()
        assert message.reply_serial == serial
        return message.values()[0][1] if message.signature == "v" else message.error_name

    def changed(self, path, interface, **properties):
        self.bus.peer.expect_changed(ROOT + path, interface, **properties)

    def heard(self):
        """The lines of the trace since it was asked last, but for questions to the bus itself."""
        lines, self.trace[:] = list(self.trace), []
        self.bus.peer.heard.clear()
        return [line for line in lines if "GetConnectionUnixUser" not in line]


class AgentPeer(Peer):
    """An agent, or who says to be one."""

    def speak(self, dialect):
        self.dialect = dialect
        self.path = dialect.path("internal/agent")
        self.interface = dialect.interface("internal.Agent")

    def register(self, name, dialect=None, **more):
        dialect = dialect or getattr(self, "dialect", NATIVE)
        return self.call(
            dialect.path("internal"),
            dialect.interface("internal.Manager"),
            "Register",
            "s",
            name,
            destination=dialect.bus_name,
            **more,
        )

    def tell(self, member, signature="", *values):
        """Send a signal of the internal agent interface."""
        self.signal(self.path, self.interface, member, signature, *values)


def units(*names):
    """A body like that of ListUnits."""
    path = "/org/freedesktop/systemd1/unit/x"
    return [(name, "", "loaded", "active", "running", "", path, 0, "", "/") for name in names]


UNITS = "a(ssssssouso)"
assert encode(UNITS, (units("a"),))
