"""What the administrator asked for, as the verbs get it, and how they answer."""

from __future__ import annotations

import sys

from hirte.ctl.exits import USAGE, Failure
from hirte.ctl.text import plain_table, printable, table

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from typing import Any, Callable

    from hirte.client.manager import Manager
    from hirte.ctl.verbs import Verb

_TEXT, _JSON = "text", "json"


class Request:
    """A verb and what was given with it; its words are as many as the verb takes.

    `options` holds those given, by long name; flags have an empty text. `connect` makes the client
    of the manager; it is called once, when the verb first needs it, and may raise Failure and the
    client's errors.

    Raises Failure when the output is to be in a format that there is not.
    """

    __slots__ = ("_connect", "_manager", "is_json", "options", "program", "verb", "words")

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
        output = options.get("output", _TEXT)
        if output not in (_TEXT, _JSON):
            raise Failure(f"there is no output '{output}', only {_TEXT} and {_JSON}", USAGE)
        self.is_json = output == _JSON

    @property
    def manager(self) -> Manager:
        """Return the client of the manager."""
        if self._manager is None:
            self._manager = self._connect()
        return self._manager

    def reconnect(self) -> None:
        """Take a new client of the manager; there is the old one until then.

        Raises Failure and the client's errors.
        """
        if self._manager is not None:
            self._manager.close()
        self._manager = self._connect()

    def has(self, option: str) -> bool:
        """Tell whether the option was given."""
        return option in self.options

    def complain(self, text: str) -> None:
        """Print a line on stderr, which is for all that is not the answer."""
        complain(self.program, text)

    def say(self, text: str) -> None:
        """Print a line of the answer, at once."""
        print(printable(text))
        flush()

    def show(self, titles: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """Print a table; as JSON an array of objects with the titles for names."""
        if self.is_json:
            self.dump(objects(titles, rows))
            return
        heads = () if self.has("no-legend") else (titles,)
        print((plain_table if self.has("plain") else table)(heads, rows), end="")

    def dump(self, value: Any) -> None:
        """Print a line of JSON, at once."""
        import json

        print(json.dumps(value, default=_as_json))
        flush()


def objects(titles: Sequence[str], rows: Iterable[Sequence[str]]) -> list[dict[str, str]]:
    """Return the rows of a table as programs read them."""
    keys = [title.lower().replace(" ", "_") for title in titles]
    return [dict(zip(keys, row)) for row in rows]


def _as_json(value: Any) -> Any:
    """Return bytes, which JSON has not, as a list of numbers."""
    return list(value) if isinstance(value, bytes) else str(value)


def complain(program: str, text: str) -> None:
    """Print a line of `program` on stderr."""
    # What was answered before comes first, also where both go to the same place.
    flush()
    print(f"{program}: {printable(text)}", file=sys.stderr)


def flush() -> None:
    """Write what was printed so far; a process may have been given no stdout at all."""
    if sys.stdout:
        sys.stdout.flush()
