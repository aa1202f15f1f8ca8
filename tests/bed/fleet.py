"""The tests' side of a fleet: boot nodes, do things in them, cut cables, pull plugs.

Nothing here waits by sleeping; every wait has an end. All paths given to a node are those the
node sees, and are acted upon inside it: an absolute symbolic link of the node must never lead a
test to a file of the host.
"""

from __future__ import annotations

import io
import json
import os
import select
import signal
import socket
import subprocess
import sys
import tarfile
import time
from pathlib import Path

from tests.bed.keeper import BOOT_SECONDS, MESSAGE_BYTES, address_of, port_of
from tests.bed.machine import ENVIRONMENT, GUESTS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from types import TracebackType
    from typing import Any

REPOSITORY = Path(__file__).resolve().parents[2]
# More than any command of a test needs, less than anybody likes to wait.
COMMAND_SECONDS = 60.0
# The keeper kills, waits for the kernel and removes; all of it takes a fifth of a second.
END_SECONDS = 30.0
# How long the kernel may take to freeze or to kill all processes of a node.
KERNEL_SECONDS = 10.0

_KEEPER = (
    "import sys; sys.path.insert(0, {root!r})\n"
    "from tests.bed.keeper import main; main({control}, {client})"
)
# Into the node: first its cgroup, then its namespaces; whoever kills us kills the command.
_ENTER = 'echo $$ > "$1/cgroup.procs" && init=$2 && shift 2 && exec nsenter -t "$init" -a -- "$@"'
# systemd's private socket refuses peers of another PID namespace: a process of the node connects
# and hands out the connection.
_CONNECT = (
    "import array, socket, sys\n"
    "peer = socket.socket(socket.AF_UNIX); peer.connect(sys.argv[1])\n"
    "socket.socket(fileno=0).sendmsg([b'+'], [(socket.SOL_SOCKET, socket.SCM_RIGHTS,"
    " array.array('i', [peer.fileno()]))])\n"
)


class BedError(Exception):
    """The bed itself failed: a node does not boot, the keeper is gone."""


class CommandFailed(BedError):
    """A command in a node ended with an exit code that is not 0."""

    def __init__(self, node: str, result: subprocess.CompletedProcess[str]) -> None:
        self.result = result
        words = " ".join(map(str, result.args))
        super().__init__(
            f"{node}# {words}\nexit code {result.returncode}\n{result.stdout}{result.stderr}"
        )


class Node:
    """One booted machine of a fleet. `pid` is the host's PID of its systemd."""

    def __init__(self, fleet: Fleet, name: str, number: int, pid: int, cgroup: str) -> None:
        self.name = name
        self.ip = address_of(number)
        self.pid = pid
        self.root = f"/proc/{pid}/root"
        self._fleet = fleet
        self._port = port_of(number)
        self._cgroup = cgroup

    @property
    def bus_address(self) -> str:
        """D-Bus address of the node's system bus, usable on the host."""
        return f"unix:path={self.root}/run/dbus/system_bus_socket"

    def _enter(self, argv: Sequence[str]) -> list[str]:
        die_with_us = ["setpriv", "--pdeathsig", "KILL", "--"]
        guests = f"{self._cgroup}/{GUESTS}"
        return ["/bin/sh", "-c", _ENTER, "sh", guests, str(self.pid), *die_with_us, *argv]

    def run(
        self,
        argv: Sequence[str],
        *,
        input: str | None = None,
        timeout: float = COMMAND_SECONDS,
        check: bool = True,
    ) -> subprocess.CompletedProcess[str]:
        """Runs a command in the node and waits for it.

        Raises CommandFailed (unless `check` is false), subprocess.TimeoutExpired.
        """
        done = subprocess.run(
            self._enter(argv),
            input=input,
            stdin=subprocess.DEVNULL if input is None else None,
            capture_output=True,
            text=True,
            timeout=timeout,
            env=ENVIRONMENT,
            check=False,
        )
        result = subprocess.CompletedProcess(list(argv), done.returncode, done.stdout, done.stderr)
        if check and result.returncode:
            raise CommandFailed(self.name, result)
        return result

    def popen(self, argv: Sequence[str], *, stdin: int | None = None) -> subprocess.Popen[str]:
        """Starts a command in the node, its output on pipes. Killing the Popen kills it.

        The process of the Popen is the one that entered the node: it ends with the command's exit
        code, but other signals than SIGKILL do not reach the command through it.
        """
        return subprocess.Popen(
            self._enter(argv),
            stdin=subprocess.DEVNULL if stdin is None else stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=ENVIRONMENT,
        )

    def popen_on(
        self, terminal: int, argv: Sequence[str], environment: Mapping[str, str]
    ) -> subprocess.Popen[bytes]:
        """Starts a command on a terminal, which gets its signals from there. Killing ends it.

        `terminal` is a descriptor of the slave of a pseudo-terminal.
        """
        return subprocess.Popen(
            self._enter(["setsid", "--ctty", "--wait", *argv]),
            stdin=terminal,
            stdout=terminal,
            stderr=terminal,
            env={**ENVIRONMENT, **environment},
            # Ctrl-C is for the command, not for those who bring it into the node.
            start_new_session=True,
        )

    def shell(self, argv: Sequence[str], environment: Mapping[str, str]) -> int:
        """Runs a command in the node on the terminal of the caller; returns its exit code."""
        return subprocess.run(
            self._enter(argv), env={**ENVIRONMENT, **environment}, check=False
        ).returncode

    def systemctl(self, *words: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """`systemctl WORDS...` in the node."""
        return self.run(["systemctl", *words], check=check)

    def journal(self, *words: str) -> str:
        """The node's journal, or what `journalctl WORDS...` selects of it."""
        journalctl = ["journalctl", "--no-pager", "--quiet", "-o", "short-monotonic", *words]
        return self.run(journalctl).stdout

    def write(self, path: str, text: str, mode: int = 0o644) -> None:
        """Writes a file of the node; missing directories are made."""
        self.write_all({path: text}, mode)

    def write_all(self, files: Mapping[str, str | bytes], mode: int = 0o644) -> None:
        """Writes any number of files at the cost of one."""
        archive = io.BytesIO()
        with tarfile.open(fileobj=archive, mode="w", format=tarfile.PAX_FORMAT) as tar:
            for path, content in files.items():
                data = content.encode() if isinstance(content, str) else content
                entry = tarfile.TarInfo(path.lstrip("/"))
                entry.size = len(data)
                entry.mode = mode
                entry.mtime = int(time.time())
                tar.addfile(entry, io.BytesIO(data))
        done = subprocess.run(
            self._enter(["tar", "-x", "-C", "/"]),
            input=archive.getvalue(),
            capture_output=True,
            timeout=COMMAND_SECONDS,
            env=ENVIRONMENT,
            check=False,
        )
        if done.returncode:
            raise BedError(f"{self.name}: writing {list(files)}: {done.stderr.decode()}")

    def install(self, source: Path, path: str, mode: int = 0o644) -> None:
        """Copies a file of the host to `path` in the node."""
        self.write_all({path: source.read_bytes()}, mode)

    def unit(self, name: str, text: str) -> None:
        """Gives the node a unit file, known to its systemd at once."""
        self.units({name: text})

    def units(self, texts: Mapping[str, str]) -> None:
        """Gives the node unit files, known to its systemd at once."""
        self.write_all({f"/etc/systemd/system/{name}": text for name, text in texts.items()})
        self.systemctl("daemon-reload")

    def private_socket(self) -> socket.socket:
        """A new connection to the private socket of the node's systemd, nothing said on it yet."""
        ours, theirs = socket.socketpair()
        with ours, theirs:
            connect = ["/usr/bin/python3", "-ISc", _CONNECT, "/run/systemd/private"]
            done = subprocess.run(
                self._enter(connect),
                stdin=theirs.fileno(),
                capture_output=True,
                text=True,
                timeout=COMMAND_SECONDS,
                env=ENVIRONMENT,
                check=False,
            )
            if done.returncode:
                raise BedError(f"{self.name}: no connection to systemd: {done.stderr}")
            _, fds, _, _ = socket.recv_fds(ours, 1, 1)
            return socket.socket(fileno=fds[0])

    def cut(self) -> None:
        """Pulls the network cable: packets vanish, no connection ends by it."""
        self._fleet._cable(self._port, "down")

    def mend(self) -> None:
        """Plugs the network cable in again."""
        self._fleet._cable(self._port, "up")

    def kill(self) -> None:
        """A power cut: the node is gone, and nobody on the network hears of it.

        Its disk stays: `fleet.boot` with the same name is the same machine switched on again.
        """
        self.cut()
        init = os.pidfd_open(self.pid)
        try:
            signal.pidfd_send_signal(init, signal.SIGKILL)
            if not _ends(init, KERNEL_SECONDS):
                raise BedError(f"{self.name} survives SIGKILL")
        finally:
            os.close(init)

    def freeze(self) -> None:
        """All processes of the node stop; its kernel still answers, connections stay open."""
        self._set_frozen(True)

    def thaw(self) -> None:
        """All processes of the node go on."""
        self._set_frozen(False)

    def _set_frozen(self, wanted: bool) -> None:
        Path(self._cgroup, "cgroup.freeze").write_text(str(int(wanted)))
        deadline = time.monotonic() + KERNEL_SECONDS
        with open(f"{self._cgroup}/cgroup.events") as events:
            poll = select.poll()
            poll.register(events, select.POLLPRI)
            while f"frozen {int(wanted)}" not in events.read():
                if not poll.poll(max(0.0, deadline - time.monotonic()) * 1000):
                    raise BedError(f"{self.name} does not freeze")
                events.seek(0)


class Fleet:
    """Nodes on one network of their own. A context manager: its end is the end of the nodes.

    Should the process that made it die, however it dies, the nodes go with it. Any number of
    fleets may exist at the same time.
    """

    def __init__(self) -> None:
        self.nodes: dict[str, Node] = {}
        self._numbers: dict[str, int] = {}
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            code = _KEEPER.format(root=str(REPOSITORY), control=theirs.fileno(), client=os.getpid())
            # No stream is shared: who waits for the end of our output must not wait for the keeper.
            self._keeper = subprocess.Popen(
                [sys.executable, "-I", "-S", "-c", code],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                start_new_session=True,
                env=ENVIRONMENT,
                cwd="/",
            )

    def __enter__(self) -> Fleet:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __getitem__(self, name: str) -> Node:
        return self.nodes[name]

    def boot(self, *names: str) -> list[Node]:
        """Boots nodes, all at the same time, and returns them when they are up.

        Raises BedError with the node's journal when one does not come up.
        """
        for name in names:
            self._numbers.setdefault(name, len(self._numbers) + 1)
        answer = self._ask({"boot": [(name, self._numbers[name]) for name in names]})
        booted = []
        for told in answer["nodes"]:
            name = told["name"]
            node = Node(self, name, self._numbers[name], told["pid"], told["cgroup"])
            self.nodes[name] = node
            booted.append(node)
            if not told["ready"]:
                raise BedError(f"{name} is still booting:\n{_diagnosis(node)}")
        return booted

    @property
    def keeper_pid(self) -> int:
        """The PID of the process that everything of this fleet hangs on."""
        return self._keeper.pid

    def close(self) -> None:
        """Ends all nodes and waits until nothing is left of them."""
        self._control.close()
        self.nodes.clear()
        if self._keeper.poll() is not None:
            return
        keeper = os.pidfd_open(self._keeper.pid)
        try:
            if not _ends(keeper, END_SECONDS):
                raise BedError("the keeper of the fleet does not end")
        finally:
            os.close(keeper)
        self._keeper.wait()

    def _ask(self, request: dict[str, Any]) -> dict[str, Any]:
        try:
            self._control.send(json.dumps(request).encode())
            self._control.settimeout(BOOT_SECONDS + KERNEL_SECONDS)
            answer: dict[str, Any] = json.loads(self._control.recv(MESSAGE_BYTES) or "{}")
        except OSError as error:
            raise BedError(f"the keeper of the fleet does not answer: {error}") from error
        if "nodes" not in answer:
            raise BedError(answer.get("error", "the keeper of the fleet ended"))
        return answer

    def _cable(self, port: str, state: str) -> None:
        network = f"--net=/proc/{self._keeper.pid}/ns/net"
        subprocess.run(
            ["nsenter", network, "ip", "link", "set", port, state],
            check=True,
            capture_output=True,
            env=ENVIRONMENT,
        )


def _ends(process: int, seconds: float) -> bool:
    """Whether the process of a pidfd ends in time. (Popen.wait with a limit sleeps in between.)"""
    poll = select.poll()
    poll.register(process, select.POLLIN)
    return bool(poll.poll(seconds * 1000))


def _diagnosis(node: Node) -> str:
    jobs = node.systemctl("list-jobs", "--no-pager", check=False).stdout
    return jobs + node.journal("-n", "100")
