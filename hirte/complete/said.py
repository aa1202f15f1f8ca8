"""What was said on a command line so far, read after a table of options as getopt_long(3) would."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

# Between the words that a single one may stand for.
ALTERNATIVE = "|"


class Flags:
    """An option as completion needs it: its spellings, what it takes (or ""), what it does.

    An `exact` one may not be shortened.
    """

    __slots__ = ("exact", "help", "metavar", "spellings")

    def __init__(
        self, spellings: Sequence[str], metavar: str, help: str, exact: bool = False
    ) -> None:
        self.spellings = spellings
        self.metavar = metavar
        self.help = help
        self.exact = exact


class Said:
    """A command line before the word that is being typed.

    `words` are those that are no options, `flags` the options given, in full. `awaited` is what
    the last word, an option, still has to be given; `is_over` tells that no options can follow.
    """

    __slots__ = ("awaited", "flags", "is_over", "words")

    def __init__(self, options: Sequence[Flags], before: Iterable[str]) -> None:
        self.words: list[str] = []
        self.flags: list[Flags] = []
        self.awaited = ""
        self.is_over = False
        for word in before:
            if self.awaited:
                self.awaited = ""
            elif self.is_over or not is_option(word):
                self.words.append(word)
            elif word == "--":
                self.is_over = True
            else:
                self._option(options, word)

    def _option(self, options: Sequence[Flags], word: str) -> None:
        if word.startswith("--"):
            name, equals, _ = word.partition("=")
            option = find(options, name)
            if option is not None:
                self.flags.append(option)
                self.awaited = "" if equals else option.metavar
            return
        for place, letter in enumerate(word[1:], 2):
            option = find(options, f"-{letter}")
            if option is None:
                return
            self.flags.append(option)
            if option.metavar:
                # What follows in the same word is its value.
                self.awaited = "" if word[place:] else option.metavar
                return


def is_option(word: str) -> bool:
    """Tell whether a word is an option, or the end of them."""
    return len(word) > 1 and word.startswith("-")


def find(options: Sequence[Flags], spelling: str) -> Flags | None:
    """Return the option of this spelling; most long ones may be shortened as long as it is one."""
    for option in options:
        if spelling in option.spellings:
            return option
    if not spelling.startswith("--"):
        return None
    fitting = [o for o in options if any(s.startswith(spelling) for s in o.spellings)]
    return fitting[0] if len(fitting) == 1 and not fitting[0].exact else None


def kinds_at(words: Sequence[str], place: int) -> list[str]:
    """Return the kinds of word that may stand at `place`, by a table's words.

    In brackets are those that may be left out, with three dots those that may be repeated.
    """
    if place >= len(words):
        place = len(words) - 1
        if place < 0 or "..." not in words[place]:
            return []
    kinds = [words[place].strip("[].")]
    follower = words[place + 1 : place + 2]
    if words[place].startswith("[") and follower and not follower[0].startswith("["):
        kinds.append(follower[0].strip("[]."))
    return kinds
