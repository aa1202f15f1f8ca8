"""What `hirte ctl -o json` answers: for every command its fields and their types.

The table is what docs/ctl.md says, for tests to compare with the document and with real answers.
"""

from __future__ import annotations

from typing import Any, NamedTuple


class Maybe(NamedTuple):
    """The type of a field that is not always there."""

    kind: Any


class Shape(NamedTuple):
    """The fields of an object; of an array of such, or of one object a line, if it says so.

    A field is a type, a list with the shape of its items, or `Maybe` of these.
    """

    fields: dict[str, Any]
    is_array: bool = False
    is_lines: bool = False


NODE = {"node": str, "state": str, "ip": str, "last_seen": str}
UNIT = {"node": str, "unit": str, "load": str, "active": str, "sub": str}
STATE = {"node": str, "unit": str, "state": str}
END = {"node": str, "units": [str], "verb": str, "result": str, "code": int}
CHANGE = {"type": str, "file": str, "destination": str}
CHANGES = {**END, "changes": Maybe([CHANGE]), "error": Maybe(str)}
JOB = {**END, "job": Maybe(int), "error": Maybe(str)}
DONE = {**END, "error": Maybe(str)}

# Command and its options, if they matter -> shape.
SHAPES = {
    "fleet": Shape({"nodes": [NODE], "failed_units": [UNIT]}),
    "status": Shape(NODE, is_array=True),
    "status NODE": Shape(NODE, is_array=True),
    "nodes": Shape(NODE, is_array=True),
    "status NODE UNIT": Shape({**UNIT, "freezer": str, "enabled": str}, is_array=True),
    "list-units": Shape(UNIT, is_array=True),
    "list-unit-files": Shape({"node": str, "unit_file": str, "state": str}, is_array=True),
    "is-active": Shape(STATE, is_array=True),
    "is-enabled": Shape(STATE, is_array=True),
    "get-default": Shape({"node": str, "default_target": str}, is_array=True),
    "show": Shape({"node": str, "unit": str, "properties": dict}, is_array=True),
    **dict.fromkeys(("start", "stop", "restart", "reload"), Shape(JOB, is_lines=True)),
    **dict.fromkeys(
        ("kill", "freeze", "thaw", "set-property", "daemon-reload", "reset-failed", "set-loglevel"),
        Shape(DONE, is_lines=True),
    ),
    "enable": Shape({**CHANGES, "carries_install_info": Maybe(bool)}, is_lines=True),
    **dict.fromkeys(("disable", "set-default"), Shape(CHANGES, is_lines=True)),
    "start --dry-run": Shape(
        {"node": str, "units": [str], "verb": str, "would_call": [list]}, is_lines=True
    ),
    "jobs": Shape(
        {"job": int, "node": str, "unit": str, "type": str, "state": str}, is_array=True
    ),
    "cancel": Shape(
        {"job": int, "node": str, "units": [str], "type": str, "verb": str, "result": str},
        is_lines=True,
    ),
}


def faults(value: Any, kind: Any, where: str = "") -> list[str]:
    """Return in which ways a value is not of a kind, a line of text each."""
    if isinstance(kind, Shape):
        return faults(value, [kind.fields] if kind.is_array else kind.fields, where)
    if isinstance(kind, list):
        if not isinstance(value, list):
            return [f"{where} is no array"]
        return [
            fault
            for n, item in enumerate(value)
            for fault in faults(item, kind[0], f"{where}[{n}]")
        ]
    if isinstance(kind, dict):
        if not isinstance(value, dict):
            return [f"{where} is no object"]
        missing = [f for f, k in kind.items() if f not in value and not isinstance(k, Maybe)]
        found = [f"{where}.{field} is missing" for field in missing]
        found += [f"{where}.{field} is not documented" for field in value if field not in kind]
        for field, inner in kind.items():
            if field in value:
                inner = inner.kind if isinstance(inner, Maybe) else inner
                found += faults(value[field], inner, f"{where}.{field}")
        return found
    # In JSON true is no number.
    return [] if type(value) is kind else [f"{where} is {value!r}, not {kind.__name__}"]
