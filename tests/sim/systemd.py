"""systemd as far as an agent can see it: units, jobs, and the order in which it speaks of them.

The order is that of systemd's sources (job.c, dbus-job.c, dbus-manager.c):
- a request's JobNew and what it made of older jobs (JobRemoved `canceled`) come before its reply,
  the end of its job after it;
- a second request for what a job does already gets that job;
- a unit's new state is told before the JobRemoved of the job that led to it;
- Job.Cancel is answered after the JobRemoved that it caused.

What a unit does is told by its name: `quick` starts at once, `slow` takes two seconds, `fails`
does not start, `hangs` never ends to start, `fragile` stops by itself. Others do not exist.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from hirte.dbus.bus import Bus
from hirte.dbus.connection import Connection
from hirte.wire.encode import encode
from hirte.wire.escape import escape
from hirte.wire.message import Message
from hirte.wire.sasl import Client, Server
from tests.sim.busdaemon import GUID
from tests.sim.clock import Event
from tests.sim.network import Attempt, End, Listener
from tests.sim.process import Process, SimLog

NAME = "org.freedesktop.systemd1"
ROOT = "/org/freedesktop/systemd1"
PROPERTIES = "org.freedesktop.DBus.Properties"
DBUS_ERROR = "org.freedesktop.DBus.Error."

# daemon-reexec: measured 0.1 s until the private socket listens again.
REEXEC_SECONDS = 0.1
# How long a unit that nobody needs stays loaded.
COLLECT_SECONDS = 0.5

# By kind of unit: seconds that its start takes, and how it ends.
KINDS = {
    "quick": (0.0, "done"),
    "slow": (2.0, "done"),
    "fails": (0.01, "failed"),
    "hangs": (1e6, "timeout"),
    "fragile": (0.01, "done"),
}
FRAGILE_SECONDS = 1.0


class Unit:
    """A loaded unit."""

    def __init__(self, name: str, exists: bool) -> None:
        self.name = name
        self.path = f"{ROOT}/unit/{escape(name)}"
        self.exists = exists
        self.active, self.sub = "inactive", "dead"
        self.job: Job | None = None

    @property
    def kind(self) -> str:
        return self.name.split("-")[0].split(".")[0]


class Job:
    """A job in systemd's queue."""

    def __init__(self, number: int, unit: Unit, kind: str) -> None:
        self.number = number
        self.path = f"{ROOT}/job/{number}"
        self.unit = unit
        self.kind = kind
        self.state = "waiting"
        self.next: Event | None = None


class FakeSystemd:
    """PID 1 of one host."""

    def __init__(self, process: Process, existing: list[str]) -> None:
        self.process = process
        self.units: dict[str, Unit] = {}
        self.jobs: dict[str, Job] = {}
        # Every end of a job, for tests: job path, unit, result.
        self.ended: list[tuple[str, str, str]] = []
        # It takes calls and never answers them.
        self.mute = False
        # What happens just before an answer to the method of that name is made; once.
        self.before: dict[str, Callable[[], None]] = {}
        self._existing = existing
        self._last_job = 0
        self._log = SimLog(process)
        self._connections: list[Connection] = []
        # What the private socket leads to.
        self.listener = Listener(process, self._accept)

    def reexec(self, seconds: float = REEXEC_SECONDS) -> None:
        """Do what `systemctl daemon-reexec` does: jobs and units stay, connections do not."""
        self.listener.open = False
        for connection in list(self._connections):
            connection.close("reexec")
        self._connections.clear()
        self.process.call_later(seconds, self._back)

    def _back(self) -> None:
        self.listener.open = True

    def _accept(self, end: End) -> None:
        connection = Connection(Server(GUID, unix=True), self.process, self._log, "client", True)
        connection.on_call = lambda message: self._called(connection, message)
        connection.on_lost = lambda _: self._forget(connection)
        connection.attach(end)
        end.start(connection)
        self._connections.append(connection)

    def join(self, address: str) -> None:
        """Be on the bus at `address` too, now and again whenever the bus was away."""

        def later() -> None:
            self.process.call_later(REEXEC_SECONDS, lambda: self.join(address))

        def connected(end: End | None, error: str) -> None:
            if end is None:
                later()
                return
            connection = Connection(Client(), self.process, self._log, "the bus", True)

            def owned(error: str) -> None:
                assert not error, error
                self._connections.append(connection)

            def lost(reason: str) -> None:
                self._forget(connection)
                later()

            bus = Bus(connection)
            connection.on_call = lambda message: self._called(connection, message)
            connection.on_lost = lost
            connection.on_ready = lambda: bus.hello(lambda: bus.own(NAME, owned))
            connection.attach(end)
            end.start(connection)

        Attempt(self.process, address, connected)

    def _forget(self, connection: Connection) -> None:
        if connection in self._connections:
            self._connections.remove(connection)

    # What it says to all

    def _signal(self, path: str, interface: str, member: str, signature: str, *args: Any) -> None:
        for connection in self._connections:
            if connection.ready:
                connection.signal(path, interface, member, signature, encode(signature, args))

    def _manager_signal(self, member: str, signature: str, *args: Any) -> None:
        self._signal(ROOT, f"{NAME}.Manager", member, signature, *args)

    def _changed(self, path: str, interface: str, properties: dict[str, Any]) -> None:
        full = f"{NAME}.{interface}"
        self._signal(path, PROPERTIES, "PropertiesChanged", "sa{sv}as", full, properties, ())

    def set_state(self, unit: Unit, active: str, sub: str) -> None:
        """Bring a unit into a state, and tell so: its kind's interface first, as systemd does."""
        unit.active, unit.sub = active, sub
        self._changed(unit.path, "Service", {"MainPID": ("u", 0), "Result": ("s", "success")})
        states = {"ActiveState": ("s", active), "SubState": ("s", sub), "FreezerState": ("s", "x")}
        self._changed(unit.path, "Unit", states)

    def start_alone(self, name: str) -> None:
        """Load and start a unit that no client asked for."""
        self.set_state(self._load(name), "active", "running")

    def end_all(self, result: str) -> None:
        """End all jobs now."""
        for job in list(self.jobs.values()):
            self._end(job, result)

    # What is asked of it

    def _called(self, connection: Connection, message: Message) -> None:
        if self.mute:
            return
        self.before.pop(message.member, lambda: None)()
        if message.interface == PROPERTIES:
            self._properties(connection, message)
        elif message.interface == f"{NAME}.Job":
            self._cancel(connection, message)
        else:
            handler = _METHODS.get(message.member)
            if handler is None:
                connection.error(message, DBUS_ERROR + "UnknownMethod", message.member)
            else:
                handler(self, connection, message, *message.values())

    def _subscribe(self, connection: Connection, call: Message) -> None:
        connection.reply(call)

    def _list_units(self, connection: Connection, call: Message) -> None:
        rows = []
        for unit in self.units.values():
            job = unit.job
            queued = (job.number, job.kind, job.path) if job else (0, "", "/")
            loaded = "loaded" if unit.exists else "not-found"
            rows.append((unit.name, "", loaded, unit.active, unit.sub, "", unit.path, *queued))
        connection.reply(call, "a(ssssssouso)", encode("a(ssssssouso)", (rows,)))

    def _list_jobs(self, connection: Connection, call: Message) -> None:
        rows = [
            (job.number, job.unit.name, job.kind, job.state, job.path, job.unit.path)
            for job in self.jobs.values()
        ]
        connection.reply(call, "a(usssoo)", encode("a(usssoo)", (rows,)))

    def _properties(self, connection: Connection, message: Message) -> None:
        unit = self._load(_unescape(message.path.rpartition("/")[2]))
        values: dict[str, Any] = {
            "Id": ("s", unit.name),
            "LoadState": ("s", "loaded" if unit.exists else "not-found"),
            "ActiveState": ("s", unit.active),
            "SubState": ("s", unit.sub),
        }
        asked = message.values()
        if message.member == "GetAll":
            connection.reply(message, "a{sv}", encode("a{sv}", (values,)))
        elif asked[1] in values:
            connection.reply(message, "v", encode("v", (values[asked[1]],)))
        else:
            text = f"Unknown property or interface {asked[1]}"
            connection.error(message, DBUS_ERROR + "UnknownProperty", text)

    def _start(self, connection: Connection, call: Message, name: str, mode: str) -> None:
        self._request(connection, call, "start", name, mode)

    def _stop(self, connection: Connection, call: Message, name: str, mode: str) -> None:
        self._request(connection, call, "stop", name, mode)

    def _restart(self, connection: Connection, call: Message, name: str, mode: str) -> None:
        self._request(connection, call, "restart", name, mode)

    def _reload(self, connection: Connection, call: Message, name: str, mode: str) -> None:
        text = f"Job type reload is not applicable for unit {name}."
        connection.error(call, f"{NAME}.JobTypeNotApplicable", text)

    def _request(
        self, connection: Connection, call: Message, kind: str, name: str, mode: str
    ) -> None:
        if mode not in ("replace", "fail"):
            text = f"Job mode {mode} invalid"
            connection.error(call, DBUS_ERROR + "InvalidArgs", text)
            return
        unit = self._load(name)
        if not unit.exists and kind != "stop":
            connection.error(call, f"{NAME}.NoSuchUnit", f"Unit {name} not found.")
            return
        job = unit.job
        if job is not None and job.kind != kind:
            if mode == "fail":
                text = f"Transaction for {name}/{kind} is destructive"
                connection.error(call, f"{NAME}.TransactionIsDestructive", text)
                return
            self._end(job, "canceled")
            job = None
        if job is None:
            self._last_job += 1
            job = unit.job = Job(self._last_job, unit, kind)
            self.jobs[job.path] = job
            self._manager_signal("JobNew", "uos", job.number, job.path, name)
            self._later(job, 0.0, self._run)
        connection.reply(call, "o", encode("o", (job.path,)))

    def _cancel(self, connection: Connection, call: Message) -> None:
        job = self.jobs.get(call.path)
        if job is None:
            connection.error(call, DBUS_ERROR + "UnknownObject", f"Unknown object '{call.path}'.")
            return
        self._end(job, "canceled")
        connection.reply(call)

    def _daemon_reload(self, connection: Connection, call: Message) -> None:
        # Every unit is announced anew, without its state, between the two signals.
        self._manager_signal("Reloading", "b", True)
        for unit in self.units.values():
            self._manager_signal("UnitNew", "so", unit.name, unit.path)
        self._manager_signal("Reloading", "b", False)
        connection.reply(call)

    # Units come and go

    def _load(self, name: str) -> Unit:
        unit = self.units.get(name)
        if unit is None:
            unit = self.units[name] = Unit(name, name in self._existing)
            self._manager_signal("UnitNew", "so", name, unit.path)
            self.process.call_later(COLLECT_SECONDS, lambda: self._collect(unit))
        return unit

    def _collect(self, unit: Unit) -> None:
        if self.units.get(unit.name) is not unit:
            return
        if unit.active == "inactive" and unit.job is None:
            del self.units[unit.name]
            self._manager_signal("UnitRemoved", "so", unit.name, unit.path)
        else:
            self.process.call_later(COLLECT_SECONDS, lambda: self._collect(unit))

    # Jobs run and end

    def _later(self, job: Job, seconds: float, step: Callable[[Job], None]) -> None:
        job.next = self.process.call_later(seconds, lambda: step(job))

    def _run(self, job: Job) -> None:
        unit = job.unit
        takes, result = KINDS.get(unit.kind, (0.0, "done"))
        nothing_to_do = unit.active == ("active" if job.kind == "start" else "inactive")
        job.state = "running"
        if nothing_to_do and job.kind != "restart":
            # Over before the change of its state was told.
            self._end(job, "done")
            return
        self._changed(job.path, "Job", {"State": ("s", "running")})
        if job.kind == "stop":
            self.set_state(unit, "deactivating", "stop")
            self._later(job, 0.01, self._stopped)
            return
        if job.kind == "restart" and unit.active == "active":
            self.set_state(unit, "deactivating", "stop")
            self.set_state(unit, "inactive", "dead")
        self.set_state(unit, "activating", "start")
        self._later(job, takes, lambda job: self._started(job, result))

    def _started(self, job: Job, result: str) -> None:
        state = ("active", "running") if result == "done" else ("failed", "failed")
        self.set_state(job.unit, *state)
        if job.unit.kind == "fragile":
            self.process.call_later(FRAGILE_SECONDS, lambda: self._break(job.unit))
        self._end(job, result)

    def _stopped(self, job: Job) -> None:
        self.set_state(job.unit, "inactive", "dead")
        self._end(job, "done")

    def _break(self, unit: Unit) -> None:
        if unit.active == "active" and unit.job is None:
            self.set_state(unit, "failed", "failed")

    def _end(self, job: Job, result: str) -> None:
        if job.next is not None:
            job.next.cancel()
        job.unit.job = None
        del self.jobs[job.path]
        self.ended.append((job.path, job.unit.name, result))
        self._manager_signal("JobRemoved", "uoss", job.number, job.path, job.unit.name, result)


_METHODS: dict[str, Callable[..., None]] = {
    "Subscribe": FakeSystemd._subscribe,
    "ListUnits": FakeSystemd._list_units,
    "ListJobs": FakeSystemd._list_jobs,
    "StartUnit": FakeSystemd._start,
    "StopUnit": FakeSystemd._stop,
    "RestartUnit": FakeSystemd._restart,
    "ReloadUnit": FakeSystemd._reload,
    "Reload": FakeSystemd._daemon_reload,
}


def _unescape(element: str) -> str:
    """Return the name that hirte.wire.escape turned into `element`."""
    hexed = re.sub("_(..)|(.)", lambda found: found[1] or f"{ord(found[2]):02x}", element)
    return bytes.fromhex(hexed).decode()
