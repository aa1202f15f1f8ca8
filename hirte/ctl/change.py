"""The verbs that change units and nodes by calls that are done when they are answered."""

from __future__ import annotations

from hirte.client.errors import UnitUnknown
from hirte.client.session import NO_SUCH_UNIT
from hirte.ctl.exits import DONE, USAGE, Failure
from hirte.ctl.names import unit_name
from hirte.ctl.options import KILL_WHOM
from hirte.ctl.targets import Targets, find_nodes
from hirte.ctl.words import LEVELS
from hirte.ctl.work import Outcome, Work, answer, carry_out

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from hirte.client.values import UnitFileChange
    from hirte.ctl.request import Request
    from hirte.ctl.work import Steps

_WHOM = KILL_WHOM.metavar.split("|")
_NOTHING_TO_INSTALL = (
    "the unit files have no [Install] section that says how to enable them;"
    " such units are started by others"
)


def _done(work: Work, values: list[Any]) -> Outcome:
    return Outcome("done")


def _on_units(request: Request, *call: Any) -> int:
    """Call a method for every unit; `...` in the call stands for the unit."""
    targets = Targets(request, request.words[0], request.words[1:])
    works = [
        Work(node, (unit,), [tuple(unit if item is ... else item for item in call)], _done)
        for node, unit in targets.pairs
    ]
    return carry_out(request, works, targets.code)


def _on_nodes(request: Request, word: str, *call: Any) -> int:
    return carry_out(request, [Work(node, (), [call], _done) for node in find_nodes(request, word)])


def freeze(request: Request) -> int:
    """Halt the processes of units."""
    return _on_units(request, "FreezeUnit", ...)


def thaw(request: Request) -> int:
    """Let the processes of frozen units go on."""
    return _on_units(request, "ThawUnit", ...)


def kill(request: Request) -> int:
    """Send a signal to processes of units."""
    whom = request.options.get("kill-whom", "all")
    if whom not in _WHOM:
        raise Failure(f"--kill-whom is one of {', '.join(_WHOM)}, not '{whom}'", USAGE)
    return _on_units(
        request, "KillUnit", ..., whom, _signal_number(request.options.get("signal", "TERM"))
    )


def _signal_number(word: str) -> int:
    """Return the number of a signal, given as that or by name with or without `SIG`."""
    from signal import Signals

    try:
        if word.isdecimal():
            return int(Signals(int(word)))
        name = word.upper()
        return int(Signals[name if name.startswith("SIG") else f"SIG{name}"])
    except (KeyError, ValueError):
        raise Failure(f"there is no signal '{word}'", USAGE) from None


def enable(request: Request) -> int:
    """Enable units, so that they are started at boot."""
    is_runtime, is_forced = request.has("runtime"), request.has("force")

    def finish(work: Work, values: list[Any]) -> Outcome:
        carries, changes = values[0]
        advice = "" if carries or changes else f"{work.node}: {_NOTHING_TO_INSTALL}"
        return _changed(changes, advice, carries_install_info=carries)

    return _on_files(request, "EnableUnitFiles", (is_runtime, is_forced), finish)


def disable(request: Request) -> int:
    """Disable units, so that they are not started at boot."""

    def finish(work: Work, values: list[Any]) -> Outcome:
        return _changed(values[0])

    return _on_files(request, "DisableUnitFiles", (request.has("runtime"),), finish)


def _on_files(request: Request, method: str, flags: tuple[bool, ...], finish: Any) -> int:
    for word in request.words[1:]:
        # Globs mean units that are loaded; a unit file need not be.
        if "*" in word or "?" in word:
            raise Failure(f"{request.verb.name} takes names of unit files, not '{word}'", USAGE)
    targets = Targets(request, request.words[0], request.words[1:])
    after = [] if request.has("no-reload") else [("Reload",)]
    works = [
        Work(node, units, [(method, units, *flags), *after], finish)
        for node, units in targets.by_node().items()
    ]
    return carry_out(request, works, targets.code)


def _changed(changes: list[UnitFileChange], advice: str = "", **details: Any) -> Outcome:
    lines = [
        f"created symlink {change.file} -> {change.destination}"
        if change.type == "symlink"
        else f"{'removed' if change.type == 'unlink' else change.type} {change.file}"
        for change in changes
    ]
    told = [change._asdict() for change in changes]
    return Outcome("done", DONE, advice, lines or ("nothing to change",), changes=told, **details)


def set_default(request: Request) -> int:
    """Set the target that nodes boot into."""
    node_word, word = request.words
    target = word if word.endswith(".target") else f"{word}.target"
    if unit_name(word) not in (f"{word}.service", target):
        raise Failure(f"'{word}' is not a target", USAGE)

    def finish(work: Work, values: list[Any]) -> Outcome:
        return _changed(values[0])

    works = [
        Work(node, (target,), [("SetDefaultTarget", target, True)], finish)
        for node in find_nodes(request, node_word)
    ]
    return carry_out(request, works)


class _Setting(Work):
    """The setting of properties of a unit that must exist.

    systemd itself would keep them for a unit of any name, as a file that nobody asked for.
    """

    __slots__ = ()

    def steps(self, request: Request) -> Steps:
        """Do it. Raises the client's errors."""
        (unit,) = self.units
        node = request.manager.node(self.node)
        asked = node.begin("GetUnitProperty", unit, "org.freedesktop.systemd1.Unit", "LoadState")
        if (yield from answer(asked)) == "not-found":
            raise UnitUnknown(NO_SUCH_UNIT, f"Unit {unit} not found.", self.node)
        return (yield from super().steps(request))


def set_property(request: Request) -> int:
    """Set properties of a unit."""
    from hirte.ctl.properties import assignment

    node_word, unit_word, *assignments = request.words
    values = [assignment(text) for text in assignments]
    is_runtime = request.has("runtime")
    targets = Targets(request, node_word, [unit_word])
    works = [
        _Setting(node, (unit,), [("SetUnitProperties", unit, is_runtime, values)], _done)
        for node, unit in targets.pairs
    ]
    return carry_out(request, works, targets.code)


def daemon_reload(request: Request) -> int:
    """Let the systemd of nodes read its unit files again."""
    return _on_nodes(request, request.words[0], "Reload")


def reset_failed(request: Request) -> int:
    """Forget that units have failed: all, those of nodes, or these."""
    if len(request.words) > 1:
        return _on_units(request, "ResetFailedUnit", ...)
    return _on_nodes(request, request.words[0] if request.words else "*", "ResetFailed")


def set_loglevel(request: Request) -> int:
    """Set how much the manager, or the agents of nodes, log."""
    *nodes, word = request.words
    level = word.upper()
    if level not in LEVELS:
        raise Failure(f"a log level is one of {', '.join(LEVELS)}, not '{word}'", USAGE)
    if nodes:
        return _on_nodes(request, nodes[0], "SetLogLevel", level)
    if request.has("dry-run"):
        request.say(f"manager: would call SetLogLevel('{level}')")
    else:
        request.manager.set_log_level(level)
    return DONE
