"""Names inside object paths, escaped as sd_bus_path_encode(3) does it.

The empty string becomes `_`; letters, and digits that are not first, stay; every other byte of
the UTF-8 text becomes `_` and two lower-case hexadecimal digits.
"""

from __future__ import annotations

_LETTERS = frozenset(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
_LETTERS_DIGITS = _LETTERS | frozenset(b"0123456789")
_HEX = "0123456789abcdef"


def escape(name: str) -> str:
    """Return `name` as one element of an object path."""
    if not name:
        return "_"
    raw = name.encode()
    first = chr(raw[0]) if raw[0] in _LETTERS else f"_{raw[0]:02x}"
    return first + "".join(chr(b) if b in _LETTERS_DIGITS else f"_{b:02x}" for b in raw[1:])


def unescape(element: str) -> str:
    """Return the name that :func:`escape` turned into `element`.

    Raises ValueError when no name escapes to `element`.
    """
    if element == "_":
        return ""
    raw = bytearray()
    position = 0
    while position < len(element):
        if element[position] == "_":
            digits = element[position + 1 : position + 3]
            if len(digits) != 2 or not set(digits) <= set(_HEX):
                raise ValueError(f"not an escaped name: {element!r}")
            raw.append(int(digits, 16))
            position += 3
        else:
            raw += element[position].encode()
            position += 1
    name = raw.decode()
    if escape(name) != element:
        raise ValueError(f"not an escaped name: {element!r}")
    return name
