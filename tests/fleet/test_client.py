"""The client library on a real fleet, over the bus and over the private socket."""

from __future__ import annotations

import pytest

from tests.bed import Fleet, Node
from tests.bed.product import AGENT_UNIT, MANAGER_UNIT, configure_manager, deploy
from tests.fleet.client import line, running, script

UNITS = {
    "fine.service": "[Service]\nExecStart=/usr/bin/sleep infinity\n",
    "quick.service": "[Service]\nType=oneshot\nExecStart=/usr/bin/true\n",
    "held.service": "[Service]\nType=oneshot\nExecStart=/usr/bin/sleep infinity\n",
    "plain.service": "[Service]\nExecStart=/usr/bin/sleep infinity\n"
    "[Install]\nWantedBy=multi-user.target\n",
}
WAYS = pytest.mark.parametrize("way", ["bus", "private"])


@pytest.fixture(scope="module")
def one(trio: Fleet) -> Node:
    """The node of the manager, in a fleet whose node3 has the units."""
    trio["node3"].units(UNITS)
    return trio["node1"]


@pytest.fixture
def frail(fleet: Fleet) -> Node:
    """The node of the manager and of the units, for a test that breaks things."""
    (node,) = deploy(fleet, "node1")
    node.units(UNITS)
    return node


def said(node: Node, text: str, *words: str) -> list[str]:
    """Return the lines that a program prints, which must end well."""
    done = node.run(script(text, *words))
    assert done.stderr == ""
    return done.stdout.splitlines()


CALLS = """
with connect(sys.argv[1]) as manager:
    node = manager.node("node3")
    print(manager.status(), manager.log_level(), manager.log_target(), len(manager.list_nodes()))
    print(sorted(manager.list_units()), sorted(manager.list_unit_files()))
    print(manager.get_node("node3").name, node.status(), bool(node.peer_ip()))
    print(node.last_seen_timestamp() > 0, node.last_seen_timestamp_monotonic() > 0)
    for level in ("DEBUG", "INFO"):
        manager.set_log_level(level), node.set_log_level(level)
        print(manager.log_level())
    print(node.start_unit("fine.service").wait(9), node.restart_unit("fine.service").wait(9))
    state = lambda name: node.get_unit_property("fine.service", name)
    node.freeze_unit("fine.service"); print(state("FreezerState"))
    node.thaw_unit("fine.service"); print(state("FreezerState"))
    node.set_unit_properties("fine.service", {"CPUWeight": ("t", 7)}, runtime=True)
    print(node.get_unit_property("fine.service", "CPUWeight", "org.freedesktop.systemd1.Service"))
    with manager.create_monitor() as monitor:
        monitor.subscribe_list("node3", ["fine.service"])
        node.kill_unit("fine.service", "main", 9)
        while state("ActiveState") != "failed":
            monitor.next(9)
    node.reset_failed_unit("fine.service"); print(state("ActiveState"))
    node.reset_failed()
    try:
        node.reload_unit("quick.service")
    except CallError as error:
        print(error.name)
    print(node.enable_unit_files(["plain.service"]))
    print(node.get_unit_file_state("plain.service"))
    print(len(node.disable_unit_files(["plain.service"])))
    node.reload()
    before = node.get_default_target()
    node.set_default_target("rescue.target", force=True); print(node.get_default_target())
    node.set_default_target(before, force=True)
    exec_start = ("a(sasb)", [("/usr/bin/sleep", ["sleep", "9"], False)])
    path = node.start_transient_unit("fleeting.service", {"ExecStart": exec_start})
    print(path.rpartition("/")[0])
    print(node.stop_unit("fleeting.service").wait(9))
"""


@WAYS
def test_every_call(one: Node, way: str) -> None:
    lines = said(one, CALLS, way)
    nodes = "['node1', 'node2', 'node3']"
    link = "/etc/systemd/system/multi-user.target.wants/plain.service"
    assert lines == [
        "up INFO journald 3",
        f"{nodes} {nodes}",
        "node3 online True",
        "True True",
        "DEBUG",
        "INFO",
        "done done",
        "frozen",
        "running",
        "7",
        "inactive",
        "org.freedesktop.systemd1.JobTypeNotApplicable",
        f"(True, [UnitFileChange(type='symlink', file='{link}',"
        " destination='/etc/systemd/system/plain.service')])",
        "enabled",
        "1",
        "rescue.target",
        "/org/freedesktop/systemd1/job",
        "done",
    ]


@WAYS
def test_fast_jobs_are_not_lost(one: Node, way: str) -> None:
    lines = said(
        one,
        """
with connect(sys.argv[1]) as manager:
    node = manager.node("node3")
    print({node.start_unit("quick.service").wait(9) for _ in range(200)})
    # And many at once, without waiting for the answers.
    replies = [node.begin("StartUnit", "quick.service", "replace") for _ in range(50)]
    print({reply.result().wait(9) for reply in replies})
""",
        way,
    )
    assert lines == ["{'done'}", "{'done'}"]


@WAYS
def test_a_loop_of_its_own(one: Node, way: str) -> None:
    """Every event comes by polling alone, while calls in between read ahead."""
    lines = said(
        one,
        """
with connect(sys.argv[1]) as manager:
    node = manager.node("node3")
    monitor = manager.create_monitor()
    monitor.subscribe("node3", "quick.service")
    jobs, metrics = manager.watch_jobs(), manager.watch_metrics()
    manager.enable_metrics()
    poll = select.poll()
    poll.register(manager, select.POLLIN)
    started = [node.start_unit("quick.service") for _ in range(10)]
    seen = []
    while sum(isinstance(event, StartUnitJobMetrics) for event in seen) < 10:
        assert poll.poll(9000)
        seen += manager.process()
    manager.disable_metrics()
    print([job.result for job in started] == ["done"] * 10)
    paths = [event.job for event in seen if isinstance(event, JobRemoved)]
    print(paths == [job.path for job in started])
    print([event.job for event in seen if isinstance(event, JobNew)] == paths)
    print(sum(isinstance(event, AgentJobMetrics) for event in seen))
    states = [event.active_state for event in seen if isinstance(event, UnitStateChanged)]
    # systemd may have taken several requests for one job.
    print("activating" in states, states[-1])
""",
        way,
    )
    assert lines == ["True", "True", "True", "10", "True inactive"]


@WAYS
def test_cancel(one: Node, way: str) -> None:
    lines = said(
        one,
        """
with connect(sys.argv[1]) as manager, manager.watch_jobs() as jobs:
    job = manager.node("node3").start_unit("held.service")
    same = manager.job(jobs.next(9).job)
    print(same.node, same.unit, same.job_type, same.state() in ("waiting", "running"))
    try:
        job.wait(0.1)
    except Timeout as error:
        print(error)
    same.cancel()
    print(job.wait(9), jobs.next(9).result)
    manager.node("node3").stop_unit("held.service").wait(9)
""",
        way,
    )
    assert lines == [
        "node3 held.service start True",
        "the start of held.service takes longer than 0.1 s",
        "canceled canceled",
    ]


def test_two_clients_over_two_ways_hear_the_same(one: Node) -> None:
    lines = said(
        one,
        """
heard = []
with connect("bus") as first, connect("private") as second:
    sources = []
    for manager in (first, second):
        monitor = manager.create_monitor()
        monitor.subscribe("node3", "quick.service")
        sources.append(monitor)
    job = first.node("node3").start_unit("quick.service")
    for monitor in sources:
        events = []
        while ("inactive", "dead") not in events:
            event = monitor.next(9)
            if isinstance(event, UnitStateChanged) and event.reason == "real":
                events.append((event.active_state, event.substate))
        heard.append(events)
print(heard[0] == heard[1], len(heard[0]) > 1)
""",
    )
    assert lines == ["True True"]


def test_a_peer_need_not_be_root(one: Node) -> None:
    peer = script(
        """
with connect() as manager:
    print(manager.unique_name, flush=True)
    with manager.join_monitor(sys.stdin.readline().strip()) as monitor:
        try:
            manager.list_nodes()
        except NotPermitted as error:
            print(error, flush=True)
        for event in monitor:
            print(type(event).__name__, flush=True)
"""
    )
    owner = """
with connect("bus") as manager, manager.create_monitor() as monitor:
    print(monitor.path, flush=True)
    number = monitor.add_peer(sys.stdin.readline().strip())
    monitor.subscribe("node3", "fine.service")
    manager.node("node3").stop_unit("fine.service").wait(9)
    monitor.remove_peer(number, "enough")
"""
    as_nobody = ["setpriv", "--reuid=65534", "--clear-groups", *peer]
    with one.popen(as_nobody, stdin=-1) as listener, one.popen(script(owner), stdin=-1) as other:
        name, path = line(listener), line(other)
        listener.stdin.write(f"{path}\n")
        listener.stdin.flush()
        assert line(listener) == "not permitted: the system bus refuses it; try as root"
        other.stdin.write(f"{name}\n")
        other.stdin.flush()
        assert other.wait(timeout=20) == 0
        assert listener.stdout.read().split()[-1] == "PeerRemoved"
        assert listener.wait(timeout=20) == 0


def test_the_private_socket_is_for_root(one: Node) -> None:
    as_nobody = ["setpriv", "--reuid=65534", "--clear-groups"]
    done = one.run([*as_nobody, *script("connect('private')")], check=False)
    assert "NotPermitted: not permitted: /run/hirte/private is for root" in done.stderr


def test_the_compatible_dialect(fleet: Fleet) -> None:
    (one,) = deploy(fleet, "node1")
    one.units(UNITS)
    configure_manager(one, ["node1"], BusNames="compatible")
    one.run(["systemctl", "restart", MANAGER_UNIT])
    lines = said(
        one,
        """
with connect("bus", wait=9) as manager:
    with manager.watch_status() as status:
        while status.next(9) != NodeStatus("node1", "online"):
            pass
    print(manager.node("node1").start_unit("quick.service").wait(9))
    try:
        manager.node("node2").status()
    except NodeUnknown as error:
        print(error)
with connect("private") as manager:
    print(manager.path, manager.status())
for way in ("bus", "private"):
    try:
        connect(way, dialect="native")
    except ManagerAway as error:
        print(error)
""",
    )
    assert lines == [
        "done",
        "no node 'node2' is configured",
        "/org/eclipse/bluechi up",
        "the manager is not running: nobody owns org.containers.hirte on the system bus",
        "the manager is not running: /run/hirte/private: nobody there goes by org.containers.hirte;"
        " /run/bluechi/private: No such file or directory",
    ]


# Bad moments

WAIT = """
with connect(sys.argv[1]) as manager, manager.create_monitor() as monitor:
    job = manager.node("node1").start_unit("held.service")
    print("waits", flush=True)
    try:
        print(job.wait(20))
    except ManagerAway as error:
        print(error)
"""


@WAYS
def test_the_manager_is_killed_while_somebody_waits(frail: Node, way: str) -> None:
    with running(frail, script(WAIT, way)) as program:
        assert line(program) == "waits"
        frail.systemctl("kill", "--signal=KILL", MANAGER_UNIT)
        assert line(program) == ("the manager went away, and with it the news of how the job ends")


@WAYS
def test_the_manager_stops_while_somebody_waits(frail: Node, way: str) -> None:
    with running(frail, script(WAIT, way)) as program:
        assert line(program) == "waits"
        frail.systemctl("stop", MANAGER_UNIT)
        assert line(program) == "cancelled due to shutdown"


@WAYS
def test_the_agent_is_killed_while_somebody_waits(frail: Node, way: str) -> None:
    with running(frail, script(WAIT, way)) as program:
        assert line(program) == "waits"
        frail.systemctl("kill", "--signal=KILL", AGENT_UNIT)
        assert line(program) == "failed"


def test_the_bus_is_restarted_while_somebody_waits(frail: Node) -> None:
    again = (
        WAIT
        + """
with connect("bus", wait=20) as manager:
    print(manager.node("node1").stop_unit("held.service").wait(20))
"""
    )
    with running(frail, script(WAIT, "private")) as private:
        assert line(private) == "waits"
        with running(frail, script(again, "bus")) as public:
            assert line(public) == "waits"
            frail.systemctl("restart", "dbus.service")
            # The manager leaves the bus as we do, and either may be seen first.
            assert "went away" in line(public)
            assert line(public) == "done"
        # Who has no bus in between hears how it ended.
        assert line(private) == "canceled"


@WAYS
def test_the_manager_is_restarted_again_and_again(frail: Node, way: str) -> None:
    program = """
for _ in range(3):
    with connect(sys.argv[1], wait=20) as manager, manager.watch_status() as events:
        while events.next(20) != ManagerStatus("up"):
            pass
        print("up", flush=True)
        try:
            while True:
                events.next(20)
        except ManagerAway as error:
            print(error, flush=True)
"""
    with running(frail, script(program, way)) as watcher:
        for _ in range(3):
            assert line(watcher) == "up"
            frail.systemctl("restart", MANAGER_UNIT)
            assert line(watcher) == "the manager went away"
        assert watcher.wait(timeout=20) == 0
