"""What the administrator asked for, as the verbs get it, and how they answer."""

from __future__ import annotations

import os
import sys

from hirte.ctl.exits import USAGE, Failure
from hirte.ctl.terminal import Terminal
from hirte.ctl.text import Table, join, plain_table
from hirte.printable import printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from typing import Any, Callable

    from hirte.client.manager import Manager
    from hirte.ctl.progress import Progress, Wait
    from hirte.ctl.verbs import Verb

    # Texts of whole lines, made when they are shown.
    Frame = list[Callable[[], str]]

STDOUT, STDERR = 1, 2
_TEXT, _JSON = "text", "json"


class Request:
    """A verb and what was given with it; its words are as many as the verb takes.

    `options` holds those given, by long name; flags have an empty text. `connect` makes the client
    of the manager; it is called once, when the verb first needs it, and may raise Failure and the
    client's errors.

    `hints` are what the administrator may try next, each once, for the end; `out` is where answers
    go.

    Raises Failure when the output is to be in a format that there is not.
    """

    __slots__ = (
        "_connect", "_err", "_frame", "_manager", "_node_names", "_progress", "hints", "is_json",
        "options", "out", "program", "verb", "words",
    )  # fmt: skip

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
        self._node_names: list[str] | None = None
        self.out = Terminal(sys.stdout, os.environ)
        self._err = Terminal(sys.stderr, os.environ)
        self._frame: Frame | None = None
        self._progress: Progress | None = None
        self.hints: dict[str, None] = {}
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

    def node_names(self) -> list[str]:
        """Return the names of all nodes, to guess what a mistyped one means; none if in doubt."""
        from hirte.client.errors import Error

        if self._node_names is None:
            try:
                self._node_names = [node.name for node in self.manager.list_nodes()]
            except Error:
                self._node_names = []
        return self._node_names

    def has(self, option: str) -> bool:
        """Tell whether the option was given."""
        return option in self.options

    def complain(self, text: str, hint: str = "") -> None:
        """Print a line on stderr, which is for all that is not the answer, about what went wrong.

        A `hint` is kept for the end; it may speak of the tool as {program}.
        """
        if hint:
            self.hints[hint] = None
        self._tell(self._err, lambda: complaint(self.program, text, self._err))

    def note(self, text: str) -> None:
        """Print a line on stderr about what did not go wrong."""
        self._tell(self._err, lambda: f"{self.program}: {printable(text)}\n")

    def say(self, text: str, state: str = "", rest: str = "", style: str = "") -> None:
        """Print a line of the answer, at once; `state` is a part with a style, its own or this."""

        def line() -> str:
            painted = self.painted(printable(state), style)
            return f"{printable(text)}{painted}{printable(rest)}\n"

        self._tell(self.out, line)

    def painted(self, state: str, style: str = "") -> str:
        """Return a state in its style, or in this, if the answer may have colours."""
        if not self.out.has_colour:
            return state
        from hirte.ctl.colour import paint, style_of

        return paint(state, style or style_of(state))

    def show(self, titles: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """Print a table; as JSON an array of objects with the titles for names."""
        if self.is_json:
            self.dump(objects(titles, rows))
        elif self.has("plain"):
            heads = () if self.has("no-legend") else (titles,)
            self._tell(self.out, lambda: plain_table(heads, rows))
        else:
            self._tell(self.out, lambda: self._table(titles, rows))

    def _table(self, titles: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
        out, legend = self.out, not self.has("no-legend")
        if not out.is_terminal:
            return "".join(map(join, Table(titles, rows, legend).lines))
        from hirte.ctl.colour import STATES, TITLE, paint, row_styles

        width = 0 if self.has("full") else out.width
        table = Table(titles, rows, legend, width, out.ellipsis, STATES)
        lines = [join(line) for line in table.lines]
        if out.has_colour:
            styles = [row_styles(titles, row) for row in rows]
            painted = [join(map(paint, *row)) for row in zip(table.lines[legend:], styles)]
            lines = [paint(line.rstrip(), TITLE) + "\n" for line in lines[:legend]] + painted
        text = "".join(lines)
        if table.is_shortened and legend:
            text += "Some names are shortened; --full shows them.\n"
        return text

    def legend(self, text: str) -> None:
        """Print a line about a table, for people only."""
        if self.out.is_terminal and not (
            self.is_json or self.has("plain") or self.has("no-legend")
        ):
            self._tell(self.out, lambda: f"\n{text}\n")

    def dump(self, value: Any) -> None:
        """Print a line of JSON, at once."""
        import json

        text = json.dumps(value, default=_as_json)
        self._tell(self.out, lambda: f"{text}\n")

    def _tell(self, where: Terminal, make: Callable[[], str]) -> None:
        if self._frame is not None:
            self._frame.append(make)
            return
        if self._progress:
            self._progress.erase()
        if where is self._err:
            write_error(make())
        else:
            print(make(), end="")
            flush()
        if self._progress:
            self._progress.printed()

    def framed(self, show: Callable[[Request], Any]) -> Frame:
        """Return what `show` would print, on stdout and stderr. Raises what it raises."""
        frame: Frame = []
        self._frame = frame
        try:
            show(self)
        finally:
            self._frame = None
        return frame

    # What takes long

    def begin(self) -> None:
        """Say from now on what is waited for, if somebody may see it."""
        if self._err.has_escapes and not self.has("quiet"):
            from hirte.ctl.progress import Progress

            self._progress = Progress(self._err, self.program)
            self._progress.begin()

    def end(self) -> None:
        """Wait for nothing that it would be worth to talk of: the end, or what has no end."""
        if self._progress:
            self._progress.end()
            self._progress = None

    def wait_for(self, whom: Callable[[], Wait | None] | None) -> None:
        """Let this tell what is waited for; None is the manager."""
        if self._progress:
            self._progress.wait_for(whom)


def objects(titles: Sequence[str], rows: Iterable[Sequence[str]]) -> list[dict[str, str]]:
    """Return the rows of a table as programs read them."""
    keys = [title.lower().replace(" ", "_") for title in titles]
    return [dict(zip(keys, row)) for row in rows]


def _as_json(value: Any) -> Any:
    """Return bytes, which JSON has not, as a list of numbers."""
    return list(value) if isinstance(value, bytes) else str(value)


def complaint(program: str, text: str, err: Terminal) -> str:
    """Return the line that complains."""
    prefix = f"{program}:"
    if err.has_colour:
        from hirte.ctl.colour import BAD, paint

        prefix = paint(prefix, BAD)
    return f"{prefix} {printable(text)}\n"


def complain(program: str, text: str, hints: Iterable[str] = ()) -> None:
    """Print on stderr a line of `program`, if there is any, and what one may try next."""
    err = Terminal(sys.stderr, os.environ)
    lines = [complaint(program, text, err)] if text else []
    lines += [f"{program}: hint: {hint.format(program=program)}\n" for hint in hints]
    write_error("".join(lines))


def write_error(text: str) -> None:
    """Write lines on stderr, if somebody reads there."""
    # What was answered before comes first, also where both go to the same place.
    flush()
    if not sys.stderr:
        return
    try:
        print(text, end="", file=sys.stderr)
        sys.stderr.flush()
    except OSError:
        # Nobody can be told; what was done is done, and the exit code tells of that.
        drop(STDERR)


def drop(stream: int) -> None:
    """Let what could not be written go nowhere, or the interpreter tries again as it ends."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream)


def flush() -> None:
    """Write what was printed so far; a process may have been given no stdout at all."""
    if sys.stdout:
        sys.stdout.flush()
