"""The verbs about the tool itself, and its help, made from the table of verbs."""

from __future__ import annotations

from hirte import __version__
from hirte.ctl.exits import DONE, MEANINGS, USAGE, Failure
from hirte.ctl.text import wrap

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from hirte.ctl.options import Option
    from hirte.ctl.request import Request
    from hirte.ctl.verbs import Verb

# Columns of the explanations, however small the terminal is.
_LEAST = 20


def version(request: Request) -> int:
    """Print the version."""
    print(f"{request.program} version {__version__}")
    return DONE


def help(request: Request) -> int:
    """Explain the verb that is the request's first word, or all."""
    from hirte.ctl.verbs import VERBS

    if not request.words:
        print(overview(request.program, request.out.width), end="")
        return DONE
    verb = VERBS.get(request.words[0])
    if verb is None:
        raise unknown(request.words[0])
    print(explanation(request.program, verb, request.out.width), end="")
    return DONE


def usage(program: str, verb: Verb) -> str:
    """Return how to say the verb."""
    options = ["[OPTION...]"] if verb.options else []
    return " ".join([program, verb.name, *verb.words, *options])


def unknown(word: str) -> Failure:
    """Return the failure that a word is no verb."""
    from hirte.ctl.failures import meant
    from hirte.ctl.verbs import VERBS

    text = f"unknown command '{word}'{meant(word, VERBS)}"
    return Failure(text, USAGE, "`{program} help` lists the commands")


def explanation(program: str, verb: Verb, width: int = 0) -> str:
    """Return the help on one verb; a `width` above 0 is that of the terminal."""
    from hirte.ctl.options import COMMON

    lines = [f"usage: {usage(program, verb)}", "", _sentence(verb.help), "", "options:"]
    lines += _options([*verb.options, *COMMON], width)
    lines += ["", f"example: {program} {verb.example}"]
    return "\n".join(lines) + "\n"


def overview(program: str, width: int = 0) -> str:
    """Return the help on the whole tool; a `width` above 0 is that of the terminal."""
    from hirte.ctl.options import COMMON
    from hirte.ctl.verbs import VERBS

    lines = [f"usage: {program} [COMMAND [WORD...]] [OPTION...]", "", "commands:"]
    said = [(" ".join([verb.name, *verb.words]), verb.help) for verb in VERBS.values()]
    lines += _columns(said, width)
    known = {option.name: option for verb in VERBS.values() for option in verb.options}
    lines += ["", "options:", *_options([*known.values(), *COMMON], width)]
    lines += ["", "exit codes:"]
    lines += _columns([(str(code), meaning) for code, meaning in MEANINGS.items()], width)
    return "\n".join(lines) + "\n"


def _options(options: Iterable[Option], width: int) -> list[str]:
    return _columns([(_spelling(option, short=True), option.help) for option in options], width)


def _spelling(option: Option, short: bool = False) -> str:
    long = f"--{option.name} {option.metavar}".rstrip()
    return f"-{option.short}, {long}" if short and option.short else long


def _columns(rows: list[tuple[str, str]], width: int) -> list[str]:
    indent = max(len(left) for left, _ in rows)
    room = max(_LEAST, width - indent - 4) if width else max(len(right) for _, right in rows)
    lines = []
    for left, right in rows:
        for line in wrap(right, room):
            lines.append(f"  {left:{indent}}  {line}")
            left = ""
    return lines


def _sentence(text: str) -> str:
    return text[0].upper() + text[1:] + "."
