"""Type signatures: text to a tree of types.

A type is a tuple whose first item is its code: `("s",)`, `("a", element)`, `("(", (fields…))`,
`("{", key, value)`. The alignment of a type depends on the code alone: :data:`ALIGNMENT`.
"""

from __future__ import annotations

from hirte.wire.errors import PeerError
from hirte.wire.limits import (
    ARRAY_DEPTH,
    CACHE_SIGNATURE_BYTES,
    CACHE_SIGNATURES,
    SIGNATURE_LENGTH,
    STRUCT_DEPTH,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, TypeVar

    Key = TypeVar("Key", str, bytes)
    Value = TypeVar("Value")
    Type = tuple[Any, ...]
    Types = tuple[Type, ...]

ALIGNMENT = {
    "y": 1, "b": 4, "n": 2, "q": 2, "i": 4, "u": 4, "x": 8, "t": 8, "d": 8, "h": 4,
    "s": 4, "o": 4, "g": 1, "v": 1, "a": 4, "(": 8, "{": 8,
}  # fmt: skip
BASIC = "ybnqiuxtdhsog"

_BASIC_TYPES = {code: (code,) for code in BASIC + "v"}
_parsed: dict[str, Types] = {}


def parse(signature: str) -> Types:
    """Return the complete types of `signature`, in order; no types for the empty text.

    Raises PeerError when the D-Bus specification does not allow it.
    """
    types = _parsed.get(signature)
    if types is None:
        if len(signature) > SIGNATURE_LENGTH:
            raise PeerError("signature is longer than 255 bytes")
        types = _Parser(signature).all()
        remember(_parsed, signature, types)
    return types


def remember(table: dict[Key, Value], signature: Key, value: Value) -> None:
    """Keep `value` in `table` under `signature`, within the limits of what a peer may fill."""
    if len(signature) <= CACHE_SIGNATURE_BYTES:
        if len(table) >= CACHE_SIGNATURES:
            table.clear()
        table[signature] = value


def parse_single(signature: str) -> Type:
    """Return the type of `signature`, which must be one complete type, as in a variant."""
    types = parse(signature)
    if len(types) != 1:
        raise PeerError(f"not a single complete type: {signature!r}")
    return types[0]


class _Parser:
    def __init__(self, text: str) -> None:
        self._text = text
        self._position = 0

    def all(self) -> Types:
        types = []
        while self._position < len(self._text):
            types.append(self._one(0, 0))
        return tuple(types)

    def _one(self, arrays: int, structs: int) -> Type:
        code = self._take()
        if code in _BASIC_TYPES:
            return _BASIC_TYPES[code]
        if code == "a":
            if arrays == ARRAY_DEPTH:
                raise self._bad("arrays are nested too deeply")
            if self._peek() == "{":
                return ("a", self._dict_entry(arrays + 1, structs))
            return ("a", self._one(arrays + 1, structs))
        if code == "(":
            return ("(", self._fields(arrays, structs))
        raise self._bad(f"{code!r} is not a type")

    def _fields(self, arrays: int, structs: int) -> Types:
        if structs == STRUCT_DEPTH:
            raise self._bad("structs are nested too deeply")
        fields = []
        while self._peek() != ")":
            fields.append(self._one(arrays, structs + 1))
        self._take()
        if not fields:
            raise self._bad("a struct is empty")
        return tuple(fields)

    def _dict_entry(self, arrays: int, structs: int) -> Type:
        if structs == STRUCT_DEPTH:
            raise self._bad("structs are nested too deeply")
        self._take()
        key = self._take()
        if key not in BASIC:
            raise self._bad("a dictionary key is not of a basic type")
        value = self._one(arrays, structs + 1)
        if self._take() != "}":
            raise self._bad("a dictionary entry has not two types")
        return ("{", (key,), value)

    def _peek(self) -> str:
        if self._position == len(self._text):
            raise self._bad("it ends too early")
        return self._text[self._position]

    def _take(self) -> str:
        code = self._peek()
        self._position += 1
        return code

    def _bad(self, why: str) -> PeerError:
        return PeerError(f"bad signature {self._text!r}: {why}")
