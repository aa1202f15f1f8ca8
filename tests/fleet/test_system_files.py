"""The files of systemd/ on a node: unit files systemd accepts, and who may do what on the bus."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from jeepney import DBusAddress, HeaderFields, message_bus, new_method_return, new_signal

from tests.bed import Fleet, Node
from tests.bed.bus import Bus
from tests.bed.fleet import REPOSITORY
from tests.bed.product import installed_files

NAMES = {
    "org.containers.hirte": "/org/containers/hirte",
    "org.containers.hirte.Agent": "/org/containers/hirte",
    "org.eclipse.bluechi": "/org/eclipse/bluechi",
    "org.eclipse.bluechi.Agent": "/org/eclipse/bluechi",
}
NOBODY = 65534
SOMEBODY = ["setpriv", f"--reuid={NOBODY}", "--clear-groups", "--"]
ROOT: list[str] = []
PERMITTED_TO_ALL = {
    "org.freedesktop.DBus.Peer": "Ping",
    "org.freedesktop.DBus.Introspectable": "Introspect",
}
FOR_ROOT = {
    "org.freedesktop.DBus.Properties": "GetAll",
    "org.containers.hirte.Manager": "ListNodes",
}
ANSWER_SECONDS = 10.0
OWNED = 1


@pytest.fixture(scope="module")
def node() -> Iterator[Node]:
    """A node with the files of systemd/, but without hirte."""
    with Fleet() as fleet:
        (node,) = fleet.boot("node1")
        node.write_all({path: source.read_bytes() for path, source in installed_files().items()})
        node.write("/usr/bin/hirte", "#!/bin/sh\n", 0o755)
        node.systemctl("daemon-reload")
        node.systemctl("reload", "dbus.service")
        yield node


@pytest.fixture(params=NAMES)
def owner(node: Node, request: pytest.FixtureRequest) -> Iterator[tuple[Bus, str]]:
    """Each of the names, owned by us."""
    with Bus(node.bus_address) as bus:
        assert bus.call_bus(message_bus.RequestName(request.param)) == (OWNED,)
        yield bus, request.param


def call(who: list[str], name: str, interface: str, member: str) -> list[str]:
    return [*who, "busctl", "--timeout=5", "call", name, NAMES[name], interface, member]


def test_every_file_has_its_place_on_a_node() -> None:
    top = REPOSITORY / "systemd"
    sources = {path for path in top.rglob("*") if path.is_file()}
    # Who replaces the reference installs these instead: tests/fleet/test_dialects.py does.
    compatible = {path for path in sources if (top / "compatible") in path.parents}
    assert set(installed_files().values()) == sources - compatible


@pytest.mark.parametrize("scope", ["system", "user"])
def test_systemd_has_no_complaint_about_the_units(node: Node, scope: str) -> None:
    units = [path for path in installed_files() if f"/systemd/{scope}/" in path]
    assert units
    verify = ["systemd-analyze", "verify", "--man=no", f"--{scope}", *units]
    done = node.run(["env", "XDG_RUNTIME_DIR=/run", *verify], check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_directory_of_the_socket_is_roots_own(node: Node) -> None:
    node.run(["systemd-tmpfiles", "--create", "hirte.conf"])
    assert node.run(["stat", "-c", "%a %U", "/run/hirte"]).stdout == "700 root\n"
    node.systemctl("start", "hirte.socket")
    assert node.run(["stat", "-c", "%a %F", "/run/hirte/hirte.sock"]).stdout == "666 socket\n"
    connect = "import socket; socket.socket(socket.AF_UNIX).connect('/run/hirte/hirte.sock')"
    done = node.run([*SOMEBODY, "/usr/bin/python3", "-c", connect], check=False)
    assert "PermissionError" in done.stderr


@pytest.mark.parametrize("name", NAMES)
def test_only_root_may_own_a_name(node: Node, name: str) -> None:
    program = ["busctl", "call", "org.freedesktop.DBus", "/", "org.freedesktop.DBus"]
    request = [*program, "RequestName", "su", name, "0"]
    assert node.run(request).stdout == f"u {OWNED}\n"
    done = node.run([*SOMEBODY, *request], check=False)
    assert (done.returncode, done.stderr) == (1, "Call failed: Access denied\n")


@pytest.mark.parametrize("interface", FOR_ROOT)
def test_only_root_may_call(node: Node, owner: tuple[Bus, str], interface: str) -> None:
    bus, name = owner
    done = node.run(call(SOMEBODY, name, interface, FOR_ROOT[interface]), check=False)
    assert (done.returncode, done.stderr) == (1, "Call failed: Access denied\n")
    assert answered(node, bus, call(ROOT, name, interface, FOR_ROOT[interface]))


@pytest.mark.parametrize("interface", PERMITTED_TO_ALL)
def test_all_may_ping_and_introspect(node: Node, owner: tuple[Bus, str], interface: str) -> None:
    bus, name = owner
    assert answered(node, bus, call(SOMEBODY, name, interface, PERMITTED_TO_ALL[interface]))


def answered(node: Node, bus: Bus, argv: list[str]) -> bool:
    """Whether a call comes through to us, the owner, and our answer to the caller."""
    with node.popen(argv) as caller:
        while True:
            message = bus.connection.receive(timeout=ANSWER_SECONDS)
            if message.header.fields.get(HeaderFields.interface) != "org.freedesktop.DBus":
                break
        bus.connection.send(new_method_return(message))
        return caller.wait(ANSWER_SECONDS) == 0


def test_all_may_hear_signals(node: Node, owner: tuple[Bus, str]) -> None:
    bus, name = owner
    path = NAMES[name]
    with bus_of_somebody(node) as listener, listener.listen(path=path) as signals:
        emitter = DBusAddress(path, interface="org.containers.hirte.Manager")
        bus.connection.send(new_signal(emitter, "JobNew", "uo", (1, "/job")))
        assert signals.next() == (1, "/job")


@contextmanager
def bus_of_somebody(node: Node) -> Iterator[Bus]:
    """A connection to the node's bus whose user is not root."""
    # Only root gets to the node's files from outside, so the way there is made in advance.
    here = os.open(".", os.O_RDONLY)
    os.chdir(f"{node.root}/run/dbus")
    os.setresuid(NOBODY, NOBODY, 0)
    try:
        bus = Bus("unix:path=system_bus_socket")
    finally:
        os.setresuid(0, 0, 0)
        os.fchdir(here)
        os.close(here)
    with bus:
        yield bus
