"""Build the manual pages: the parsers that run, the tables that are served, prose from docs/.

    packaging/manpages.py DIRECTORY      writes DIRECTORY/man1/hirte.1 and so on

Options come from the very parsers, by argparse-manpage; settings, commands, modes, exit codes and
files from the tables; what needs more words from the documents, so that it is written once. Nothing
here depends on time, terminal or machine: the same sources give the same bytes.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import NamedTuple

import markdown
import pagetexts
import roff
from argparse_manpage.manpage import Manpage

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import settingfacts  # noqa: E402 - found in the clone that this file is in

from hirte import __version__  # noqa: E402
from hirte.arguments import build_parser  # noqa: E402
from hirte.ctl.verbs import VERBS, every_option  # noqa: E402
from hirte.ctl.words import IN_PLACE_OF_NODE  # noqa: E402
from hirte.ctl.words import MEANINGS as WORDS  # noqa: E402
from hirte.main import HELP, MODES, NAMES, VERSION  # noqa: E402
from hirte.online import main as online  # noqa: E402
from hirte.proxy import main as proxy  # noqa: E402
from hirte.settings.command_line import build_parser as daemon_parser  # noqa: E402
from hirte.settings.option import NATIVE  # noqa: E402
from hirte.settings.table import (  # noqa: E402
    AgentSettings,
    ManagerSettings,
    NodeSettings,
    Settings,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from hirte.ctl.verbs import Verb

# argparse breaks lines, by default where the terminal ends; breaking them is the reader's business.
ENDLESS = 1_000_000

CONFIG_PAGES: dict[type[Settings], str] = {
    ManagerSettings: "hirte.conf",
    AgentSettings: "hirte-agent.conf",
}


class Page(NamedTuple):
    """A manual page: its name, its chapter, and its text."""

    name: str
    chapter: int
    text: str

    @property
    def path(self) -> str:
        """Return where it lies below a directory of manual pages."""
        return f"man{self.chapter}/{self.name}.{self.chapter}"


def _page(
    name: str,
    chapter: int,
    synopsis: Sequence[str],
    sections: Sequence[tuple[str, Sequence[str]]],
    parser: argparse.ArgumentParser | None = None,
) -> Page:
    """Return a page of the parser's options and of `sections`: titles, and lines of roff.

    `synopsis` is Markdown; several lines are several ways to call it. SEE ALSO is added.
    """
    parser = parser or argparse.ArgumentParser(add_help=False)
    parser.formatter_class = lambda prog: argparse.HelpFormatter(prog, width=ENDLESS)
    parser.description = None
    _keep_help(parser)
    page = Manpage(parser)
    page.prog = name
    page.section = chapter
    page.description = pagetexts.NAMES[name]
    page.date = ""
    page.source = f"hirte {__version__}"
    page.manual = "hirte"
    calls = [line for call in synopsis for line in (".br", roff.inline(call))][1:]
    also = {**pagetexts.SEE_ALSO, **pagetexts.SEE_ALSO_MORE.get(name, {})}
    others = ", ".join(f"{roff.bold(n)}({number})" for n, number in also.items() if n != name)
    for title, lines in (("synopsis", calls), *sections, ("see also", [others])):
        # Sections begin with a paragraph of their own.
        content = lines[1:] if lines[0] == ".PP" else lines
        page.add_section(title, ">", "\n".join(content))
    first, _, rest = str(page).partition("\n")
    # Names are for copying: not hyphenated, nor spread over the line.
    return Page(name, chapter, "\n".join([first, ".nh", ".ad l", rest]))


def _keep_help(parser: argparse.ArgumentParser) -> None:
    """Let argparse-manpage not know --help when it sees it: it leaves that out."""
    for action in parser._actions:
        if "--help" in action.option_strings:
            action.option_strings = [", ".join(action.option_strings)]


def _prose(paragraphs: Sequence[str]) -> list[str]:
    return [line for text in paragraphs for line in roff.paragraph(text)]


def _sentence(text: str) -> str:
    return text[0].upper() + text[1:] + ("" if text.endswith("?") else ".")


def _codes(meanings: dict[int, str]) -> list[str]:
    return roff.tagged((f"`{code}`", meaning) for code, meaning in meanings.items())


def hirte() -> Page:
    """Return hirte(1), the page about the program as a whole."""
    modes = [(f"`hirte {word}`", _sentence(what)) for word, (_, what) in MODES.items()]
    words = [
        (", ".join(f"`{word}`" for word in HELP), "Print the modes."),
        (", ".join(f"`{word}`" for word in VERSION), "Print the version."),
    ]
    names = {**{f"hirte-{mode}": mode for mode in MODES}, **NAMES}
    links = [(f"`{name}`", f"`hirte {mode}`") for name, mode in names.items()]
    return _page(
        "hirte",
        1,
        ["`hirte` MODE [ARGUMENT...]", "`hirte help`", "`hirte version`"],
        [
            ("description", _prose(pagetexts.HIRTE)),
            ("modes", roff.tagged([*modes, *words])),
            ("program names", [*_prose(pagetexts.PROGRAM_NAMES), *roff.tagged(links)]),
            ("exit status", _codes(pagetexts.HIRTE_CODES)),
            ("files", roff.tagged(pagetexts.HIRTE_FILES)),
            ("environment", roff.tagged(settingfacts.variables(Settings))),
            ("examples", roff.tagged(pagetexts.HIRTE_EXAMPLES)),
        ],
    )


def daemon(kind: type[Settings]) -> Page:
    """Return hirte-manager(8) or hirte-agent(8)."""
    role = kind.role
    parser = daemon_parser(kind, program=f"hirte {role}")
    settings = _prose([pagetexts.SETTINGS_ARE.format(page=CONFIG_PAGES[kind])])
    return _page(
        f"hirte-{role}",
        8,
        [f"`hirte {role}` [OPTION...]", f"`hirte-{role}` [OPTION...]"],
        [
            ("description", _prose([f"{parser.description}", *pagetexts.DAEMONS[role]])),
            ("settings", settings),
            ("signals", roff.tagged(pagetexts.SIGNALS)),
            ("exit status", _codes(pagetexts.DAEMON_CODES)),
            ("files", roff.tagged([*settingfacts.files(kind), *pagetexts.DAEMON_FILES[role]])),
            ("environment", roff.tagged(settingfacts.variables(kind))),
            ("examples", roff.tagged(pagetexts.DAEMON_EXAMPLES[role])),
        ],
        parser,
    )


def ctl() -> Page:
    """Return hirte-ctl(1)."""

    def told(title: str) -> list[str]:
        return roff.converted(pagetexts.document("docs/ctl.md", title))

    words = {**WORDS, "NODE": WORDS["NODE"] + IN_PLACE_OF_NODE}
    return _page(
        "hirte-ctl",
        1,
        [f"`{name}` [COMMAND [WORD...]] [OPTION...]" for name in ("hirte ctl", "hirtectl")],
        [
            ("description", told("")),
            ("commands", [line for verb in VERBS.values() for line in _command(verb)]),
            ("words", roff.tagged((f"`{kind}`", what) for kind, what in words.items())),
            ("targets", told("Which nodes, which units")),
            ("many targets", told("Many targets at once")),
            ("what monitor prints", told("What monitor prints")),
            ("properties", told("Properties")),
            ("json", told("For programs")),
            ("exit status", told("Exit codes")),
            ("completion", told("Completion")),
            ("files", roff.tagged(pagetexts.HIRTE_FILES[:1])),
        ],
        build_parser(every_option(), "hirte ctl"),
    )


def _command(verb: Verb) -> list[str]:
    words = [roff.italic(word) for word in verb.words]
    options = ", ".join(f"`--{option.name}`" for option in verb.options)
    text = [_sentence(verb.help)]
    text += [f"Options: {options}."] if options else []
    text.append(f"Example: `hirte ctl {verb.example}`")
    return [".TP", " ".join([roff.bold(verb.name), *words]), roff.broken("\n".join(text))]


def is_online() -> Page:
    """Return hirte-online(1)."""
    asked = [
        (f"`{' '.join([word, *more])}`", _sentence(what))
        for word, (more, what) in online.WORDS.items()
    ]
    return _page(
        "hirte-online",
        1,
        [f"`hirte online` {online.SYNOPSIS}", f"`hirte-online` {online.SYNOPSIS}"],
        [
            ("description", _prose(pagetexts.ONLINE)),
            ("questions", roff.tagged(asked)),
            ("exit status", _codes(online.EXIT_CODES)),
            ("examples", roff.tagged(pagetexts.ONLINE_EXAMPLES)),
        ],
        build_parser(online.OPTIONS, "hirte online"),
    )


def is_proxy() -> Page:
    """Return hirte-proxy(8)."""
    return _page(
        "hirte-proxy",
        8,
        [f"`{name}` {proxy.SYNOPSIS}" for name in ("hirte proxy", "hirte-proxy")],
        [
            ("description", _prose(pagetexts.PROXY)),
            ("words", roff.tagged((f"`{w}`", _sentence(what)) for w, what in proxy.WORDS.items())),
            ("exit status", _codes(proxy.EXIT_CODES)),
            ("examples", roff.tagged(pagetexts.PROXY_EXAMPLES)),
        ],
        build_parser(proxy.OPTIONS, "hirte proxy"),
    )


def config(kind: type[Settings]) -> Page:
    """Return hirte.conf(5) or hirte-agent.conf(5)."""
    role, section = kind.role, kind.sections[NATIVE]
    paths = [path for path, _ in settingfacts.files(kind)]
    sections = [
        ("description", _prose([pagetexts.CONFIG[role].format(section=section)])),
        ("settings", roff.tagged(settingfacts.settings(kind))),
    ]
    if kind is ManagerSettings:
        text = _prose([pagetexts.NODE_SECTIONS])
        sections.append(("nodes", [*text, *roff.tagged(settingfacts.settings(NodeSettings))]))
    written = [
        block
        for block in pagetexts.document("docs/configuration.md", "Where settings come from")
        if block.kind == markdown.PARAGRAPH
    ]
    order = settingfacts.precedence(kind)
    sections += [
        ("logging and network", roff.tagged(settingfacts.settings(kind, is_common=True))),
        ("files", [*_prose(pagetexts.PRECEDENCE), *roff.tagged(order)]),
        ("format", roff.converted(written[1:3])),
        ("bluechi", _prose([settingfacts.compatible_names(kind)])),
        ("environment", roff.tagged(settingfacts.variables(kind))),
        ("examples", roff.example(pagetexts.CONFIG_EXAMPLES[role].splitlines())),
    ]
    return _page(CONFIG_PAGES[kind], 5, paths, sections)


def pages() -> list[Page]:
    """Return all pages."""
    kinds = (ManagerSettings, AgentSettings)
    return [hirte(), ctl(), is_online(), is_proxy(), *map(config, kinds), *map(daemon, kinds)]


def aliases() -> dict[str, str]:
    """Return path -> text of the pages that only lead to another, for our names of a mode."""
    return {
        f"man1/{name}.1": f".so man1/hirte-{mode}.1\n"
        for name, mode in NAMES.items()
        if not name.startswith("bluechi-")
    }


def main(argv: list[str]) -> int:
    """Write the pages; return the exit code."""
    parser = argparse.ArgumentParser(description="Build the manual pages.")
    parser.add_argument("directory", type=Path)
    top = parser.parse_args(argv).directory
    texts = {**{page.path: page.text for page in pages()}, **aliases()}
    for path, text in texts.items():
        (top / path).parent.mkdir(parents=True, exist_ok=True)
        (top / path).write_text(text, "ascii")
    print(f"wrote {len(texts)} manual pages below {top}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
