"""docs/api.md says what the tables say, and every row has a meaning."""

from __future__ import annotations

import apidocs
import meaning
import pytest

from hirte.api import public
from hirte.api.table import Interface


def test_the_file_is_up_to_date() -> None:
    assert apidocs.TARGET.read_text() == apidocs.document()


def test_every_row_has_a_meaning_and_every_meaning_a_row() -> None:
    rows = [
        f"{table.name}.{name}"
        for table in apidocs.TABLES
        for name in (*table.methods, *table.signals, *table.properties)
    ]
    assert sorted(rows) == sorted(meaning.ROWS)
    assert [table.name for table in apidocs.TABLES] == list(meaning.INTERFACES)


def test_every_public_interface_is_told() -> None:
    tables = [table for table in vars(public).values() if isinstance(table, Interface)]
    assert sorted(table.name for table in tables) == sorted(t.name for t in apidocs.TABLES)


def test_every_argument_is_named() -> None:
    text = apidocs.document()
    assert "| `StartUnit` | `s` name, `s` mode | `o` job |" in text
    assert "| `Agent.SwitchManager` | `SwitchController` |" in text
    assert "| `PeerIp` | `s` | not told; read it with Get, it is not in GetAll |" in text


@pytest.mark.parametrize(("changed", "code"), [(False, 0), (True, 1)])
def test_the_check_sees_a_difference(tmp_path, monkeypatch, capsys, changed, code) -> None:
    target = tmp_path / "api.md"
    target.write_text(apidocs.document() + ("one more line\n" if changed else ""))
    monkeypatch.setattr(apidocs, "TARGET", target)
    assert apidocs.main(["--check"]) == code
    assert ("run packaging/apidocs.py" in capsys.readouterr().err) == changed


def test_it_writes_the_file(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(apidocs, "TARGET", tmp_path / "api.md")
    assert apidocs.main([]) == 0
    assert apidocs.main(["--check"]) == 0
