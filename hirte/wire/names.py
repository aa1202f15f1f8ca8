"""The grammar of names, after the D-Bus specification's "Valid Names", on raw bytes.

Every function answers a question and raises nothing. They delete the allowed characters and look
whether anything is left, which runs in C, because each message asks several of these questions.
"""

from __future__ import annotations

from hirte.wire.limits import NAME_LENGTH

_DIGITS = b"0123456789"
_WORD = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_" + _DIGITS
_PATH = _WORD + b"/"
_DOTTED = _WORD + b"."
_BUS = _DOTTED + b"-"


def is_object_path(path: bytes) -> bool:
    """Tell whether `path` is an object path: `/`, or `/` and words between single slashes."""
    if path == b"/":
        return True
    return (
        path.startswith(b"/")
        and not path.endswith(b"/")
        and not path.translate(None, _PATH)
        and b"//" not in path
    )


def is_member(name: bytes) -> bool:
    """Tell whether `name` can be the name of a method, a signal or a property."""
    return (
        0 < len(name) <= NAME_LENGTH
        and name[0] not in _DIGITS
        and not name.translate(None, _WORD)
    )


def is_interface(name: bytes) -> bool:
    """Tell whether `name` can be the name of an interface; error names have the same grammar."""
    return (
        len(name) <= NAME_LENGTH
        and not name.translate(None, _DOTTED)
        and _is_dotted(name, digits_may_lead=False)
    )


def is_unique_name(name: bytes) -> bool:
    """Tell whether `name` is a unique connection name such as `:1.42`."""
    return (
        len(name) <= NAME_LENGTH
        and name.startswith(b":")
        and not name[1:].translate(None, _BUS)
        and _is_dotted(name[1:], digits_may_lead=True)
    )


def is_bus_name(name: bytes) -> bool:
    """Tell whether `name` is a unique or a well-known connection name."""
    if name.startswith(b":"):
        return is_unique_name(name)
    return (
        len(name) <= NAME_LENGTH
        and not name.translate(None, _BUS)
        and _is_dotted(name, digits_may_lead=False)
    )


def _is_dotted(name: bytes, digits_may_lead: bool) -> bool:
    parts = name.split(b".")
    forbidden = b"" if digits_may_lead else _DIGITS
    return len(parts) >= 2 and all(part and part[0] not in forbidden for part in parts)
