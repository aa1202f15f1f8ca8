"""Command lines of the small tools, read as getopt_long(3) would.

Options stand anywhere, long ones may be shortened, `--` ends them. A command line without options
needs no parser and pays for none.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence
    from typing import NoReturn


class UsageError(Exception):
    """The command line is wrong; the text is one line for people."""


class Option:
    """An option: `name` and `short` without dashes; without a `metavar` it is a mere flag."""

    __slots__ = ("metavar", "name", "short")

    def __init__(self, name: str, short: str = "", metavar: str = "") -> None:
        self.name = name
        self.short = short
        self.metavar = metavar


def read(argv: Sequence[str], known: Sequence[Option]) -> tuple[list[str], dict[str, str]]:
    """Return the words, and the options given, by long name; a flag has an empty text.

    Raises UsageError.
    """
    for word in argv:
        if not is_text(word):
            raise UsageError(f"{word!a} is not UTF-8")
    end = argv.index("--") if "--" in argv else len(argv)
    words, after = list(argv[:end]), argv[end + 1 :]
    options: dict[str, str] = {}
    if any(map(is_option, words)):
        namespace, words = _parser(known).parse_known_args(words)
        options = dict(vars(namespace))
        for word in filter(is_option, words):
            raise UsageError(f"unrecognized option '{word}'")
    return [*words, *after], options


def is_text(word: str) -> bool:
    """Tell whether the argument was UTF-8; what was not came in as surrogates."""
    if word.isprintable():
        return True
    try:
        word.encode()
    except UnicodeEncodeError:
        return False
    return True


def is_option(word: str) -> bool:
    """Tell whether the argument is an option, if it stands before `--`."""
    return len(word) > 1 and word.startswith("-")


def _parser(known: Sequence[Option]) -> argparse.ArgumentParser:
    import argparse

    class Parser(argparse.ArgumentParser):
        def error(self, message: str) -> NoReturn:
            raise UsageError(message)

    parser = Parser(add_help=False, argument_default=argparse.SUPPRESS)
    for option in known:
        flags = [f"--{option.name}", *([f"-{option.short}"] if option.short else [])]
        if option.metavar:
            parser.add_argument(*flags, dest=option.name, metavar=option.metavar)
        else:
            parser.add_argument(*flags, dest=option.name, action="store_const", const="")
    return parser
