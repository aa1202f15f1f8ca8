"""What hirte ctl shows fits, whatever the names are."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from hirte.ctl.text import Table, clip, columns, join, shorten, wrap
from hirte.printable import printable

# Letters of one, two and no columns, and what is escaped.
NAMES = st.text(st.sampled_from("ab.-@é地図ｱ🚗\u0308\u20dd\x1b\n"), max_size=40)
WIDTHS = st.integers(0, 60)
STYLES = st.sampled_from(["", "\x1b[1;31m", "\x1b[0m"])


@given(NAMES.map(printable), WIDTHS, st.sampled_from(["…", "..."]))
def test_what_is_shortened_fits_and_what_fits_is_whole(
    text: str, width: int, ellipsis: str
) -> None:
    shown = shorten(text, width, ellipsis)
    assert columns(shown) <= width
    assert (shown == text) == (columns(text) <= width)


@given(st.lists(st.tuples(STYLES, NAMES.map(printable))), WIDTHS)
def test_a_line_that_is_cut_fits_and_keeps_its_colours(
    parts: list[tuple[str, str]], width: int
) -> None:
    shown = clip("".join(style + text for style, text in parts), width)
    for style, _ in parts:
        if style:
            before, shown = shown.split(style, 1)
            width -= columns(before)
    assert "\x1b" not in shown
    assert columns(shown) <= width


@given(NAMES.map(printable), st.integers(1, 60))
def test_wrapped_lines_have_all_words_and_fit_unless_a_word_does_not(text: str, width: int) -> None:
    lines = wrap(text, width)
    assert " ".join(lines).split() == text.split()
    assert all(columns(line) <= width or " " not in line for line in lines)


@given(st.lists(st.tuples(NAMES, NAMES, NAMES)), WIDTHS, st.booleans())
def test_a_table_is_aligned_and_fits_if_its_rigid_column_lets_it(
    rows: list[tuple[str, str, str]], width: int, legend: bool
) -> None:
    table = Table(("NODE", "UNIT", "SUB"), rows, legend, width, "…", ("SUB",))
    assert len({tuple(map(columns, line[:2])) for line in table.lines}) <= 1
    rigid = max([columns(printable(sub) or "-") for *_, sub in rows] + [3 * legend], default=0)
    if width >= rigid + 20:
        assert all(columns(join(line)[:-1]) <= width for line in table.lines)
