"""Read the command line after the table of verbs, as getopt_long(3) would.

Options stand anywhere, also before the verb; long ones may be shortened; `--` ends them, which is
how to speak of a unit like `-.mount`. A command line without options needs no parser and pays for
none.
"""

from __future__ import annotations

from hirte.ctl.about import unknown, usage
from hirte.ctl.exits import USAGE, Failure
from hirte.ctl.options import ALL_NODES, COMMON, HELP, VERSION
from hirte.ctl.verbs import DEFAULT, VERBS

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence
    from typing import NoReturn

    from hirte.ctl.verbs import Verb


def read(argv: Sequence[str], program: str) -> tuple[Verb, list[str], dict[str, str]]:
    """Return the verb, the words that follow it, and the options given, by long name.

    Raises Failure when the verb, an option or the number of words is wrong.
    """
    for word in argv:
        if not word.isprintable() and not _is_text(word):
            raise Failure(f"'{word}' is not UTF-8", USAGE)
    words, options = _split(argv, program)
    if VERSION.name in options:
        return VERBS["version"], [], {}
    if HELP.name in options:
        return VERBS["help"], words[:1], {}
    if not words:
        words = [DEFAULT.name]
    verb = VERBS.get(words[0])
    if verb is None:
        raise Failure(unknown(program, words[0]), USAGE)
    if ALL_NODES.name in options and ALL_NODES in verb.options:
        words.insert(1, "*")
    if not verb.takes(len(words) - 1):
        problem = "too few words" if len(words) - 1 < len(verb.words) else "too many words"
        raise Failure(f"{problem}; usage: {usage(program, verb)}", USAGE)
    known = [option.name for option in verb.options]
    for name in options:
        if name not in known:
            text = f"{verb.name} has no option --{name}; usage: {usage(program, verb)}"
            raise Failure(text, USAGE)
    return verb, words[1:], options


def _is_text(word: str) -> bool:
    """Tell whether the argument was UTF-8; what was not came in as surrogates."""
    try:
        word.encode()
    except UnicodeEncodeError:
        return False
    return True


def _split(argv: Sequence[str], program: str) -> tuple[list[str], dict[str, str]]:
    """Return all words and all options."""
    before, after = list(argv), []
    if "--" in before:
        end = before.index("--")
        before, after = before[:end], before[end + 1 :]
    if not any(_is_option(word) for word in before):
        return before + after, {}
    namespace, words = build_parser(program).parse_known_args(before)
    for word in words:
        if _is_option(word):
            raise Failure(f"unknown option {word}; after -- it would be a word", USAGE)
    options = {
        name: ",".join(value) if isinstance(value, list) else value
        for name, value in vars(namespace).items()
    }
    return words + after, options


def _is_option(word: str) -> bool:
    return len(word) > 1 and word.startswith("-")


def build_parser(program: str) -> argparse.ArgumentParser:
    """Return the parser of the options of all verbs; it leaves the words alone.

    The manual page is made from it, too. A value is the text given; a flag has an empty text.
    """
    import argparse

    class Parser(argparse.ArgumentParser):
        def error(self, message: str) -> NoReturn:
            raise Failure(message, USAGE)

    parser = Parser(prog=program, add_help=False, argument_default=argparse.SUPPRESS)
    known = {option.name: option for verb in VERBS.values() for option in verb.options}
    for option in [*known.values(), *COMMON]:
        flags = [*([f"-{option.short}"] if option.short else []), f"--{option.name}"]
        if option.metavar:
            action = "append" if option.many else "store"
            parser.add_argument(
                *flags, dest=option.name, metavar=option.metavar, action=action, help=option.help
            )
        else:
            parser.add_argument(
                *flags, dest=option.name, action="store_const", const="", help=option.help
            )
    return parser
