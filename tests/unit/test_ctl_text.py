"""How answers look: widths, tables that fit, lines that are cut, and what a stream can show."""

from __future__ import annotations

import io
from collections.abc import Iterator

import pytest

from hirte.ctl.colour import row_styles
from hirte.ctl.terminal import Terminal
from hirte.ctl.text import Table, clip, columns, counted, join, shorten, wrap
from tests.unit.ctl_tty import Tty


@pytest.mark.parametrize(
    ("text", "width"),
    [
        ("", 0),
        ("nav.service", 11),
        ("knö", 3),
        ("kno\u0308", 3),
        ("地図", 4),
        ("ﾁｽﾞ", 3),
        ("🚗.service", 10),
    ],
)
def test_columns(text: str, width: int) -> None:
    assert columns(text) == width


@pytest.mark.parametrize(
    ("text", "width", "ellipsis", "shown"),
    [
        ("abcdef.service", 14, "…", "abcdef.service"),
        ("abcdefgh.service", 11, "…", "abcde…rvice"),
        ("abcdefgh.service", 11, "...", "abcd...vice"),
        ("abcdef", 2, "…", "a…"),
        ("abcdef", 1, "…", "a"),
        ("abcdef", 0, "…", ""),
        ("abcdef", 3, "...", "abc"),
        ("地図地図地図", 7, "…", "地…図"),
        ("地図地図地図", 8, "…", "地図…図"),
        ("o\u0308" * 6, 5, "…", "o\u0308o\u0308…o\u0308o\u0308"),
    ],
)
def test_shorten_leaves_out_the_middle(text: str, width: int, ellipsis: str, shown: str) -> None:
    assert shorten(text, width, ellipsis) == shown


@pytest.mark.parametrize(
    ("line", "width", "shown"),
    [
        ("abc", 3, "abc"),
        ("abcd", 3, "abc"),
        ("a\x1b[1;31mbcd\x1b[0mef", 3, "a\x1b[1;31mbc\x1b[0m"),
        ("\x1b[4mab\x1b[0m  \x1b[2mcd\x1b[0m", 5, "\x1b[4mab\x1b[0m  \x1b[2mc\x1b[0m"),
        ("地図", 3, "地"),
        ("abc", 0, ""),
    ],
)
def test_clip_keeps_colours_and_their_end(line: str, width: int, shown: str) -> None:
    assert clip(line, width) == shown


def test_wrap() -> None:
    assert wrap("a few words", 80) == ["a few words"]
    assert wrap("a few words", 5) == ["a few", "words"]
    assert wrap("incomprehensible  words", 5) == ["incomprehensible", "words"]
    assert wrap("", 5) == [""]


def test_counted() -> None:
    assert [counted(number, "node") for number in (0, 1, 2)] == ["0 nodes", "1 node", "2 nodes"]


# Tables

TITLES = ("NODE", "UNIT", "ACTIVE")
ROWS = [
    ("node1", "navigation-and-map.service", "active"),
    ("a-node-with-a-name", "x.timer", "inactive"),
]


def lines(width: int, rigid: tuple[str, ...] = ("ACTIVE",), **more: object) -> list[str]:
    """Return the lines of the table, without newlines."""
    table = Table(TITLES, ROWS, width=width, ellipsis="…", rigid=rigid, **more)
    made = [join(line)[:-1] for line in table.lines]
    assert table.is_shortened == any("…" in line for line in made)
    return made


def test_a_table_that_fits_is_left_alone() -> None:
    whole = [
        "NODE                UNIT                        ACTIVE",
        "node1               navigation-and-map.service  active",
        "a-node-with-a-name  x.timer                     inactive",
    ]
    assert lines(0) == lines(56) == lines(200) == whole


def test_the_widest_column_is_shortened_first() -> None:
    assert lines(55) == [
        "NODE                UNIT                       ACTIVE",
        "node1               navigation-a…-map.service  active",
        "a-node-with-a-name  x.timer                    inactive",
    ]
    assert lines(40) == [
        "NODE            UNIT            ACTIVE",
        "node1           navigat…ervice  active",
        "a-node-…a-name  x.timer         inactive",
    ]


def test_states_are_never_shortened_and_names_not_below_sense() -> None:
    smallest = [
        "NODE      UNIT      ACTIVE",
        "node1     navi…ice  active",
        "a-no…ame  x.timer   inactive",
    ]
    assert lines(28) == lines(10) == lines(1) == smallest
    assert lines(25, rigid=()) == smallest


def test_a_table_without_titles_is_as_narrow_as_its_cells() -> None:
    table = Table(TITLES, [("n", "u", "a")], legend=False)
    assert table.lines == [["n", "u", "a"]]
    assert Table(TITLES, [], legend=False, width=80).lines == []


def test_wide_characters_are_aligned() -> None:
    table = Table(("UNIT", "ACTIVE"), [("地図.service", "active"), ("a", "b")])
    assert [join(line) for line in table.lines] == [
        "UNIT          ACTIVE\n",
        "地図.service  active\n",
        "a             b\n",
    ]


def test_what_is_not_printable_is_escaped_before_it_is_measured() -> None:
    table = Table(("UNIT", "SUB"), [("a\x1b[31m\n", "x"), ("", "y")])
    assert table.lines[1:] == [[r"a\x1b[31m\n", "x"], ["-          ", "y"]]


def test_a_unit_is_coloured_by_its_state_and_not_by_its_name() -> None:
    titles = ("NODE", "UNIT", "LOAD", "ACTIVE", "SUB")
    assert row_styles(titles, ("failed", "failed", "loaded", "active", "failed")) == [
        "", "", "", "32", "32",
    ]  # fmt: skip
    assert row_styles(titles, ("a", "b", "not-found", "failed", "x"))[2:] == ["31", "1;31", "1;31"]


# Streams


@pytest.fixture
def tty() -> Iterator[Tty]:
    """A terminal of 80 columns and 24 rows."""
    made = Tty()
    yield made
    made.close()


def test_a_pipe_has_no_width_and_no_colours() -> None:
    environ = {"TERM": "xterm", "COLUMNS": "70"}
    for stream in (io.StringIO(), None):
        pipe = Terminal(stream, environ)
        assert (pipe.is_terminal, pipe.has_colour, pipe.has_escapes) == (False, False, False)
        assert pipe.size() == (0, 0)


@pytest.mark.parametrize(
    ("environ", "has_escapes", "has_colour"),
    [
        ({"TERM": "xterm"}, True, True),
        ({"TERM": "xterm", "NO_COLOR": ""}, True, True),
        ({"TERM": "xterm", "NO_COLOR": "0"}, True, False),
        ({"TERM": "dumb"}, False, False),
        ({}, False, False),
    ],
)
def test_colours(tty: Tty, environ: dict[str, str], has_escapes: bool, has_colour: bool) -> None:
    terminal = Terminal(tty.stream(), environ)
    assert terminal.is_terminal
    assert (terminal.has_escapes, terminal.has_colour) == (has_escapes, has_colour)


@pytest.mark.parametrize(
    ("text", "width"),
    [("70", 70), ("", 80), ("0", 80), ("-1", 80), ("wide", 80), ("²", 80)],
)
def test_columns_overrules_the_terminal(tty: Tty, text: str, width: int) -> None:
    assert Terminal(tty.stream(), {"COLUMNS": text}).width == width


def test_the_size_is_that_of_now(tty: Tty) -> None:
    terminal = Terminal(tty.stream(), {})
    tty.resize(33, 7)
    assert terminal.size() == (33, 7)
    tty.resize(0, 0)
    assert terminal.size() == (80, 24)


@pytest.mark.parametrize(
    ("encoding", "environ", "ellipsis"),
    [
        ("utf-8", {}, "…"),
        ("utf-8", {"LANG": "de_DE.UTF-8"}, "…"),
        ("utf-8", {"LANG": "C"}, "..."),
        ("utf-8", {"LANG": "C", "LC_ALL": "C.UTF-8"}, "…"),
        ("latin-1", {"LANG": "de_DE"}, "..."),
    ],
)
def test_the_ellipsis_is_what_the_terminal_can_show(
    tty: Tty, encoding: str, environ: dict[str, str], ellipsis: str
) -> None:
    assert Terminal(tty.stream(encoding), environ).ellipsis == ellipsis
