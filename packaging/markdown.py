"""The Markdown of docs/, as far as it is used there, cut into blocks.

The manual pages take prose and tables from the documents, so that each is written once.
"""

from __future__ import annotations

import re
from typing import NamedTuple

PARAGRAPH, LIST, CODE, TABLE = "paragraph", "list", "code", "table"

_RULE = re.compile(r"\|(?:-+\|)+")
_BETWEEN_CELLS = re.compile(r"(?<!\\)\|")


class Block(NamedTuple):
    """A paragraph (one line of text), a list (a line per item), code (its lines), or a table.

    Of a table, `lines` is empty, and `rows` has the cells of each row, the titles first.
    """

    kind: str
    lines: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()


def section(document: str, title: str) -> str:
    """Return the text below a title of the second level; "" is what stands before the first.

    Raises KeyError when there is no such title.
    """
    first, *others = re.split(r"^## ", document, flags=re.MULTILINE)
    if not title:
        return first.partition("\n")[2]
    for other in others:
        found, _, text = other.partition("\n")
        if found == title:
            return text
    raise KeyError(title)


def blocks(text: str) -> list[Block]:
    """Return the blocks of a section, in order."""
    return [_block(chunk) for chunk in re.split(r"\n\n+", text.strip("\n")) if chunk]


def _block(chunk: str) -> Block:
    lines = chunk.split("\n")
    if all(line.startswith("    ") for line in lines):
        return Block(CODE, tuple(line[4:] for line in lines))
    if lines[0].startswith("|"):
        cells = [_BETWEEN_CELLS.split(line) for line in lines if not _RULE.fullmatch(line)]
        return Block(TABLE, rows=tuple(tuple(cell.strip() for cell in row[1:-1]) for row in cells))
    if lines[0].startswith("- "):
        items = re.split(r"^- ", chunk, flags=re.MULTILINE)[1:]
        return Block(LIST, tuple(" ".join(item.split()) for item in items))
    return Block(PARAGRAPH, (" ".join(chunk.split()),))
