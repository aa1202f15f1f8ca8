"""From sources to effective settings: who wins, what is refused, what is worth a warning.

Later sources win, option by option: built-in defaults, vendor file, administrator's file, drop-ins
in byte order of their names, environment, `-c FILE`, command line. Within one file the last of the
same option wins, but names of the file's own dialect win over the other dialect's. Only the
winning text of an option is interpreted; any broken file stops the start.
"""

from __future__ import annotations

from hirte.settings.errors import Answer, ConfigError
from hirte.settings.host import ThisHost
from hirte.settings.ini import parse
from hirte.settings.option import COMPATIBLE, NATIVE
from hirte.settings.table import (
    ENVIRONMENT_PREFIX,
    NODE_SECTION,
    ROLES,
    AgentSettings,
    ManagerSettings,
    NodeSettings,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from typing import TypeVar

    from hirte.settings.host import Host
    from hirte.settings.ini import Entry
    from hirte.settings.option import Option, Section
    from hirte.settings.table import Settings

    SettingsT = TypeVar("SettingsT", bound=Settings)
    # Of a section, the text of every option that a source gives, with the name of the source.
    Given = dict[str, tuple[str, str]]
    # A line of a file, and how foreign its names are (0: all in the file's own dialect).
    Ranked = tuple[int, Entry]

DROP_IN_SUFFIX = ".conf"
DEFAULT_SOURCE = "built-in default"
HOST_NAME_SOURCE = "built-in default (host name)"


def load(
    kind: type[SettingsT],
    argv: Sequence[str],
    environ: Mapping[str, str],
    host: Host | None = None,
    dialect: str = NATIVE,
    program: str = "",
) -> SettingsT:
    """Return the effective settings of `kind` (ManagerSettings or AgentSettings).

    `argv` is the command line without the program's name, `program` the name that help, version
    and usage show. Raises ConfigError (exit code 1), or Answer when the command line asks for
    help, version or the check (text for stdout, exit code 0).
    """
    program = program or f"hirte-{kind.role}"
    flags: dict[str, str] = {}
    if argv:
        from hirte.settings.command_line import read

        flags = read(kind, argv, dialect, program)
    settings = kind(dialect)
    loader = _Loader(settings, host or ThisHost())
    loader.standard_files()
    loader.environment(environ)
    if "config_file" in flags:
        loader.file(flags["config_file"])
    loader.command_line(flags)
    loader.settle()
    if settings.check_config:
        from hirte.settings.report import report

        raise Answer(report(settings))
    return settings


class _Loader:
    """Collects texts of all sources for one `settings`, then interprets the winners."""

    def __init__(self, settings: Settings, host: Host) -> None:
        self.settings = settings
        self.host = host
        self.given: Given = {}
        self.nodes: dict[str, Given] = {}
        self.dialects = _accepted(settings.dialect)
        self.own_sections = [settings.sections[dialect] for dialect in self.dialects]
        self.all_sections = [kind.sections[d] for kind in ROLES for d in self.dialects]
        self.keys = _keys(settings, self.dialects)
        self.node_keys = _keys(NodeSettings(""), self.dialects)

    def standard_files(self) -> None:
        vendor, administrator, directory = self.settings.files[self.settings.dialect]
        for path in (vendor, administrator):
            self.file(path, may_be_missing=True)
        try:
            names = self.host.names(directory)
        except FileNotFoundError:
            self.settings.read.append((f"{directory}/*{DROP_IN_SUFFIX}", False))
            return
        except OSError as error:
            raise ConfigError(str(error.strerror), directory) from error
        for name in sorted(names, key=_bytes):
            if name.endswith(DROP_IN_SUFFIX):
                self.file(f"{directory}/{name}")

    def file(self, path: str, may_be_missing: bool = False) -> None:
        try:
            data = self.host.read(path)
        except OSError as error:
            if may_be_missing and isinstance(error, FileNotFoundError):
                self.settings.read.append((path, False))
                return
            raise ConfigError(str(error.strerror), path) from error
        content = parse(data, path)
        for name, line in content.sections:
            if not (name in self.all_sections or name.startswith(NODE_SECTION)):
                self.warn(path, line, f"unknown section [{name}]", name, self.all_sections)
        winners: dict[tuple[str, str], Ranked] = {}
        for entry in content.entries:
            self._enter(winners, entry, path)
        self.settings.read.append((path, True))

    def _enter(self, winners: dict[tuple[str, str], Ranked], entry: Entry, path: str) -> None:
        """Take over one line of a file, unless a line of that file wins over it."""
        name = entry.section
        if name is None:
            self.warn(path, entry.line, f"{entry.key!r} stands before any section and is ignored")
            return
        if name in self.own_sections:
            rank, keys, given = self.own_sections.index(name), self.keys, self.given
        elif name.startswith(NODE_SECTION):
            node = name[len(NODE_SECTION) :]
            rank, keys, given = 0, self.node_keys, self.nodes.setdefault(node, {})
        else:
            return  # another program's, or unknown: the section itself was warned of
        if entry.key not in keys:
            self.warn(
                path, entry.line, f"unknown option {entry.key!r} in [{name}]", entry.key, keys
            )
            return
        foreign_key, option = keys[entry.key]
        # The section counts more than the key.
        candidate = (2 * rank + foreign_key, entry)
        place = (name if given is not self.given else "", option.attribute)
        winner = candidate
        if place in winners:
            winner, loser = _better(candidate, winners[place])
            line = winner[1].line
            self.warn(path, loser[1].line, f"{loser[1].key} is overridden in line {line}")
        winners[place] = winner
        given[option.attribute] = (winner[1].value, f"{path}:{winner[1].line}")

    def environment(self, environ: Mapping[str, str]) -> None:
        prefix = ENVIRONMENT_PREFIX[self.settings.dialect]
        for option in self.settings.options():
            variable = prefix + option.environment
            if option.environment and environ.get(variable):
                self.given[option.attribute] = (environ[variable], f"environment {variable}")

    def command_line(self, flags: Mapping[str, str]) -> None:
        for option in self.settings.options():
            if option.attribute in flags:
                source = f"command line {option.flags[-1]}"
                self.given[option.attribute] = (flags[option.attribute], source)

    def settle(self) -> None:
        """Interpret the winning texts. Raises ConfigError when one is refused."""
        settings = self.settings
        self._fill(settings, self.given)
        if isinstance(settings, AgentSettings):
            if "node_name" not in self.given:
                settings.values["node_name"] = self.host.host_name()
                settings.sources["node_name"] = HOST_NAME_SOURCE
            settings.check()
        if isinstance(settings, ManagerSettings):
            settings.check()
            settings.nodes = self._configured_nodes(settings)

    def _fill(self, section: Section, given: Given) -> None:
        dialect = self.settings.dialect
        for option in section.options():
            default = option.default_text(dialect)
            text, source = given.get(option.attribute, (default, DEFAULT_SOURCE))
            if not text and option.unset_is_default:
                text = default
            try:
                value, complaint = option.parse(text)
            except ValueError as error:
                raise ConfigError(f"{option.name(dialect)}: {error}", source) from None
            if complaint:
                self.settings.warnings.append(f"{source}: {option.name(dialect)}: {complaint}")
            section.values[option.attribute] = value
            section.sources[option.attribute] = source

    def _configured_nodes(self, settings: ManagerSettings) -> tuple[NodeSettings, ...]:
        """Return the listed nodes, then those allowed by their own section, in byte order."""
        found: dict[str, NodeSettings] = {}
        own = sorted(self.nodes, key=_bytes)
        for name in [*settings.allowed_node_names, *own]:
            if name in found:
                continue
            node = NodeSettings(name)
            self._fill(node, self.nodes.get(name, {}))
            if name and (node.allowed or name in settings.allowed_node_names):
                found[name] = node
            elif node.sources["allowed"] == DEFAULT_SOURCE:
                # Without a known option there is no place: each unknown one has told its own.
                places = [place for _, place in self.nodes[name].values()]
                settings.warnings.append(
                    f"{''.join(f'{place}: ' for place in places[:1])}[{NODE_SECTION}{name}] is "
                    "ignored: the node is neither in AllowedNodeNames nor has Allowed=true"
                )
        return tuple(found.values())

    def warn(
        self, path: str, line: int, message: str, word: str = "", known: Iterable[str] = ()
    ) -> None:
        """Note a warning about a line, with the known name that `word` may mean."""
        hint = ""
        if word:
            from hirte.nearest import nearest

            guess = nearest(word, known)
            hint = f", did you mean {guess}?" if guess else ""
        self.settings.warnings.append(f"{path}:{line}: {message}{hint}")


def _better(late: Ranked, early: Ranked) -> tuple[Ranked, Ranked]:
    """Return winner and loser of two lines for the same option."""
    return (late, early) if late[0] <= early[0] else (early, late)


def _accepted(dialect: str) -> tuple[str, ...]:
    """Return the dialects whose names a file may use, the preferred one first."""
    return (NATIVE, COMPATIBLE) if dialect == NATIVE else (COMPATIBLE,)


def _keys(section: Section, dialects: tuple[str, ...]) -> dict[str, tuple[int, Option]]:
    """Map every accepted key to the rank of its dialect (0 wins) and its option."""
    keys: dict[str, tuple[int, Option]] = {}
    for option in section.options():
        for rank, dialect in enumerate(dialects):
            if option.key:
                keys.setdefault(option.name(dialect), (rank, option))
    return keys


def _bytes(name: str) -> bytes:
    return name.encode("utf-8", "surrogateescape")
