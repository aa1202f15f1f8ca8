"""Which colour a state has: one table, from the words of systemd and hirte to ECMA-48 SGR.

As with systemctl: green is well, red is not, yellow is on its way, faint is at rest. Colour only
repeats what a word says.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

TITLE = "4"
FAINT = "2"
GREEN, YELLOW, RED, BAD = "32", "33", "31", "1;31"

_STYLES = {
    word: style
    for style, words in {
        GREEN: ("online", "active", "enabled", "enabled-runtime", "done"),
        BAD: ("offline", "failed"),
        RED: ("not-found", "bad-setting", "error", "bad"),
        YELLOW: (
            "activating", "reloading", "refreshing", "deactivating", "maintenance",
            "freezing", "frozen", "thawing",
        ),
        FAINT: ("inactive", "masked", "masked-runtime"),
    }.items()
    for word in words
}  # fmt: skip
# Columns whose cells are states, and the column by whose state a cell is coloured.
STATES = {
    "STATE": "STATE",
    "LOAD": "LOAD",
    "ACTIVE": "ACTIVE",
    "SUB": "ACTIVE",
    "FREEZER": "FREEZER",
    "ENABLED": "ENABLED",
}


def style_of(state: str) -> str:
    """Return the style of a state, empty if it has none."""
    return _STYLES.get(state, "")


def row_styles(titles: Sequence[str], row: Sequence[str]) -> list[str]:
    """Return the style of every cell of a row of a table."""
    cells = dict(zip(titles, row))
    return [style_of(cells.get(STATES.get(title, ""), "")) for title in titles]


def paint(text: str, style: str) -> str:
    """Return the text in a style."""
    return f"\x1b[{style}m{text}\x1b[0m" if style else text
