"""What the administrator asked for, as the verbs get it."""

from __future__ import annotations

import sys

from hirte.ctl.text import printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Callable

    from hirte.client.manager import Manager
    from hirte.ctl.verbs import Verb


class Request:
    """A verb and what was given with it; its words are as many as the verb takes.

    `options` holds those given, by long name; flags have an empty text. `connect` makes the client
    of the manager; it is called once, when the verb first needs it, and may raise Failure and the
    client's errors.
    """

    __slots__ = ("_connect", "_manager", "options", "program", "verb", "words")

    def __init__(
        self,
        program: str,
        verb: Verb,
        words: Sequence[str],
        options: Mapping[str, str],
        connect: Callable[[], Manager],
    ) -> None:
        self.program = program
        self.verb = verb
        self.words = words
        self.options = options
        self._connect = connect
        self._manager: Manager | None = None

    @property
    def manager(self) -> Manager:
        """Return the client of the manager."""
        if self._manager is None:
            self._manager = self._connect()
        return self._manager

    def complain(self, text: str) -> None:
        """Print a line on stderr, which is for all that is not the answer."""
        complain(self.program, text)


def complain(program: str, text: str) -> None:
    """Print a line of `program` on stderr."""
    # What was answered before comes first, also where both go to the same place.
    flush()
    print(f"{program}: {printable(text)}", file=sys.stderr)


def flush() -> None:
    """Write what was printed so far; a process may have been given no stdout at all."""
    if sys.stdout:
        sys.stdout.flush()
