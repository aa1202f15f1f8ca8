"""The answers of hirte ctl for programs: one table of fields and types, and docs/ctl.md."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from hirte.ctl.options import OUTPUT
from hirte.ctl.verbs import VERBS
from tests.ctl_json import SHAPES, Maybe, Shape, faults

DOCUMENT = (Path(__file__).resolve().parents[2] / "docs" / "ctl.md").read_text()
# What these print are the signals of the D-Bus API.
SIGNALS = ("monitor", "metrics")
OTHERS = "`start` and all others that change something"


def documented() -> dict[str, str]:
    """Return what the document says of the answer of each command."""
    table = DOCUMENT[DOCUMENT.index("## For programs") :]
    rows = re.findall(r"^\| (.*`.*|the same.*) \| (.*) \|$", table, re.MULTILINE)
    found = {}
    for commands, answer in rows:
        for command in re.findall("`([^`]*)`", commands):
            found[command] = answer
        if commands == OTHERS:
            found["others"] = answer
    return found


@pytest.mark.parametrize("command", SHAPES)
def test_the_document_names_the_fields(command: str) -> None:
    rows = documented()
    changes = SHAPES[command].is_lines and command not in ("cancel", "start --dry-run")
    row = rows["others" if changes else "--dry-run" if "--dry-run" in command else command]
    named = set(re.findall("`([^`]*)`", row))
    assert set(SHAPES[command].fields) <= named
    if not changes:
        # A row may say that it answers as another command does.
        assert named - set(SHAPES) == set(SHAPES[command].fields) - set(SHAPES)


def test_every_command_with_json_has_a_shape() -> None:
    commands = {command.split()[0] for command in SHAPES}
    able = {verb.name for verb in VERBS.values() if OUTPUT in verb.options}
    assert able - set(SIGNALS) == commands


@pytest.mark.parametrize(
    ("value", "kind", "expected"),
    [
        ({"a": 1}, {"a": int}, []),
        ({"a": True}, {"a": int}, [".a is True, not int"]),
        ({}, {"a": int}, [".a is missing"]),
        ({}, {"a": Maybe(int)}, []),
        ({"a": ""}, {"a": Maybe(int)}, [".a is '', not int"]),
        ({"b": 1}, {}, [".b is not documented"]),
        ([], {}, [" is no object"]),
        ({}, [str], [" is no array"]),
        (["", 1], [str], ["[1] is 1, not str"]),
        ([{"a": [None]}], Shape({"a": [str]}, is_array=True), ["[0].a[0] is None, not str"]),
    ],
)
def test_faults_are_found(value: object, kind: object, expected: list[str]) -> None:
    assert faults(value, kind) == expected
