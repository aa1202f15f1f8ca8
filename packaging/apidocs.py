"""Write docs/api.md: the public D-Bus API, out of the very tables that are served.

packaging/apidocs.py         writes the file
packaging/apidocs.py --check ends with 1 if the file is not what the tables say
"""

from __future__ import annotations

import sys
from pathlib import Path

import meaning

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from hirte.api import public  # noqa: E402 - found in the clone that this file is in
from hirte.api.dialect import COMPATIBLE, NATIVE  # noqa: E402
from hirte.api.table import CONST, EMITS, EXPLICIT, Interface, arguments_of  # noqa: E402

TARGET = ROOT / "docs" / "api.md"

TABLES = (
    public.MANAGER,
    public.NODE,
    public.JOB,
    public.MONITOR,
    public.METRICS,
    public.AGENT,
)
# How a property's changes are told, in words.
CHANGES = {
    CONST: "never changes",
    EMITS: "PropertiesChanged",
    EXPLICIT: "not told; read it with Get, it is not in GetAll",
}

HEAD = """\
# The D-Bus API

This file is made from the tables that the daemons serve: `packaging/apidocs.py` writes it, a test
compares it. It names everything natively. The same API is there in the compatible dialect, that of
Eclipse BlueChi, if the setting `BusNames` says so; only names differ:

| | Native | Compatible |
|---|---|---|
{names}

Members have the same names in both dialects, except

| Native | Compatible |
|---|---|
{members}

- The manager answers on the system bus, and for root without a bus on `/run/hirte/private`.
- Root and the user whom the service runs as may call methods and read properties; everybody may
  introspect, ping, and hear signals. Others are answered by `AccessDenied`.
- Errors without a dot are those of `org.freedesktop.DBus.Error`, except `Offline`, which is
  `{offline}`. systemd's errors come as they are. A node that does not
  answer within 30 seconds, or is lost meanwhile, is `NoReply`.
- All properties are read-only.
- Signals are broadcast, except those of monitors.
- No call waits for the end of a job: the signal JobRemoved tells it.
"""


def document() -> str:
    """Return the text of docs/api.md. Raises KeyError when a row has no meaning."""
    names = [
        _row("Bus name of the manager", _code(NATIVE.bus_name), _code(COMPATIBLE.bus_name)),
        _row(
            "Bus name of the agent",
            _code(NATIVE.agent_bus_name),
            _code(COMPATIBLE.agent_bus_name),
        ),
        _row("Root of all object paths", _code(NATIVE.root), _code(COMPATIBLE.root)),
    ]
    names += [
        _row(
            f"Interface {table.name}",
            _code(NATIVE.interface(table.name)),
            _code(COMPATIBLE.interface(table.name)),
        )
        for table in TABLES
    ]
    members = [
        _row(_code(f"{table.name}.{name}"), _code(COMPATIBLE.member(name)))
        for table in TABLES
        for name in _members(table)
        if COMPATIBLE.member(name) != name
    ]
    parts = [
        HEAD.format(
            names="\n".join(names),
            members="\n".join(members),
            offline=NATIVE.interface("Offline"),
        )
    ]
    parts += [_interface(table) for table in TABLES]
    return "\n".join(parts)


def _members(table: Interface) -> list[str]:
    return [*table.methods, *table.signals, *table.properties]


def _interface(table: Interface) -> str:
    path, what = meaning.INTERFACES[table.name]
    lines = [f"## {table.name}", "", f"Object: {_code(NATIVE.path(path))}", "", what, ""]
    if table.methods:
        lines += ["| Method | Arguments | Answer | Meaning |", "|---|---|---|---|"]
        for method in table.methods.values():
            cells = (_arguments(method.inputs), _arguments(method.outputs))
            lines.append(_row(_code(method.name), *cells, _meaning(table, method.name)))
        lines.append("")
    if table.signals:
        lines += ["| Signal | Arguments | Meaning |", "|---|---|---|"]
        for signal in table.signals.values():
            arguments = _arguments(signal.arguments)
            lines.append(_row(_code(signal.name), arguments, _meaning(table, signal.name)))
        lines.append("")
    if table.properties:
        lines += ["| Property | Type | Changes | Meaning |", "|---|---|---|---|"]
        for row in table.properties.values():
            cells = (_code(row.signature), CHANGES[row.change])
            lines.append(_row(_code(row.name), *cells, _meaning(table, row.name)))
        lines.append("")
    return "\n".join(lines)


def _meaning(table: Interface, name: str) -> str:
    return meaning.ROWS[f"{table.name}.{name}"]


def _arguments(text: str) -> str:
    return ", ".join(f"{_code(kind)} {name}" for name, kind in arguments_of(text)) or "-"


def _code(text: str) -> str:
    return f"`{text}`"


def _row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


def main(argv: list[str]) -> int:
    """Write or check the file; return the exit code."""
    text = document()
    if argv == ["--check"]:
        if TARGET.read_text() == text:
            return 0
        print(f"{TARGET} is not what the tables say: run packaging/apidocs.py", file=sys.stderr)
        return 1
    TARGET.write_text(text)
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
