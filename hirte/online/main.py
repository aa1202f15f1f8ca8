"""The command line of the online check, and its answer.

The exit code is 0 for online and 1 for offline, whatever the reason. Called by the reference's name
it says what that program says, which has no other codes; otherwise wrong usage is 2.
"""

from __future__ import annotations

import sys

from hirte import __version__
from hirte.api.dialect import COMPATIBLE, NATIVE, dialect_of
from hirte.arguments import Option, UsageError, columns, read
from hirte.client.errors import Error
from hirte.printable import printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from hirte.api.dialect import Dialect
    from hirte.online.watch import Target, Watch

ONLINE, OFFLINE, USAGE = 0, 1, 2

# First word -> the words that follow it, and what they ask.
WORDS = {
    "agent": ((), "is this machine's agent connected to its manager?"),
    "node": (("NODE",), "is the agent of a node connected to the manager on this machine?"),
    "system": ((), "are the agents of all nodes connected?"),
    "help": ((), "print this"),
    "version": ((), "print the version"),
}
SYNOPSIS = "agent|node NODE|system [OPTION...]"
_MONITOR, _WAIT, _SWITCH = "monitor", "wait", "switch-timeout"
OPTIONS = (
    Option(_MONITOR, "", "as long as it is online, keep watching"),
    Option(_WAIT, "MS", "wait so many milliseconds for it to come online"),
    Option(_SWITCH, "MS", "(agent) let it be offline so long when it changes to another manager"),
    Option("help", "", "print this", short="h"),
)
_ONLY_AGENT = (_SWITCH,)
EXIT_CODES = {ONLINE: "online", OFFLINE: "offline, for whatever reason", USAGE: "wrong usage"}


def run(argv: Sequence[str], program: str) -> int:
    """Do what the command line says; return the exit code."""
    dialect = dialect_of(program)
    try:
        words, options = _read(argv)
        if "help" in options or words[0] == "help":
            print(_help(program, dialect), end="")
            return ONLINE
        if words[0] == "version":
            print(f"{program} version {__version__}")
            return ONLINE
        wait, switch = _seconds(options, _WAIT), _seconds(options, _SWITCH)
    except UsageError as error:
        print(printable(str(error)), file=sys.stderr)
        if dialect is NATIVE:
            return USAGE
        print(_help(program, dialect), end="")
        return OFFLINE
    return _check(words, _MONITOR in options, wait, switch, dialect)


def _help(program: str, dialect: Dialect) -> str:
    lines = [f"usage: {program} {SYNOPSIS}", ""]
    lines += columns([(" ".join([word, *more]), what) for word, (more, what) in WORDS.items()])
    lines += ["", "options:", *columns([(option.usage, option.help) for option in OPTIONS])]
    codes = [code for code in EXIT_CODES if dialect is NATIVE or code != USAGE]
    lines += ["", "exit codes:", *columns([(str(code), EXIT_CODES[code]) for code in codes])]
    return "\n".join(lines) + "\n"


def _read(argv: Sequence[str]) -> tuple[list[str], dict[str, str]]:
    """Return the words, the first of which is known, and the options, by name."""
    words, options = read(argv, OPTIONS)
    if "help" in options:
        return ["help"], options
    if not words:
        raise UsageError("No command given")
    method, *more = words
    if method not in WORDS:
        raise UsageError(f"Method {method} not found")
    expected = len(WORDS[method][0])
    if len(more) != expected:
        what = "few" if len(more) < expected else "many"
        raise UsageError(f"Too {what} arguments for method {method}")
    for name in options:
        if name in _ONLY_AGENT and method != "agent":
            raise UsageError(f"Unsupported option '{name}' for method '{method}'")
    return words, options


def _seconds(options: dict[str, str], name: str) -> float:
    """Return the seconds of an option in milliseconds; none, or an empty one, is 0."""
    text = options.get(name, "") or "0"
    if not (text.isascii() and text.isdigit()):
        raise UsageError(f"Failed to parse --{name}: '{text}' is not a number of milliseconds")
    return int(text) / 1000


def _target(words: list[str], dialect: Dialect) -> Target:
    from hirte.api import public
    from hirte.online.watch import Target
    from hirte.wire.escape import escape

    if words[0] == "agent":
        name, interface = dialect.agent_bus_name, dialect.interface(public.AGENT.name)
        return Target(name, dialect.root, interface, "online", dialect.member("ManagerAddress"))
    if words[0] == "node":
        path = dialect.path(f"node/{escape(words[1])}")
        return Target(dialect.bus_name, path, dialect.interface(public.NODE.name), "online")
    return Target(dialect.bus_name, dialect.root, dialect.interface(public.MANAGER.name), "up")


def _check(words: list[str], monitor: bool, wait: float, switch: float, dialect: Dialect) -> int:
    from hirte.client.connecting import open_bus
    from hirte.ending import Ending
    from hirte.online.watch import Watch

    try:
        connection, _ = open_bus()
    except Error as error:
        start = "Failed to connect to api bus: " if dialect is COMPATIBLE else ""
        print(printable(f"{start}{error}"), file=sys.stderr)
        return OFFLINE
    target = _target(words, dialect)
    watch = Watch(connection, target)
    online = False
    try:
        with Ending():
            _ask(watch, words, dialect)
            online = watch.run(monitor, wait, switch)
    except KeyboardInterrupt:
        online = watch.online
    except Error as error:
        print(printable(str(error)), file=sys.stderr)
    if not online:
        what = target.name if dialect is COMPATIBLE else _who(words, watch.has_owner)
        print(printable(f"{what} is offline"), file=sys.stderr)
    return ONLINE if online else OFFLINE


def _who(words: list[str], has_owner: bool) -> str:
    """Return what is offline, in words: who would tell, or what that tells."""
    kind, *names = words
    if kind == "agent":
        return "the agent" if has_owner else "the agent is not running: it"
    if not has_owner:
        return "the manager is not running: it"
    return names[0] if names else "the system"


def _ask(watch: Watch, words: list[str], dialect: Dialect) -> None:
    from hirte.client.errors import CallError
    from hirte.client.session import UNKNOWN_OBJECT

    try:
        watch.ask()
    except CallError as error:
        # It may come online all the same, as a node does whose manager starts.
        text = f"Failed to read the status: {error}"
        if dialect is NATIVE and words[0] == "node" and error.name == UNKNOWN_OBJECT:
            text = f"no node '{words[1]}' is configured"
        print(printable(text), file=sys.stderr)
