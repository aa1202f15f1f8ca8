"""A blocking conversation with the system bus, over jeepney, which is known here only.

The bus has checked what it delivers, so jeepney may read it. Every call ends: with an answer, with
an error of the other side (`CallError`), or with a Failure when there is no bus to talk to.
"""

from __future__ import annotations

from collections import deque

from jeepney import (
    AuthenticationError,
    DBusAddress,
    DBusErrorResponse,
    HeaderFields,
    MatchRule,
    MessageFlag,
    MessageType,
    message_bus,
    new_method_call,
)
from jeepney.io.blocking import open_dbus_connection

from hirte.ctl.exits import UNREACHABLE, Failure

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from hirte.ctl.manager import Signal

# The bus's own name, and the sender of what it says itself.
BUS_NAME = "org.freedesktop.DBus"

# Seconds. The manager gives an agent 30 to answer and then answers itself, which tells more than
# our giving up.
CALL_TIMEOUT = 45.0
# Seconds for the handshake with the bus; it takes milliseconds, or on a machine that is booting
# as long as everything else there.
HANDSHAKE_TIMEOUT = 25.0


class CallError(Exception):
    """A call was answered by an error. `by_bus` tells that the bus itself answered."""

    def __init__(self, name: str, text: str, by_bus: bool) -> None:
        super().__init__(text or name)
        self.name = name
        self.by_bus = by_bus


class Bus:
    """A connection to a bus. `connection` is jeepney's DBusConnection."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        self._signals: deque[Any] = deque()

    def call(
        self,
        destination: str,
        path: str,
        interface: str,
        member: str,
        signature: str = "",
        values: tuple[Any, ...] = (),
    ) -> tuple[str, tuple[Any, ...]]:
        """Call a method; return the signature and the values of the answer.

        Values are jeepney's: a variant is a pair of signature and value. Raises CallError, Failure.
        """
        address = DBusAddress(path, bus_name=destination, interface=interface)
        message = new_method_call(address, member, signature or None, values)
        # Asking for the state of the manager must not start one.
        message.header.flags = MessageFlag.no_auto_start
        return self._ask(message)

    def owner(self, name: str) -> str:
        """Return the unique name of who owns `name`. Raises CallError if nobody does."""
        _, values = self._ask(message_bus.GetNameOwner(name))
        owner: str = values[0]
        return owner

    def listen(self, sender: str, path: str, interface: str, member: str, first: str = "") -> None:
        """Subscribe to a signal of `sender`, a unique name or the bus, from now on.

        `first` limits it to signals whose first argument is this text. Anybody may send us what
        looks like it; only what `sender` sent is ever handed out.
        """
        rule = MatchRule(
            type="signal", sender=sender, path=path, interface=interface, member=member
        )
        if first:
            rule.add_arg_condition(0, first)
        self._connection.filter(rule, queue=self._signals)
        self._ask(message_bus.AddMatch(rule))

    def next_signal(self) -> Signal:
        """Wait for a signal, for ever, and return its member and its values."""
        try:
            message = self._connection.recv_until_filtered(self._signals)
        except OSError as error:
            raise _gone(error) from error
        return message.header.fields[HeaderFields.member], message.body

    def _ask(self, message: Any) -> tuple[str, tuple[Any, ...]]:
        try:
            reply = self._connection.send_and_get_reply(message, timeout=CALL_TIMEOUT)
        except TimeoutError as error:
            member = message.header.fields[HeaderFields.member]
            text = f"no answer to {member} within {CALL_TIMEOUT:.0f} s"
            raise Failure(text, UNREACHABLE) from error
        except OSError as error:
            raise _gone(error) from error
        fields, values = reply.header.fields, reply.body
        if reply.header.message_type is MessageType.error:
            text = str(values[0]) if values else ""
            by_bus = fields.get(HeaderFields.sender) == BUS_NAME
            raise CallError(fields[HeaderFields.error_name], text, by_bus)
        return fields.get(HeaderFields.signature, ""), values


def _gone(error: OSError) -> Failure:
    return Failure(f"the system bus went away: {error.strerror or error}", UNREACHABLE)


def open_bus() -> Bus:
    """Connect to the system bus, where DBUS_SYSTEM_BUS_ADDRESS says or where it always is.

    Raises Failure.
    """
    try:
        return Bus(open_dbus_connection("SYSTEM", auth_timeout=HANDSHAKE_TIMEOUT))
    except OSError as error:
        reason = error.strerror or str(error)
    except (AuthenticationError, DBusErrorResponse) as error:
        reason = f"it refuses us: {error}"
    except (ValueError, RuntimeError):
        reason = "DBUS_SYSTEM_BUS_ADDRESS is not the address of a Unix socket"
    raise Failure(f"the system bus cannot be reached: {reason}", UNREACHABLE)
