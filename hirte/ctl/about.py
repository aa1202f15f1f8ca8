"""The verbs about the tool itself, and its help, made from the table of verbs."""

from __future__ import annotations

from hirte import __version__
from hirte.ctl.exits import (
    DONE,
    FAILED,
    INTERRUPTED,
    MEANINGS,
    NOT_ACTIVE,
    OFFLINE,
    TIMED_OUT,
    UNKNOWN,
    UNREACHABLE,
    USAGE,
    Failure,
)
from hirte.ctl.text import wrap

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from hirte.arguments import Option
    from hirte.ctl.request import Request
    from hirte.ctl.verbs import Verb

# Columns of the explanations, however small the terminal is.
_LEAST = 20


# The modules of the verbs that do not ask the manager.
_LOCAL = ("about", "scripts")


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

    lines = [f"usage: {usage(program, verb)}", "", _sentence(verb.help), ""]
    if verb.words:
        lines += ["words:", *_columns(_words(verb), width), ""]
    if verb.prints:
        lines += ["what it prints:", *_columns(list(verb.prints), width), ""]
    lines += ["options:", *_options([*verb.options, *COMMON], width)]
    lines += ["", "exit codes:", *_codes(exit_codes(verb), width)]
    lines += ["", f"example: {program} {verb.example}"]
    return "\n".join(lines) + "\n"


def _words(verb: Verb) -> list[tuple[str, str]]:
    from hirte.ctl.options import ALL_NODES
    from hirte.ctl.words import IN_PLACE_OF_NODE
    from hirte.ctl.words import MEANINGS as WORDS

    more = {"NODE": IN_PLACE_OF_NODE} if ALL_NODES in verb.options else {}
    return [(kind, WORDS[kind] + more.get(kind, "")) for kind in verb.kinds()]


def overview(program: str, width: int = 0) -> str:
    """Return the help on the whole tool; a `width` above 0 is that of the terminal."""
    from hirte.ctl.verbs import VERBS, every_option

    lines = [f"usage: {program} [COMMAND [WORD...]] [OPTION...]", "", "commands:"]
    said = [(" ".join([verb.name, *verb.words]), verb.help) for verb in VERBS.values()]
    lines += _columns(said, width)
    lines += ["", "options:", *_options(every_option(), width)]
    lines += ["", "exit codes:", *_codes(MEANINGS, width)]
    lines += ["", f"`{program} help COMMAND` tells more, with an example; see `man hirte-ctl`."]
    return "\n".join(lines) + "\n"


def exit_codes(verb: Verb) -> dict[int, str]:
    """Return the exit codes that a verb can have, and what they mean with it."""
    from hirte.ctl.options import TIMEOUT, WAIT_ACTIVE

    kinds = verb.kinds()
    meanings = {DONE: "all done", USAGE: MEANINGS[USAGE]}
    if verb.does.partition(".")[0] not in _LOCAL:
        meanings[FAILED] = "something failed"
        if WAIT_ACTIVE in verb.options:
            meanings[NOT_ACTIVE] = "a unit is not active in the end (--wait-active)"
        codes = [UNKNOWN] if {"NODE", "JOB"} & {*kinds} else []
        codes += [OFFLINE] if "NODE" in kinds else []
        codes += [TIMED_OUT] if TIMEOUT in verb.options else []
        meanings.update({code: MEANINGS[code] for code in [*codes, UNREACHABLE, INTERRUPTED]})
    meanings.update(verb.codes)
    return {code: meaning for code, meaning in sorted(meanings.items()) if meaning}


def _codes(meanings: Mapping[int, str], width: int) -> list[str]:
    return _columns([(str(code), meaning) for code, meaning in meanings.items()], width)


def _options(options: Iterable[Option], width: int) -> list[str]:
    return _columns([(option.usage, option.help) for option in options], width)


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
