"""The bed itself: what a node is, what can be done to it, and that nothing is left of it."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.bed import BedError, CommandFailed, Fleet, Node
from tests.bed.bus import Bus, BusError
from tests.bed.fleet import REPOSITORY
from tests.bed.keeper import CGROUP_PREFIX

SYSTEMD = "org.freedesktop.systemd1"
SYSTEMD_PATH = "/org/freedesktop/systemd1"
SYSTEMD_MANAGER = f"{SYSTEMD}.Manager"
SLEEPER = "[Service]\nExecStart=/usr/bin/sleep infinity\n"
END_SECONDS = 20.0


@pytest.fixture(scope="module")
def pair() -> Iterator[Fleet]:
    with Fleet() as fleet:
        fleet.boot("node1", "node2")
        yield fleet


def remains(pid: int) -> set[str]:
    """What the fleet of the keeper `pid` holds on the host, in words."""
    found = set()
    mounts = Path("/proc/self/mountinfo").read_text()
    if "hirte-bed" in mounts:
        found.add("mounts")
    if any(Path("/sys/fs/cgroup").glob(f"**/{CGROUP_PREFIX}{pid}")):
        found.add("cgroups")
    if is_running(pid):
        found.add("keeper")
    links = subprocess.run(["ip", "-o", "link"], capture_output=True, text=True, check=True).stdout
    if "port1" in links or "bridge:" in links:
        found.add("links")
    return found


def is_running(pid: int) -> bool:
    """Whether a process is there and alive; who buries an orphan is the host's business."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def wait_until_gone(*pids: int) -> None:
    """Until all these processes have ended. Fails the test if they do not."""
    for pid in pids:
        try:
            fd = os.pidfd_open(pid)
        except ProcessLookupError:
            continue
        poll = select.poll()
        poll.register(fd, select.POLLIN)
        assert poll.poll(END_SECONDS * 1000), f"{pid} is still there"
        os.close(fd)


# -- a node is a whole system


def test_a_node_is_up_when_boot_returns(pair: Fleet) -> None:
    assert pair["node1"].run(["systemctl", "is-system-running"]).stdout == "running\n"


def test_pid_1_is_systemd_and_the_hosts_processes_are_not_seen(pair: Fleet) -> None:
    node = pair["node1"]
    assert node.run(["cat", "/proc/1/comm"]).stdout == "systemd\n"
    pids = node.run(["sh", "-c", "cd /proc && echo [0-9]*"]).stdout.split()
    assert len(pids) < 20
    assert str(os.getpid()) not in pids or node.pid > 20


def test_each_node_has_a_name_a_machine_id_and_knows_the_others(pair: Fleet) -> None:
    ids = set()
    for name, node in pair.nodes.items():
        assert node.run(["uname", "-n"]).stdout == f"{name}\n"
        ids.add(node.run(["cat", "/etc/machine-id"]).stdout)
        addresses = node.run(["getent", "hosts", "node1", "node2"]).stdout
        assert addresses.split() == [pair["node1"].ip, "node1", pair["node2"].ip, "node2"]
    assert len(ids) == 2


def test_a_node_booted_later_is_known_to_the_first(fleet: Fleet) -> None:
    (one,) = fleet.boot("early")
    (two,) = fleet.boot("late")
    assert one.run(["getent", "hosts", "late"]).stdout.split() == [two.ip, "late"]


def test_what_a_node_writes_is_seen_by_nobody_else(pair: Fleet) -> None:
    one, two = pair["node1"], pair["node2"]
    for path in ("/etc/bed-was-here", "/usr/bin/bed-was-here", "/run/bed-was-here"):
        one.write(path, "here")
        assert one.run(["cat", path]).stdout == "here"
        assert two.run(["test", "-e", path], check=False).returncode == 1
        assert not os.path.exists(path)


def test_an_absolute_link_of_the_node_does_not_lead_to_the_host(pair: Fleet) -> None:
    node = pair["node1"]
    node.run(["ln", "-sfn", "/run/elsewhere", "/etc/link"])
    node.run(["mkdir", "-p", "/run/elsewhere"])
    node.write("/etc/link/file", "inside")
    assert node.run(["cat", "/run/elsewhere/file"]).stdout == "inside"
    assert not os.path.exists("/run/elsewhere")


def test_no_configuration_of_the_host_is_seen(pair: Fleet) -> None:
    node = pair["node1"]
    for path in ("/root", "/home", "/etc/hirte", "/tmp"):
        assert (
            node.run(["sh", "-c", f"ls {path} | grep -v ^systemd-private-"], check=False).stdout
            == ""
        )
    enabled = node.systemctl("list-unit-files", "--state=enabled", "--no-legend", check=False)
    assert enabled.stdout == ""
    assert node.run(["test", "-e", "/usr/bin/hirte"], check=False).returncode == 1


def test_the_environment_of_the_tests_does_not_leak(
    pair: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BED_SECRET", "1")
    environment = pair["node1"].run(["env"]).stdout
    assert "BED_SECRET" not in environment
    assert "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\n" in environment


def test_a_command_runs_in_the_cgroup_of_its_node(pair: Fleet) -> None:
    lines = pair["node1"].run(["cat", "/proc/self/cgroup"]).stdout.splitlines()
    assert "0::/guests" in lines


def test_a_service_runs_and_its_node_tells_its_journal(pair: Fleet) -> None:
    node = pair["node1"]
    node.unit("hello.service", "[Service]\nType=oneshot\nExecStart=/bin/echo hello journal\n")
    node.systemctl("start", "hello.service")
    node.run(["journalctl", "--sync"])
    assert "hello journal" in node.journal("-u", "hello.service")


def test_stopping_a_unit_on_one_node_leaves_the_other_nodes_processes_alone(pair: Fleet) -> None:
    for node in pair.nodes.values():
        node.unit("sleeper.service", SLEEPER)
        node.systemctl("start", "sleeper.service")
    pair["node1"].systemctl("stop", "sleeper.service")
    assert pair["node2"].systemctl("is-active", "sleeper.service").stdout == "active\n"


def test_a_failing_command_says_what_it_said(pair: Fleet) -> None:
    with pytest.raises(CommandFailed, match=r"node1# sh -c .*\nexit code 3\nout\nerr\n"):
        pair["node1"].run(["sh", "-c", "echo out; echo err >&2; exit 3"])


def test_input_reaches_the_command(pair: Fleet) -> None:
    assert pair["node1"].run(["rev"], input="abc\n").stdout == "cba\n"


def test_a_command_that_takes_too_long_is_ended_in_the_node_too(pair: Fleet) -> None:
    node = pair["node1"]
    with pytest.raises(subprocess.TimeoutExpired):
        node.run(["sleep", "1234"], timeout=0.5)
    assert "sleep 1234" not in node.run(["ps", "-eo", "args"]).stdout


def test_a_background_command_talks_and_ends_when_it_is_killed(pair: Fleet) -> None:
    node = pair["node1"]
    with node.popen(["sh", "-c", "echo started; exec sleep 4321"]) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "started\n"
        process.kill()
        # Its end of the pipe closes with the last process that holds it.
        assert process.stdout.read() == ""


# -- its buses


def test_the_system_bus_is_reachable_from_the_host(pair: Fleet) -> None:
    with Bus(pair["node1"].bus_address) as bus:
        assert bus.get(SYSTEMD, SYSTEMD_PATH, SYSTEMD_MANAGER, "Version")


def test_an_error_of_the_bus_has_a_name(pair: Fleet) -> None:
    with Bus(pair["node1"].bus_address) as bus, pytest.raises(BusError) as caught:
        bus.call(SYSTEMD, SYSTEMD_PATH, SYSTEMD_MANAGER, "GetUnit", "s", "no-such.service")
    assert caught.value.name == f"{SYSTEMD}.NoSuchUnit"


def test_a_signal_is_waited_for_and_a_property_too(pair: Fleet) -> None:
    node = pair["node1"]
    node.unit("awaited.service", SLEEPER)
    with Bus(node.bus_address) as bus:
        bus.call(SYSTEMD, SYSTEMD_PATH, SYSTEMD_MANAGER, "Subscribe")
        with bus.listen(interface=SYSTEMD_MANAGER, member="JobRemoved") as removed:
            start = ("StartUnit", "ss", "awaited.service", "replace")
            bus.call(SYSTEMD, SYSTEMD_PATH, SYSTEMD_MANAGER, *start)
            body = removed.until(lambda body: body[2] == "awaited.service")
        assert body[3] == "done"
        (path,) = bus.call(
            SYSTEMD, SYSTEMD_PATH, SYSTEMD_MANAGER, "GetUnit", "s", "awaited.service"
        )
        unit = (SYSTEMD, path, f"{SYSTEMD}.Unit", "ActiveState")
        bus.wait_for_property(*unit, lambda state: state == "active")
        with pytest.raises(TimeoutError, match="ActiveState is 'active'"):
            bus.wait_for_property(*unit, lambda state: state == "failed", seconds=0.1)


def test_a_name_on_the_bus_is_waited_for(pair: Fleet) -> None:
    with Bus(pair["node1"].bus_address) as bus:
        bus.wait_for_name(SYSTEMD)
        bus.wait_for_name("org.example.Nobody", owned=False)
        with pytest.raises(TimeoutError):
            bus.wait_for_name("org.example.Nobody", seconds=0.1)


def test_systemds_private_socket_talks_to_the_host(pair: Fleet) -> None:
    with pair["node1"].private_socket() as peer:
        peer.settimeout(END_SECONDS)
        peer.sendall(b"\0AUTH EXTERNAL 30\r\nBEGIN\r\n")
        assert peer.recv(1024).startswith(b"OK ")


# -- its network


def connect(one: Node, two: Node) -> bool:
    """Whether a TCP connection from one node to another comes about within two seconds."""
    listen = (
        "import socket; server = socket.create_server(('', 4242));"
        "print('ready', flush=True); server.accept()"
    )
    call = f"import socket; socket.create_connection(('{two.ip}', 4242), 2)"
    with two.popen(["/usr/bin/python3", "-c", listen]) as server:
        assert server.stdout is not None
        assert server.stdout.readline() == "ready\n"
        done = one.run(["/usr/bin/python3", "-c", call], check=False)
        server.kill()
    return done.returncode == 0


def test_nodes_reach_each_other_until_the_cable_is_cut(pair: Fleet) -> None:
    one, two = pair["node1"], pair["node2"]
    assert connect(one, two)
    two.cut()
    assert not connect(one, two)
    two.mend()
    assert connect(one, two)


def test_no_way_leads_out_of_the_fleet(pair: Fleet) -> None:
    assert pair["node1"].run(["ip", "route", "show", "default"]).stdout == ""


# -- what can happen to it


def test_a_frozen_node_does_nothing_until_it_is_thawed(pair: Fleet) -> None:
    node = pair["node2"]
    with node.popen(["sh", "-c", "read line; echo $line"], stdin=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        node.freeze()
        process.stdin.write("hello\n")
        process.stdin.flush()
        assert select.select([process.stdout], [], [], 0.2)[0] == []
        node.thaw()
        assert process.stdout.readline() == "hello\n"


def test_a_killed_node_boots_again_with_its_disk(fleet: Fleet) -> None:
    one, two = fleet.boot("node1", "node2")
    two.write("/etc/kept", "kept")
    two.write("/run/lost", "lost")
    assert connect(one, two)
    two.kill()
    with pytest.raises(BedError):
        two.run(["true"])
    (again,) = fleet.boot("node2")
    assert again.pid != two.pid
    assert again.run(["cat", "/etc/kept"]).stdout == "kept"
    assert again.run(["test", "-e", "/run/lost"], check=False).returncode == 1
    assert connect(one, again)


def test_a_node_that_powers_off_may_be_booted_again(fleet: Fleet) -> None:
    (node,) = fleet.boot("node1")
    off = node.popen(["systemctl", "poweroff", "--force", "--force"])
    wait_until_gone(node.pid)
    off.communicate()
    (again,) = fleet.boot("node1")
    assert again.run(["systemctl", "is-system-running"]).stdout == "running\n"


def test_fleets_with_the_same_names_do_not_meet(pair: Fleet, fleet: Fleet) -> None:
    (node,) = fleet.boot("node1")
    assert node.ip == pair["node1"].ip
    node.write("/run/mine", "")
    assert pair["node1"].run(["test", "-e", "/run/mine"], check=False).returncode == 1


def test_a_node_that_cannot_boot_is_reported(fleet: Fleet) -> None:
    with pytest.raises(BedError, match="did not boot"):
        fleet.boot("a-name-that-no-kernel-takes-for-a-host-" + "x" * 64)


# -- nothing is left


def test_the_end_of_a_fleet_leaves_nothing() -> None:
    with Fleet() as fleet:
        (node,) = fleet.boot("node1")
        keeper = fleet.keeper_pid
        assert remains(keeper) == {"cgroups", "keeper"}
        process = node.popen(["sleep", "infinity"])
    assert remains(keeper) == set()
    process.communicate(timeout=END_SECONDS)


def test_an_exception_leaves_nothing() -> None:
    with pytest.raises(RuntimeError), Fleet() as fleet:
        fleet.boot("node1")
        raise RuntimeError
    assert remains(fleet.keeper_pid) == set()


def boot_in_a_process(
    then: str = "import select; select.select([], [], [])",
) -> tuple[subprocess.Popen[str], int, int]:
    """A test process that boots a node and does something; it, its keeper, its node's init."""
    program = (
        "from tests.bed import Fleet\n"
        "with Fleet() as fleet:\n"
        "    node, = fleet.boot('node1')\n"
        "    node.popen(['sleep', 'infinity'])\n"
        "    print(fleet.keeper_pid, node.pid, flush=True)\n"
        f"    {then}\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, text=True, cwd=REPOSITORY
    )
    assert process.stdout is not None
    keeper, init = map(int, process.stdout.readline().split())
    return process, keeper, init


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_signal_to_the_test_process_leaves_nothing(number: signal.Signals) -> None:
    process, keeper, init = boot_in_a_process()
    with process:
        process.send_signal(number)
    wait_until_gone(keeper, init)
    assert remains(keeper) == set()


def test_a_child_that_keeps_the_socket_open_does_not_keep_the_fleet_alive() -> None:
    process, keeper, init = boot_in_a_process("import os; os.fork() or os.pause()")
    with process:
        process.kill()
    wait_until_gone(keeper, init)
    assert remains(keeper) == set()


def test_a_killed_keeper_takes_its_nodes_along_and_the_next_one_cleans_up() -> None:
    with Fleet() as fleet:
        (node,) = fleet.boot("node1")
        keeper = fleet.keeper_pid
        os.kill(keeper, signal.SIGKILL)
        wait_until_gone(node.pid)
        with pytest.raises(BedError, match="keeper"):
            fleet.boot("node2")
    assert remains(keeper) <= {"cgroups"}
    with Fleet() as fleet:
        fleet.boot("node1")
        assert remains(keeper) == set()
