"""How answers look: tables, times, and names that cannot play tricks on a terminal.

Everything here is pure. Names and texts come from the nodes, so what is not printable is shown
escaped: a line stays a line, and no escape sequence reaches the terminal.
"""

from __future__ import annotations

import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

# What stands in a cell that has no value, so that scripts can count columns.
NOTHING = "-"
_GAP = "  "
# RFC 4291 2.5.5.2; how a listener for both families sees an IPv4 peer.
_MAPPED = "::ffff:"


def printable(text: str) -> str:
    """Return `text` with every character that is not printable as an escape sequence."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def table(titles: Iterable[Sequence[str]], rows: Iterable[Sequence[str]]) -> str:
    """Return aligned lines, each with its newline; the last column is not padded."""
    lines = _lines(titles, rows)
    widths = [max(map(len, column)) for column in zip(*lines)]
    widths[-1:] = [0]
    return "".join(
        _GAP.join(cell.ljust(width) for cell, width in zip(line, widths)) + "\n" for line in lines
    )


def plain_table(titles: Iterable[Sequence[str]], rows: Iterable[Sequence[str]]) -> str:
    """Return lines whose cells are separated by tabs."""
    return "".join("\t".join(line) + "\n" for line in _lines(titles, rows))


def _lines(titles: Iterable[Sequence[str]], rows: Iterable[Sequence[str]]) -> list[Sequence[str]]:
    return [*titles, *([printable(cell) or NOTHING for cell in row] for row in rows)]


def plain_ip(ip: str) -> str:
    """Return an address as people write it: IPv4 without the prefix that maps it into IPv6."""
    mapped = ip.startswith(_MAPPED) and "." in ip
    return ip[len(_MAPPED) :] if mapped else ip


def local_time(microseconds: int) -> str:
    """Return a time since the epoch as `YYYY-MM-DD HH:MM:SS,mmm+ZZZZ`, in local time."""
    seconds, rest = divmod(microseconds, 1_000_000)
    local = time.localtime(seconds)
    day, zone = time.strftime("%Y-%m-%d %H:%M:%S", local), time.strftime("%z", local)
    return f"{day},{rest // 1000:03}{zone}"
