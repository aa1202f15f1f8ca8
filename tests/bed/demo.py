"""`make run`: three machines, hirte on each, and the commands of a first session with it.

Prints every command as a user would type it, with what it answers. On a terminal it ends with a
shell on node1. Exit code 0 only if everything worked; whatever happens, nothing is left behind.
"""

from __future__ import annotations

import os
import shlex
import signal
import sys
import time

from tests.bed.fleet import BedError, Fleet
from tests.bed.product import (
    AGENT_UNIT,
    LIBRARY,
    MANAGER_UNIT,
    configure_agent,
    configure_manager,
    install_hirte,
    manual_pages,
    wait_for_status,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import FrameType
    from typing import NoReturn

    from tests.bed.fleet import Node

NAMES = ("node1", "node2", "node3")
DEMO_UNIT = "demo.service"
DEMO = """\
[Unit]
Description=A service that somebody on node1 starts on node3
[Service]
ExecStart=/usr/bin/sleep infinity
"""
INVITATION = """\
This is a shell on node1. Some things to try:
  hirte ctl status
  hirte ctl list-units --filter 'demo*'
  hirte ctl stop node3 demo.service
  hirte ctl -w
  man hirte-ctl
  python3 /usr/share/hirte/examples/list_nodes.py
  python3 /usr/share/hirte/examples/watch_connections.py
  busctl introspect org.containers.hirte /org/containers/hirte
  journalctl -u hirte
TAB completes commands, nodes and units. `exit` ends the fleet.
From another terminal of this machine you get into
"""
EXIT_INTERRUPTED = 130


def _title(text: str) -> None:
    print(f"\n== {text}", flush=True)


def _type(node: Node, command: str) -> str:
    """Runs a command as if somebody typed it on `node`. Raises CommandFailed."""
    print(f"{node.name}# {command}", flush=True)
    result = node.run(shlex.split(command))
    for text in (result.stdout, result.stderr):
        if text:
            print(text.rstrip("\n"), flush=True)
    return result.stdout


def _show(fleet: Fleet) -> Node:
    _title("Three machines boot")
    begin = time.monotonic()
    nodes = fleet.boot(*NAMES)
    print(f"{', '.join(f'{node.name} ({node.ip})' for node in nodes)}: ", end="")
    print(f"{time.monotonic() - begin:.2f} s")
    one, _, three = nodes

    _title("Each gets the one file, units, bus policy and a configuration of a few lines")
    configure_manager(one, NAMES)
    for node in nodes:
        install_hirte(node)
        configure_agent(node, one)
    _type(one, "cat /etc/hirte/hirte.conf")
    _type(three, "cat /etc/hirte/agent.conf")

    _title("The manager runs on node1, an agent on every node")
    begin = time.monotonic()
    _type(one, f"systemctl enable --quiet --now {MANAGER_UNIT}")
    for node in nodes:
        _type(node, f"systemctl enable --quiet --now {AGENT_UNIT}")
    wait_for_status(one, "up")
    print(f"all nodes are online: {time.monotonic() - begin:.2f} s")
    _type(one, "hirte ctl status")

    _title("A service of node3 is started from node1")
    three.unit(DEMO_UNIT, DEMO)
    _type(one, f"hirte ctl start node3 {DEMO_UNIT}")
    _type(three, f"systemctl is-active {DEMO_UNIT}")
    units = _type(one, "hirte ctl list-units node3 --filter '*.service'")
    if DEMO_UNIT not in units:
        raise BedError(f"{DEMO_UNIT} is not in the list of node3's units")
    return one


def _diagnose(fleet: Fleet) -> None:
    for node in fleet.nodes.values():
        print(f"\n-- journal of {node.name}", file=sys.stderr)
        print(node.journal("-u", MANAGER_UNIT, "-u", AGENT_UNIT, "-n", "50"), file=sys.stderr)


def _end(number: int, frame: FrameType | None) -> NoReturn:
    raise SystemExit(128 + number)


def main() -> int:
    """Shows it; returns the exit code."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _end)
    try:
        with Fleet() as fleet:
            try:
                one = _show(fleet)
            except (BedError, TimeoutError) as error:
                print(f"\nfailed: {error}", file=sys.stderr)
                _diagnose(fleet)
                return 1
            if sys.stdin.isatty() and sys.stdout.isatty():
                print(f"\n{INVITATION}", end="")
                for node in fleet.nodes.values():
                    print(f"  {node.name}  by  nsenter -t {node.pid} -a bash")
                print(flush=True)
                one.write_all(manual_pages())
                terminal = {
                    "TERM": os.environ.get("TERM", "dumb"),
                    "HOME": "/root",
                    # The client library, for the examples.
                    "PYTHONPATH": LIBRARY,
                    # Before the first prompt: after whatever .bashrc does.
                    "PROMPT_COMMAND": "source <(hirte ctl completion bash); unset PROMPT_COMMAND",
                }
                one.shell(["/bin/sh", "-c", "cd /root; exec bash -i"], {**terminal})
            _title("Everything is torn down")
    except KeyboardInterrupt:
        print("\ninterrupted: everything is torn down")
        return EXIT_INTERRUPTED
    return 0


if __name__ == "__main__":
    sys.exit(main())
