"""Text as roff with the macros of man(7), for groff and mandoc.

Two rules make it safe: what could be taken for a request or an escape is escaped here and nowhere
else, and what a reader may copy (commands, names, options) has ASCII quotes and hyphens.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

import markdown

# In text a typographer's signs are welcome; in what is copied none are: groff_char(7).
_TEXT = {"\\": r"\e"}
_CODE = {**_TEXT, "-": r"\-", "'": r"\(aq", "`": r"\(ga", "^": r"\(ha", "~": r"\(ti"}

# `code`, **bold**, [text](target)
_MARKUP = re.compile(r"`([^`]+)`|\*\*([^*]+)\*\*|\[([^\]]+)\]\([^)]*\)")


def _escaped(text: str, table: dict[str, str]) -> str:
    return "".join(
        table.get(c, c) if c.isascii() else f"\\[u{ord(c):04X}]" for c in text
    )


def literal(text: str) -> str:
    """Return what a reader may copy."""
    return _escaped(text, _CODE)


def bold(text: str) -> str:
    """Return what a reader types as it is."""
    return rf"\fB{literal(text)}\fR"


def italic(text: str) -> str:
    """Return what a reader replaces by something else."""
    return rf"\fI{literal(text)}\fR"


def inline(text: str) -> str:
    """Return a line of Markdown as a line of roff; links are left out."""
    parts = []
    end = 0
    for found in _MARKUP.finditer(text.replace(r"\|", "|")):
        parts.append(_escaped(found.string[end : found.start()], _TEXT))
        code, strong, link = found.groups()
        parts.append(bold(code) if code else inline(link) if link else rf"\fB{inline(strong)}\fR")
        end = found.end()
    parts.append(_escaped(text.replace(r"\|", "|")[end:], _TEXT))
    line = "".join(parts)
    return rf"\&{line}" if line.startswith((".", "'")) else line


def paragraph(text: str) -> list[str]:
    """Return a paragraph of Markdown."""
    return [".PP", inline(text)]


def tagged(rows: Iterable[tuple[str, str]]) -> list[str]:
    """Return pairs, both Markdown: what stands out, and what is said of it, line by line."""
    return [line for tag, text in rows for line in (".TP", inline(tag), broken(text))]


def broken(text: str) -> str:
    """Return lines of Markdown that stay lines."""
    return "\n.br\n".join(map(inline, text.split("\n")))


def bullets(items: Iterable[str]) -> list[str]:
    """Return a list of Markdown lines."""
    return [line for item in items for line in (r".IP \(bu 2", inline(item))]


def example(lines: Iterable[str]) -> list[str]:
    """Return lines that are shown as they are, folded where the reader's terminal is narrower."""
    text = "\n.br\n".join(rf"\&{literal(line)}" if line else ".sp" for line in lines)
    # A break beside an empty line would be one too many.
    return [".PP", ".RS 4", text.replace(".br\n.sp\n.br", ".sp"), ".RE"]


def converted(found: Iterable[markdown.Block]) -> list[str]:
    """Return blocks of a document; the titles of tables are left out."""
    lines = []
    for block in found:
        if block.kind == markdown.TABLE:
            for row in block.rows[1:]:
                lines += tagged([(row[0], "; ".join(row[1:]))])
        elif block.kind == markdown.LIST:
            lines += bullets(block.lines)
        elif block.kind == markdown.CODE:
            lines += example(block.lines)
        else:
            lines += paragraph(block.lines[0])
    return lines
