"""From what a shell asks to what it reads: a word a line, with what it is behind a tab."""

from __future__ import annotations

import sys

from hirte.complete.live import Live
from hirte.complete.modes import complete
from hirte.main import COMPLETE_LINE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


def run(mode: str, argv: Sequence[str]) -> int:
    """Answer a shell; return the exit code, which is always 0.

    `mode` is that of the program that was called, or "". `argv` is either `__complete WORD...`, the
    words after the program's, the last of which is being typed; or `__complete_line LINE BREAKS`,
    the line up to the cursor as bash has it, whose answer is what readline inserts.
    """
    before = [mode] if mode else []
    how, *given = argv
    live = Live()
    if how == COMPLETE_LINE:
        from hirte.complete.line import Line

        text, breaks = (*given, "", "")[:2]
        line = Line(text, breaks)
        # The first is the program.
        words = [*before, *(line.words[1:] or [""])]
        offered = [word for word, _ in complete(words, live) if word.startswith(words[-1])]
        answer = [line.replacement(word) for word in offered if word.isprintable()]
    else:
        from hirte.printable import printable

        offers = complete([*before, *(given or [""])], live)
        # What units say of themselves could be more lines, or escape sequences.
        answer = [
            f"{word}\t{printable(what)}".rstrip() for word, what in offers if word.isprintable()
        ]
    _write(answer)
    return 0


def _write(lines: Iterable[str]) -> None:
    """Write lines as the bytes that names are, whatever the locale."""
    data = "".join(f"{line}\n" for line in lines).encode("utf-8", "surrogateescape")
    try:
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
    except OSError:
        # Nobody is there to read it, and nobody wants to hear of it.
        from hirte.ctl.request import STDOUT, drop

        drop(STDOUT)
