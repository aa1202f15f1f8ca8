"""A line as bash sees it while it is typed: into words, and words back into what completes it.

Readline does not hand over the word that is to be completed but a part of it: what follows the
last character that breaks words for it (COMP_WORDBREAKS, `:` and `=` among them), or begins with an
`@`, which bash takes for a host, or follows the quote that is still open. Only that part is
replaced, as it is: nobody quotes it but we. See QUOTING in bash(1).
"""

from __future__ import annotations

_NONE, _SINGLE, _DOUBLE = "", "'", '"'
_BLANKS = " \t\n"
# Break words, and are replaced as well: rl_special_prefixes in readline(3), as bash sets them.
_KEPT_BREAKS = "@$"
# What a backslash takes its meaning from between double quotes; before others it is itself.
_SPECIAL_IN_DOUBLE = '$`"\\'
# What needs no backslash; nor does what is not ASCII.
_PLAIN = "_@%+:,./=-"


class Line:
    """A line up to the cursor.

    `words` are its words, without their quotes, the last of which is being typed and may be empty.
    """

    __slots__ = ("_kept", "_quote", "words")

    def __init__(self, text: str, breaks: str) -> None:
        self.words: list[str] = []
        self._quote = _NONE
        # How much of the last word stands before the part that is replaced.
        self._kept = 0
        word = ""
        is_begun = False
        place = 0
        while place < len(text):
            letter = text[place]
            place += 1
            if letter in _BLANKS and not self._quote:
                if is_begun:
                    self.words.append(word)
                word, is_begun, self._kept = "", False, 0
                continue
            is_begun = True
            if letter == "\\" and self._escapes(text[place : place + 1]):
                word += text[place : place + 1]
                place += 1
            elif letter in (_SINGLE, _DOUBLE) and self._quote in (_NONE, letter):
                self._quote = _NONE if self._quote else letter
                self._kept = len(word)
            else:
                if letter in breaks and not self._quote:
                    self._kept = len(word) + (letter not in _KEPT_BREAKS)
                word += letter
        self.words.append(word)

    def _escapes(self, letter: str) -> bool:
        """Tell whether a backslash before `letter` ("" is the end) is no letter itself."""
        if self._quote == _DOUBLE:
            return letter != "" and letter in _SPECIAL_IN_DOUBLE
        return self._quote == _NONE

    def replacement(self, word: str) -> str:
        """Return what readline has to insert to make the last word `word`, which begins with it."""
        rest = word[self._kept :]
        if self._quote == _SINGLE:
            return rest.replace("'", "'\\''")
        if self._quote == _DOUBLE:
            return "".join(f"\\{c}" if c in _SPECIAL_IN_DOUBLE else c for c in rest)
        home = "~" if not self._kept and word.startswith("~/") else ""
        return home + "".join(
            c if c.isalnum() or c in _PLAIN or not c.isascii() else f"\\{c}"
            for c in rest[len(home) :]
        )
