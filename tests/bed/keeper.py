"""The process that owns a fleet: it boots the nodes and, whatever happens, leaves nothing of them.

The keeper is started by the test process, in a session, a mount namespace and a network namespace
of its own. What it mounts (a tmpfs over its own /run for the nodes' disks) and the bridge exist in
those namespaces only: the kernel takes them away with the last process in them. Every node's PID 1
is a child of the keeper, in a PID namespace of its own, and is killed by the kernel when the keeper
ends; and everything in a PID namespace ends with its PID 1. What remains are the cgroup
directories. The keeper removes them when it is asked to end, when its control socket closes and
when the test process ends in any way; should the keeper itself be killed, the next keeper does it.

The conversation is JSON over a SOCK_SEQPACKET pair: `{"boot": [[name, number], ...]}` is answered
by `{"nodes": [{"name", "pid", "cgroup", "ready"}, ...]}` or `{"error": text}`.
"""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import subprocess
import sys
import time
import traceback

from tests.bed import kernel
from tests.bed.machine import GUESTS, Plan, become_node, ip

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

# A directory that every host has, the keeper does not need, and whose name is short: socket
# addresses are limited to 108 bytes.
PLACE = "/run"
SUBNET = "10.90.0"
# The host's part of the nodes' network: node N hangs on port `port<N>` of this bridge.
BRIDGE = "bridge"
CGROUP_PREFIX = "hirte-bed-"
# A boot takes half a second; this is for a machine that does other things, too.
BOOT_SECONDS = 60.0
# How long dying processes may take to leave their cgroup.
CGROUP_SECONDS = 10.0
MESSAGE_BYTES = 65536


class ClientGone(Exception):
    """The test process closed the control socket or ended."""


class BootFailed(Exception):
    """A node did not get as far as its systemd; the text says why."""


def address_of(number: int) -> str:
    """The IP address of node `number`, which counts from 1."""
    return f"{SUBNET}.{number}"


def port_of(number: int) -> str:
    """The name of the bridge's end of the cable of node `number`."""
    return f"port{number}"


class _Node:
    """A node that is up, or on its way."""

    __slots__ = ("epitaph", "init", "notify", "pid", "plan", "ready", "tell", "told")

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        os.makedirs(plan.directory, exist_ok=True)
        if os.path.exists(plan.notify):
            os.unlink(plan.notify)
        self.notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.notify.bind(plan.notify)
        self.ready = False
        self.epitaph = ""
        told, self.tell = os.pipe()
        self.told, tell = os.pipe()
        self.pid = _fork_pid_1()
        if self.pid == 0:
            os.close(self.tell)
            _run_node(plan, told, tell)
        os.close(told)
        os.close(tell)
        self.init = os.pidfd_open(self.pid)

    def wait_for_network(self) -> None:
        """Until the node has a network namespace to plug a cable into."""
        said = os.read(self.told, 1)
        if said != b"+":
            words = said.decode() + self.last_words()
            raise BootFailed(f"{self.plan.name} did not boot: {words}")

    def hear(self) -> None:
        """Takes one message of the node's systemd."""
        if b"READY=1" in self.notify.recv(MESSAGE_BYTES).split(b"\n"):
            self.ready = True

    def last_words(self) -> str:
        """Why a node that has ended did so."""
        words = os.read(self.told, MESSAGE_BYTES).decode(errors="replace")
        return words or "its systemd ended"

    def kill(self) -> None:
        """The power fails. What runs in the node dies with PID 1, those who entered by cgroup."""
        os.kill(self.pid, signal.SIGKILL)
        kill = f"{self.plan.cgroup}/cgroup.kill"
        if os.path.exists(kill):
            _write(kill, "1")

    def bury(self) -> None:
        """Takes away what is left of a killed node, except for its disk."""
        os.waitpid(self.pid, 0)
        os.close(self.init)
        os.close(self.told)
        os.close(self.tell)
        self.notify.close()
        _remove_cgroup(self.plan.cgroup)


class Keeper:
    """See the module. `control` is our end of the socket pair, `client` the test process' PID."""

    def __init__(self, control: socket.socket, client: int) -> None:
        self._control = control
        self._client = os.pidfd_open(client)
        self._nodes: dict[str, _Node] = {}
        self._names: dict[str, int] = {}
        self._cgroup = os.path.join(_cgroup2(), f"{CGROUP_PREFIX}{os.getpid()}")

    def run(self) -> None:
        """Serves the client until it goes, then clears everything away."""
        try:
            self._set_up()
            while True:
                self._serve()
        except ClientGone:
            pass
        except Exception:  # noqa: BLE001 - whatever it is, the client hears of it
            self._send({"error": _describe()})
        finally:
            for node in self._nodes.values():
                node.kill()
            for node in self._nodes.values():
                node.bury()
            _remove_cgroup(self._cgroup)

    def _set_up(self) -> None:
        _remove_stale_cgroups(os.path.dirname(self._cgroup))
        os.mkdir(self._cgroup)
        kernel.unshare(kernel.CLONE_NEWNS | kernel.CLONE_NEWNET)
        kernel.mount("none", "/", flags=kernel.MS_REC | kernel.MS_PRIVATE)
        kernel.mount("hirte-bed", PLACE, "tmpfs", data="mode=755")
        _write(f"{PLACE}/hosts", "")
        ip(f"link add {BRIDGE} type bridge", f"link set {BRIDGE} up")

    def _serve(self) -> None:
        ready = self._wait(None)
        asked = self._control.fileno() in ready
        # First the nodes: an answer opens descriptors, and one of a node that has died may come
        # back as that of a new one.
        for fd in ready:
            if fd != self._control.fileno():
                self._attend(fd)
        if asked:
            request = self._control.recv(MESSAGE_BYTES)
            if not request:
                raise ClientGone
            self._answer(json.loads(request))

    def _answer(self, request: dict[str, Any]) -> None:
        try:
            self._boot(request["boot"])
        except (BootFailed, OSError, subprocess.CalledProcessError):
            self._send({"error": _describe()})
            return
        answer = []
        for name, _ in request["boot"]:
            node = self._nodes[name]
            answer.append(
                {"name": name, "pid": node.pid, "cgroup": node.plan.cgroup, "ready": node.ready}
            )
        self._send({"nodes": answer})

    def _boot(self, wanted: list[tuple[str, int]]) -> None:
        for name, number in wanted:
            self._names[name] = number
        self._write_hosts()
        nodes = [self._begin(name, number) for name, number in wanted]
        cables: list[str] = []
        for node in nodes:
            node.wait_for_network()
            number = node.plan.number
            # The same hardware address after every boot, or the others would go on sending to
            # the old one for some seconds.
            hardware = f"02:00:00:00:00:{number:02x}"
            cables += [
                f"link add {port_of(number)} type veth"
                f" peer name eth0 address {hardware} netns {node.pid}",
                f"link set {port_of(number)} master {BRIDGE} up",
            ]
        ip(*cables)
        for node in nodes:
            os.write(node.tell, b"+")
        self._wait_until_booted(nodes)

    def _begin(self, name: str, number: int) -> _Node:
        if name in self._nodes:
            self._forget(self._nodes[name])
        cgroup = f"{self._cgroup}/{number}"
        os.mkdir(cgroup)
        os.mkdir(f"{cgroup}/{GUESTS}")
        node = _Node(Plan(name, number, address_of(number), PLACE, cgroup))
        self._nodes[name] = node
        return node

    def _write_hosts(self) -> None:
        # Rewritten in place: every node has this very file bound to its /etc/hosts.
        lines = ["127.0.0.1 localhost", "::1 localhost"]
        lines += [f"{address_of(number)} {name}" for name, number in self._names.items()]
        _write(f"{PLACE}/hosts", "\n".join(lines) + "\n")

    def _wait_until_booted(self, nodes: list[_Node]) -> None:
        deadline = time.monotonic() + BOOT_SECONDS
        while not all(node.ready for node in nodes):
            left = deadline - time.monotonic()
            if left <= 0:
                return
            for fd in self._wait(left):
                if fd == self._control.fileno():
                    raise ClientGone
                self._attend(fd)
            for node in nodes:
                if node.epitaph:
                    raise BootFailed(f"{node.plan.name} did not boot: {node.epitaph}")

    def _wait(self, seconds: float | None) -> list[int]:
        """Descriptors with something to read; raises ClientGone when the test process ended."""
        poll = select.poll()
        poll.register(self._client, select.POLLIN)
        poll.register(self._control, select.POLLIN)
        for node in self._nodes.values():
            poll.register(node.init, select.POLLIN)
            poll.register(node.notify, select.POLLIN)
        ready = [fd for fd, _ in poll.poll(None if seconds is None else seconds * 1000)]
        if self._client in ready:
            raise ClientGone
        return ready

    def _attend(self, fd: int) -> None:
        """Hears what a node has to say; buries it when it has ended."""
        for node in list(self._nodes.values()):
            if fd == node.notify.fileno():
                node.hear()
            elif fd == node.init:
                node.epitaph = node.last_words()
                self._forget(node)

    def _forget(self, node: _Node) -> None:
        node.kill()
        node.bury()
        del self._nodes[node.plan.name]
        # The kernel takes its time to remove the cable of a dead node; a new one needs the name.
        subprocess.run(
            ["ip", "link", "del", port_of(node.plan.number)], check=False, capture_output=True
        )

    def _send(self, message: dict[str, Any]) -> None:
        try:
            self._control.send(json.dumps(message).encode())
        except OSError as error:
            raise ClientGone from error


def _fork_pid_1() -> int:
    """Forks a process that is PID 1 of a new PID namespace; returns its PID in ours, or 0."""
    ours = os.open("/proc/self/ns/pid", os.O_RDONLY)
    kernel.unshare(kernel.CLONE_NEWPID)
    pid = os.fork()
    if pid:
        # The namespace of the next children is to be a child of ours, too, not of the last one.
        kernel.setns(ours, kernel.CLONE_NEWPID)
    os.close(ours)
    return pid


def _run_node(plan: Plan, told: int, tell: int) -> None:
    try:
        become_node(plan, told, tell)
    except BaseException:  # noqa: BLE001 - nothing of the keeper's code may run in this process
        os.write(tell, _describe().encode())
    finally:
        os._exit(1)


def _describe() -> str:
    text = traceback.format_exc()
    error = sys.exc_info()[1]
    if isinstance(error, subprocess.CalledProcessError):
        text += str(error.stderr)
    return text


def _cgroup2() -> str:
    """Where the cgroup2 tree is mounted. Raises OSError when it is not."""
    with open("/proc/self/mountinfo") as mounts:
        for line in mounts:
            before, _, after = line.partition(" - ")
            if after.split()[0] == "cgroup2":
                return before.split()[4]
    raise OSError("no cgroup2 file system is mounted")


def _remove_stale_cgroups(parent: str) -> None:
    """Removes what killed keepers left: directories without a process, whose keeper is no more."""
    for name in os.listdir(parent):
        keeper = name[len(CGROUP_PREFIX) :]
        if not name.startswith(CGROUP_PREFIX) or os.path.exists(f"/proc/{keeper}"):
            continue
        if not _populated(f"{parent}/{name}"):
            _remove_cgroup(f"{parent}/{name}")


def _populated(cgroup: str) -> bool:
    with open(f"{cgroup}/cgroup.events") as events:
        return "populated 1" in events.read()


def _remove_cgroup(cgroup: str) -> None:
    """Waits until the processes of a killed cgroup have left it and removes it."""
    if not os.path.isdir(cgroup):
        return
    events = os.open(f"{cgroup}/cgroup.events", os.O_RDONLY)
    poll = select.poll()
    poll.register(events, select.POLLPRI)
    deadline = time.monotonic() + CGROUP_SECONDS
    while _populated(cgroup) and time.monotonic() < deadline:
        poll.poll((deadline - time.monotonic()) * 1000)
    os.close(events)
    for directory, _, _ in os.walk(cgroup, topdown=False):
        os.rmdir(directory)


def _write(path: str, text: str) -> None:
    with open(path, "w") as file:
        file.write(text)


def main(control: int, client: int) -> None:
    """`control` is the descriptor of our end of the socket pair, `client` the test process."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    with socket.socket(fileno=control) as channel:
        Keeper(channel, client).run()
