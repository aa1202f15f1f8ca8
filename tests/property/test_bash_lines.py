"""Lines of bash: what completion makes of a half-typed word, bash reads as the word that was meant.

bash itself is the oracle.
"""

from __future__ import annotations

import os
import subprocess

from hypothesis import assume, given
from hypothesis import strategies as st

from hirte.complete.line import Line

BREAKS = " \t\n\"'@><=;|&(:"
# A line is one line; what is no character cannot be typed.
WORDS = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs", "Zl", "Zp"]))
TRICKY = st.text(st.sampled_from("ab@:=\\'\"$`*~ ;é"), min_size=1)
QUOTES = st.sampled_from(["", "'", '"'])


def read_by_bash(line: str) -> list[str]:
    """Return the words that bash makes of the arguments of a command."""
    done = subprocess.run(
        ["/bin/bash", "--norc", "-c", f"printf '%s\\0' {line}"],
        capture_output=True, check=True, env={"PATH": os.defpath, "LC_ALL": "C.UTF-8"},
    )  # fmt: skip
    return done.stdout.decode().split("\0")[:-1]


@given(WORDS | TRICKY, QUOTES, st.integers(0, 20))
def test_the_completed_word_is_the_one_that_was_meant(word: str, quote: str, begun: int) -> None:
    assume(word and not word.startswith("~/"))
    start = word[:begun]
    # Typed as we would have inserted it.
    typed = quote + Line(f"printf {quote}", "").replacement(start)
    line = Line(f"hirte {typed}", BREAKS)
    assert line.words == ["hirte", start]
    # Readline puts it behind the last break, or the open quote, and closes the quote.
    kept = typed.rindex("'") + 1 if quote == "'" else len(quote) or behind_the_last_break(typed)
    completed = typed[:kept] + line.replacement(word) + quote
    assert read_by_bash(completed) == [word]


def behind_the_last_break(typed: str) -> int:
    """Return where the part begins that readline replaces in a word without quotes."""
    place = end = 0
    while place < len(typed):
        if typed[place] == "\\":
            place += 1
        elif typed[place] in BREAKS:
            # What may be a host's name is replaced with its @.
            end = place + (typed[place] != "@")
        place += 1
    return end


@given(st.lists(TRICKY, min_size=1))
def test_words_are_read_as_bash_reads_them(words: list[str]) -> None:
    """Also when quotes of both kinds stand beside each other within a word."""
    parts = [f'"{Line(chr(34), "").replacement(word)}"\'x\'\\y' for word in words]
    line = " ".join(parts)
    assert Line(line, BREAKS).words == read_by_bash(line)
