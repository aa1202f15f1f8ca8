"""The command line of the proxy helper; systemd's template unit calls it, under either name.

A wrong command line ends with 1 as a failure does: the unit knows no other code. SIGTERM is left to
the kernel, which ends the helper at once, also while it waits.
"""

from __future__ import annotations

import sys

from hirte import __version__
from hirte.api.dialect import COMPATIBLE, NATIVE, dialect_of
from hirte.arguments import Option, UsageError, columns, read
from hirte.printable import printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

DONE, FAILED = 0, 1

# Operation -> the method of the agent.
METHODS = {"create": "CreateProxy", "remove": "RemoveProxy"}

# The template units that the agent is told of, by dialect.
_TEMPLATES = {NATIVE: "hirte-proxy@", COMPATIBLE: "bluechi-proxy@"}

SYNOPSIS = "[OPTION...] create|remove NODE_UNIT"
# Words -> what they mean.
WORDS = {
    "create": "begin, and wait until the unit of the other node is active, however long",
    "remove": "the unit is not needed any more",
    "NODE_UNIT": "node and unit, e.g. second_db.service: the first _ is between the two",
}
OPTIONS = (
    Option("user", "", "over the bus of the user, not that of the system", short="u"),
    Option("help", "", "print this", short="h"),
    Option("version", "", "print the version", short="v"),
)
EXIT_CODES = {DONE: "done", FAILED: "anything else, also wrong usage"}
# Node names have none, names of units may.
_SEPARATOR = "_"

def run(argv: Sequence[str], program: str) -> int:
    """Do what the command line says; return the exit code."""
    try:
        words, options = read(argv, OPTIONS)
        if "help" in options:
            print(_help(program), end="")
            return DONE
        if "version" in options:
            print(f"{program} version {__version__}")
            return DONE
        method, node, unit = _wanted(words)
    except UsageError as error:
        print(f"{program}: {printable(str(error))}", file=sys.stderr)
        return FAILED
    return _ask(method, node, unit, "user" in options, program)


def _help(program: str) -> str:
    lines = [f"usage: {program} {SYNOPSIS}", ""]
    lines += ["Asks this machine's agent for a proxy of a unit of another node, for a unit that"]
    lines += ["needs that one; systemd calls it.", "", *columns([*WORDS.items()])]
    lines += ["", "options:", *columns([(option.usage, option.help) for option in OPTIONS])]
    lines += ["", "exit codes:", *columns([(str(code), what) for code, what in EXIT_CODES.items()])]
    return "\n".join(lines) + "\n"


def _wanted(words: list[str]) -> tuple[str, str, str]:
    """Return the method, the node and the unit that the words mean. Raises UsageError."""
    if len(words) != 2:
        problem = "too few words" if len(words) < 2 else "too many words"
        raise UsageError(f"{problem}: it takes create or remove, and NODE_UNIT")
    operation, target = words
    method = METHODS.get(operation.lower())
    if method is None:
        raise UsageError(f"unknown operation '{operation}': it is create or remove")
    node, _, unit = target.partition(_SEPARATOR)
    if not node or not unit:
        raise UsageError(f"'{target}' is not NODE_UNIT, e.g. second_db.service")
    return method, node, unit


def _ask(method: str, node: str, unit: str, user: bool, program: str) -> int:
    from hirte.client.errors import Error
    from hirte.proxy.call import call

    dialect = dialect_of(program)
    service = f"{_TEMPLATES[dialect]}{node}{_SEPARATOR}{unit}"
    try:
        call(dialect, user, method, service, node, unit)
    except Error as error:
        print(f"{program}: {printable(str(error))}", file=sys.stderr)
        return FAILED
    return DONE
