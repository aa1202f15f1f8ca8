"""What one option is: its names, its sources, its type, and how a text becomes its value.

Rules of this file:

- An option is a class attribute of a section (`table.py`); read through an instance it is the
  value. That declaration is the only place where anything about the option is written.
- Every value starts as text, the default too, so that one parser serves files, environment,
  command line and defaults.
- A type decides what a text that does not fit means: refused (ValueError) or replaced, then with
  a complaint. The empty text means *unset*: nothing, 0, false, of choices the default.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    Parsed = tuple[Any, str]

NATIVE = "native"
COMPATIBLE = "compatible"

# White space as C's isspace() sees it; Python's own idea is wider.
BLANKS = " \t\n\v\f\r"

# The reference reads numbers with strtol(3).
LONG_MIN = -(2**63)
LONG_MAX = 2**63 - 1
_LONG_DIGITS = 19


class Option:
    """One option. `key` is empty for what exists on the command line only."""

    __slots__ = (
        "attribute",
        "compatible_default",
        "compatible_key",
        "default",
        "environment",
        "flags",
        "help",
        "key",
        "metavar",
    )

    unset_is_default = False

    def __init__(
        self,
        key: str,
        help: str,  # the name argparse gives it
        *,
        default: str = "",
        compatible_key: str = "",
        compatible_default: str = "",
        environment: str = "",
        flags: tuple[str, ...] = (),
        metavar: str = "",
    ) -> None:
        self.attribute = ""
        self.key = key
        self.help = help
        self.default = default
        self.compatible_key = compatible_key or key
        self.compatible_default = compatible_default or default
        self.environment = environment
        self.flags = flags
        self.metavar = metavar

    def __set_name__(self, owner: type, name: str) -> None:
        self.attribute = name

    def __get__(self, section: Section, owner: type | None = None) -> Any:
        return section.values[self.attribute]

    def name(self, dialect: str) -> str:
        """Return the key in `dialect`."""
        return self.key if dialect == NATIVE else self.compatible_key

    def default_text(self, dialect: str) -> str:
        """Return the built-in default in `dialect`."""
        return self.default if dialect == NATIVE else self.compatible_default

    def parse(self, text: str) -> Parsed:
        """Return the value of `text` and a complaint about it (empty: none).

        Raises ValueError when the text is refused.
        """
        raise NotImplementedError

    def text(self, value: Any) -> str:
        """Return the text that :meth:`parse` reads as `value`."""
        return str(value)


class Text(Option):
    """Any text; unset is the empty text."""

    __slots__ = ()

    def parse(self, text: str) -> Parsed:
        return text, ""

    if TYPE_CHECKING:

        def __get__(self, section: Section, owner: type | None = None) -> str: ...


class Words(Option):
    """A comma-separated list: trimmed, in order, without empty items and repetitions."""

    __slots__ = ()

    def parse(self, text: str) -> Parsed:
        words = [word.strip(BLANKS) for word in text.split(",")]
        return tuple(dict.fromkeys(word for word in words if word)), ""

    def text(self, value: tuple[str, ...]) -> str:
        return ",".join(value)

    if TYPE_CHECKING:

        def __get__(self, section: Section, owner: type | None = None) -> tuple[str, ...]: ...


class Flag(Option):
    """True for the reference's words for it; everything else, also `1`, is false."""

    __slots__ = ()

    TRUE = ("true", "t", "yes", "y", "on")
    FALSE = ("", "false", "f", "no", "n", "off", "0")

    def parse(self, text: str) -> Parsed:
        word = text.lower()
        if word in self.TRUE:
            return True, ""
        if word in self.FALSE:
            return False, ""
        return False, f"{text!r} is none of {', '.join(self.TRUE)}, and so means false"

    def text(self, value: bool) -> str:
        return "true" if value else "false"

    if TYPE_CHECKING:

        def __get__(self, section: Section, owner: type | None = None) -> bool: ...


class Number(Option):
    """A decimal number as strtol(3) reads it, in a range; unset is 0."""

    __slots__ = ("high", "low")

    def __init__(
        self,
        key: str,
        help: str,
        *,
        default: str,
        low: int = LONG_MIN,
        high: int = LONG_MAX,
        compatible_key: str = "",
        flags: tuple[str, ...] = (),
        metavar: str = "",
    ) -> None:
        super().__init__(
            key,
            help,
            default=default,
            compatible_key=compatible_key,
            flags=flags,
            metavar=metavar,
        )
        self.low = low
        self.high = high

    def parse(self, text: str) -> Parsed:
        if not text:
            return 0, ""
        value = _decimal(text)
        if value is None:
            raise ValueError(f"{text!r} is not a whole number")
        if not self.low <= value <= self.high:
            raise ValueError(f"{text!r} is not between {self.low} and {self.high}")
        return value, ""

    if TYPE_CHECKING:

        def __get__(self, section: Section, owner: type | None = None) -> int: ...


class Choice(Option):
    """One of a few words, the first of them the default.

    `lenient`: another word means the default, as in the reference; without it, it is refused.
    `fold`: upper and lower case are the same.
    """

    __slots__ = ("choices", "fold", "lenient")

    unset_is_default = True

    def __init__(
        self,
        key: str,
        help: str,
        choices: tuple[str, ...],
        *,
        lenient: bool = False,
        fold: bool = False,
        compatible_default: str = "",
        environment: str = "",
    ) -> None:
        super().__init__(
            key,
            help,
            default=choices[0],
            compatible_default=compatible_default,
            environment=environment,
            metavar="|".join(choices),
        )
        self.choices = choices
        self.lenient = lenient
        self.fold = fold

    def parse(self, text: str) -> Parsed:
        word = text.lower() if self.fold else text
        if word in self.choices:
            return word, ""
        complaint = f"{text!r} is none of {', '.join(self.choices)}"
        if not self.lenient:
            raise ValueError(complaint)
        return self.default, f"{complaint}, and so means {self.default}"

    if TYPE_CHECKING:

        def __get__(self, section: Section, owner: type | None = None) -> str: ...


class Section:
    """Effective options of one section: every option has a value and a source."""

    __slots__ = ("sources", "values")

    def __init__(self) -> None:
        self.values: dict[str, Any] = {}
        self.sources: dict[str, str] = {}

    @classmethod
    def options(cls) -> Iterator[Option]:
        """Yield the options in the order of their declaration, the class's own first."""
        for kind in cls.__mro__:
            for attribute in vars(kind).values():
                if isinstance(attribute, Option):
                    yield attribute


def _decimal(text: str) -> int | None:
    bare = text.lstrip(BLANKS)
    digits = bare[1:] if bare[:1] in ("+", "-") else bare
    if not (digits.isascii() and digits.isdigit()):
        return None
    if len(digits.lstrip("0")) > _LONG_DIGITS:
        return None
    value = int(bare)
    return value if LONG_MIN <= value <= LONG_MAX else None
