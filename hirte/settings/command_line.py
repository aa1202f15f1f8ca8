"""Command line of manager and agent, made from the table. Imported only where there is one.

It reads like getopt_long(3): options anywhere, long ones may be shortened, words that are no
options are ignored, `--` ends the options.
"""

from __future__ import annotations

import argparse

from hirte import __version__
from hirte.settings.errors import Answer, ConfigError
from hirte.settings.option import NATIVE, Flag, Number

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import NoReturn

    from hirte.settings.table import Settings

DESCRIPTION = {
    "manager": "Offer one D-Bus API for the systemd services of all nodes.",
    "agent": "Manage the systemd services of this node for a manager.",
}


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise ConfigError(f"{message}\n{self.format_usage().rstrip()}", self.prog)


def build_parser(
    kind: type[Settings], dialect: str = NATIVE, program: str = ""
) -> argparse.ArgumentParser:
    """Return the parser that runs, and that help, manual page and completion are made from.

    Every value it returns is the text as given; flags without argument give True.
    """
    parser = _Parser(
        prog=program or f"hirte-{kind.role}",
        description=DESCRIPTION[kind.role],
        argument_default=argparse.SUPPRESS,
        add_help=False,
    )
    for option in kind.options():
        if not option.flags:
            continue
        description = option.help.replace("%", "%%")
        if isinstance(option, Flag):
            parser.add_argument(
                *option.flags, dest=option.attribute, action="store_true", help=description
            )
            continue
        default = option.default_text(dialect)
        parser.add_argument(
            *option.flags,
            dest=option.attribute,
            metavar=option.metavar,
            help=f"{description} (default: {default})" if default else description,
        )
    return parser


def read(kind: type[Settings], argv: Sequence[str], dialect: str, program: str) -> dict[str, str]:
    """Return the text of every option given, by attribute.

    Raises ConfigError with the usage, or Answer for help and version.
    """
    parser = build_parser(kind, dialect, program)
    words = list(argv)
    if "--" in words:
        del words[words.index("--") :]
    namespace, rest = parser.parse_known_args(words)
    given = vars(namespace)
    if "help" in given:
        raise Answer(parser.format_help().rstrip())
    if "version" in given:
        raise Answer(f"{program} version {__version__}")
    for word in rest:
        if len(word) > 1 and word.startswith("-"):
            parser.error(f"unknown option {word}")
    for option in kind.options():
        # In a file an empty number is "unset"; as an argument it is an unset shell variable.
        if given.get(option.attribute) == "" and (isinstance(option, Number) or not option.key):
            parser.error(f"argument {option.flags[-1]}: it is empty")
    return {name: "true" if value is True else value for name, value in given.items()}
