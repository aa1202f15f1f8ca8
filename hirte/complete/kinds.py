"""What there is of each kind of word: the kinds are those that the tables name.

A kind that is not here is free text, for which nothing can be offered.
"""

from __future__ import annotations

from hirte.complete.said import ALTERNATIVE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from hirte.complete.live import Live

    # A word that fits, and what it is, in a few words or none.
    Offer = tuple[str, str]


class Asked:
    """What is known when a word is wanted: its beginning, the nodes that were named, the fleet."""

    __slots__ = ("begun", "live", "node_word")

    def __init__(self, begun: str, live: Live, node_word: str = "") -> None:
        self.begun = begun
        self.live = live
        self.node_word = node_word


def offers(kind: str, asked: Asked) -> list[Offer]:
    """Return the words of a kind; whether they begin as what was typed is for others to see."""
    if ALTERNATIVE in kind:
        return [(word, "") for word in kind.split(ALTERNATIVE)]
    if kind not in KINDS:
        return []
    found = list(KINDS[kind](asked))
    if kind not in _LISTS:
        return found
    before, comma, _ = asked.begun.rpartition(",")
    listed = before.split(",")
    return [(before + comma + word, what) for word, what in found if word not in listed]


def _nodes(asked: Asked) -> list[Offer]:
    return [(node.name, node.status) for node in asked.live.nodes()]


def _units(asked: Asked) -> list[Offer]:
    return asked.live.units(asked.node_word)


def _unit_files(asked: Asked) -> list[Offer]:
    return asked.live.unit_files(asked.node_word)


def _targets(asked: Asked) -> list[Offer]:
    return [(name, state) for name, state in _unit_files(asked) if name.endswith(".target")]


def _jobs(asked: Asked) -> list[Offer]:
    return [(str(job.id), f"{job.node} {job.unit} {job.type}") for job in asked.live.jobs()]


def _levels(asked: Asked) -> list[Offer]:
    from hirte.ctl.words import LEVELS

    # Either case will do: the one that was begun.
    return [(level.lower() if asked.begun.islower() else level, "") for level in LEVELS]


def _signals(asked: Asked) -> list[Offer]:
    import _signal  # type: ignore[import-not-found]

    names = [name for name in dir(_signal) if name.startswith("SIG") and name[3:].isalnum()]
    return [(name, "") for name in names if isinstance(getattr(_signal, name), int)]


def _commands(asked: Asked) -> list[Offer]:
    from hirte.ctl.verbs import VERBS

    return [(verb.name, verb.help) for verb in VERBS.values()]


def _assignments(asked: Asked) -> list[Offer]:
    from hirte.ctl.properties import KNOWN

    return [(f"{name}=", "") for name in KNOWN]


def _files(asked: Asked) -> Iterable[Offer]:
    """Return what is in the directory of the path that was begun, each as it would be typed."""
    import os

    directory, slash, begun = asked.begun.rpartition("/")
    place = os.path.expanduser(directory + slash) or "."
    try:
        with os.scandir(place) as entries:
            found = sorted((entry.name, entry.is_dir()) for entry in entries)
    except OSError:
        return
    for name, is_directory in found:
        if begun.startswith(".") or not name.startswith("."):
            yield directory + slash + name + ("/" if is_directory else ""), ""


KINDS: dict[str, Callable[[Asked], Iterable[Offer]]] = {
    "NODE": _nodes,
    "UNIT": _units,
    "UNIT-FILE": _unit_files,
    "TARGET": _targets,
    "JOB": _jobs,
    "LEVEL": _levels,
    "SIGNAL": _signals,
    "COMMAND": _commands,
    "NAME=VALUE": _assignments,
    "FILE": _files,
}
# Those of which several can be given in one word, with commas.
_LISTS: Sequence[str] = ("NODE", "UNIT", "UNIT-FILE")
