"""The one program: choose the mode and hand the command line to it.

The mode is the first word, or lies in the name that the program is called by (a symbolic link to
the one file). Only the chosen mode is imported, and nothing else, because imports are most of what
a start costs. Every mode is a module with

    main(argv: list[str], program: str) -> int

`argv` is what follows the mode, `program` is what to call the program in messages, and the result
is the exit code.
"""

from __future__ import annotations

import sys
from posix import _exit

from hirte import __version__

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn

# Word -> (module, what it is). The order is that of the help.
MODES = {
    "manager": ("hirte.modes.manager", "offers the interface to all nodes; on the primary node"),
    "agent": ("hirte.modes.agent", "drives the systemd of its node; on every managed node"),
    "ctl": ("hirte.modes.ctl", "the administrator's tool"),
    "online": ("hirte.modes.online", "tells whether an agent, a node or the system is online"),
    "proxy": ("hirte.modes.proxy", "waits for a unit of another node; called by systemd"),
}

# Names to be called by, beside hirte-<mode>. By those of Eclipse BlueChi, hirte is its programs.
NAMES = {
    "hirtectl": "ctl",
    "bluechi-controller": "manager",
    "bluechi-agent": "agent",
    "bluechi-is-online": "online",
    "bluechi-proxy": "proxy",
}

# Words beside the modes.
HELP = ("help", "--help", "-h")
VERSION = ("version", "--version")

# What the shells' completion says in place of arguments. People have no use for it.
COMPLETE, COMPLETE_LINE = "__complete", "__complete_line"

# The modes that do not end.
_DAEMONS = ("manager", "agent")
# Objects until the first look for garbage; the interpreter's own default is 700. A tool that only
# asks and answers does not get there, one that watches for days does.
_HURRY = 50_000

EXIT_USAGE = 2
# As shells report a program that SIGINT ended.
EXIT_INTERRUPTED = 130


def usage() -> str:
    """Return the help on the program as a whole."""
    width = max(map(len, MODES))
    lines = ["usage: hirte MODE [ARGUMENT...]", "", "modes:"]
    lines += [f"  {word:{width}}  {what}" for word, (_, what) in MODES.items()]
    lines += ["", "'hirte MODE --help' tells more; 'hirte version' prints the version."]
    return "\n".join(lines)


def called_as(name: str) -> str | None:
    """Return the mode that lies in the program's file name `name`, if any."""
    if name in NAMES:
        return NAMES[name]
    prefix, _, word = name.partition("-")
    return word if prefix == "hirte" and word in MODES else None


def main(argv: list[str]) -> int:
    """Run the command line `argv`, whose first item is the program's path; return the exit code."""
    name = argv[0].rpartition("/")[2]
    mode = called_as(name)
    if mode is not None:
        return run_mode(mode, argv[1:], name)
    word = argv[1] if len(argv) > 1 else ""
    if word in MODES:
        return run_mode(word, argv[2:], f"hirte {word}")
    if word in HELP:
        print(usage())
        return 0
    if word in VERSION:
        print(f"hirte version {__version__}")
        return 0
    if word in (COMPLETE, COMPLETE_LINE):
        return complete("", argv[1:])
    problem = f"unknown mode '{word}'" if word else "no mode given"
    print(f"hirte: {problem}; modes are: {', '.join(MODES)}", file=sys.stderr)
    return EXIT_USAGE


def run_mode(mode: str, argv: list[str], program: str) -> int:
    """Import the module of `mode`, and nothing of the others, and run it."""
    if argv and argv[0] in (COMPLETE, COMPLETE_LINE):
        return complete(mode, argv)
    if mode not in _DAEMONS:
        _hurry()
    module = MODES[mode][0]
    __import__(module)
    code: int = sys.modules[module].main(argv, program)
    return code


def _hurry() -> None:
    """Tell the interpreter that this process ends soon.

    What is imported stays, thousands of objects: to look for garbage among them costs 2 ms.
    """
    import gc

    gc.set_threshold(_HURRY)


def complete(mode: str, argv: list[str]) -> int:
    """Tell a shell what may be typed next; `mode` is "" as long as none is chosen."""
    _hurry()
    from hirte.complete.main import run

    return run(mode, argv)


def run() -> NoReturn:
    """Run the command line of this process and end it with the exit code."""
    try:
        code = main(sys.argv)
    except KeyboardInterrupt:
        code = EXIT_INTERRUPTED
    try:
        for stream in filter(None, (sys.stdout, sys.stderr)):
            stream.flush()
    except OSError:
        # The interpreter has its own way to say that.
        sys.exit(code)
    # Taking the interpreter apart would take a tool 3 ms, for nothing: the kernel does it as well.
    _exit(code)
