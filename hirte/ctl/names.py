"""What the administrator may write for the name of a unit."""

from __future__ import annotations

# systemd.unit(5)
_TYPES = (
    "automount", "device", "mount", "path", "scope", "service", "slice", "socket", "swap",
    "target", "timer",
)  # fmt: skip


def unit_name(word: str) -> str:
    """Return the full name of a unit: as with systemctl, one without a type is a service."""
    return word if word.rpartition(".")[2] in _TYPES else f"{word}.service"


def by_type(name: str) -> tuple[str, str]:
    """Return what to sort units by, as systemctl does: their type, then their name."""
    return name.rpartition(".")[2], name


def is_glob(word: str) -> bool:
    """Tell whether a word means more than one name."""
    return "*" in word or "?" in word


def matches(pattern: str, name: str) -> bool:
    """Tell whether the whole of `name` fits `pattern`; `*` is any text, `?` any one character."""
    from fnmatch import fnmatchcase

    # Nothing else is special, whereas fnmatch knows sets of characters too.
    return fnmatchcase(name, pattern.replace("[", "[[]"))
