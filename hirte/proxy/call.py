"""The call of the agent, which answers when the unit of the other node is active, or never will be.

That may take for ever: the node may be switched off. So the call has no end but its answer, or the
end of the agent, which the bus tells.
"""

from __future__ import annotations

from jeepney import DBusAddress, new_method_call

from hirte.client.connecting import open_bus
from hirte.client.errors import CallError, Error
from hirte.client.session import ACCESS_DENIED, AWAY, BUS_NAME, NO_REPLY

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from hirte.api.dialect import Dialect


def call(dialect: Dialect, user: bool, method: str, service: str, node: str, unit: str) -> None:
    """Call `method` of the agent for `unit` of `node`, on whose behalf `service` is here.

    `user` means the agent on the bus of the user. Raises the client's errors, in a text for people.
    """
    bus = "user" if user else "system"
    name = dialect.agent_bus_name

    def explain(error: str, text: str, sender: str) -> Error:
        by_bus = sender == BUS_NAME
        if by_bus and error == NO_REPLY:
            why = "the agent went away before it answered"
        elif by_bus and error in AWAY:
            why = f"the agent is not running: nobody owns {name} on the {bus} bus"
        elif by_bus and error == ACCESS_DENIED:
            why = f"the {bus} bus refuses it; try as root"
        elif error == dialect.interface("ActivationFailed"):
            why = f"the unit did not become active: {text}"
        else:
            why = text or error
        return CallError(error, f"{method} for {unit} on {node}: {why}")

    address = DBusAddress(dialect.root, bus_name=name, interface=dialect.interface("Agent"))
    message = new_method_call(address, method, "sss", (service, node, unit))
    connection, _ = open_bus(user)
    connection.request(message, _nothing, explain, None).result()


def _nothing(signature: str, values: tuple[Any, ...]) -> None:
    pass
