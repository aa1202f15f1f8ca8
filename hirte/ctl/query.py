"""The verbs that ask nodes about units, unit files and settings."""

from __future__ import annotations

from hirte.ctl.exits import DONE, FAILED, NOT_ACTIVE, UNKNOWN
from hirte.ctl.failures import literal, meant
from hirte.ctl.names import is_glob, matches
from hirte.ctl.targets import Targets, ask, ask_all, find_nodes, refuse
from hirte.ctl.text import counted
from hirte.ctl.values import property_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from hirte.client.values import UnitFile
    from hirte.ctl.request import Request

_FILE_TITLES = ("NODE", "UNIT FILE", "STATE")
_UNIT = "org.freedesktop.systemd1.Unit"
# All interfaces of the unit: what is common, and what its type has.
_ALL = ""
# Those that `systemctl is-active` calls active: a unit that reloads runs.
_ACTIVE = ("active", "reloading", "refreshing")
# Those that `systemctl is-enabled` calls enabled.
_ENABLED = ("enabled", "enabled-runtime", "static", "alias", "indirect", "generated")
_NO_PROPERTY = "`{program} show NODE UNIT` prints all that a unit has"


def is_active(request: Request) -> int:
    """Tell the active states of units; all must be active."""
    targets = Targets(request, request.words[0], request.words[1:])
    answers, code = ask_all(request, targets, lambda unit: ("GetUnitProperties", unit, _UNIT))
    rows = []
    for node, unit, told in answers:
        state = str(told.get("ActiveState", ""))
        rows.append((node, unit, state))
        if state not in _ACTIVE:
            missing = told.get("LoadState") == "not-found"
            code = max(code, UNKNOWN if missing else NOT_ACTIVE)
    _states(request, rows, len(targets.pairs) == 1)
    return code


def is_enabled(request: Request) -> int:
    """Tell whether unit files are enabled; all must be."""
    targets = Targets(request, request.words[0], request.words[1:])
    answers, code = ask_all(request, targets, lambda unit: ("GetUnitFileState", unit))
    if any(state not in _ENABLED for _, _, state in answers):
        code = max(code, FAILED)
    _states(request, answers, len(targets.pairs) == 1)
    return code


def get_default(request: Request) -> int:
    """Tell the targets that nodes boot into."""
    code = DONE
    rows = []
    nodes = find_nodes(request, request.words[0])
    calls = [(node, "", ("GetDefaultTarget",)) for node in nodes]
    for node, _, target, error in ask(request, calls):
        if error is None:
            rows.append((node, "", target))
        else:
            code = max(code, refuse(request, error))
    _states(request, rows, len(nodes) == 1, "default_target")
    return code


def _states(
    request: Request, rows: list[tuple[str, str, str]], is_single: bool, name: str = "state"
) -> None:
    """Print a word per target; if a single one was asked for only that, as systemctl does."""
    if request.has("quiet"):
        return
    if request.is_json:
        request.dump(
            [{"node": node, **({"unit": unit} if unit else {}), name: told}
             for node, unit, told in rows]
        )  # fmt: skip
        return
    for node, unit, told in rows:
        who = " ".join(filter(None, [node, unit]))
        request.say("" if is_single else f"{who}: ", told)


def list_unit_files(request: Request) -> int:
    """List the unit files of all nodes that are online, or of nodes."""
    code = DONE
    files: dict[str, list[UnitFile]] = {}
    if request.words:
        calls = [(n, "", ("ListUnitFiles",)) for n in find_nodes(request, request.words[0])]
        for node, _, listed, error in ask(request, calls):
            if error is None:
                files[node] = listed
            else:
                code = max(code, refuse(request, error))
    else:
        files = request.manager.list_unit_files()
        tell_absent(request, files)
    pattern = request.options.get("filter")
    rows = [
        (node, name, file.state)
        for node, listed in files.items()
        for name, file in sorted((file.path.rpartition("/")[2], file) for file in listed)
        if pattern is None or matches(pattern, name)
    ]
    if files and not rows:
        hint_at_globs(request)
    if files or code == DONE:
        request.show(_FILE_TITLES, rows)
        request.legend(f"{counted(len(rows), 'unit file')} listed.")
    return code


def hint_at_globs(request: Request) -> None:
    """Say, where no name fits --filter, that a part of a name is another pattern."""
    pattern = request.options.get("filter", "")
    if pattern and not is_glob(pattern):
        word = literal(pattern)
        request.hints[f"no name fits '{word}'; a part of a name is '*{word}*'"] = None


def tell_absent(request: Request, listed: Any) -> None:
    """Say which nodes a list of all nodes is without."""
    absent = [node.name for node in request.manager.list_nodes() if node.name not in listed]
    if absent:
        request.note(f"not listed, because offline: {', '.join(absent)}")


def show(request: Request) -> int:
    """Print properties of units, as `systemctl show` does."""
    targets = Targets(request, request.words[0], request.words[1:])
    answers, code = ask_all(request, targets, lambda unit: ("GetUnitProperties", unit, _ALL))
    wanted = [name for name in request.options.get("property", "").split(",") if name]
    objects = []
    for number, (node, unit, told) in enumerate(answers):
        missing = [name for name in wanted if name not in told]
        for name in missing:
            guess = meant(name, told)
            request.complain(f"{node}: {unit} has no property {name}{guess}", _NO_PROPERTY)
            code = max(code, FAILED)
        shown = {name: told[name] for name in wanted or sorted(told) if name in told}
        if request.is_json:
            objects.append({"node": node, "unit": unit, "properties": shown})
            continue
        if len(answers) > 1 and not request.has("value"):
            if number:
                request.say("")
            request.say(f"# {node} {unit}")
        for name, value in shown.items():
            text = property_text(name, value)
            request.say(text if request.has("value") else f"{name}={text}")
    if request.is_json:
        request.dump(objects)
    return code
