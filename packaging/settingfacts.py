"""The settings as documents tell them: facts from the table, meanings from docs/configuration.md.

A test holds that the document has every setting, with the default of the table.
"""

from __future__ import annotations

from pathlib import Path

import markdown

from hirte.settings.option import (
    COMPATIBLE,
    LONG_MAX,
    LONG_MIN,
    NATIVE,
    Choice,
    Flag,
    Number,
    Option,
    Section,
    Words,
)
from hirte.settings.table import (
    ENVIRONMENT_PREFIX,
    AgentSettings,
    ManagerSettings,
    NodeSettings,
    Settings,
)

DOCUMENT = Path(__file__).resolve().parent.parent / "docs" / "configuration.md"

# Whose settings a section of the document tells, beside those that both daemons have.
TITLES: dict[type[Section], str] = {
    ManagerSettings: "The manager",
    NodeSettings: "The manager",
    AgentSettings: "The agent",
}
COMMON_TITLE = "Both"

# What the columns of FILES hold, from the weakest to the strongest.
_ORIGINS = ("The vendor's file.", "The administrator's file.", "Drop-ins, in the order of names.")


def meanings(title: str) -> dict[str, tuple[str, str]]:
    """Return what the document says of each setting of a section: its default, and its meaning."""
    found = {}
    for block in markdown.blocks(markdown.section(DOCUMENT.read_text("utf-8"), title)):
        for name, default, meaning in block.rows[1:]:
            found[name.strip("`")] = (default, meaning)
    return found


def settings(kind: type[Section], is_common: bool = False) -> list[tuple[str, str]]:
    """Return the settings that `kind` has of its own, or those that both daemons have.

    Each is a name and a text, both Markdown. Raises KeyError when the document lacks one.
    """
    told = meanings(COMMON_TITLE if is_common else TITLES[kind])
    common = [option.attribute for option in Settings.options()]
    return [
        (f"`{option.key}=`", f"{told[option.key][1]}.\n{_facts(option, told[option.key][0])}")
        for option in kind.options()
        if option.key and (option.attribute in common) == is_common
    ]


def _facts(option: Option, default: str) -> str:
    """Return type, default, and the other ways to set an option, as sentences."""
    facts = [f"{_type(option)}; default: {default}."]
    if option.compatible_default != option.default:
        facts = [f"{facts[0][:-1]}, as `bluechi-*` `{option.compatible_default}`."]
    ways = [f"`{', '.join(option.flags)}`"] if option.flags else []
    ways += [f"`{ENVIRONMENT_PREFIX[NATIVE]}{option.environment}`"] if option.environment else []
    if ways:
        facts.append(f"Also: {' or '.join(ways)}.")
    if option.compatible_key != option.key:
        facts.append(f"BlueChi's name: `{option.compatible_key}`.")
    return " ".join(facts)


def _type(option: Option) -> str:
    """Return what may be written."""
    if isinstance(option, Choice):
        return f"One of {', '.join(f'`{word}`' for word in option.choices)}"
    if isinstance(option, Flag):
        return "Yes or no"
    if isinstance(option, Words):
        return "A list with commas"
    if isinstance(option, Number):
        if (option.low, option.high) == (LONG_MIN, LONG_MAX):
            return "A whole number"
        return f"A whole number from {option.low} to {option.high}"
    return "A text"


def files(kind: type[Settings], dialect: str = NATIVE) -> list[tuple[str, str]]:
    """Return the files that are read, and what each is, from the weakest to the strongest."""
    vendor, administrator, directory = kind.files[dialect]
    paths = (vendor, administrator, f"{directory}/*.conf")
    return [(f"`{path}`", what) for path, what in zip(paths, _ORIGINS)]


def precedence(kind: type[Settings]) -> list[tuple[str, str]]:
    """Return all places where settings are looked for, from the weakest to the strongest."""
    return [
        ("built in", "The defaults above."),
        *files(kind),
        (", ".join(name for name, _ in variables(kind)), "The environment."),
        ("`-c` FILE", "FILE, of the command line."),
        (f"`hirte {kind.role} --help`", "The other options of the command line."),
    ]


def compatible_names(kind: type[Settings]) -> str:
    """Return how the program is configured when it is called by BlueChi's name."""
    paths = [path for path, _ in files(kind, COMPATIBLE)]
    section = kind.sections[COMPATIBLE]
    return (
        f"Called `{section}`, the program reads {', '.join(paths[:-1])} and {paths[-1]} instead,"
        f" section `[{section}]`, and variables with `{ENVIRONMENT_PREFIX[COMPATIBLE]}` for"
        f" `{ENVIRONMENT_PREFIX[NATIVE]}`. In native files BlueChi's names are understood, too."
    )


def variables(kind: type[Settings]) -> list[tuple[str, str]]:
    """Return the variables of the environment that are read, and what each is."""
    prefix = ENVIRONMENT_PREFIX[NATIVE]
    return [
        (f"`{prefix}{option.environment}`", f"The setting `{option.key}=`; wins over files.")
        for option in kind.options()
        if option.environment
    ]
