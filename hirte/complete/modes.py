"""What each mode takes, from its own table: the words that may be typed next."""

from __future__ import annotations

from hirte.complete.kinds import Asked, offers
from hirte.complete.said import Flags, Said, find, kinds_at
from hirte.main import HELP, MODES, VERSION

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from hirte.arguments import Option
    from hirte.complete.kinds import Offer
    from hirte.complete.live import Live


def complete(words: Sequence[str], live: Live) -> list[Offer]:
    """Return what may stand in the place of the last of `words`, which may be empty.

    The first word is the mode. Not all of what is returned begins as that last word does.
    """
    if len(words) == 1:
        own = [(word, "print the modes") for word in HELP]
        own += [(word, "print the version") for word in VERSION]
        wanted = is_dashed(words[0])
        modes = [] if wanted else [(word, what) for word, (_, what) in MODES.items()]
        return modes + [offer for offer in own if is_dashed(offer[0]) == wanted]
    mode, *rest = words
    return _MODES[mode](rest, live) if mode in _MODES else []


def is_dashed(word: str) -> bool:
    """Tell whether a word is, or may become, an option."""
    return word.startswith("-")


def _offer(
    options: Sequence[Flags], said: Said, asked: Asked, words: Callable[[], list[Offer]]
) -> list[Offer]:
    """Return values of an option that waits for one, or options, or what `words` returns."""
    if said.awaited:
        return offers(said.awaited, asked)
    if is_dashed(asked.begun) and not said.is_over:
        name, equals, value = asked.begun.partition("=")
        option = find(options, name) if equals else None
        if option is not None:
            asked = Asked(value, asked.live, asked.node_word)
            return [(f"{name}={word}", what) for word, what in offers(option.metavar, asked)]
        return [(flag, option.help) for option in options for flag in option.spellings]
    return words()


def _of_kinds(kinds: Iterable[str], asked: Asked) -> list[Offer]:
    return [offer for kind in kinds for offer in offers(kind, asked)]


def _ctl(words: Sequence[str], live: Live) -> list[Offer]:
    from hirte.ctl.options import ALL_NODES, COMMON
    from hirte.ctl.verbs import VERBS, every_option

    *before, begun = words
    options = [_flags(option) for option in every_option()]
    said = Said(options, before)
    if not said.words:
        asked = Asked(begun, live)
        return _offer(options, said, asked, lambda: offers("COMMAND", asked))
    name, *rest = said.words
    verb = VERBS.get(name)
    if verb is None:
        return []
    if ALL_NODES in verb.options and any(f"--{ALL_NODES.name}" in o.spellings for o in said.flags):
        rest = ["*", *rest]
    own = [_flags(option) for option in [*verb.options, *COMMON]]
    node_word = rest[0] if rest and verb.kinds()[:1] == ["NODE"] else ""
    asked = Asked(begun, live, node_word)
    return _offer(own, said, asked, lambda: _of_kinds(kinds_at(verb.words, len(rest)), asked))


def _flags(option: Option) -> Flags:
    return Flags(option.spellings, option.metavar, option.help, option.exact)


def _online(words: Sequence[str], live: Live) -> list[Offer]:
    from hirte.online.main import OPTIONS, WORDS

    *before, begun = words
    options = [_flags(option) for option in OPTIONS]
    said = Said(options, before)
    asked = Asked(begun, live)

    def next_words() -> list[Offer]:
        if not said.words:
            return [(word, what) for word, (_, what) in WORDS.items()]
        method, *rest = said.words
        kinds, _ = WORDS.get(method, ((), ""))
        return _of_kinds(kinds_at(kinds, len(rest)), asked)

    return _offer(options, said, asked, next_words)


def _proxy(words: Sequence[str], live: Live) -> list[Offer]:
    from hirte.proxy.main import METHODS, OPTIONS, WORDS

    *before, begun = words
    options = [_flags(option) for option in OPTIONS]
    said = Said(options, before)

    def operations() -> list[Offer]:
        return [] if said.words else [(word, WORDS[word]) for word in METHODS]

    return _offer(options, said, Asked(begun, live), operations)


def _daemon(role: str, words: Sequence[str], live: Live) -> list[Offer]:
    from hirte.settings.option import Flag
    from hirte.settings.table import ROLES

    *before, begun = words
    (kind,) = [kind for kind in ROLES if kind.role == role]
    options = [
        Flags(option.flags, "" if isinstance(option, Flag) else option.metavar, option.help)
        for option in kind.options()
        if option.flags
    ]
    return _offer(options, Said(options, before), Asked(begun, live), list)


_MODES = {
    "manager": lambda words, live: _daemon("manager", words, live),
    "agent": lambda words, live: _daemon("agent", words, live),
    "ctl": _ctl,
    "online": _online,
    "proxy": _proxy,
}
