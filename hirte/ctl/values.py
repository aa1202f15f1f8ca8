"""Properties of units as people read them: the words and times of `systemctl show`.

D-Bus tells numbers only. What a number means, systemctl itself goes by the property's name.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

# UINT64_MAX, with which systemd says that there is no such number.
_NONE = 2**64 - 1
# Names of limits begin or end so, and of time spans; but what was measured is no limit.
_LIMITS = ("Max", "High", "Low", "Min", "Sec", "SecMonotonic", "Limit", "MemoryAvailable")
_RESOURCE_LIMIT = "Limit"
_MEASURED = "NSec"
_TIME = "Timestamp"
# What the network counts.
_COUNTED = ("IPIngress", "IPEgress")
# Sets of bits, of which all are set.
_BITS = ("CapabilityBoundingSet", "AmbientCapabilities", "RestrictNamespaces", "MountFlags")


def property_text(name: str, value: Any) -> str:
    """Return the value of a property on one line, as systemctl does."""
    if isinstance(value, int) and not isinstance(value, bool):
        if name.endswith(_TIME):
            return _moment(value)
        if value == _NONE and name not in _BITS:
            return _no_number(name)
    return _text(value)


def _no_number(name: str) -> str:
    if name.startswith(_COUNTED):
        return "[no data]"
    is_limit = name.startswith(_RESOURCE_LIMIT) or name.endswith(_LIMITS)
    return "infinity" if is_limit and not name.endswith(_MEASURED) else "[not set]"


def _moment(microseconds: int) -> str:
    """Return a local time, or nothing for one that never was."""
    if microseconds in (0, _NONE):
        return ""
    from time import localtime, strftime

    return strftime("%a %Y-%m-%d %H:%M:%S %Z", localtime(microseconds // 1_000_000))


def _text(value: Any) -> str:
    """Return a value on one line: lists with spaces, as systemctl does."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, (list, tuple)):
        inner = [_text(item) for item in value]
        return " ".join(inner) if isinstance(value, list) else f"({', '.join(inner)})"
    if isinstance(value, dict):
        return " ".join(f"{_text(key)}={_text(item)}" for key, item in value.items())
    return str(value)
