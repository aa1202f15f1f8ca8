"""The known name that a mistyped one probably means."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

# Longer ones are not mistyped names; comparing costs the product of the lengths.
LENGTH_MAX = 64


def nearest(word: str, known: Iterable[str]) -> str:
    """Return the one of `known` closest to `word`, or "" when none is close.

    Close: at most every third character is wrong, missing or too much, or swapped with the next;
    case does not count.
    Of equally close ones the first is returned.
    """
    best = ""
    least = max(len(word) // 3, 1) + 1
    if len(word) > LENGTH_MAX:
        return best
    for candidate in known:
        distance = _distance(word.lower(), candidate.lower())
        if distance < least:
            best, least = candidate, distance
    return best


def _distance(a: str, b: str) -> int:
    """Return Levenshtein's distance where two neighbours that are swapped are one fault."""
    above: list[int] = []
    row = list(range(len(b) + 1))
    for i, left in enumerate(a, 1):
        higher, above, row = above, row, [i]
        for j, right in enumerate(b, 1):
            least = min(above[j] + 1, row[j - 1] + 1, above[j - 1] + (left != right))
            if i > 1 and j > 1 and left == b[j - 2] and a[i - 2] == right:
                least = min(least, higher[j - 2] + 1)
            row.append(least)
    return row[-1]
