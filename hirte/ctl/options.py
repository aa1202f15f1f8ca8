"""The options that verbs have, each written once."""

from __future__ import annotations


class Option:
    """An option. `name` is the long one without dashes; `metavar` is empty if it is a mere flag.

    A value that is one of a few has all of them for its `metavar`, as in `text|json`.
    The values of one that may be given `many` times are joined with commas; of others the last
    counts.
    """

    __slots__ = ("help", "many", "metavar", "name", "short")

    def __init__(
        self, name: str, metavar: str, help: str, short: str = "", many: bool = False
    ) -> None:
        self.name = name
        self.metavar = metavar
        self.help = help
        self.short = short
        self.many = many


# Options that every verb has.
HELP = Option("help", "", "explain the command, or all commands", short="h")
VERSION = Option("version", "", "print the version")
COMMON = (HELP, VERSION)

OUTPUT = Option("output", "text|json", "how to answer; json is for programs", short="o")
NO_LEGEND = Option("no-legend", "", "leave out the line of titles")
PLAIN = Option("plain", "", "put one tab between columns, and do not align them")
TABLE = (OUTPUT, NO_LEGEND, PLAIN)
QUIET = Option("quiet", "", "print errors only", short="q")

ALL_NODES = Option("all-nodes", "", "mean all nodes; the word NODE is left out")
FILTER = Option("filter", "GLOB", "only units of this name; * is any text, ? any one character")

DRY_RUN = Option("dry-run", "", "only say what would be called")
FAIL_FAST = Option("fail-fast", "", "begin nothing more, and wait no longer, when something fails")
TIMEOUT = Option("timeout", "SECONDS", "how long to wait; what was begun goes on")
CHANGE = (ALL_NODES, DRY_RUN, FAIL_FAST, TIMEOUT, QUIET, OUTPUT)

NO_BLOCK = Option("no-block", "", "do not wait for the end of the jobs; print their numbers")
WAIT_ACTIVE = Option("wait-active", "", "wait until the unit is active; fail if it will not be")

KILL_WHOM = Option("kill-whom", "all|main|control", "which processes, by default all")
SIGNAL = Option("signal", "SIGNAL", "name or number, by default SIGTERM", short="s")
RUNTIME = Option("runtime", "", "only until the next boot")
FORCE = Option("force", "", "replace links that stand in the way", short="f")
NO_RELOAD = Option("no-reload", "", "do not let systemd read its unit files again afterwards")
PROPERTY = Option("property", "NAME", "only this property, or several with commas", "p", many=True)
VALUE = Option("value", "", "only the values, without the names")
WATCH = Option("watch", "", "show it again whenever it changes, until interrupted", short="w")
