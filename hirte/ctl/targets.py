"""Which nodes and units the administrator means: names, lists with commas, globs.

Names are taken as they are, without asking whether there is such a thing: the call itself tells.
Globs mean what there is: configured nodes, also those that are offline, and units that are loaded.
"""

from __future__ import annotations

from time import monotonic

from hirte.client.errors import CallError, NodeUnknown, NotPermitted
from hirte.client.session import CALLS_AT_ONCE
from hirte.ctl.exits import DONE, UNKNOWN, USAGE, Failure
from hirte.ctl.failures import LOADED, failure, file_missing, literal, unknown_node
from hirte.ctl.names import by_type, is_glob, matches, unit_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from typing import Any

    from hirte.client.connection import Reply
    from hirte.client.errors import Error
    from hirte.client.values import NodeInfo
    from hirte.ctl.progress import Wait
    from hirte.ctl.request import Request


def find_nodes(request: Request, word: str) -> list[str]:
    """Return the names of nodes, each once, in the order they are meant or configured.

    Raises Failure when no node fits a glob.
    """
    found: dict[str, None] = {}
    for item in _items(word):
        if is_glob(item):
            found.update(dict.fromkeys(node.name for node in configured_nodes(request, item)))
        else:
            found[item] = None
    return list(found)


def configured_nodes(request: Request, word: str) -> list[NodeInfo]:
    """Return what the manager tells of nodes, each once. Raises Failure also for a name."""
    listed = {node.name: node for node in request.manager.list_nodes()}
    found = {}
    for item in _items(word):
        fitting = [n for n in listed if (matches(item, n) if is_glob(item) else n == item)]
        if not fitting:
            raise unknown_node(item, listed)
        found.update({name: listed[name] for name in fitting})
    return list(found.values())


def _items(word: str) -> list[str]:
    items = _listed(word)
    if not items:
        raise unknown_node(word, ())
    return items


def _listed(word: str) -> list[str]:
    return [item for item in word.split(",") if item]


class Targets:
    """Units on nodes; `pairs` are (node, unit), each once. `code` tells what was not found.

    Raises Failure when no node fits, or all nodes are meant and one is named besides.
    """

    def __init__(self, request: Request, node_word: str, unit_words: Sequence[str]) -> None:
        self.code = DONE
        self.nodes = find_nodes(request, node_word)
        words = [item for word in unit_words for item in _listed(word) or [word]]
        if request.has("all-nodes"):
            self._refuse_node(_listed(unit_words[0]))
        loaded = self._loaded(request) if any(map(is_glob, words)) else {}
        found: dict[tuple[str, str], None] = {}
        for node in self.nodes:
            for word in words:
                if not is_glob(word):
                    found[node, unit_name(word)] = None
                elif node in loaded:
                    fitting = [name for name in loaded[node] if matches(word, name)]
                    if not fitting:
                        self._missing(request, f"{node}: no unit '{word}' is loaded")
                    found.update(dict.fromkeys((node, name) for name in fitting))
        self.pairs = list(found)

    def _refuse_node(self, words: Sequence[str]) -> None:
        """Raise Failure if a node was named although all are meant: not all were meant then."""
        for word in words:
            if word in self.nodes:
                raise Failure(
                    f"with --all-nodes the word NODE is left out, but '{word}' is a node",
                    USAGE,
                    f"a unit that is called like a node is {literal(unit_name(word))}",
                )

    def _loaded(self, request: Request) -> dict[str, list[str]]:
        loaded = {}
        asked = [(node, "", ("ListUnits",)) for node in self.nodes]
        for node, _, units, error in ask(request, asked):
            if error is None:
                loaded[node] = sorted((unit.name for unit in units), key=by_type)
            else:
                self.code = max(self.code, refuse(request, error))
        return loaded

    def _missing(self, request: Request, text: str) -> None:
        request.complain(text, LOADED)
        self.code = max(self.code, UNKNOWN)

    def by_node(self) -> dict[str, list[str]]:
        """Return the units of each node that has any."""
        units: dict[str, list[str]] = {}
        for node, unit in self.pairs:
            units.setdefault(node, []).append(unit)
        return units


def ask(
    request: Request, calls: Sequence[tuple[str, str, tuple[Any, ...]]]
) -> Iterator[tuple[str, str, Any, Error | None]]:
    """Call methods of nodes, many at once; yield the answers in the order of the calls.

    A call is (node, unit, (method, arguments...)); what comes back is (node, unit, value, error).
    Raises ManagerAway, NotPermitted and Timeout, which would be the same for every call.
    """
    for start in range(0, len(calls), CALLS_AT_ONCE):
        some = calls[start : start + CALLS_AT_ONCE]
        replies = [request.manager.node(node).begin(*call) for node, _, call in some]
        request.wait_for(_unanswered(some, replies))
        for (node, unit, _), reply in zip(some, replies):
            try:
                value = reply.result()
            except NotPermitted:
                raise
            except CallError as error:
                yield node, unit, None, error
            else:
                yield node, unit, value, None
    request.wait_for(None)


def _unanswered(
    calls: Sequence[tuple[str, str, tuple[Any, ...]]], replies: Sequence[Reply[Any]]
) -> Callable[[], Wait | None]:
    """Return what tells which of calls that begin now are not answered."""
    since = monotonic()

    def wait() -> Wait | None:
        left = [call for call, reply in zip(calls, replies) if not reply.done]
        if not left:
            return None
        node, unit, _ = left[0]
        return " ".join(filter(None, [node, unit])), since, len(left)

    return wait


def explain(request: Request, error: Error, unit: str = "") -> Failure:
    """Return what an error of a call for a unit means, with the node that may be meant."""
    if isinstance(error, NodeUnknown):
        return unknown_node(error.node, request.node_names())
    return file_missing(error, unit) or failure(error)


def refuse(request: Request, error: Error) -> int:
    """Complain about an error; return its exit code."""
    failed = explain(request, error)
    request.complain(str(failed), failed.hint)
    return failed.code


def ask_all(
    request: Request, targets: Targets, call: Callable[[str], tuple[Any, ...]]
) -> tuple[list[tuple[str, str, Any]], int]:
    """Call a method for every unit; return the answers and the exit code of what was refused."""
    answers, code = [], targets.code
    # What is so for all units of a node is told once.
    refused: dict[str, Failure] = {}
    calls = [(node, unit, call(unit)) for node, unit in targets.pairs]
    for node, unit, value, error in ask(request, calls):
        if error is None:
            answers.append((node, unit, value))
        else:
            failed = explain(request, error, unit)
            if str(failed) not in refused:
                request.complain(str(failed), failed.hint)
            refused[str(failed)] = failed
    return answers, max([code, *(failed.code for failed in refused.values())])
