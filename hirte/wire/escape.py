"""Names inside object paths, escaped as sd_bus_path_encode(3) does it.

The empty string becomes `_`; letters, and digits that are not first, stay; every other byte of
the UTF-8 text becomes `_` and two lower-case hexadecimal digits.
"""

from __future__ import annotations

_LETTERS = frozenset(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
_LETTERS_DIGITS = _LETTERS | frozenset(b"0123456789")


def escape(name: str) -> str:
    """Return `name` as one element of an object path."""
    if not name:
        return "_"
    raw = name.encode()
    first = chr(raw[0]) if raw[0] in _LETTERS else f"_{raw[0]:02x}"
    return first + "".join(chr(b) if b in _LETTERS_DIGITS else f"_{b:02x}" for b in raw[1:])
