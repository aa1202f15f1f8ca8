"""Completion in real shells on a node, with the names of a real fleet."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from hirte.complete.live import PATIENCE
from hirte.ctl.scripts import SCRIPTS
from tests.bed import Fleet, Node
from tests.bed.product import MANAGER_UNIT
from tests.fleet.shells import INSERT_ALL, TAB, Shell, set_up

ONESHOT = "[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=/usr/bin/true\n"
ODD = r"odd@dev-disk-by\x2dlabel-\x24a.service"
UNITS = {
    "odd@.service": ONESHOT,
    "qqa1.service": ONESHOT,
    "qqa2.service": ONESHOT,
    "zqfile.service": f"{ONESHOT}[Install]\nWantedBy=multi-user.target\n",
}


@pytest.fixture(scope="module")
def one(trio: Fleet) -> Node:
    """The node of the manager, with the shells; node3 has the units."""
    trio["node3"].units(UNITS)
    trio["node3"].systemctl("start", ODD, "qqa1.service", "qqa2.service")
    trio["node1"].run(["ln", "-sf", "hirte", "/usr/bin/hirtectl"])
    set_up(trio["node1"])
    return trio["node1"]


@pytest.fixture(scope="module", params=SCRIPTS)
def shell(one: Node, request: pytest.FixtureRequest) -> Iterator[Shell]:
    """Each of the shells, in a terminal."""
    with Shell(one, request.param) as opened:
        yield opened


@pytest.mark.parametrize(
    ("typed", "line"),
    [
        ("hirte onl", "hirte online "),
        ("hirte ctl set-lo", "hirte ctl set-loglevel "),
        ("hirtectl set-lo", "hirtectl set-loglevel "),
        ("/usr/bin/hirte ctl set-lo", "/usr/bin/hirte ctl set-loglevel "),
        ("X=1 hirte ctl set-lo", "X=1 hirte ctl set-loglevel "),
        ("true; hirte ctl set-lo", "true; hirte ctl set-loglevel "),
        ("hirte ctl status --wat", "hirte ctl status --watch "),
        ("hirte ctl status --output j", "hirte ctl status --output json "),
        ("hirte ctl kill a b --kill-whom=m", "hirte ctl kill a b --kill-whom=main "),
        ("hirte ctl set-property a b TasksM", "hirte ctl set-property a b TasksMax="),
        ("hirte manager --config /usr/bin/hirtec", "hirte manager --config /usr/bin/hirtectl "),
        ("hirte manager --config /usr/bi", "hirte manager --config /usr/bin/"),
        ("hirte ctl frob no", "hirte ctl frob no"),
        ("hirte ctl status node", "hirte ctl status node"),
        ("hirte ctl status node1,node2,no", "hirte ctl status node1,node2,node3 "),
        ("hirte online node node1", "hirte online node node1 "),
        ("hirte ctl stop node3 od", f"hirte ctl stop node3 {ODD} ".replace("\\", "\\\\")),
        ("hirte ctl stop node3 odd@dev-", f"hirte ctl stop node3 {ODD} ".replace("\\", "\\\\")),
        ("hirte ctl stop node3 qq", "hirte ctl stop node3 qqa"),
        ("hirte ctl stop node2 qq", "hirte ctl stop node2 qq"),
        ("hirte ctl stop nowhere qq", "hirte ctl stop nowhere qq"),
        ("hirte ctl stop node3 zqf", "hirte ctl stop node3 zqf"),
        ("hirte ctl enable node3 zqf", "hirte ctl enable node3 zqfile.service "),
        ("hirte ctl set-default node3 rescue.t", "hirte ctl set-default node3 rescue.target "),
    ],
)
def test_a_word_is_completed(shell: Shell, typed: str, line: str) -> None:
    assert shell.line(typed + TAB) == line


@pytest.mark.parametrize("quote", ["", "'", '"'])
def test_what_is_completed_is_what_the_program_gets(shell: Shell, quote: str) -> None:
    """Backslashes are part of the name."""
    assert shell.run(f"hirte ctl is-active node3 {quote}odd@{TAB}") == "active"


@pytest.mark.parametrize("shell", ["bash", "zsh"], indirect=True)
def test_all_that_fits_is_offered(shell: Shell) -> None:
    for begin, words in [
        ("hirte ctl metrics ", ["disable", "enable", "listen"]),
        ("hirte ctl stop node3 qqa", ["qqa1.service", "qqa2.service"]),
        ("hirte ctl stop node1,", ["node1,node2", "node1,node3"]),
    ]:
        line = shell.line(begin + INSERT_ALL)
        assert sorted(line.removeprefix(begin.rpartition(" ")[0]).split()) == words


def test_fish_tells_what_words_are(one: Node) -> None:
    done = one.run(["env", "HOME=/root", "fish", "-c", "complete -C 'hirte ctl status '"])
    assert done.stdout == "node1\tonline\nnode2\tonline\nnode3\tonline\n"
    done = one.run(["env", "HOME=/root", "fish", "-c", "complete -C 'hirte ctl stop node3 odd'"])
    assert done.stdout.startswith(f"{ODD}\t")


@pytest.mark.parametrize("shell", ["zsh"], indirect=True)
def test_zsh_tells_what_words_are(shell: Shell) -> None:
    shell.press(f"hirte ctl st{TAB}{TAB}")
    listed = shell.wait_for("stop units and wait")
    assert "show all nodes, nodes, or units of nodes" in listed
    assert shell.line("\x15") == ""


@pytest.fixture
def frozen(one: Node) -> Iterator[None]:
    """The manager does not answer, though its socket is there."""
    one.systemctl("kill", "--signal=STOP", MANAGER_UNIT)
    yield
    one.systemctl("kill", "--signal=CONT", MANAGER_UNIT)


def test_a_manager_that_does_not_answer_costs_a_moment(shell: Shell, frozen: None) -> None:
    begin = time.monotonic()
    assert shell.line(f"hirte ctl status no{TAB}") == "hirte ctl status no"
    assert time.monotonic() - begin > PATIENCE
    # What is known without it is there all the same.
    assert shell.line(f"hirte ctl set-loglevel node1 in{TAB}") == (
        "hirte ctl set-loglevel node1 info "
    )


def test_who_may_not_ask_is_offered_nothing(one: Node) -> None:
    argv = ["setpriv", "--reuid=65534", "--clear-groups", "hirte", "__complete", "ctl", "nodes", ""]
    done = one.run(argv)
    assert (done.stdout, done.stderr) == ("", "")
