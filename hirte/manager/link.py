"""One agent's connection: first unknown, then, after Register, the link to a node.

The dialect is seen in the agent's Register call; from then on everything is said to that agent in
it. A connection that does not register in time is closed.
"""

from __future__ import annotations

from hirte.api import internal
from hirte.api.dialect import CHOICES, Dialect
from hirte.dbus import errors
from hirte.dbus.objects import Service, Tree
from hirte.manager.counters import LATE
from hirte.wire.encode import NATIVE, encode
from hirte.wire.limits import REGISTERED_MESSAGE_BYTES
from hirte.wire.message import METHOD_RETURN, Message

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from hirte.dbus.connection import Connection
    from hirte.dbus.objects import Call
    from hirte.dbus.ports import Log, Timers
    from hirte.manager.counters import Counters
    from hirte.manager.node import Node

    Admit = Callable[["Link", str], "tuple[str, str] | Node"]

# Seconds until a connection must have registered. An agent does so at once; one that was refused
# tries again on a new connection at its next heartbeat, by default after two.
REGISTER_TIMEOUT = 30.0

# Refusals until a connection is closed, so that a stranger cannot fill the log. An agent tries once
# or twice on one connection.
REFUSALS_MAX = 16

_BUS = "org.freedesktop.DBus"
_BUS_PATH = "/org/freedesktop/DBus"
# Agents that use libsystemd as a bus client say Hello; the reference answers always this.
_HELLO_NAME = ":1.0"


class Link:
    """The manager's end of one agent connection.

    `admit(link, name)` decides on a registration: the node, or the error that refuses it.
    `on_registered(link, node)` runs before the agent gets its answer, `on_signal(link, message)`
    for each signal of a registered agent, `on_lost(link, reason)` at the end of the connection.
    """

    def __init__(
        self, connection: Connection, timers: Timers, log: Log, tree: Tree, counters: Counters
    ) -> None:
        self.connection = connection
        self.counters = counters
        self.node: Node | None = None
        self.dialect: Dialect = CHOICES["auto"][0]
        self.admit: Admit | None = None
        self.on_registered: Callable[[Link, Node], None] | None = None
        self.on_signal: Callable[[Link, Message], None] | None = None
        self.on_lost: Callable[[Link, str], None] | None = None
        self._refusals = 0
        self._log = log
        self._tree = tree
        connection.sender = self.dialect.bus_name
        for dialect, service in REGISTRATION:
            tree.export(dialect.path(internal.MANAGER_PATH), self, service)
        self._deadline = timers.call_later(REGISTER_TIMEOUT, self._too_late)
        connection.on_call = self._called
        connection.on_signal = self._signalled
        connection.on_lost = self._ended

    @property
    def peer_ip(self) -> str:
        """Return the textual address of the agent; empty for a Unix socket."""
        transport = self.connection.transport
        return transport.peer_ip if transport else ""

    def selinux_type(self) -> str:
        """Return the type of the peer's SELinux context; empty if it has none, as over TCP."""
        transport = self.connection.transport
        parts = transport.security_context().split(":") if transport else []
        return parts[2] if len(parts) > 2 else ""

    def _too_late(self) -> None:
        self.counters.refusals[LATE] += 1
        self.connection.close(f"not registered within {REGISTER_TIMEOUT:.0f} s")

    def _called(self, message: Message) -> None:
        if (message.path, message.interface, message.member) == (_BUS_PATH, _BUS, "Hello"):
            self.connection.reply(message, "s", encode("s", (_HELLO_NAME,)))
        else:
            self._tree.dispatch(self.connection, message)

    def register(self, call: Call) -> None:
        """Serve internal.Manager.Register."""
        (name,) = call.message.values()
        if self.admit is None or self.on_registered is None:
            raise LookupError("nobody admits agents")
        self.connection.sender = call.dialect.bus_name
        verdict = self.admit(self, name)
        if isinstance(verdict, tuple):
            self._log.warning(
                f"Refused to register {name!r}: {verdict[1]}", NODE=name, PEER=self.connection.name
            )
            call.fail(*verdict)
            self._refusals += 1
            if self._refusals == REFUSALS_MAX:
                self.connection.close("refused too often")
            return
        self._deadline.cancel()
        self.dialect = call.dialect
        self.connection.name = f"node {name}"
        self.connection.allow(REGISTERED_MESSAGE_BYTES)
        self._withdraw()
        self.node = verdict
        self.on_registered(self, verdict)
        call.reply()

    def _withdraw(self) -> None:
        """Offer no registration any more."""
        for dialect, _ in REGISTRATION:
            self._tree.remove(dialect.path(internal.MANAGER_PATH))

    def _signalled(self, message: Message) -> None:
        if self.node is None or self.on_signal is None:
            return
        for table in (internal.AGENT, internal.AGENT_METRICS):
            if message.interface == self.dialect.interface(table.name):
                row = table.signals.get(message.member)
                # Hirte 0.3 sends its heartbeat with the node's name: who has nothing to say may
                # say it with any arguments.
                if row is not None and row.signature in ("", message.signature):
                    self.on_signal(self, message)

    def _ended(self, reason: str) -> None:
        self._deadline.cancel()
        # The tree refers to us: let go without waiting for the garbage collector.
        self._withdraw()
        if self.on_lost:
            self.on_lost(self, reason)

    # What the manager says to the agent

    def call(
        self,
        member: str,
        on_reply: Callable[[Message], None],
        signature: str = "",
        body: bytes = b"",
        order: str = NATIVE,
    ) -> None:
        """Call a method of the agent; `on_reply` gets its answer, NoReply after 30 s."""
        dialect = self.dialect
        self.connection.call(
            dialect.path(internal.AGENT_PATH),
            dialect.interface(internal.AGENT.name),
            member,
            on_reply,
            signature,
            body,
            dialect.agent_bus_name,
            order,
        )

    def send(self, member: str, signature: str = "", body: bytes = b"") -> None:
        """Call a method of the agent that is not to be answered."""
        dialect = self.dialect
        self.connection.send(
            dialect.path(internal.AGENT_PATH),
            dialect.interface(internal.AGENT.name),
            member,
            signature,
            body,
            dialect.agent_bus_name,
        )

    def forward(self, call: Call) -> None:
        """Pass a public call on to the agent's method of the same name, and its answer back."""
        message = call.message
        self._log.debug(f"{call.method.name} on {self.connection.name}, for {call.caller}")

        def answered(reply: Message) -> None:
            self.counters.relayed_from_node(reply.body)
            if reply.type == METHOD_RETURN and reply.signature != call.method.result:
                call.fail(errors.FAILED, f"The agent answered with {reply.signature!r}")
            else:
                call.relay(reply)

        self.counters.relayed_to_node(message.body)
        self.call(
            call.method.name, call.guard(answered), message.signature, message.body, message.order
        )

    def heartbeat(self) -> None:
        """Tell the agent that the manager is alive."""
        self.connection.signal(
            self.dialect.path(internal.MANAGER_PATH),
            self.dialect.interface(internal.MANAGER.name),
            "Heartbeat",
        )


REGISTRATION = [
    (dialect, Service(internal.MANAGER, dialect, {"Register": Link.register}))
    for dialect in CHOICES["both"]
]
