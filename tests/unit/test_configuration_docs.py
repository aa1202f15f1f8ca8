"""docs/configuration.md names every setting with its default, and nothing else."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from hirte.settings.option import NATIVE, Choice, Flag, Option
from hirte.settings.table import AgentSettings, ManagerSettings, NodeSettings, Settings

ROOT = Path(__file__).resolve().parent.parent.parent
DOCUMENT = (ROOT / "docs" / "configuration.md").read_text()
ROW = re.compile(r"^\| `(\w+)` \| ([^|]+) \| ([^|]+) \|$", re.MULTILINE)
COMMON = [option for option in Settings.options() if option.key]


def own(*kinds: type[ManagerSettings | AgentSettings | NodeSettings]) -> list[Option]:
    """Return what only these sections have."""
    options = [option for kind in kinds for option in kind.options() if option.key]
    return [option for option in options if option not in COMMON]


def default(option: Option) -> str:
    """Return the default as the document says it."""
    if option.key == "NodeName":
        return "the host's name"
    return option.default_text(NATIVE) or ("false" if isinstance(option, Flag) else "none")


@pytest.mark.parametrize(
    ("title", "options"),
    [
        ("The manager", own(ManagerSettings, NodeSettings)),
        ("The agent", own(AgentSettings)),
        ("Both", COMMON),
    ],
)
def test_every_setting_is_told_with_its_default(title: str, options: list[Option]) -> None:
    text = DOCUMENT.split(f"\n## {title}\n")[1].split("\n## ")[0]
    rows = {name: (told, meaning) for name, told, meaning in ROW.findall(text)}
    assert {name: told for name, (told, _) in rows.items()} == {o.key: default(o) for o in options}
    for option in options:
        if isinstance(option, Choice) and not rows[option.key][1].endswith("as for the manager"):
            assert all(f"`{word}`" in rows[option.key][1] for word in option.choices)


@pytest.mark.parametrize("kind", [ManagerSettings, AgentSettings])
def test_every_file_is_told(kind: type[Settings]) -> None:
    vendor, administrator, directory = kind.files[NATIVE]
    for path in (vendor, administrator, f"{directory}/*.conf"):
        assert f"| `{path}` " in DOCUMENT


def test_every_variable_is_told() -> None:
    for option in COMMON:
        if option.environment:
            assert f"`HIRTE_{option.environment}`" in DOCUMENT
