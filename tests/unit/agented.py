"""An agent in memory: the test plays systemd, the manager, and the message bus."""

from __future__ import annotations

from hirte.agent.agent import Agent
from hirte.agent.systemd import PATH, Systemd
from hirte.api.dialect import CHOICES, NATIVE
from hirte.dbus.presence import Presence
from hirte.settings.table import AgentSettings
from hirte.wire.escape import escape
from tests.unit.talk import GREETING, PROPERTIES, Bus, Clock, Dialled, ListLog, settings

ADDRESS = "tcp:host=192.0.2.1,port=842"
ROOT = "/org/containers/hirte"
AGENT = "org.containers.hirte.Agent"
SYSTEMD = "org.freedesktop.systemd1"
MANAGER = SYSTEMD + ".Manager"
UNIT = SYSTEMD + ".Unit"
JOB = SYSTEMD + ".Job"
UNITS = "a(ssssssouso)"
JOBS = "a(usssoo)"


def unit_path(name):
    return f"{PATH}/unit/{escape(name)}"


def job_path(number):
    return f"{PATH}/job/{number}"


def row(name, active="active", sub="running"):
    """A row of ListUnits."""
    return (name, "", "loaded", active, sub, "", unit_path(name), 0, "", "/")


# systemd's own name on the bus, where there is one.
UNIQUE_NAME = ":1.2"


class World:
    """An agent that is registered and follows systemd; what was said until then is forgotten."""

    def __init__(self, text="", units=(), over_bus=False, start=True, dialect=NATIVE):
        given = settings(AgentSettings, f"NodeName=n1\nManagerAddress={ADDRESS}\n{text}")
        self.clock = Clock()
        self.log = ListLog()
        self.dialect = dialect
        self.over_bus = over_bus
        self.to_systemd = self._way("systemd")
        self.to_manager = self._way("manager", trusted=False)
        self.to_bus = self._way("bus")
        self.names = [each.agent_bus_name for each in CHOICES[given.bus_names]]
        self.presence = Presence(self.to_bus, self.names, self.clock, self.log, 0)
        self.refused = []
        self.ready = []
        self.agent = Agent(
            given,
            self.clock,
            self.log,
            lambda: "0" * 32,
            self.presence,
            Systemd(self.to_systemd, over_bus, self.clock, self.log),
            self.to_manager,
            lambda host, done: done(host, ""),
            lambda: self.ready.append(True),
            self.refused.append,
        )
        self.agent.start()
        self.bus = Bus(self.to_bus.accept().greet(GREETING)).welcome(*self.names)
        self.bus.users = {":1.42": 0}
        if start:
            self.sync(*units)
            self.register()

    def _way(self, name, trusted=True):
        return Dialled(self.clock, self.log, name, trusted)

    def sync(self, *units, jobs=()):
        """Play systemd for a new connection until the agent knows everything."""
        self.systemd = self.to_systemd.accept().greet(GREETING)
        if self.over_bus:
            self.systemd.reply(self.systemd.expect_call("Hello"), "s", ":1.8")
            self.matches = [self.systemd.take().values()[0] for _ in range(3)]
        subscribe = self.systemd.expect_call("Subscribe")
        self.systemd.reply(subscribe, sender=UNIQUE_NAME if self.over_bus else "")
        if self.over_bus:
            self.matches += self.systemd.take().values()
            self.systemd.reply(self.systemd.expect_call("NameHasOwner", SYSTEMD), "b", True)
        self.list(*units, jobs=jobs)

    def list(self, *units, jobs=()):
        """Answer the agent's question for all units and jobs."""
        self.systemd.reply(self.systemd.expect_call("ListUnits"), UNITS, list(units))
        self.systemd.reply(self.systemd.expect_call("ListJobs"), JOBS, list(jobs))

    def register(self):
        self.manager = self.to_manager.accept().greet(GREETING)
        request = self.manager.expect_call("Register", "n1")
        if self.dialect is not NATIVE:
            self.manager.refuse(request, "org.freedesktop.DBus.Error.UnknownObject")
            request = self.manager.expect_call("Register", "n1")
        self.manager.reply(request)
        self.bus.peer.forget()

    # The manager

    def call(self, member, signature="", *values, **more):
        """Let the manager call the agent; returns the serial."""
        return self.manager.call(
            self.dialect.path("internal/agent"),
            self.dialect.interface("internal.Agent"),
            member,
            signature,
            *values,
            **{"sender": self.dialect.bus_name, **more},
        )

    def subscribe(self, *units):
        for unit in units:
            self.call("Subscribe", "s", unit)
        self.manager.forget()

    def told(self):
        """What the agent has told the manager since it was asked last."""
        said = [(m.member, *m.values()) for m in self.manager.heard]
        self.manager.heard.clear()
        return said

    # systemd

    def signal(self, member, signature, *values):
        self.systemd.signal(PATH, MANAGER, member, signature, *values)

    def unit_new(self, name):
        self.signal("UnitNew", "so", name, unit_path(name))

    def unit_removed(self, name):
        self.signal("UnitRemoved", "so", name, unit_path(name))

    def unit_changed(self, name, interface=UNIT, invalidated=(), **properties):
        self.changed(unit_path(name), interface, properties, invalidated)

    def changed(self, path, interface, properties, invalidated=()):
        values = {key: ("s", value) for key, value in properties.items()}
        self.systemd.signal(
            path, PROPERTIES, "PropertiesChanged", "sa{sv}as", interface, values, list(invalidated)
        )

    def job_removed(self, number, unit="u.service", result="done"):
        self.signal("JobRemoved", "uoss", number, job_path(number), unit, result)

    def start_job(self, number, systemd_number, unit="u.service", member="StartUnit"):
        """Let the manager ask for a job, and systemd accept it."""
        serial = self.call(member, "ssu", unit, "replace", number)
        request = self.systemd.expect_call(member, unit, "replace")
        self.systemd.reply(request, "o", job_path(systemd_number))
        self.manager.expect_return(serial)
