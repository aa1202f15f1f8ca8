"""The rows that interface tables are made of.

Arguments are written as `name:type` with blanks between, so that a row reads like the line of a
manual; the types alone, joined, are the signature.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

# How a property tells its changes (D-Bus annotation EmitsChangedSignal): never, by
# PropertiesChanged with the value, or not at all, in which case GetAll leaves it out.
CONST, EMITS, EXPLICIT = "const", "true", "false"


class Method:
    """A method: its arguments and results as `name:type` texts.

    `forward` marks a method that is passed on to the method of the same name one step further
    down, unread: from a node to its agent, or from an agent to systemd's Manager.
    """

    __slots__ = ("forward", "inputs", "name", "outputs", "result", "signature")

    def __init__(self, name: str, inputs: str = "", outputs: str = "", forward: bool = False):
        self.name = name
        self.inputs = inputs
        self.outputs = outputs
        self.signature = signature_of(inputs)
        self.result = signature_of(outputs)
        self.forward = forward


class Signal:
    """A signal: its arguments as `name:type` texts."""

    __slots__ = ("arguments", "name", "signature")

    def __init__(self, name: str, arguments: str = ""):
        self.name = name
        self.arguments = arguments
        self.signature = signature_of(arguments)


class Property:
    """A read-only property and how it tells its changes."""

    __slots__ = ("change", "name", "signature")

    def __init__(self, name: str, signature: str, change: str):
        self.name = name
        self.signature = signature
        self.change = change


class Interface:
    """A table: `name` is native and without the dialect's prefix, e.g. `Node`."""

    __slots__ = ("methods", "name", "properties", "signals")

    def __init__(
        self,
        name: str,
        methods: Iterable[Method] = (),
        signals: Iterable[Signal] = (),
        properties: Iterable[Property] = (),
    ):
        self.name = name
        self.methods = {row.name: row for row in methods}
        self.signals = {row.name: row for row in signals}
        self.properties = {row.name: row for row in properties}


def arguments_of(text: str) -> list[tuple[str, str]]:
    """Return the (name, type) pairs of a `name:type name:type` text."""
    pairs = []
    for argument in text.split():
        name, _, kind = argument.partition(":")
        pairs.append((name, kind))
    return pairs


def signature_of(text: str) -> str:
    """Return the types of a `name:type name:type` text, joined."""
    return "".join([kind for _, kind in arguments_of(text)])
