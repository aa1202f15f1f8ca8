"""A reference agent and a reference controller: sd-bus, used as the reference uses it.

They do on the wire what the C programs do and decide nothing: every answer is the test's. What
arrives is kept in order and taken by `expect` or `next`; calls that sd-bus answers by itself
(unknown objects, wrong signatures, Peer, introspection) are kept as well, with handle 0.
"""

from __future__ import annotations

import os
import select
import socket
from typing import Any

from .apart import Actor
from .messages import Record
from .names import INTERNAL_AGENT, INTERNAL_MANAGER, Names
from .sdbus import Bus, Member

# Generous for a loaded machine: nothing waits this long unless it fails
PATIENCE = 10.0

# Its pings are how the tests find out what has arrived: answered by sd-bus, not kept
PEER = "org.freedesktop.DBus.Peer"


class Peer(Actor):
    """One end of a node connection."""

    def __init__(self, ignore: tuple[str, ...] = ()) -> None:
        """Messages with a member in `ignore` are counted, not kept."""
        self._ignore = ignore
        self._bus: Bus | None = None
        self._waiting: list[Record] = []
        self._history: list[Record] = []
        self._answers: dict[int, Record] = {}
        self._heard: dict[str, int] = {}
        self._lost: OSError | None = None

    def _fresh_bus(self) -> Bus:
        self.close()
        self._waiting, self._answers, self._heard, self._lost = [], {}, {}, None
        self._history = []
        self._bus = Bus(self._take, self._take_call, self._take_answer)
        return self._bus

    def _take(self, message: Record) -> None:
        if message.interface == PEER:
            return
        member = message.member or ""
        self._heard[member] = self._heard.get(member, 0) + 1
        if member not in self._ignore:
            self._waiting.append(message)
            self._history.append(message)

    def _take_call(self, message: Record) -> None:
        # The filter saw the same message an instant ago, then without a handle
        self._waiting[-1] = self._history[-1] = message

    def _take_answer(self, serial: int, message: Record) -> None:
        self._answers[serial] = message
        self._history.append(message)

    def watched(self) -> list[tuple[int, int]]:
        """The connection, while there is one."""
        if self._bus is None:
            return []
        return [(self._bus.fileno(), self._bus.events())]

    def due(self) -> float | None:
        """The next time-out inside sd-bus."""
        if self._bus is None:
            return None
        microseconds = self._bus.timeout()
        return None if microseconds is None else microseconds / 1_000_000

    def step(self) -> None:
        """Let sd-bus do what it can; an error ends the connection, as sd-event does it."""
        try:
            while self._bus is not None and self._bus.process():
                pass
        except OSError as failure:
            self._lost = failure
            self.close()

    def close(self) -> None:
        """Close the connection."""
        if self._bus is not None:
            self._bus.close()
            self._bus = None

    def next(self, within: float = PATIENCE) -> Record:
        """The oldest message not yet taken."""
        if not self.run_until(lambda: self._waiting, within):
            raise AssertionError(f"no message within {within} s; connection: {self._lost or 'up'}")
        return self._waiting.pop(0)

    def expect(self, member: str, within: float = PATIENCE) -> Record:
        """The oldest message not yet taken, which must be this member."""
        message = self.next(within)
        assert message.member == member, f"expected {member}, got {message}"
        return message

    def waiting(self) -> list[Record]:
        """What arrived and was not taken."""
        return list(self._waiting)

    def history(self) -> list[Record]:
        """All that arrived, taken or not, answers to our calls included, in order."""
        return list(self._history)

    def forget(self, serial: int) -> None:
        """Take the answer to a call of ours out of the history."""
        self._history = [
            message
            for message in self._history
            if message.reply_serial != serial or message.kind not in ("return", "error")
        ]

    def process_id(self) -> int:
        """The process that the test may stop and continue."""
        return os.getpid()

    def heard(self, member: str, times: int, within: float = PATIENCE) -> bool:
        """Whether a member has arrived so often, ignored or not."""
        return self.run_until(lambda: self._heard.get(member, 0) >= times, within)

    def settle(self) -> list[Record]:
        """What arrived and was not taken, once all that the other side had sent is here.

        Its means is a ping: answers come in order.
        """
        serial = self.call("/", PEER, "Ping")
        self.answer(serial)
        return self.waiting()

    def call(
        self,
        path: str,
        interface: str | None,
        member: str,
        signature: str = "",
        *body: Any,
        answer: bool = True,
        destination: str | None = None,
        seconds: float = 30.0,
    ) -> int:
        """Send a call; its serial is for `answer`. Without `answer` it is fire-and-forget."""
        serial = self._open_bus().call(
            destination, path, interface, member, signature, body, answer=answer, seconds=seconds
        )
        self.step()
        return serial

    def answer(self, serial: int, within: float = PATIENCE) -> Record:
        """The answer to a call of ours."""
        if not self.run_until(lambda: serial in self._answers, within):
            raise AssertionError(f"no answer within {within} s; connection: {self._lost or 'up'}")
        return self._answers[serial]

    def answered(self, serial: int) -> bool:
        """Whether the answer to a call of ours is here."""
        return serial in self._answers

    def signal(
        self, path: str, interface: str, member: str, signature: str = "", *body: Any
    ) -> None:
        """Send a signal."""
        self._open_bus().signal(path, interface, member, signature, body)
        self.step()

    def reply(self, call: Record, signature: str = "", *body: Any) -> None:
        """Answer a call that was taken."""
        self._open_bus().reply(call.handle, signature, body)
        self.step()

    def refuse(self, call: Record, error: str, text: str = "refused by the test") -> None:
        """Answer a call that was taken with an error."""
        self._open_bus().refuse(call.handle, error, text)
        self.step()

    def lost(self, within: float = PATIENCE) -> bool:
        """Whether the other side ends the connection in time."""
        return self.run_until(lambda: self._lost is not None, within)

    def _open_bus(self) -> Bus:
        if self._bus is None:
            raise AssertionError("not connected")
        return self._bus


class ReferenceAgent(Peer):
    """The agent's side: connects, exports the internal agent, registers."""

    def __init__(self, names: Names, address: str, ignore: tuple[str, ...] = ()) -> None:
        super().__init__(ignore)
        self._names = names
        self._address = address
        self.connect()

    def connect(self) -> None:
        """Connect, again if need be: the old connection is closed."""
        bus = self._fresh_bus()
        bus.connect(self._address)
        bus.export(self._names.internal_agent_path, self._names.internal_agent, INTERNAL_AGENT)
        self.step()

    def ask_to_register(self, name: str) -> int:
        """Send `Register`; the serial is for `answer`."""
        names = self._names
        return self.call(
            names.internal_manager_path,
            names.internal_manager,
            "Register",
            "s",
            name,
            destination=names.bus_name,
        )

    def register(self, name: str) -> Record:
        """Send `Register` and give the manager's answer."""
        return self.answer(self.ask_to_register(name))

    def tell(self, member: str, signature: str = "", *body: Any) -> None:
        """Send a signal of the internal agent interface."""
        names = self._names
        self.signal(names.internal_agent_path, names.internal_agent, member, signature, *body)


class ReferenceController(Peer):
    """The controller's side: accepts on a listening socket, one connection at a time."""

    def __init__(self, names: Names, listener: socket.socket, ignore: tuple[str, ...] = ()) -> None:
        super().__init__(ignore)
        self._names = names
        self._listener = listener
        self._register_slot = 0

    def accept(self, within: float = PATIENCE) -> None:
        """Take the next connection; the former one is closed."""
        poll = select.poll()
        poll.register(self._listener, select.POLLIN)
        if not poll.poll(within * 1000):
            raise AssertionError(f"no connection within {within} s")
        descriptor = self._listener.accept()[0].detach()
        bus = self._fresh_bus()
        bus.serve(descriptor, self._names.bus_name)
        names = self._names
        bus.export("/org/freedesktop/DBus", "org.freedesktop.DBus", (Member("Hello", "", "s"),))
        self._register_slot = bus.export(
            names.internal_manager_path, names.internal_manager, INTERNAL_MANAGER
        )
        self.step()

    def admit(self, register: Record) -> None:
        """Answer `Register` with success; from now on its object is gone."""
        self._open_bus().withdraw(self._register_slot)
        self.reply(register)

    def ask(self, member: str, signature: str = "", *body: Any, seconds: float = 30.0) -> int:
        """Call the internal agent; the serial is for `answer`."""
        return self._call_agent(member, signature, *body, answer=True, seconds=seconds)

    def order(self, member: str, signature: str = "", *body: Any) -> None:
        """Call the internal agent and want no answer."""
        self._call_agent(member, signature, *body, answer=False)

    def _call_agent(self, member: str, signature: str, *body: Any, **options: Any) -> int:
        names = self._names
        return self.call(
            names.internal_agent_path,
            names.internal_agent,
            member,
            signature,
            *body,
            destination=names.agent_bus_name,
            **options,
        )

    def beat(self) -> None:
        """Send the controller's heartbeat."""
        self.signal(self._names.internal_manager_path, self._names.internal_manager, "Heartbeat")
