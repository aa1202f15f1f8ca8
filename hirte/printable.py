"""Texts of others, for a terminal: a line stays a line, and no escape sequence reaches it."""

from __future__ import annotations


def printable(text: str) -> str:
    """Return `text` with every character that is not printable as an escape sequence."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
