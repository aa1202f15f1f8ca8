"""Is a message body valid? Asked of every body that an untrusted peer sent, before it is relayed.

A bus daemon disconnects whoever hands it an invalid message, so bytes that are copied from one
peer to another without decoding must be proven valid first. The rules are those of decode.py; no
values are built. Each signature is compiled once into nested closures, and runs of fields that
are aligned to four bytes (all of a systemd unit's tuple) are walked as machine words: half the
time of decoding, and no garbage. A large body that was proven valid is remembered by its hash:
state managers poll lists that hardly change, and hashing is fifty times faster than walking.

A walker gets the body, its words, a position and the containers it is nested in, and returns the
position behind its value. A walker may run past the end of its array (never of the body): who
reads an array compares the ends.
"""

from __future__ import annotations

import sys

from hirte.wire.decode import decode
from hirte.wire.encode import NATIVE
from hirte.wire.errors import PeerError
from hirte.wire.limits import ARRAY_BYTES, CACHE_ENTRIES, TOTAL_DEPTH
from hirte.wire.names import is_object_path
from hirte.wire.signature import ALIGNMENT, parse, parse_single, remember

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Callable

    from hirte.wire.signature import Type, Types

    Words = memoryview[int]
    Walker = Callable[[bytes, Words, int, int], int]

_SIZES = {"y": 1, "n": 2, "q": 2, "x": 8, "t": 8, "d": 8}
_NUMBER, _BOOLEAN, _TEXT, _PATH = range(4)
_WORD_KINDS = {"i": _NUMBER, "u": _NUMBER, "h": _NUMBER, "b": _BOOLEAN, "s": _TEXT, "o": _PATH}
# Which bytes of a word lie at or behind an offset into it, in memory order.
if sys.byteorder == "little":
    _BEHIND = (0xFFFFFFFF, 0xFFFFFF00, 0xFFFF0000, 0xFF000000)
else:
    _BEHIND = (0xFFFFFFFF, 0x00FFFFFF, 0x0000FFFF, 0x000000FF)

# Bodies from this size on are worth a place in the memory of valid ones: below, walking is cheap.
_REMEMBER_BYTES = 2048

# Keys are (signature, length, hash). The hash of bytes is SipHash with a key that is drawn at the
# start of the process, so a peer cannot prepare an invalid body that meets a remembered hash.
_proven: dict[tuple[str, int, int], bool] = {}
_compiled: dict[str, Walker] = {}
_compiled_variants: dict[bytes, Walker] = {}


def check(signature: str, body: bytes, order: str) -> None:
    """Raise PeerError unless `body` holds exactly the values that `signature` promises.

    `order` is `<` or `>`. A body in the foreign byte order is simply decoded: it will be
    converted anyway.
    """
    if order != NATIVE:
        decode(signature, body, order)
        return
    if len(body) < _REMEMBER_BYTES:
        _walk(signature, body)
        return
    key = (signature, len(body), hash(body))
    if key not in _proven:
        _walk(signature, body)
        if len(_proven) >= CACHE_ENTRIES:
            _proven.clear()
        _proven[key] = True


def _walk(signature: str, body: bytes) -> None:
    walk = _compiled.get(signature)
    if walk is None:
        walk = _sequence(parse(signature))
        remember(_compiled, signature, walk)
    words = memoryview(body)[: len(body) & ~3].cast("I")
    try:
        end = walk(body, words, 0, 0)
    except IndexError as error:
        raise PeerError("the body ends inside a value") from error
    except UnicodeDecodeError as error:
        raise PeerError("a string is not UTF-8") from error
    if end != len(body):
        raise PeerError("the body and its signature differ in length")


def _sequence(kinds: Types) -> Walker:
    """Return the walker of values that follow each other: arguments, or the fields of a struct."""
    steps = []
    run: list[int] = []
    for kind in kinds:
        if kind[0] in _WORD_KINDS:
            run.append(_WORD_KINDS[kind[0]])
            continue
        if run:
            steps.append(_words(tuple(run)))
            run = []
        steps.append(_compile(kind))
    if run:
        steps.append(_words(tuple(run)))
    if len(steps) == 1:
        return steps[0]

    def walk(body: bytes, words: Words, position: int, depth: int) -> int:
        for step in steps:
            position = step(body, words, position, depth)
        return position

    return walk


def _words(run: tuple[int, ...]) -> Walker:
    def walk(body: bytes, words: Words, position: int, depth: int) -> int:
        for kind in run:
            index = position >> 2
            if position & 3:
                if words[index] & _BEHIND[position & 3]:
                    raise PeerError("padding is not zero")
                index += 1
            value = words[index]
            position = 4 * index + 4
            if kind >= _TEXT:
                start = position
                position += value + 1
                raw = body[start:position]
                if raw.find(0) != value:
                    raise PeerError("a string is not terminated by its only NUL byte")
                if kind == _PATH:
                    if not is_object_path(raw[:-1]):
                        raise PeerError(f"not an object path: {raw[:80]!r}")
                elif not raw.isascii():
                    raw.decode()
            elif kind == _BOOLEAN and value > 1:
                raise PeerError(f"a boolean is {value}")
        return position

    return walk


def _compile(kind: Type) -> Walker:
    code = kind[0]
    if code in _WORD_KINDS:
        return _words((_WORD_KINDS[code],))
    if code in _SIZES:
        return _sized(_SIZES[code])
    if code == "g":
        return _signature
    if code == "v":
        return _variant
    if code == "a":
        return _array(kind[1])
    return _struct(kind[1] if code == "(" else kind[1:])


def _aligned(body: bytes, position: int, alignment: int) -> int:
    gap = -position % alignment
    if gap and body[position : position + gap] != bytes(gap):
        raise PeerError("padding is missing or not zero")
    return position + gap


def _sized(size: int) -> Walker:
    def walk(body: bytes, words: Words, position: int, depth: int) -> int:
        position = _aligned(body, position, size) + size
        if position > len(body):
            raise PeerError("the body ends inside a number")
        return position

    return walk


def _signature_text(body: bytes, position: int) -> bytes:
    size = body[position]
    raw = body[position + 1 : position + size + 2]
    if raw.find(0) != size:
        raise PeerError("a signature is not terminated by its only NUL byte")
    return raw[:-1]


def _signature(body: bytes, words: Words, position: int, depth: int) -> int:
    raw = _signature_text(body, position)
    parse(raw.decode("latin-1"))
    return position + len(raw) + 2


def _variant(body: bytes, words: Words, position: int, depth: int) -> int:
    raw = _signature_text(body, position)
    walk = _compiled_variants.get(raw)
    if walk is None:
        walk = _compile(parse_single(raw.decode("latin-1")))
        remember(_compiled_variants, raw, walk)
    return walk(body, words, position + len(raw) + 2, _deeper(depth))


def _struct(fields: Types) -> Walker:
    walk_fields = _sequence(fields)

    def walk(body: bytes, words: Words, position: int, depth: int) -> int:
        if position & 7:
            position = _aligned(body, position, 8)
        return walk_fields(body, words, position, _deeper(depth))

    return walk


def _array(element: Type) -> Walker:
    alignment = ALIGNMENT[element[0]]
    fixed_size = _SIZES.get(element[0], 0)
    is_dict = element[0] == "{"
    walk_element = _compile(element)

    def walk(body: bytes, words: Words, position: int, depth: int) -> int:
        depth = _deeper(depth)
        if is_dict:
            _deeper(depth)
        position = _aligned(body, position, 4)
        size = words[position >> 2]
        position = _aligned(body, position + 4, alignment)
        end = position + size
        if size > ARRAY_BYTES or end > len(body):
            raise PeerError("an array is longer than its body")
        if fixed_size:
            if size % fixed_size:
                raise PeerError("an array ends inside an element")
            return end
        while position < end:
            position = walk_element(body, words, position, depth)
        if position != end:
            raise PeerError("an element crosses the end of its array")
        return end

    return walk


def _deeper(depth: int) -> int:
    if depth == TOTAL_DEPTH:
        raise PeerError("containers are nested too deeply")
    return depth + 1
