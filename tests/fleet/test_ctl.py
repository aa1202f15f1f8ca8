"""hirte ctl on a real fleet: what it answers, what it does, every exit code, every bad moment."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from subprocess import CompletedProcess, Popen

import pytest

import hirte
from tests.bed import Fleet, Node
from tests.bed.bus import Bus
from tests.bed.product import AGENT_UNIT, MANAGER, MANAGER_UNIT, NAME, deploy, wait_for_status
from tests.hints import COMMANDS, FILES, GOES_ON, NODES, NOT_RUNNING, OFFLINE

# Every job of `held` lasts until somebody ends it.
UNITS = {
    "fine.service": "[Service]\nExecStart=/usr/bin/sleep infinity\nExecReload=/usr/bin/true\n",
    "quick.service": "[Service]\nType=oneshot\nExecStart=/usr/bin/true\n",
    "bad.service": "[Service]\nType=oneshot\nExecStart=/usr/bin/false\n",
    "held.service": "[Service]\nType=oneshot\nExecStart=/usr/bin/sleep infinity\n",
    "late.service": "[Unit]\nJobRunningTimeoutSec=100ms\n"
    "[Service]\nType=oneshot\nExecStart=/usr/bin/sleep infinity\n",
    "needy.service": "[Unit]\nRequires=bad.service\nAfter=bad.service\n"
    "[Service]\nType=oneshot\nExecStart=/usr/bin/true\n",
}
ONLINE = re.compile(r"node(\d)  online  10\.\d+\.\d+\.\d+  now")
OFFLINE_ROW = re.compile(r"node3  offline  - +\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3}[+-]\d{4}")
NOBODY_THERE = (
    "the manager is not running: nobody owns org.containers.hirte or org.eclipse.bluechi"
    f" on the system bus\n{NOT_RUNNING}"
)
LOST = (
    "hirte ctl: the unit is failed, and the news of the job is lost; see"
    " `hirte ctl status node3 held.service` and `journalctl -u held.service` on node3\n"
)


@pytest.fixture(scope="module")
def one(trio: Fleet) -> Node:
    """The node of the manager, in a fleet whose node3 has the units."""
    trio["node3"].units(UNITS)
    return trio["node1"]


@pytest.fixture
def frail(fleet: Fleet) -> Fleet:
    """Two nodes, node1 with the manager, node3 with the units, for a test that breaks things."""
    deploy(fleet, "node1", "node3")
    fleet["node3"].units(UNITS)
    return fleet


def ctl(node: Node, *words: str) -> tuple[int, str, str]:
    """Run the tool on `node`; return its exit code, stdout and stderr."""
    done: CompletedProcess[str] = node.run(["hirte", "ctl", *words], check=False)
    return done.returncode, done.stdout, done.stderr


@contextmanager
def waiting(one: Node, *words: str, under: tuple[str, ...] = ()) -> Iterator[tuple[Popen, str]]:
    """A tool that waits for a job that the manager has made, and the job's object path."""
    with Bus(one.bus_address) as bus, bus.listen(interface=MANAGER, member="JobNew") as jobs:
        tool = one.popen([*under, "hirte", "ctl", *words])
        try:
            _, path = jobs.next()
        except TimeoutError:
            tool.kill()
            raise
    try:
        yield tool, path
    finally:
        tool.kill()
        tool.communicate()


def ended(tool: Popen) -> tuple[int, str, str]:
    """Return the exit code, stdout and stderr of the tool, which ends by itself."""
    out, err = tool.communicate(timeout=20)
    return tool.returncode, out, err


def hint(unit: str) -> str:
    """Return where the tool sends the administrator of a job that did not do what it should."""
    return f"see `hirte ctl status node3 {unit}` and `journalctl -u {unit}` on node3\n"


# What it shows


def test_status_of_the_fleet(one: Node) -> None:
    code, out, err = ctl(one, "status")
    titles, *rows = out.splitlines()
    assert (code, err) == (0, "")
    assert titles.split() == ["NODE", "STATE", "IP", "LAST", "SEEN"]
    assert [ONLINE.fullmatch(row).group(1) for row in rows] == ["1", "2", "3"]


def test_status_of_a_node(one: Node) -> None:
    code, out, err = ctl(one, "status", "node2")
    (row,) = out.splitlines()[1:]
    assert (code, err) == (0, "")
    assert ONLINE.fullmatch(row).group(1) == "2"


def test_status_of_units(one: Node) -> None:
    assert ctl(one, "start", "node3", "fine")[0] == 0
    assert ctl(one, "start", "node3", "bad")[0] == 1
    assert ctl(one, "status", "node3", "fine") == (
        0,
        "NODE   UNIT          LOAD    ACTIVE  SUB      ENABLED\n"
        "node3  fine.service  loaded  active  running  static\n",
        "",
    )
    assert ctl(one, "status", "node3", "fine.service", "bad", "quick", "no", "--", "-.mount") == (
        4,
        "NODE   UNIT           LOAD    ACTIVE    SUB      ENABLED\n"
        "node3  fine.service   loaded  active    running  static\n"
        "node3  bad.service    loaded  failed    failed   static\n"
        "node3  quick.service  loaded  inactive  dead     static\n"
        "node3  -.mount        loaded  active    mounted  -\n",
        f"hirte ctl: node3: unit no.service could not be found\n{FILES}",
    )
    assert ctl(one, "status", "node3", "bad", "fine")[0] == 3


def test_list_units(one: Node) -> None:
    code, out, err = ctl(one, "list-units")
    titles, *rows = [line.split() for line in out.splitlines()]
    assert (code, err) == (0, "")
    assert titles == ["NODE", "UNIT", "LOAD", "ACTIVE", "SUB"]
    for node in ("node1", "node2", "node3"):
        assert [node, f"{AGENT_UNIT}", "loaded", "active", "running"] in rows
    assert ["node1", MANAGER_UNIT, "loaded", "active", "running"] in rows
    assert list(dict.fromkeys(row[0] for row in rows)) == ["node1", "node2", "node3"]


def test_list_units_of_a_node_is_what_its_systemctl_lists(trio: Fleet, one: Node) -> None:
    listing = ["list-units", "--all", "--plain", "--no-legend", "--no-pager", "--full"]
    theirs = trio["node2"].systemctl(*listing).stdout
    _, out, _ = ctl(one, "list-units", "node2")
    ours = [line.split()[1:] for line in out.splitlines()[1:]]
    assert ours == [line.split()[:4] for line in theirs.splitlines()]


def test_list_units_with_a_filter(one: Node) -> None:
    assert ctl(one, "--filter=hirte-*.servic?", "list-units") == (
        0,
        "NODE   UNIT                 LOAD    ACTIVE  SUB\n"
        "node1  hirte-agent.service  loaded  active  running\n"
        "node2  hirte-agent.service  loaded  active  running\n"
        "node3  hirte-agent.service  loaded  active  running\n",
        "",
    )


def test_version_and_help(one: Node) -> None:
    assert ctl(one, "version") == (0, f"hirte ctl version {hirte.__version__}\n", "")
    code, out, err = ctl(one, "help")
    assert (code, err) == (0, "")
    assert out.startswith("usage: hirte ctl [COMMAND [WORD...]] [OPTION...]\n")


# What it does


def test_the_life_of_a_service(trio: Fleet, one: Node) -> None:
    three = trio["node3"]
    ctl(one, "stop", "node3", "fine")
    for verb, then in (
        ("start", "active"),
        ("reload", "active"),
        ("restart", "active"),
        ("stop", "inactive"),
        ("restart", "active"),
        ("stop", "inactive"),
        ("stop", "inactive"),
    ):
        assert ctl(one, verb, "node3", "fine") == (0, f"node3 fine.service {verb}: done\n", "")
        assert three.systemctl("is-active", "fine.service", check=False).stdout == f"{then}\n"


def test_quick_jobs_are_not_lost(one: Node) -> None:
    """Fifty jobs that end with their first breath; one lost JobRemoved would wait for ever."""
    script = (
        "for i in $(seq 25); do"
        " hirte ctl start node3 quick || exit; hirte ctl stop node3 quick || exit; done"
    )
    done = one.run(["/bin/sh", "-c", script])
    assert len(done.stdout.splitlines()) == 50
    assert set(done.stdout.splitlines()) == {
        "node3 quick.service start: done",
        "node3 quick.service stop: done",
    }


@pytest.mark.parametrize(
    ("words", "result", "reason"),
    [
        (("start", "bad"), "failed", ""),
        (("start", "late"), "timeout", "the job timed out; "),
        (("start", "needy"), "dependency", "a unit that it needs did not start; "),
        (("reload", "fine"), "invalid", "the unit is not active; "),
    ],
)
def test_jobs_that_do_not_do_what_they_should(
    trio: Fleet, one: Node, words: tuple[str, str], result: str, reason: str
) -> None:
    trio["node3"].systemctl("stop", "fine.service")
    verb, unit = words[0], f"{words[1]}.service"
    assert ctl(one, verb, "node3", unit) == (
        1,
        f"node3 {unit} {verb}: {result}\n",
        f"hirte ctl: {reason}{hint(unit)}",
    )


def test_a_job_that_is_cancelled(one: Node) -> None:
    with waiting(one, "start", "node3", "held") as (tool, job):
        with Bus(one.bus_address) as bus:
            bus.call(NAME, job, f"{NAME}.Job", "Cancel")
        assert ended(tool) == (
            1,
            "node3 held.service start: canceled\n",
            f"hirte ctl: the job was cancelled before it ended; {hint('held.service')}",
        )
    assert ctl(one, "stop", "node3", "held")[0] == 0


def test_jobs_under_way(one: Node) -> None:
    assert ctl(one, "jobs", "--no-legend") == (0, "", "")
    with waiting(one, "start", "node3", "held") as (tool, job):
        number = job.rpartition("/")[2]
        line = "node3  held.service  start  running\n"
        titles = "NODE   UNIT          TYPE   STATE\n"
        table = f"{'JOB':{len(number)}}  {titles}{number:3}  {line}"
        assert ctl(one, "jobs") == (0, table, "")
        assert ctl(one, "jobs", "node*", "--no-legend") == (0, f"{number}  {line}", "")
        assert ctl(one, "jobs", "node1", "--no-legend") == (0, "", "")
        assert ctl(one, "jobs", "node9")[0] == 4
        told = f'"job": {number}, "node": "node3", "unit": "held.service"'
        assert ctl(one, "jobs", "-o", "json") == (
            0, f'[{{{told}, "type": "start", "state": "running"}}]\n', "",
        )  # fmt: skip
        assert ctl(one, "cancel", number)[0] == 0
        assert ended(tool)[0] == 1
    assert ctl(one, "stop", "node3", "held")[0] == 0


def test_an_interrupt_leaves_the_job_alone(trio: Fleet, one: Node) -> None:
    under = ("systemd-run", "--quiet", "--wait", "--pipe", "--unit=tool")
    with waiting(one, "start", "node3", "held", under=under) as (tool, _):
        one.systemctl("kill", "--signal=INT", "tool.service")
        assert ended(tool) == (
            130,
            "",
            f"hirte ctl: interrupted; the start of held.service on node3 goes on\n{GOES_ON}",
        )
    is_active = trio["node3"].systemctl("is-active", "held.service", check=False)
    assert is_active.stdout == "activating\n"
    assert ctl(one, "stop", "node3", "held")[0] == 0


# What it refuses


@pytest.mark.parametrize(
    ("words", "code", "complaint", "hint"),
    [
        (("start", "node3", "no"), 4, "node3: Unit no.service not found.", FILES),
        (("stop", "node3", "no"), 4, "node3: Unit no.service not loaded.", FILES),
        (("status", "node3", "no"), 4, "node3: unit no.service could not be found", FILES),
        (("start", "node9", "fine"), 4, "no node 'node9' is configured", NODES),
        (("status", "node9"), 4, "no node 'node9' is configured", NODES),
        (("status", "node9", "fine"), 4, "no node 'node9' is configured", NODES),
        (("list-units", "node9"), 4, "no node 'node9' is configured", NODES),
        (("start", "node3", "a b"), 1, "node3: Unit name a b.service is not valid.", ""),
        (
            ("reload", "node3", "bad"),
            1,
            "node3: Job type reload is not applicable for unit bad.service.",
            "",
        ),
        (
            ("start", "node3"),
            2,
            "too few words; usage: hirte ctl start NODE UNIT... [OPTION...]",
            "",
        ),
        (("frob",), 2, "unknown command 'frob'", COMMANDS),
    ],
)
def test_refusals(one: Node, words: tuple[str, ...], code: int, complaint: str, hint: str) -> None:
    assert ctl(one, *words) == (code, "", f"hirte ctl: {complaint}\n{hint}")


@pytest.mark.parametrize("words", [("status",), ("start", "node3", "fine"), ("list-units",)])
def test_who_is_not_root_is_not_permitted(one: Node, words: tuple[str, ...]) -> None:
    as_nobody = ["setpriv", "--reuid=65534", "--clear-groups", "hirte", "ctl", *words]
    done = one.run(as_nobody, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (
        6,
        "",
        "hirte ctl: not permitted: the system bus refuses it; try as root\n",
    )


# Bad moments


def test_a_node_that_is_offline(frail: Fleet) -> None:
    one = frail["node1"]
    frail["node3"].systemctl("stop", AGENT_UNIT)
    wait_for_status(one, "degraded")
    code, out, err = ctl(one, "status")
    assert (code, err) == (0, "")
    first, second = out.splitlines()[1:]
    assert first.startswith("node1  online")
    assert OFFLINE_ROW.fullmatch(second)
    code, out, err = ctl(one, "status", "node3")
    assert (code, err) == (5, "")
    assert re.fullmatch(r"node3  offline  -   \d{4}-.*", out.splitlines()[1])
    for words in (("start", "node3", "fine"), ("status", "node3", "fine"), ("list-units", "node3")):
        assert ctl(one, *words) == (5, "", f"hirte ctl: node3 is offline\n{OFFLINE}")
    code, out, err = ctl(one, "list-units", "--filter", "hirte.service")
    assert (code, err) == (0, "hirte ctl: not listed, because offline: node3\n")
    assert len(out.splitlines()) == 2


def test_the_agent_dies_while_its_job_runs(frail: Fleet) -> None:
    """systemd starts it again, and the job has gone on."""
    with waiting(frail["node1"], "start", "node3", "held") as (tool, _):
        frail["node3"].systemctl("kill", "--signal=KILL", AGENT_UNIT)
        assert tool.stderr.readline() == (
            "hirte ctl: node3 was lost while the job ran; waiting for it to come back\n"
        )
        wait_for_status(frail["node1"], "up")
        assert tool.poll() is None
        frail["node3"].systemctl("stop", "held.service")
        assert ended(tool) == (3, "node3 held.service start: failed\n", LOST)


def test_the_agent_is_gone_while_its_job_runs(frail: Fleet) -> None:
    with waiting(frail["node1"], "start", "node3", "held", "--timeout", "3") as (tool, _):
        frail["node3"].systemctl("stop", AGENT_UNIT)
        code, out, err = ended(tool)
        assert (code, out) == (124, "")
        assert "the start of held.service on node3 goes on" in err


def test_the_manager_stops_while_the_tool_waits(frail: Fleet) -> None:
    """The job goes on without it. It is not over when there is a manager again, but later."""
    one = frail["node1"]
    with waiting(one, "start", "node3", "held") as (tool, _):
        one.systemctl("stop", MANAGER_UNIT)
        assert tool.stderr.readline() == (
            "hirte ctl: the manager stopped while the job ran; waiting for it to come back\n"
        )
        for words in (("status",), ("list-units",)):
            assert ctl(one, *words) == (6, "", f"hirte ctl: {NOBODY_THERE}")
        start = ("start", "node3", "fine")
        assert ctl(one, *start) == (6, "", f"hirte ctl: node3 fine.service start: {NOBODY_THERE}")
        one.systemctl("start", MANAGER_UNIT)
        wait_for_status(one, "up")
        assert tool.poll() is None
        frail["node3"].systemctl("stop", "held.service")
        assert ended(tool) == (3, "node3 held.service start: failed\n", LOST)


def test_the_manager_dies_while_the_tool_waits(frail: Fleet) -> None:
    """systemd starts another one."""
    one = frail["node1"]
    with waiting(one, "start", "node3", "held") as (tool, _):
        one.systemctl("kill", "--signal=KILL", MANAGER_UNIT)
        assert tool.stderr.readline() == (
            "hirte ctl: the manager went away, and with it the news of how the job ends;"
            " waiting for it to come back\n"
        )
        frail["node3"].systemctl("stop", "held.service")
        assert ended(tool) == (3, "node3 held.service start: failed\n", LOST)


def test_the_bus_is_away(frail: Fleet) -> None:
    """Root needs no bus, neither for what is under way nor for what is next."""
    one = frail["node1"]
    with waiting(one, "start", "node3", "held") as (tool, _):
        one.systemctl("stop", "dbus.socket", "dbus.service")
        frail["node3"].systemctl("stop", "held.service")
        assert ended(tool)[:2] == (1, "node3 held.service start: canceled\n")
    assert ctl(one, "start", "node3", "quick") == (0, "node3 quick.service start: done\n", "")
    assert ctl(one, "status", "node3")[0] == 0
