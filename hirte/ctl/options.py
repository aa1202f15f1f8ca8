"""The options that verbs have, each written once.

A value that is one of a few has all of them for its `metavar`, as in `text|json`.
"""

from __future__ import annotations

from hirte.arguments import Option

# Options that every verb has.
HELP = Option("help", "", "explain the command, or all commands", short="h")
VERSION = Option("version", "", "print the version")
COMMON = (HELP, VERSION)

OUTPUT = Option("output", "text|json", "how to answer; json is for programs", short="o")
NO_LEGEND = Option("no-legend", "", "leave out the line of titles")
PLAIN = Option("plain", "", "put one tab between columns, and do not align them")
FULL = Option("full", "", "on a terminal, do not shorten names to make lines fit", short="l")
TABLE = (OUTPUT, FULL, NO_LEGEND, PLAIN)
QUIET = Option("quiet", "", "print errors only", short="q")

# Shortened, `--all` would be taken for all units, or whatever else there may be.
ALL_NODES = Option("all-nodes", "", "mean all nodes; the word NODE is left out", exact=True)
STATE = Option(
    "state",
    "STATE",
    "only units in this load, active or sub state, or several with commas",
    many=True,
)
FAILED = Option("failed", "", "only units that have failed, as --state=failed")
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
