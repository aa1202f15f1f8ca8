"""A client of a message bus: Hello, well-known names, matches, and who a caller is.

A :class:`Bus` is as old as its connection. When the bus goes away, what was asked of it is gone
too; the owner makes a new one for the next connection and asks again.
"""

from __future__ import annotations

from hirte.dbus import errors
from hirte.dbus.limits import KNOWN_CALLERS, OWNER_MATCHES
from hirte.wire.encode import encode
from hirte.wire.message import ERROR, Message

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Callable

    from hirte.dbus.connection import Connection
    from hirte.dbus.objects import Call

DRIVER = "org.freedesktop.DBus"
_PATH = "/org/freedesktop/DBus"

# RequestName, D-Bus specification: take it from an owner who allows that, else fail at once.
_REPLACE_EXISTING, _DO_NOT_QUEUE = 0x2, 0x4
_PRIMARY_OWNER, _ALREADY_OWNER = 1, 4


class Bus:
    """Our place on a bus, over a connection that has just become ready."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.unique_name = ""
        self._users: dict[str, int] = {}
        # How many calls of a sender wait for its user. While there are any, later calls wait
        # too, although the user may be known by then: a caller's calls are served in order.
        self._waiting: dict[str, int] = {}
        self._watched: dict[str, dict[int, Callable[[], None]]] = {}
        self._watches = 0
        self._hears_all_owners = False
        connection.on_signal = self.heard

    def hello(self, on_done: Callable[[], None]) -> None:
        """Say Hello; `on_done` comes when we have a unique name, the connection closes if not."""

        def replied(reply: Message) -> None:
            if reply.type == ERROR:
                self.connection.close(f"the bus refused Hello: {reply.error_text()}")
                return
            (self.unique_name,) = reply.values()
            on_done()

        self._call("Hello", replied)

    def own(self, name: str, on_done: Callable[[str], None]) -> None:
        """Ask for a well-known name; `on_done` gets the empty text, or why it was refused."""

        def replied(reply: Message) -> None:
            if reply.type == ERROR:
                on_done(f"cannot own {name}: {reply.error_text()}")
            elif reply.values()[0] in (_PRIMARY_OWNER, _ALREADY_OWNER):
                on_done("")
            else:
                on_done(f"cannot own {name}: another process owns it")

        flags = _REPLACE_EXISTING | _DO_NOT_QUEUE
        self._call("RequestName", replied, "su", encode("su", (name, flags)))

    def match(self, rule: str) -> None:
        """Subscribe to the signals that `rule` describes."""
        self.connection.send(_PATH, DRIVER, "AddMatch", "s", encode("s", (rule,)), DRIVER)

    def watch(self, name: str, on_gone: Callable[[], None]) -> Callable[[], None]:
        """Call `on_gone` once when `name` leaves the bus; return what ends the watch."""
        self._watches += 1
        number = self._watches
        watches = self._watched.setdefault(name, {})
        if not watches and not self._hears_all_owners:
            self._hears_all_owners = len(self._watched) > OWNER_MATCHES
            self.match(_owner_rule("" if self._hears_all_owners else name))
        watches[number] = on_gone

        def has_owner(reply: Message) -> None:
            # It may have left before the bus knew that we care.
            if reply.type != ERROR and reply.values() == (False,):
                self._gone(name)

        self._call("NameHasOwner", has_owner, "s", encode("s", (name,)))
        return lambda: self._unwatch(name, number)

    def _unwatch(self, name: str, number: int) -> None:
        watches = self._watched.get(name)
        if watches and watches.pop(number, None) and not watches:
            del self._watched[name]
            rule = encode("s", (_owner_rule(name),))
            self.connection.send(_PATH, DRIVER, "RemoveMatch", "s", rule, DRIVER)

    def heard(self, message: Message) -> None:
        """Take a signal; the connection's handler unless the owner sets another, which calls it."""
        if message.member == "NameOwnerChanged" and message.sender == DRIVER:
            name, _, owner = message.expect("sss")
            if not owner:
                self._gone(name)

    def _gone(self, name: str) -> None:
        for on_gone in list(self._watched.get(name, {}).values()):
            on_gone()

    def authorize(self, call: Call, proceed: Callable[[], None], uid: int) -> None:
        """Let root and the user `uid` proceed, and answer AccessDenied to everybody else."""
        sender = call.message.sender
        known = self._users.get(sender)
        if known is not None and sender not in self._waiting:
            _decide(call, proceed, known, uid)
            return
        self._waiting[sender] = self._waiting.get(sender, 0) + 1

        def replied(reply: Message) -> None:
            waiting = self._waiting.pop(sender) - 1
            if waiting:
                self._waiting[sender] = waiting
            if reply.type == ERROR:
                call.fail(errors.ACCESS_DENIED, "The caller's user is not known")
                return
            (caller,) = reply.values()
            if len(self._users) >= KNOWN_CALLERS:
                self._users.clear()
            self._users[sender] = caller
            _decide(call, proceed, caller, uid)

        self._call("GetConnectionUnixUser", replied, "s", encode("s", (sender,)))

    def _call(
        self,
        member: str,
        on_reply: Callable[[Message], None],
        signature: str = "",
        body: bytes = b"",
    ) -> None:
        self.connection.call(_PATH, DRIVER, member, on_reply, signature, body, DRIVER)


def _decide(call: Call, proceed: Callable[[], None], caller: int, uid: int) -> None:
    if caller in (0, uid):
        proceed()
    else:
        call.fail(errors.ACCESS_DENIED, "Only root and the service's own user may do this")


def _owner_rule(name: str) -> str:
    rule = (
        f"type='signal',sender='{DRIVER}',path='{_PATH}',interface='{DRIVER}',"
        "member='NameOwnerChanged'"
    )
    return f"{rule},arg0='{name}'" if name else rule
