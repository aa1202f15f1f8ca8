"""The syntax of configuration files, row by row."""

from __future__ import annotations

import pytest

from hirte.nearest import nearest
from hirte.settings import ConfigError
from hirte.settings.ini import parse


def entries(text):
    data = text if isinstance(text, bytes) else text.encode()
    return [(e.section, e.key, e.value, e.line) for e in parse(data, "f").entries]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        ("a=1", [(None, "a", "1", 1)]),
        ("[s]\na=1", [("s", "a", "1", 2)]),
        ("[s]\na: 1", [("s", "a", "1", 2)]),
        ("[s]\na=b:c=d", [("s", "a", "b:c=d", 2)]),
        ("[s]\n \t a \t=\t  x  y  ", [("s", "a", "x  y", 2)]),
        ("[s]\r\na=1\r\n", [("s", "a", "1", 2)]),
        ("[s]\na=\n", [("s", "a", "", 2)]),
        ("# c\n; c\n  # c\n[s] trailing\n\n\na=1", [("s", "a", "1", 7)]),
        ("[s]\na=1 ; comment", [("s", "a", "1", 2)]),
        ("[s]\na=1;2 # 3", [("s", "a", "1;2 # 3", 2)]),
        ("[s]\na= ;comment", [("s", "a", "", 2)]),
        ("[s]\na=;value", [("s", "a", ";value", 2)]),
        ("[s]\na=1\n 2\n\t3", [("s", "a", "123", 2)]),
        ("[s]\na=1,\n  b, ; comment\n\n# comment\n  c", [("s", "a", "1,b,c", 2)]),
        ("[s]\na=1\n b=2", [("s", "a", "1b=2", 2)]),
        ("[s]\na=1\n [t]", [("s", "a", "1[t]", 2)]),
        ("[s]\n a=1", [("s", "a", "1", 2)]),
        ("[s]\na=1\n[t]\n b=2", [("s", "a", "1", 2), ("t", "b", "2", 4)]),
        ("[s]\na=1\na=2", [("s", "a", "1", 2), ("s", "a", "2", 3)]),
        ("[s]\na=1\n[t]\n[s]\nb=2", [("s", "a", "1", 2), ("s", "b", "2", 5)]),
        ("[ s ]\na=1", [(" s ", "a", "1", 2)]),
        ("[node a=b]\nc=1", [("node a=b", "c", "1", 2)]),
        ("\ufeff[s]\na=1", [("s", "a", "1", 2)]),
        ("[s]\nÄ=ö\u00a0", [("s", "Ä", "ö\u00a0", 2)]),
        ("[s]\na=" + "x" * 10000, [("s", "a", "x" * 10000, 2)]),
    ],
)
def test_what_is_read(text, expected):
    assert entries(text) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("nonsense", "f:1: neither name=value nor [section]: 'nonsense'"),
        ("[s]\na ; = 1", "f:2: neither name=value nor [section]: 'a ; = 1'"),
        ("[s]\n\n[t\na=1", "f:3: the section's name does not end with ]: '[t'"),
        ("[s ;]", "f:1: the section's name does not end with ]: '[s ;]'"),
        (b"[s]\na=\xff", "f:2: this is not UTF-8"),
        (b"\xef\xbb\xbf\n\xff", "f:2: this is not UTF-8"),
        (b"[s]\na=1\nb=\0\n", "f:3: a NUL byte is not text"),
    ],
)
def test_what_is_refused(text, message):
    with pytest.raises(ConfigError) as caught:
        entries(text)
    assert str(caught.value) == message


def test_sections_are_known_with_their_lines_even_when_empty():
    assert parse(b"[a]\n\n[b]\nx=1\n[a]\n", "f").sections == [("a", 1), ("b", 3), ("a", 5)]


@pytest.mark.parametrize(
    ("word", "guess"),
    [
        ("ManagerPort", "ManagerPort"),
        ("managerport", "ManagerPort"),
        ("MangerPort", "ManagerPort"),
        ("ManagerHots", "ManagerHost"),
        ("amnaegrPotr", "ManagerPort"),
        ("X", ""),
        ("", ""),
        ("Completely", ""),
        ("ManagerPort" * 100, ""),
    ],
)
def test_nearest(word, guess):
    assert nearest(word, ["ManagerHost", "ManagerPort"]) == guess
