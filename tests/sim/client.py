"""A state manager on the public bus: calls, hears everything, and keeps it line by line."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from hirte.api.dialect import Dialect
from hirte.dbus.bus import Bus
from hirte.dbus.connection import Connection, local_error
from hirte.dbus.errors import NO_REPLY
from hirte.wire.encode import encode
from hirte.wire.escape import escape
from hirte.wire.message import ERROR, Message
from tests.sim.clock import SECOND, Event
from tests.sim.daemons import BUS_ADDRESS, Dial
from tests.sim.process import Process, SimLog

if TYPE_CHECKING:
    from tests.sim.world import World

PROPERTIES = "org.freedesktop.DBus.Properties"


class Heard:
    """One thing that a client saw: `what` is call, answer, signal, lost or end."""

    __slots__ = ("at_us", "member", "number", "path", "values", "what")

    def __init__(
        self, at_us: int, what: str, member: str, path: str, values: tuple[Any, ...], number: int
    ) -> None:
        self.at_us = at_us
        self.what = what
        self.member = member
        self.path = path
        self.values = values
        self.number = number

    def __str__(self) -> str:
        arguments = ", ".join(map(repr, self.values))
        number = f" #{self.number}" if self.number else ""
        seconds = f"{self.at_us / SECOND:.6f}"
        return f"{seconds} {self.what}{number} {self.path} {self.member}({arguments})"


class Asked:
    """A call of a client and all its answers: there must be exactly one."""

    def __init__(self, number: int, member: str, arguments: tuple[Any, ...], node: str) -> None:
        self.number = number
        self.member = member
        self.arguments = arguments
        self.node = node
        self.answers: list[Message] = []

    @property
    def error(self) -> str:
        """The last word of the error's name; empty when there is none."""
        (answer,) = self.answers
        return answer.error_name.rpartition(".")[2] if answer.type == ERROR else ""

    @property
    def text(self) -> str:
        """The error's text."""
        (answer,) = self.answers
        return answer.error_text()

    @property
    def values(self) -> tuple[Any, ...]:
        """The results of a call that succeeded."""
        (answer,) = self.answers
        assert answer.type != ERROR, f"{self.member}: {answer.error_name}: {answer.error_text()}"
        return answer.values()


class NoTime:
    """The Timers of somebody who waits for ever: what a client gets is the service's answer."""

    def now(self) -> float:
        return 0.0

    def realtime_us(self) -> int:
        return 0

    def monotonic_us(self) -> int:
        return 0

    def call_later(self, delay: float, callback: Callable[[], None]) -> Event:
        return Event(callback)


class Client(Process):
    """A client of the public API in one dialect, as `hirte ctl` or a state manager is one."""

    def __init__(self, world: World, host: str, name: str, dialect: Dialect, uid: int = 0) -> None:
        super().__init__(world, host, name, uid)
        self.dialect = dialect
        self.service = dialect.bus_name
        self.heard: list[Heard] = []
        self.asked: list[Asked] = []
        self.log = SimLog(self)
        # What the check of the promises must know: how many nodes the manager has.
        self.nodes = 2
        # Its bus was away, so it has not heard everything.
        self.missed = False
        self.connection: Connection | None = None
        self._bus: Bus | None = None
        self._connect()

    def _connect(self) -> None:
        def dial() -> None:
            Dial(self, self.log, BUS_ADDRESS, self._dialled, "the bus", True, NoTime())

        self.run(dial)

    def _dialled(self, connection: Connection | None, error: str) -> None:
        if connection is None:
            self.call_later(0.1, self._connect)
            return
        bus = Bus(connection)

        def joined() -> None:
            bus.match(f"type='signal',path_namespace='{self.dialect.root}'")
            bus.match(f"type='signal',member='NameOwnerChanged',arg0='{self.service}'")
            self.connection = connection

        connection.on_signal = self._signalled
        connection.on_ready = lambda: bus.hello(joined)
        connection.on_lost = self._lost

    def _lost(self, reason: str) -> None:
        self.connection = None
        self.missed = True
        self._note("lost", reason, "", ())
        self._connect()

    def _signalled(self, message: Message) -> None:
        self._note("signal", message.member, message.path, message.values())

    def _note(
        self, what: str, member: str, path: str, values: tuple[Any, ...], number: int = 0
    ) -> None:
        root = self.dialect.root
        if path.startswith(root):
            path = path[len(root) + 1 :] or "."
        self.heard.append(Heard(self.world.clock.now_us, what, member, path, values, number))

    # What it asks

    def call(
        self,
        path: str,
        interface: str,
        member: str,
        signature: str = "",
        *arguments: Any,
        node: str = "",
    ) -> Asked:
        """Call a method of the object at `path`, relative to the dialect's root."""
        asked = Asked(len(self.asked) + 1, member, arguments, node)
        full = self.dialect.path(path)
        self.asked.append(asked)
        self._note("call", member, full, arguments, asked.number)

        def answered(reply: Message) -> None:
            asked.answers.append(reply)
            name = reply.error_name or "return"
            values = reply.values() if reply.signature else ()
            self._note("answer", name, full, values, asked.number)

        def send() -> None:
            if self.connection is None:
                answered(local_error(NO_REPLY, "not on the bus"))
                return
            body = encode(signature, arguments)
            self.connection.call(full, interface, member, answered, signature, body, self.service)

        self.run(send)
        self.world.turn_end()
        return asked

    def node(self, name: str, member: str, signature: str = "", *arguments: Any) -> Asked:
        """Call a method of a node."""
        interface = self.dialect.interface("Node")
        path = f"node/{escape(name)}"
        return self.call(path, interface, member, signature, *arguments, node=name)

    def start(self, node: str, unit: str, mode: str = "replace") -> Asked:
        """Call StartUnit."""
        return self.node(node, "StartUnit", "ss", unit, mode)

    def stop(self, node: str, unit: str, mode: str = "replace") -> Asked:
        """Call StopUnit."""
        return self.node(node, "StopUnit", "ss", unit, mode)

    def cancel(self, job: str) -> Asked:
        """Call Cancel of the job at the full path `job`."""
        return self.call(self.relative(job), self.dialect.interface("Job"), "Cancel")

    def manager(self, member: str, signature: str = "", *arguments: Any) -> Asked:
        """Call a method of the manager."""
        return self.call("", self.dialect.interface("Manager"), member, signature, *arguments)

    def property(self, path: str, interface: str, name: str) -> Asked:
        """Read a property."""
        native = self.dialect.interface(interface)
        return self.call(path, PROPERTIES, "Get", "ss", native, self.dialect.member(name))

    def expect_end(self) -> None:
        """Take note that the manager is being told to end: the promises change."""
        self._note("end", "", "", ())

    def relative(self, path: str) -> str:
        """Return an object path relative to the dialect's root."""
        return path[len(self.dialect.root) + 1 :]

    # What it heard

    def signals(self, member: str) -> list[Heard]:
        """Return the signals of that name."""
        return [heard for heard in self.heard if heard.what == "signal" and heard.member == member]

    def changes(self, path: str, name: str) -> list[Any]:
        """Return the values that PropertiesChanged told of one property of one object."""
        return [
            heard.values[1][name][1]
            for heard in self.signals("PropertiesChanged")
            if heard.path == path and name in heard.values[1]
        ]

    def results(self) -> dict[int, str]:
        """Return the results of ended jobs by their ids."""
        return {heard.values[0]: heard.values[4] for heard in self.signals("JobRemoved")}

    def unit_table(self, node: str, units: list[str]) -> dict[str, tuple[str, str]]:
        """Return the states of loaded units as a new monitor is told; takes some time."""
        began_us = self.world.clock.now_us
        monitor = self.manager("CreateMonitor")
        self.world.run(0.1)
        path = self.relative(monitor.values[0])
        interface = self.dialect.interface("Monitor")
        self.call(path, interface, "SubscribeList", "sas", node, units)
        self.world.run(0.3)
        table = {
            heard.values[1]: heard.values[2:4]
            for heard in self.signals("UnitStateChanged")
            if heard.values[4] == "virtual" and heard.path == path and heard.at_us > began_us
        }
        self.call(path, interface, "Close")
        self.world.run(0.1)
        return table
