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

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from hirte.ctl.options import Option
    from hirte.ctl.request import Request
    from hirte.ctl.verbs import Verb


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
        print(overview(request.program), end="")
        return DONE
    verb = VERBS.get(request.words[0])
    if verb is None:
        raise Failure(unknown(request.program, request.words[0]), USAGE)
    print(explanation(request.program, verb), end="")
    return DONE


def usage(program: str, verb: Verb) -> str:
    """Return how to say the verb."""
    options = ["[OPTION...]"] if verb.options else []
    return " ".join([program, verb.name, *verb.words, *options])


def unknown(program: str, word: str) -> str:
    """Return the complaint about a word that is no verb."""
    return f"unknown command '{word}'; `{program} help` lists the commands"


def explanation(program: str, verb: Verb) -> str:
    """Return the help on one verb."""
    from hirte.ctl.options import COMMON
    from hirte.ctl.words import MEANINGS as WORDS

    lines = [f"usage: {usage(program, verb)}", "", _sentence(verb.help), ""]
    if verb.words:
        lines += ["words:", *_columns([(kind, WORDS[kind]) for kind in verb.kinds()]), ""]
    lines += ["options:", *_options([*verb.options, *COMMON])]
    lines += ["", "exit codes:", *_codes(exit_codes(verb))]
    lines += ["", f"example: {program} {verb.example}"]
    return "\n".join(lines) + "\n"


def overview(program: str) -> str:
    """Return the help on the whole tool."""
    from hirte.ctl.options import COMMON
    from hirte.ctl.verbs import VERBS

    lines = [f"usage: {program} [COMMAND [WORD...]] [OPTION...]", "", "commands:"]
    lines += _columns([(" ".join([verb.name, *verb.words]), verb.help) for verb in VERBS.values()])
    known = {option.name: option for verb in VERBS.values() for option in verb.options}
    lines += ["", "options:", *_options([*known.values(), *COMMON])]
    lines += ["", "exit codes:", *_codes(MEANINGS)]
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


def _codes(meanings: Mapping[int, str]) -> list[str]:
    return _columns([(str(code), meaning) for code, meaning in meanings.items()])


def _options(options: Iterable[Option]) -> list[str]:
    return _columns([(_spelling(option, short=True), option.help) for option in options])


def _spelling(option: Option, short: bool = False) -> str:
    long = f"--{option.name} {option.metavar}".rstrip()
    return f"-{option.short}, {long}" if short and option.short else long


def _columns(rows: list[tuple[str, str]]) -> list[str]:
    width = max(len(left) for left, _ in rows)
    return [f"  {left:{width}}  {right}" for left, right in rows]


def _sentence(text: str) -> str:
    return text[0].upper() + text[1:] + "."
