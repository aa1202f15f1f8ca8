"""Effective settings as text that the ini reader reads again, with the source of every value."""

from __future__ import annotations

from hirte.settings.table import NODE_SECTION, ManagerSettings

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hirte.settings.option import Section
    from hirte.settings.table import Settings


def report(settings: Settings) -> str:
    """Return what `--check-config` prints: warnings, files, sections."""
    lines = [f"# warning: {warning}" for warning in settings.warnings]
    lines += [f"# {'read' if there else 'no such file'}: {path}" for path, there in settings.read]
    return "\n".join([*lines, *effective(settings)])


def effective(settings: Settings) -> list[str]:
    """Return the effective settings, one line each; also for the log at start (DEBUG)."""
    dialect = settings.dialect
    lines = [f"[{settings.sections[dialect]}]", *_options(settings, dialect)]
    if isinstance(settings, ManagerSettings):
        for node in settings.nodes:
            lines += [f"[{NODE_SECTION}{node.name}]", *_options(node, dialect)]
    return lines


def _options(section: Section, dialect: str) -> list[str]:
    return [
        f"{option.name(dialect)}={option.text(section.values[option.attribute])}"
        f" ; {section.sources[option.attribute]}"
        for option in section.options()
        if option.key
    ]
