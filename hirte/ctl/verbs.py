"""The verbs: what an administrator can say, what it needs, and who does it.

A new verb is a row here, a function, and a test. Everything else follows from the row: what the
command line accepts, the help, the errors. The module of a verb is loaded when it is said.
"""

from __future__ import annotations

from hirte.ctl import options
from hirte.ctl.exits import DONE, FAILED, INTERRUPTED, NOT_ACTIVE, OFFLINE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hirte.arguments import Option
    from hirte.ctl.request import Request


class Verb:
    """A row of the table.

    `words` names the words that follow the verb: in brackets those that may be left out, with
    three dots those that may be repeated. `does` is the function that does it, after its module.
    `codes` says what exit codes mean here that mean something else, or nothing ("", it does not
    occur), with other verbs. `prints` explains what it prints, if that does not explain itself.
    """

    __slots__ = ("codes", "does", "example", "help", "name", "options", "prints", "words")

    def __init__(
        self,
        name: str,
        words: str,
        help: str,
        does: str,
        example: str,
        options: tuple[Option, ...] = (),
        codes: dict[int, str] | None = None,
        prints: tuple[tuple[str, str], ...] = (),
    ) -> None:
        self.name = name
        self.words = tuple(words.split())
        self.help = help
        self.does = does
        self.example = example
        self.options = options
        self.codes = codes or {}
        self.prints = prints

    def kinds(self) -> list[str]:
        """Return the kinds of its words: the words without what says how many there may be."""
        return [word.strip("[].") for word in self.words]

    def takes(self, count: int) -> bool:
        """Tell whether the verb can do with `count` words."""
        least = sum(not word.startswith("[") for word in self.words)
        endless = any("..." in word for word in self.words)
        return least <= count and (endless or count <= len(self.words))

    def run(self, request: Request) -> int:
        """Do it; return the exit code. Raises Failure and the client's errors."""
        import sys

        module, function = self.does.split(".")
        name = f"hirte.ctl.{module}"
        __import__(name)
        code: int = getattr(sys.modules[name], function)(request)
        return code


_JOB = (options.NO_BLOCK, *options.CHANGE)
_JOB_START = (options.WAIT_ACTIVE, *_JOB)
_ASK = (options.ALL_NODES, options.QUIET, options.OUTPUT)

_ROWS = (
    Verb(
        "fleet",
        "",
        "show all nodes and failed units, as without a command",
        "show.fleet",
        "fleet",
        (options.WATCH, *options.TABLE),
    ),
    Verb(
        "status",
        "[NODE] [UNIT...]",
        "show all nodes, nodes, or units of nodes",
        "show.status",
        "status node1 nginx.service",
        (options.WATCH, *options.TABLE, options.ALL_NODES),
        {NOT_ACTIVE: "a unit is not active"},
    ),
    Verb(
        "nodes",
        "[NODE]",
        "list all nodes, or those that NODE means",
        "show.nodes",
        "nodes 'ecu-*' -o json",
        (options.WATCH, *options.TABLE),
        {OFFLINE: ""},
    ),
    Verb(
        "list-units",
        "[NODE]",
        "list loaded units, by default of all nodes online",
        "show.list_units",
        "list-units node1 --filter '*.service'",
        (options.FILTER, options.STATE, options.FAILED, *options.TABLE),
    ),
    Verb(
        "list-unit-files",
        "[NODE]",
        "list unit files, by default of all nodes online",
        "query.list_unit_files",
        "list-unit-files node1 --filter 'nginx*'",
        (options.FILTER, *options.TABLE),
    ),
    Verb(
        "start",
        "NODE UNIT...",
        "start units and wait for the results",
        "control.control",
        "start node1 nginx.service",
        _JOB_START,
    ),
    Verb(
        "stop",
        "NODE UNIT...",
        "stop units and wait for the results",
        "control.control",
        "stop node1,node2 nginx.service",
        _JOB,
    ),
    Verb(
        "restart",
        "NODE UNIT...",
        "stop units if they run, start them, wait for the results",
        "control.control",
        "restart 'ecu-*' nav.service map.service",
        _JOB_START,
    ),
    Verb(
        "reload",
        "NODE UNIT...",
        "let units reload their configuration, wait for the results",
        "control.control",
        "reload node1 nginx.service",
        _JOB_START,
    ),
    Verb(
        "jobs",
        "[NODE]",
        "list the jobs under way, by default of all nodes",
        "jobs.jobs",
        "jobs 'ecu-*'",
        options.TABLE,
        {OFFLINE: ""},
    ),
    Verb(
        "cancel",
        "JOB...",
        "ask for the end of jobs; --no-block prints their numbers",
        "jobs.cancel",
        "cancel 17",
        (options.QUIET, options.OUTPUT),
    ),
    Verb(
        "kill",
        "NODE UNIT...",
        "send a signal to processes of units",
        "change.kill",
        "kill node1 nginx.service --signal HUP --kill-whom main",
        (options.KILL_WHOM, options.SIGNAL, *options.CHANGE),
    ),
    Verb(
        "freeze",
        "NODE UNIT...",
        "halt all processes of units",
        "change.freeze",
        "freeze node1 nginx.service",
        options.CHANGE,
    ),
    Verb(
        "thaw",
        "NODE UNIT...",
        "let the processes of frozen units go on",
        "change.thaw",
        "thaw node1 nginx.service",
        options.CHANGE,
    ),
    Verb(
        "is-active",
        "NODE UNIT...",
        "tell whether units are active; 0 only if all are",
        "query.is_active",
        "is-active node1 nginx.service --quiet",
        _ASK,
        {NOT_ACTIVE: "a unit is not active"},
    ),
    Verb(
        "is-enabled",
        "NODE UNIT-FILE...",
        "tell whether units are started at boot; 0 only if all are",
        "query.is_enabled",
        "is-enabled node1 nginx.service",
        _ASK,
        {FAILED: "a unit is not enabled, or something failed"},
    ),
    Verb(
        "enable",
        "NODE UNIT-FILE...",
        "let units be started at boot",
        "change.enable",
        "enable node1 nginx.service",
        (options.RUNTIME, options.FORCE, options.NO_RELOAD, *options.CHANGE),
    ),
    Verb(
        "disable",
        "NODE UNIT-FILE...",
        "let units no longer be started at boot",
        "change.disable",
        "disable node1 nginx.service",
        (options.RUNTIME, options.NO_RELOAD, *options.CHANGE),
    ),
    Verb(
        "get-default",
        "NODE",
        "tell the target that nodes boot into",
        "query.get_default",
        "get-default node1",
        _ASK,
    ),
    Verb(
        "set-default",
        "NODE TARGET",
        "set the target that nodes boot into",
        "change.set_default",
        "set-default node1 multi-user.target",
        options.CHANGE,
    ),
    Verb(
        "show",
        "NODE UNIT...",
        "print properties of units",
        "query.show",
        "show node1 nginx.service -p MainPID --value",
        (options.PROPERTY, options.VALUE, options.OUTPUT, options.ALL_NODES),
    ),
    Verb(
        "set-property",
        "NODE UNIT NAME=VALUE...",
        "set properties of a unit, at once and for good",
        "change.set_property",
        "set-property node1 nginx.service CPUWeight=50 MemoryMax=2G",
        (options.RUNTIME, *options.CHANGE),
    ),
    Verb(
        "daemon-reload",
        "NODE",
        "let systemd on nodes read its unit files again",
        "change.daemon_reload",
        "daemon-reload 'ecu-*'",
        options.CHANGE,
    ),
    Verb(
        "reset-failed",
        "[NODE] [UNIT...]",
        "forget that units have failed, by default all",
        "change.reset_failed",
        "reset-failed node1 nginx.service",
        options.CHANGE,
    ),
    Verb(
        "monitor",
        "[NODE] [UNIT...]",
        "print what happens to units, until interrupted",
        "stream.monitor",
        "monitor node1 nginx.service",
        (options.OUTPUT,),
        {DONE: "interrupted", INTERRUPTED: "", OFFLINE: ""},
        (
            ("(real)", "systemd on the node has just said so"),
            ("(virtual)", "no news of the unit: it was so already, or its node was lost"),
            ("inactive agent-offline", "the node was lost; its units may go on, unseen"),
            ("* inactive agent-offline", "the same, told once for all units of the node"),
        ),
    ),
    Verb(
        "metrics",
        "enable|disable|listen",
        "let the manager measure jobs; print what it measures",
        "stream.metrics",
        "metrics listen",
        (options.OUTPUT,),
        {DONE: "all done, or interrupted (listen)", INTERRUPTED: ""},
    ),
    Verb(
        "set-loglevel",
        "[NODE] LEVEL",
        "set the log level of the manager, or of nodes' agents",
        "change.set_loglevel",
        "set-loglevel node1 debug",
        options.CHANGE,
    ),
    Verb(
        "completion",
        "bash|zsh|fish",
        "print the script that lets a shell complete words",
        "scripts.completion",
        "completion bash",
    ),
    Verb("version", "", "print the version", "about.version", "version"),
    Verb("help", "[COMMAND]", "explain a command, or all commands", "about.help", "help start"),
)
VERBS = {row.name: row for row in _ROWS}
# What is meant when none is said.
DEFAULT = VERBS["fleet"]


def every_option() -> list[Option]:
    """Return the options of all verbs, each once, and those that all verbs have."""
    known = {option.name: option for verb in _ROWS for option in verb.options}
    return [*known.values(), *options.COMMON]
