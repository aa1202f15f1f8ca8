"""The verbs: what an administrator can say, what it needs, and who does it.

A new verb is a row here, a function, and a test. Everything else follows from the row: what the
command line accepts, the help, the errors.
"""

from __future__ import annotations

from hirte.ctl import about, control, show

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Callable

    from hirte.ctl.request import Request


class Option:
    """An option. `name` is the long one without dashes; `metavar` is empty if it is a mere flag."""

    __slots__ = ("help", "metavar", "name", "short")

    def __init__(self, name: str, metavar: str, help: str, short: str = "") -> None:
        self.name = name
        self.metavar = metavar
        self.help = help
        self.short = short


class Verb:
    """A row of the table.

    `words` names the words that follow the verb: in brackets those that may be left out, with
    three dots those that may be repeated. `run` does it and returns the exit code.
    """

    __slots__ = ("example", "help", "name", "options", "run", "words")

    def __init__(
        self,
        name: str,
        words: str,
        help: str,
        run: Callable[[Request], int],
        example: str,
        options: tuple[Option, ...] = (),
    ) -> None:
        self.name = name
        self.words = tuple(words.split())
        self.help = help
        self.run = run
        self.example = example
        self.options = options

    def takes(self, count: int) -> bool:
        """Tell whether the verb can do with `count` words."""
        least = sum(not word.startswith("[") for word in self.words)
        endless = any("..." in word for word in self.words)
        return least <= count and (endless or count <= len(self.words))


# Options that every verb has.
HELP = Option("help", "", "explain the command, or all commands", short="h")
VERSION = Option("version", "", "print the version")
COMMON = (HELP, VERSION)

FILTER = Option("filter", "GLOB", "only units of this name; * is any text, ? any one character")

_ROWS = (
    Verb(
        "status",
        "[NODE] [UNIT...]",
        "show all nodes, a node, or units of a node",
        show.status,
        "status node1 nginx.service",
    ),
    Verb(
        "list-units",
        "[NODE]",
        "list the units of all nodes that are online, or of a node",
        show.list_units,
        "list-units node1 --filter '*.service'",
        (FILTER,),
    ),
    Verb(
        "start",
        "NODE UNIT",
        "start a unit and wait for the result",
        control.control,
        "start node1 nginx.service",
    ),
    Verb(
        "stop",
        "NODE UNIT",
        "stop a unit and wait for the result",
        control.control,
        "stop node1 nginx.service",
    ),
    Verb(
        "restart",
        "NODE UNIT",
        "stop a unit if it runs, start it, and wait for the result",
        control.control,
        "restart node1 nginx.service",
    ),
    Verb(
        "reload",
        "NODE UNIT",
        "let a unit reload its configuration and wait for the result",
        control.control,
        "reload node1 nginx.service",
    ),
    Verb("version", "", "print the version", about.version, "version"),
    Verb("help", "[COMMAND]", "explain a command, or all commands", about.help, "help start"),
)
VERBS = {row.name: row for row in _ROWS}
