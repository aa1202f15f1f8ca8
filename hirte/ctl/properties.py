"""Properties of units as people write them: `CPUWeight=50`, `MemoryMax=2G`, `CPUQuota=150%`.

D-Bus wants to be told the type of every value, and systemd the plain unit of measure: the table
says both. It has the properties that are set while a unit runs, see systemd.resource-control(5).
"""

from __future__ import annotations

from hirte.ctl.exits import USAGE, Failure
from hirte.ctl.failures import meant

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

# How systemd spells no limit.
_INFINITY = 2**64 - 1
# systemd.resource-control(5): to the base 1024.
_SUFFIXES = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}
_TRUE, _FALSE = ("yes", "true", "on", "1"), ("no", "false", "off", "0")


def _number(text: str) -> int:
    if not text.isdecimal():
        raise ValueError("a number")
    return int(text)


def _weight(text: str) -> int:
    value = _number(text)
    if not 1 <= value <= 10000:
        raise ValueError("a number from 1 to 10000")
    return value


def _limit(text: str) -> int:
    return _INFINITY if text == "infinity" else _number(text)


def _bytes(text: str) -> int:
    if text == "infinity":
        return _INFINITY
    suffix = text[-1:].upper() if not text[-1:].isdecimal() else ""
    digits = text[: len(text) - len(suffix)]
    if suffix not in _SUFFIXES or not digits.isdecimal():
        raise ValueError("bytes, with K, M, G or T if you like, or infinity")
    return int(digits) * _SUFFIXES[suffix]


def _quota(text: str) -> int:
    """Return microseconds of CPU time per second."""
    if text == "":
        return _INFINITY
    if not text.endswith("%") or not text[:-1].isdecimal() or not int(text[:-1]):
        raise ValueError("a percentage of one CPU, e.g. 150%, or empty for no limit")
    return int(text[:-1]) * 10_000


def _flag(text: str) -> bool:
    if text.lower() not in _TRUE + _FALSE:
        raise ValueError("yes or no")
    return text.lower() in _TRUE


# Name -> systemd's name, signature, and what reads the value.
KNOWN: dict[str, tuple[str, str, Callable[[str], Any]]] = {
    **{
        name: (name, "t", _weight)
        for name in ("CPUWeight", "StartupCPUWeight", "IOWeight", "StartupIOWeight")
    },
    **{
        name: (name, "t", _bytes)
        for name in ("MemoryMin", "MemoryLow", "MemoryHigh", "MemoryMax", "MemorySwapMax")
    },
    "TasksMax": ("TasksMax", "t", _limit),
    "CPUQuota": ("CPUQuotaPerSecUSec", "t", _quota),
    **{
        name: (name, "b", _flag)
        for name in ("CPUAccounting", "IOAccounting", "MemoryAccounting", "TasksAccounting")
    },
    "Description": ("Description", "s", str),
}


def assignment(text: str) -> tuple[str, tuple[str, Any]]:
    """Return the name and the variant of `NAME=VALUE`. Raises Failure."""
    name, equals, value = text.partition("=")
    if not equals:
        raise Failure(f"'{text}' is not NAME=VALUE", USAGE)
    if name not in KNOWN:
        text = f"no property '{name}' can be set{meant(name, KNOWN)}"
        raise Failure(text, USAGE, f"these can be set: {', '.join(sorted(KNOWN))}")
    theirs, signature, read = KNOWN[name]
    try:
        return theirs, (signature, read(value))
    except ValueError as error:
        raise Failure(f"{name} is {error}, not '{value}'", USAGE) from None
