"""Names that only the running fleet knows. What cannot be had within a moment is not there."""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType
    from typing import Any, TypeVar

    from hirte.client.manager import Manager
    from hirte.client.values import JobInfo, NodeInfo

    T = TypeVar("T")

# Seconds for all questions of one TAB together. Answers take milliseconds; somebody who waits for
# longer goes on typing, and a shell whose completion hangs cannot even be interrupted.
PATIENCE = 1.0


class _OutOfTime(Exception):
    pass


def _connect() -> Manager:
    from hirte.client.connecting import connect

    return connect()


class Live:
    """The manager of this machine, asked when it is needed and as long as there is time.

    `connect` makes a client of it.
    """

    __slots__ = ("_connect", "_is_asking", "_left", "_manager")

    def __init__(self, connect: Callable[[], Manager] = _connect) -> None:
        self._connect = connect
        self._manager: Manager | None = None
        self._left = PATIENCE
        self._is_asking = False

    def nodes(self) -> list[NodeInfo]:
        """Return all configured nodes."""
        return self._ask(lambda manager: manager.list_nodes(), [])

    def jobs(self) -> list[JobInfo]:
        """Return the jobs that are under way."""
        return self._ask(lambda manager: manager.list_jobs(), [])

    def units(self, node_word: str) -> list[tuple[str, str]]:
        """Return names and descriptions of the units loaded on the nodes that a word means."""
        listed = self._of_nodes(node_word, "list_units")
        return list({unit.name: unit.description for unit in listed}.items())

    def unit_files(self, node_word: str) -> list[tuple[str, str]]:
        """Return names and states of the unit files on the nodes that a word means."""
        listed = self._of_nodes(node_word, "list_unit_files")
        return list({file.path.rpartition("/")[2]: file.state for file in listed}.items())

    def _of_nodes(self, node_word: str, method: str) -> list[Any]:
        """Return what a method, which node and manager both have, lists for nodes."""
        from hirte.ctl.names import is_glob, matches

        items = [item for item in node_word.split(",") if item]
        if len(items) == 1 and not is_glob(items[0]):
            return self._ask(lambda manager: getattr(manager.node(items[0]), method)(), [])
        by_node: dict[str, list[Any]] = self._ask(lambda manager: getattr(manager, method)(), {})
        return [
            found
            for node, listed in by_node.items()
            if any(matches(item, node) for item in items)
            for found in listed
        ]

    def _ask(self, question: Callable[[Manager], T], nothing: T) -> T:
        from hirte.client.errors import Error

        if not self._left:
            return nothing
        before = _signal.signal(_signal.SIGALRM, self._end)
        try:
            self._is_asking = True
            _signal.setitimer(_signal.ITIMER_REAL, self._left)
            if self._manager is None:
                self._manager = self._connect()
            return question(self._manager)
        except (Error, OSError, ImportError, _OutOfTime):
            return nothing
        finally:
            self._is_asking = False
            self._left, _ = _signal.setitimer(_signal.ITIMER_REAL, 0)
            _signal.signal(_signal.SIGALRM, before)

    def _end(self, number: int, frame: FrameType | None) -> None:
        """Break off what waits. An alarm that comes late, after the answer, finds nothing to do."""
        if self._is_asking:
            raise _OutOfTime
