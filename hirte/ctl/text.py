"""How answers look: tables, times, and names that cannot play tricks on a terminal.

Everything here is pure. Names and texts come from the nodes, so what is not printable is shown
escaped: a line stays a line, and no escape sequence reaches the terminal but those of our colours.
Widths are in columns of a terminal.
"""

from __future__ import annotations

import time

from hirte.printable import printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

# What stands in a cell that has no value, so that scripts can count columns.
NOTHING = "-"
_GAP = "  "
# A column that is shortened keeps so much, or its title: below that a name says nothing.
_LEAST = 8
# RFC 4291 2.5.5.2; how a listener for both families sees an IPv4 peer.
_MAPPED = "::ffff:"


# Widths


def columns(text: str) -> int:
    """Return how many columns a printable text takes, see Unicode Standard Annex 11."""
    if text.isascii():
        return len(text)
    from unicodedata import category, east_asian_width

    return sum(
        0 if category(c) in ("Mn", "Me") else 2 if east_asian_width(c) in "WF" else 1 for c in text
    )


def head(text: str, width: int) -> str:
    """Return the beginning of a printable text that fits `width` columns."""
    if text.isascii():
        return text[: max(0, width)]
    end = 0
    while end < len(text) and columns(text[: end + 1]) <= width:
        end += 1
    return text[:end]


def _tail(text: str, width: int) -> str:
    if text.isascii():
        return text[max(0, len(text) - width) :]
    begin = len(text)
    while begin and columns(text[begin - 1 :]) <= width:
        begin -= 1
    # A mark without the letter below it would sit on what stands before.
    while begin < len(text) and not columns(text[begin]):
        begin += 1
    return text[begin:]


def shorten(text: str, width: int, ellipsis: str) -> str:
    """Return `text` in at most `width` columns: what is too much is left out in the middle."""
    if columns(text) <= width:
        return text
    room = width - len(ellipsis)
    if room < 1:
        return head(text, width)
    return head(text, room - room // 2) + ellipsis + _tail(text, room // 2)


def clip(line: str, width: int) -> str:
    """Return what fits `width` columns of a line that may have colours."""
    first, *others = line.split("\x1b[")
    kept = [head(first, width)]
    room = width - columns(kept[0])
    for other in others:
        style, _, text = other.partition("m")
        text = head(text, room)
        room -= columns(text)
        kept.append(f"\x1b[{style}m{text}")
    return "".join(kept)


def wrap(text: str, width: int) -> list[str]:
    """Return the lines of a text that is broken between words; a longer word has its own."""
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".lstrip()
        if lines[-1] and columns(longer) > width:
            lines.append(word)
        else:
            lines[-1] = longer
    return lines


# Tables


class Table:
    """Aligned columns. A `width` above 0 is to be kept by shortening columns, not the `rigid` ones.

    Of the others the widest go first; titles stay. `is_shortened` tells whether that was needed. A
    table whose rigid columns are too wide is too wide. `lines` are the cells, padded but for the
    last column; the titles are the first line if there is a `legend`.
    """

    def __init__(
        self,
        titles: Sequence[str],
        rows: Iterable[Sequence[str]],
        legend: bool = True,
        width: int = 0,
        ellipsis: str = "",
        rigid: Collection[str] = (),
    ) -> None:
        lines = [list(titles)] if legend else []
        lines += [[printable(cell) or NOTHING for cell in row] for row in rows]
        widths = [max(map(columns, column)) for column in zip(*lines)]
        self.is_shortened = bool(width) and _narrow(widths, titles, rigid, width)
        if self.is_shortened:
            lines = [
                [shorten(cell, most, ellipsis) for cell, most in zip(line, widths)]
                for line in lines
            ]
        widths[-1:] = [0]
        self.lines = [
            [cell + " " * (most - columns(cell)) for cell, most in zip(line, widths)]
            for line in lines
        ]


def _narrow(widths: list[int], titles: Sequence[str], rigid: Collection[str], width: int) -> bool:
    """Make columns as narrow as they must and may be; tell whether that changed any."""
    least = [
        most if title in rigid else min(most, max(_LEAST, columns(title)))
        for title, most in zip(titles, widths)
    ]
    excess = sum(widths) + len(_GAP) * (len(widths) - 1) - width
    narrowed = False
    for _ in range(excess):
        able = [i for i, here in enumerate(least) if widths[i] > here]
        if not able:
            break
        widths[max(able, key=lambda i: widths[i])] -= 1
        narrowed = True
    return narrowed


def join(cells: Iterable[str]) -> str:
    """Return the line of a table that has these cells, with its newline."""
    return _GAP.join(cells) + "\n"


def plain_table(titles: Iterable[Sequence[str]], rows: Iterable[Sequence[str]]) -> str:
    """Return lines whose cells are separated by tabs."""
    lines = [*titles, *([printable(cell) or NOTHING for cell in row] for row in rows)]
    return "".join("\t".join(line) + "\n" for line in lines)


# Values


def plain_ip(ip: str) -> str:
    """Return an address as people write it: IPv4 without the prefix that maps it into IPv6."""
    mapped = ip.startswith(_MAPPED) and "." in ip
    return ip[len(_MAPPED) :] if mapped else ip


def counted(number: int, thing: str) -> str:
    """Return how many things there are."""
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"


def local_time(microseconds: int) -> str:
    """Return a time since the epoch as `YYYY-MM-DD HH:MM:SS,mmm+ZZZZ`, in local time."""
    seconds, rest = divmod(microseconds, 1_000_000)
    local = time.localtime(seconds)
    day, zone = time.strftime("%Y-%m-%d %H:%M:%S", local), time.strftime("%z", local)
    return f"{day},{rest // 1000:03}{zone}"
