"""A message bus as far as hirte and its clients can see: names, matches, routing.

It keeps what dbus-daemon(1) promises: the messages of one sender arrive in their order, the
sender's name is the bus's word, a call is answered by its addressee, once, or by the bus. What
breaks the last rule is noted in `World.faults`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hirte.wire import build
from hirte.wire.encode import encode
from hirte.wire.framing import Framer
from hirte.wire.limits import MESSAGE_BYTES
from hirte.wire.message import ERROR, METHOD_CALL, METHOD_RETURN, NO_REPLY_EXPECTED, SIGNAL, Message
from hirte.wire.sasl import Server
from tests.sim.network import End, Listener
from tests.sim.process import Process

DRIVER = "org.freedesktop.DBus"
PATH = "/org/freedesktop/DBus"
NO_REPLY = DRIVER + ".Error.NoReply"

# RequestName: flag and answers of the D-Bus specification.
ALLOW_REPLACEMENT, REPLACE_EXISTING = 0x1, 0x2
PRIMARY_OWNER, EXISTS, ALREADY_OWNER = 1, 3, 4

GUID = "0123456789abcdef" * 2


class Peer:
    """Somebody on the bus."""

    def __init__(self, bus: BusDaemon, end: End, uid: int) -> None:
        self.bus = bus
        self.end = end
        self.uid = uid
        self.name = ""
        self.rules: list[dict[str, str]] = []
        self.serial = 0
        self._auth = Server(GUID, unix=True)
        self._framer = Framer(MESSAGE_BYTES)

    def received(self, data: bytes) -> None:
        if not self._auth.done:
            self.end.write(self._auth.feed(data))
            data = self._auth.rest() if self._auth.done else b""
        self._framer.feed(data)
        while self.end.open:
            message = self._framer.take()
            if message is None:
                return
            self.bus.take(self, message)

    def lost(self, reason: str) -> None:
        self.bus.leave(self)

    def next_serial(self) -> int:
        self.serial += 1
        return self.serial

    def hears(self, message: Message) -> bool:
        """Tell whether one of its matches wants the signal."""
        return any(self.bus.fits(rule, message) for rule in self.rules)


class BusDaemon:
    """The bus of one host."""

    def __init__(self, process: Process) -> None:
        self.process = process
        self.peers: dict[str, Peer] = {}
        self.owners: dict[str, Peer] = {}
        self._replaceable: dict[str, bool] = {}
        # (caller's name, serial of the call) -> who must answer.
        self.open_calls: dict[tuple[str, int], Peer] = {}
        # What the host's bus address leads to.
        self.listener = Listener(process, self._accept)

    def _accept(self, end: End) -> None:
        end.start(Peer(self, end, end.peer_uid()))

    # Routing

    def take(self, sender: Peer, message: Message) -> None:
        """Serve one message of `sender`."""
        message.sender = sender.name
        if message.type == METHOD_CALL and message.destination == DRIVER:
            self._driver(sender, message)
        elif message.type == SIGNAL:
            for peer in list(self.peers.values()):
                addressed = message.destination in (peer.name, "")
                if addressed and (message.destination or peer.hears(message)):
                    self._forward(peer, message)
        elif message.type == METHOD_CALL:
            self._call(sender, message)
        else:
            self._answer(sender, message)

    def _call(self, sender: Peer, message: Message) -> None:
        addressee = self._find(message.destination)
        if addressee is None:
            text = f"The name {message.destination} was not provided by any .service files"
            self._error(sender, message, "ServiceUnknown", text)
            return
        if not message.flags & NO_REPLY_EXPECTED:
            self.open_calls[sender.name, message.serial] = addressee
        self._forward(addressee, message)

    def _answer(self, sender: Peer, message: Message) -> None:
        key = (message.destination, message.reply_serial)
        caller = self.peers.get(message.destination)
        if caller is None:
            return
        if self.open_calls.get(key) is not sender:
            self.process.world.faults.append(f"{sender.name} answered what nobody asked: {message}")
            return
        del self.open_calls[key]
        self._forward(caller, message)

    def _find(self, name: str) -> Peer | None:
        return self.peers.get(name) or self.owners.get(name)

    def _forward(self, to: Peer, message: Message) -> None:
        # The serial is the sender's, as on a real bus: a reply refers to it.
        rest = (message.signature, message.body, message.destination, message.sender)
        serial, order = message.serial, message.order
        path, interface, member = message.path, message.interface, message.member
        if message.type == SIGNAL:
            data = build.signal(serial, path, interface, member, *rest, order)
        elif message.type == METHOD_CALL:
            data = build.call(serial, path, interface, member, *rest, message.flags, order)
        elif message.type == ERROR:
            data = build.error(serial, message.reply_serial, message.error_name, *rest, order)
        else:
            data = build.method_return(serial, message.reply_serial, *rest, order)
        to.end.write(data)

    # The bus itself

    def _driver(self, sender: Peer, call: Message) -> None:
        handler = _DRIVER.get(call.member)
        if handler is None:
            self._error(sender, call, "UnknownMethod", call.member)
        else:
            handler(self, sender, call, *call.values())

    def _reply(self, to: Peer, call: Message, signature: str = "", *values: Any) -> None:
        if not call.flags & NO_REPLY_EXPECTED:
            reply = Message(METHOD_RETURN, NO_REPLY_EXPECTED, to.next_serial())
            reply.reply_serial, reply.destination, reply.sender = call.serial, to.name, DRIVER
            reply.signature, reply.body = signature, encode(signature, values)
            self._forward(to, reply)

    def _error(self, to: Peer, call: Message, name: str, text: str) -> None:
        error = Message(ERROR, NO_REPLY_EXPECTED, to.next_serial())
        error.reply_serial, error.destination, error.sender = call.serial, to.name, DRIVER
        error.error_name = f"{DRIVER}.Error.{name}"
        error.signature, error.body = "s", encode("s", (text,))
        self._forward(to, error)

    def _hello(self, sender: Peer, call: Message) -> None:
        sender.name = f":1.{self.process.world.next_number()}"
        self.peers[sender.name] = sender
        self._reply(sender, call, "s", sender.name)
        self._owner_changed(sender.name, "", sender.name)

    def _request_name(self, sender: Peer, call: Message, name: str, flags: int) -> None:
        owner = self.owners.get(name)
        if owner is sender:
            self._reply(sender, call, "u", ALREADY_OWNER)
            return
        if owner and not (flags & REPLACE_EXISTING and self._replaceable[name]):
            self._reply(sender, call, "u", EXISTS)
            return
        self.owners[name] = sender
        self._replaceable[name] = bool(flags & ALLOW_REPLACEMENT)
        self._owner_changed(name, owner.name if owner else "", sender.name)
        self._reply(sender, call, "u", PRIMARY_OWNER)

    def _add_match(self, sender: Peer, call: Message, text: str) -> None:
        pairs = (part.partition("=") for part in text.split(","))
        sender.rules.append({key: value.strip("'") for key, _, value in pairs})
        self._reply(sender, call)

    def _remove_match(self, sender: Peer, call: Message, text: str) -> None:
        pairs = (part.partition("=") for part in text.split(","))
        sender.rules.remove({key: value.strip("'") for key, _, value in pairs})
        self._reply(sender, call)

    def _has_owner(self, sender: Peer, call: Message, name: str) -> None:
        self._reply(sender, call, "b", self._find(name) is not None)

    def _unix_user(self, sender: Peer, call: Message, name: str) -> None:
        peer = self._find(name)
        if peer is None:
            self._error(sender, call, "NameHasNoOwner", name)
        else:
            self._reply(sender, call, "u", peer.uid)

    def _owner_changed(self, name: str, before: str, after: str) -> None:
        signal = Message(SIGNAL, NO_REPLY_EXPECTED, 1)
        signal.path, signal.interface, signal.member = PATH, DRIVER, "NameOwnerChanged"
        signal.sender = DRIVER
        signal.signature, signal.body = "sss", encode("sss", (name, before, after))
        for peer in list(self.peers.values()):
            if peer.hears(signal):
                self._forward(peer, signal)

    def fits(self, rule: dict[str, str], message: Message) -> bool:
        """Tell whether a signal fits a match rule."""
        for key, wanted in rule.items():
            if key == "sender":
                owner = self.owners.get(wanted)
                if message.sender not in (wanted, owner.name if owner else wanted):
                    return False
            elif key == "path_namespace":
                if message.path != wanted and not message.path.startswith(wanted + "/"):
                    return False
            elif key == "arg0":
                if message.values()[:1] != (wanted,):
                    return False
            elif key in ("path", "interface", "member") and getattr(message, key) != wanted:
                return False
        return True

    def leave(self, peer: Peer) -> None:
        """Take note that somebody is gone."""
        if self.peers.pop(peer.name, None) is None:
            return
        for name in [name for name, owner in self.owners.items() if owner is peer]:
            del self.owners[name]
            self._owner_changed(name, peer.name, "")
        self._owner_changed(peer.name, peer.name, "")
        for (caller, serial), addressee in list(self.open_calls.items()):
            if caller == peer.name:
                del self.open_calls[caller, serial]
            elif addressee is peer:
                del self.open_calls[caller, serial]
                call = Message(METHOD_CALL, 0, serial)
                text = "Message recipient disconnected from message bus without replying"
                self._error(self.peers[caller], call, "NoReply", text)


_DRIVER: dict[str, Callable[..., None]] = {
    "Hello": BusDaemon._hello,
    "RequestName": BusDaemon._request_name,
    "AddMatch": BusDaemon._add_match,
    "RemoveMatch": BusDaemon._remove_match,
    "NameHasOwner": BusDaemon._has_owner,
    "GetConnectionUnixUser": BusDaemon._unix_user,
}
