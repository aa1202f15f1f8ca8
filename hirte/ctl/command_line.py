"""Read the command line after the table of verbs.

Options stand anywhere, also before the verb; `--` ends them, which is how to speak of a unit like
`-.mount`.
"""

from __future__ import annotations

from hirte import arguments
from hirte.arguments import UsageError
from hirte.ctl.about import unknown, usage
from hirte.ctl.exits import USAGE, Failure
from hirte.ctl.failures import meant
from hirte.ctl.options import ALL_NODES, COMMON, HELP, VERSION
from hirte.ctl.verbs import DEFAULT, VERBS, every_option

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from hirte.ctl.verbs import Verb

_NO_OPTION = "`{program} help COMMAND` lists the options; what follows -- is no option"


def read(argv: Sequence[str], program: str) -> tuple[Verb, list[str], dict[str, str]]:
    """Return the verb, the words that follow it, and the options given, by long name.

    Raises Failure when the verb, an option or the number of words is wrong.
    """
    try:
        words, options = _split(argv)
    except UsageError as error:
        raise _wrong(error) from error
    if VERSION.name in options:
        return VERBS["version"], [], {}
    if HELP.name in options:
        return VERBS["help"], words[:1], {}
    if not words:
        words = [DEFAULT.name]
    verb = VERBS.get(words[0])
    if verb is None:
        raise unknown(words[0])
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


def _split(argv: Sequence[str]) -> tuple[list[str], dict[str, str]]:
    """Return the words and the options given. Raises UsageError."""
    try:
        return arguments.read(argv, every_option())
    except UsageError:
        # What is short for options of two verbs may be short for one of this verb.
        for verb in [VERBS[word] for word in argv if word in VERBS][:1]:
            try:
                words, options = arguments.read(argv, [*verb.options, *COMMON])
            except UsageError:
                break
            if words[:1] == [verb.name]:
                return words, options
        raise


def _wrong(error: UsageError) -> Failure:
    if not error.unknown:
        return Failure(str(error), USAGE)
    flags = [f"--{option.name}" for option in every_option()]
    name = error.unknown.partition("=")[0]
    # One that may not be shortened.
    begun = [flag for flag in flags if flag.startswith(name)]
    guess = f"; did you mean {begun[0]}?" if begun else meant(name, flags)
    return Failure(f"unknown option {error.unknown}{guess}", USAGE, _NO_OPTION)
