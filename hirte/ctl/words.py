"""What the kinds of words mean that the table of verbs names: told once for all commands."""

from __future__ import annotations

LEVELS = ("DEBUG", "INFO", "WARN", "ERROR")

# What is said of NODE besides where there is that option.
IN_PLACE_OF_NODE = "; all: --all-nodes in its place"

MEANINGS = {
    "NODE": "a node; several: node1,node2 or 'ecu-*'",
    "UNIT": "a unit, a service if it has no other ending; several, or a glob: 'nav-*'",
    "UNIT-FILE": "a unit file, that of a service if it has no other ending",
    "JOB": "the number of a job, as `jobs` lists it and --no-block prints it",
    "TARGET": "a target, with or without its ending",
    "NAME=VALUE": "a property, see hirte-ctl(1): CPUWeight=50, MemoryMax=2G, CPUQuota=150%",
    "LEVEL": f"{', '.join(LEVELS)}, in any case",
    "COMMAND": "one of the commands that `help` lists",
    "enable|disable|listen": "let the manager measure, no longer, or print what it measures",
    "bash|zsh|fish": "the shell that is to read it: source <(hirte ctl completion bash)",
}
