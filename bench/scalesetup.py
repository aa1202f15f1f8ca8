"""What is measured by `make bench-scale`: a manager on a bus of its own, and many agents.

The manager is the built file, run as its unit runs it: under the batch policy, with a `/run` of
its own, so that it cannot meet a manager that manages this machine.
"""

from __future__ import annotations

import contextlib
import os
import select
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bench.client import CallFailed, Client, Target, open_bus
from bench.scaleagents import FLOOR_NAME, node_name
from tests.bed.product import NAME, ROOT
from tests.foreign.privatebus import private_bus

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import IO

_PROJECT = Path(__file__).resolve().parents[1]
PROGRAM = _PROJECT / "dist" / "hirte"

MANAGER = Target(ROOT, NAME + ".Manager", NAME)
# Far more than anything here takes on a loaded machine.
PATIENCE_SECONDS = 30.0
_OWN_RUN = 'mount -t tmpfs tmpfs /run && mkdir /run/hirte && exec "$@"'
_LOOK_SECONDS = 0.05


class Ours:
    """A manager of `count` nodes, its bus, and the process that plays its agents.

    A context manager; the agents are not connected at first.
    """

    def __init__(self, count: int, *settings: str) -> None:
        self.count = count
        self._settings = settings
        self._ends = contextlib.ExitStack()

    def __enter__(self) -> Ours:
        with self._ends as ends:
            self._directory = Path(ends.enter_context(tempfile.TemporaryDirectory(prefix="scale")))
            address = ends.enter_context(private_bus(self._directory))
            self.bus_path = address.partition("=")[2].partition(",")[0]
            self.port = _free_port()
            self.manager = self._start_manager(ends, address)
            self.agents = Helper(
                ends, [sys.executable, "-m", "bench.scaleagents", str(self.count), self.bus_path]
            )
            self._ends = ends.pop_all()
        return self

    def __exit__(self, *reason: object) -> None:
        self._ends.close()

    def _start_manager(self, ends: contextlib.ExitStack, bus: str) -> int:
        configuration = self._directory / "hirte.conf"
        names = ",".join(node_name(number) for number in range(self.count))
        lines = (
            "[hirte]", f"AllowedNodeNames={names}", f"ManagerPort={self.port}", "UseUDS=false",
            "LogTarget=stderr", *self._settings, "",
        )  # fmt: skip
        configuration.write_text("\n".join(lines))
        told = ends.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM))
        told.bind(str(self._directory / "notify"))
        log = ends.enter_context((self._directory / "log").open("wb"))
        process = subprocess.Popen(
            ["unshare", "--mount", "sh", "-c", _OWN_RUN, "sh", str(PROGRAM), "manager", "-c",
             str(configuration)],
            env={
                "PATH": os.environ["PATH"],
                "DBUS_SYSTEM_BUS_ADDRESS": bus,
                "NOTIFY_SOCKET": str(self._directory / "notify"),
            },
            stderr=log,
            preexec_fn=lambda: os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0)),
        )  # fmt: skip
        ends.callback(_end, process)
        told.settimeout(PATIENCE_SECONDS)
        try:
            while b"READY=1" not in told.recv(4096).split(b"\n"):
                pass
        except TimeoutError as error:
            raise CallFailed(f"the manager is not ready: {self.log()}") from error
        return process.pid

    def log(self) -> str:
        """Return what the manager has logged last."""
        return (self._directory / "log").read_text(errors="replace")[-2000:]

    def public(self) -> Client:
        """Return a client of the bus."""
        return open_bus(self.bus_path)

    def register(self) -> float:
        """Connect all agents; return the seconds until all were registered."""
        return float(self.agents.ask(f"register {self.port}"))

    def leave(self) -> None:
        """Disconnect all agents, and wait until the manager knows."""
        self.agents.ask("leave")
        with self.public() as client:
            properties = Target(ROOT, "org.freedesktop.DBus.Properties", NAME)
            words = (MANAGER.interface, "Status")
            _await(
                lambda: client.ask(client.prepare(properties, "Get", "ss", *words)).endswith(
                    b"down\0"
                )
            )


class Sink:
    """The floor: a process that does no more than it must. A context manager."""

    def __enter__(self) -> Sink:
        self._ends = contextlib.ExitStack()
        script = str(_PROJECT / "bench" / "scalesink.py")
        # The interpreter of the built file.
        helper = Helper(self._ends, ["/usr/bin/python3", "-I", "-S", script])
        self.pid = helper.pid
        self.port = int(helper.listen())
        return self

    def __exit__(self, *reason: object) -> None:
        self._ends.close()


class Helper:
    """A process of the benchmark that is talked to in lines."""

    def __init__(self, ends: contextlib.ExitStack, command: list[str]) -> None:
        process = subprocess.Popen(
            command, cwd=_PROJECT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        ends.callback(_end, process)
        self.pid = process.pid
        if process.stdin is None or process.stdout is None:
            raise LookupError("no pipes to a process that was started with them")
        self._in: IO[str] = process.stdin
        self._out: IO[str] = process.stdout

    def ask(self, command: str) -> str:
        """Send a command and return its answer. Raises CallFailed."""
        self._in.write(command + "\n")
        self._in.flush()
        return self.listen()

    def listen(self) -> str:
        """Return the next line. Raises CallFailed when none comes."""
        ready = select.select([self._out], [], [], PATIENCE_SECONDS)[0]
        line = self._out.readline() if ready else ""
        if not line:
            raise CallFailed("a process of the benchmark says nothing")
        return line.strip()


def node_object(number: int) -> Target:
    """Return what stands for a node at the manager."""
    return Target(f"{ROOT}/node/{node_name(number)}", NAME + ".Node", NAME)


def floor_object(target: Target) -> Target:
    """Return the object that answers the same calls without the manager."""
    return Target(target.path, target.interface, FLOOR_NAME)


def _await(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not is_so():
        if time.monotonic() > deadline:
            raise CallFailed("the manager does not come to rest")
        time.sleep(_LOOK_SECONDS)


def _free_port() -> int:
    with socket.create_server(("", 0)) as server:
        return int(server.getsockname()[1])


def _end(process: subprocess.Popen[bytes] | subprocess.Popen[str]) -> None:
    for pipe in (process.stdin, process.stdout):
        if pipe:
            pipe.close()
    process.terminate()
    try:
        process.wait(PATIENCE_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
