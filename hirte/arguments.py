"""Command lines of the tools, read as getopt_long(3) would, and how their help is laid out.

Options stand anywhere, most long ones may be shortened, `--` ends them. A command line without
options needs no parser and pays for none.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence
    from typing import Any, NoReturn


class UsageError(Exception):
    """The command line is wrong; the text is one line for people.

    `unknown` is the option that there is not, if that is what is wrong.
    """

    def __init__(self, text: str, unknown: str = "") -> None:
        super().__init__(text)
        self.unknown = unknown


class Option:
    """An option. `name` is the long one without dashes; `metavar` is empty if it is a mere flag.

    The values of one that may be given `many` times are joined with commas; of others the last
    counts. An `exact` one may not be shortened: what it does must have been meant.
    """

    __slots__ = ("exact", "help", "many", "metavar", "name", "short")

    def __init__(
        self,
        name: str,
        metavar: str,
        help: str,
        short: str = "",
        many: bool = False,
        exact: bool = False,
    ) -> None:
        self.name = name
        self.metavar = metavar
        self.help = help
        self.short = short
        self.many = many
        self.exact = exact

    @property
    def spellings(self) -> list[str]:
        """Return how it may be written, with dashes, the short way first."""
        return [*([f"-{self.short}"] if self.short else []), f"--{self.name}"]

    @property
    def usage(self) -> str:
        """Return how it is written, with all its spellings and what follows."""
        return f"{', '.join(self.spellings)} {self.metavar}".rstrip()


def read(argv: Sequence[str], known: Sequence[Option]) -> tuple[list[str], dict[str, str]]:
    """Return the words, and the options given, by long name; a flag has an empty text.

    Raises UsageError.
    """
    for word in argv:
        if not _is_text(word):
            raise UsageError(f"{word!a} is not UTF-8")
    end = argv.index("--") if "--" in argv else len(argv)
    words, after = list(argv[:end]), argv[end + 1 :]
    options: dict[str, str] = {}
    if any(map(_is_option, words)):
        for word in words:
            if _is_cut(word, known):
                raise _unknown(word)
        namespace, words = build_parser(known).parse_known_args(words)
        for name, value in vars(namespace).items():
            options[name] = ",".join(value) if isinstance(value, list) else value
        for word in filter(_is_option, words):
            raise _unknown(word)
    return [*words, *after], options


def _is_text(word: str) -> bool:
    """Tell whether the argument was UTF-8; what was not came in as surrogates."""
    if word.isprintable():
        return True
    try:
        word.encode()
    except UnicodeEncodeError:
        return False
    return True


def _is_option(word: str) -> bool:
    return len(word) > 1 and word.startswith("-")


def _is_cut(word: str, known: Sequence[Option]) -> bool:
    """Tell whether a word is a shortened option and can only mean one that must not be that."""
    begun = word.partition("=")[0]
    if not begun.startswith("--"):
        return False
    meant = [option for option in known if f"--{option.name}".startswith(begun)]
    return any(meant) and all(o.exact and f"--{o.name}" != begun for o in meant)


def _unknown(word: str) -> UsageError:
    return UsageError(f"unrecognized option '{word}'", word)


def build_parser(known: Sequence[Option], program: str = "") -> argparse.ArgumentParser:
    """Return the parser that runs, and that the manual page is made from; words are not its.

    A value is the text given; a flag has an empty text.
    """
    import argparse

    takes = {"/".join(option.spellings): option for option in known if option.metavar}

    class Parser(argparse.ArgumentParser):
        def error(self, message: str) -> NoReturn:
            raise UsageError(message)

        def parse_known_args(self, *args: Any, **more: Any) -> Any:
            try:
                return super().parse_known_args(*args, **more)
            except argparse.ArgumentError as error:
                option = takes.get(error.argument_name or "")
                # All that can be wrong with one that takes any text is that there is none.
                raise UsageError(
                    f"--{option.name} needs {option.metavar}: {option.help}"
                    if option
                    else str(error)
                ) from None

    parser = Parser(
        prog=program, add_help=False, argument_default=argparse.SUPPRESS, exit_on_error=False
    )
    for option in known:
        name, help = option.name, option.help.replace("%", "%%")
        if option.metavar:
            action = "append" if option.many else "store"
            parser.add_argument(
                *option.spellings, dest=name, metavar=option.metavar, action=action, help=help
            )
        else:
            parser.add_argument(
                *option.spellings, dest=name, action="store_const", const="", help=help
            )
    return parser


def columns(rows: Sequence[tuple[str, str]]) -> list[str]:
    """Return the lines of a help text in two columns."""
    width = max(len(left) for left, _ in rows)
    return [f"  {left:{width}}  {right}" for left, right in rows]
