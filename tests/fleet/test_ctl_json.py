"""hirte ctl for programs: what every command really answers has the documented fields and types."""

from __future__ import annotations

import json

import pytest

from tests.bed import Fleet, Node
from tests.ctl_json import SHAPES, faults

UNITS = {
    "fine.service": "[Service]\nExecStart=/usr/bin/sleep infinity\nExecReload=/usr/bin/true\n",
    "known.service": "[Service]\nExecStart=/usr/bin/true\n[Install]\nWantedBy=multi-user.target\n",
    "bad.service": "[Service]\nType=oneshot\nExecStart=/usr/bin/false\n",
    "held.service": "[Service]\nType=oneshot\nExecStart=/usr/bin/sleep infinity\n",
}
# In this order each is said and done to something that is as the one before left it. JOB is the
# number of the job that was last begun.
SAID = (
    ("start", "start node3 fine bad none"),
    ("reload", "reload node3 fine"),
    ("freeze", "freeze node3 fine"),
    ("thaw", "thaw node3 fine"),
    ("restart", "restart node3 fine --wait-active"),
    ("start --dry-run", "start node3 fine --dry-run"),
    ("fleet", "fleet"),
    ("fleet", ""),
    ("status", "status"),
    ("status NODE", "status node2,node3"),
    ("status NODE UNIT", "status node3 fine bad"),
    ("nodes", "nodes 'node*'"),
    ("list-units", "list-units node3"),
    ("list-unit-files", "list-unit-files"),
    ("is-active", "is-active node3 fine bad"),
    ("is-enabled", "is-enabled node3 fine known"),
    ("get-default", "get-default node3"),
    ("show", "show node3 fine"),
    ("set-property", "set-property node3 fine CPUWeight=50 --runtime"),
    ("kill", "kill node3 fine -s USR1"),
    ("kill", "kill node3 none"),
    ("enable", "enable node3 known"),
    ("enable", "enable node3 none"),
    ("disable", "disable node3 known"),
    ("set-default", "set-default node3 rescue"),
    ("daemon-reload", "daemon-reload node3"),
    ("set-loglevel", "set-loglevel node3 info"),
    ("start", "start node3 held --no-block"),
    ("jobs", "jobs"),
    ("cancel", "cancel JOB"),
    ("stop", "stop node3 fine held"),
    ("reset-failed", "reset-failed node3"),
)


@pytest.fixture(scope="module")
def one(trio: Fleet) -> Node:
    """The node of the manager, in a fleet whose node3 has the units."""
    trio["node3"].units(UNITS)
    return trio["node1"]


def test_every_answer_is_as_documented(one: Node) -> None:
    job, said = "", {}
    for command, words in SAID:
        argv = ["hirte", "ctl", *words.replace("JOB", job).replace("'", "").split(), "-o", "json"]
        lines = one.run(argv, check=False).stdout.splitlines()
        assert lines, words
        shape = SHAPES[command]
        assert len(lines) == 1 or shape.is_lines, words
        for line in lines:
            answer = json.loads(line)
            assert faults(answer, shape, command) == []
            said[command] = answer
            if isinstance(answer, dict):
                job = str(answer.get("job", job))
    assert set(said) == set(SHAPES)
    # An array without items would have been right for any shape.
    assert all(said.values())
