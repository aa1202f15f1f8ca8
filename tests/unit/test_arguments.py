"""Command lines read as getopt_long(3) would, and what of that an option may forbid."""

from __future__ import annotations

import pytest

from hirte.arguments import Option, UsageError, read

GREEDY = Option("all-nodes", "", "mean all", exact=True)
OPTIONS = (GREEDY, Option("alike", "WORD", "be like this", short="a"), Option("plain", "", "be so"))


@pytest.mark.parametrize(
    ("argv", "options"),
    [
        (["--all-nodes"], {"all-nodes": ""}),
        (["--pl"], {"plain": ""}),
        (["--ali", "x"], {"alike": "x"}),
        (["--ali=x"], {"alike": "x"}),
        (["-ax", "--", "--all"], {"alike": "x"}),
    ],
)
def test_what_may_be_shortened(argv: list[str], options: dict[str, str]) -> None:
    assert read(argv, OPTIONS)[1] == options


@pytest.mark.parametrize("word", ["--all", "--all-node", "--all-n=1"])
def test_an_exact_option_cannot_be_shortened(word: str) -> None:
    with pytest.raises(UsageError, match="unrecognized option") as caught:
        read(["x", word], OPTIONS)
    assert caught.value.unknown == word


def test_the_beginning_of_two_options_means_neither() -> None:
    with pytest.raises(UsageError, match="ambiguous option: --al could match"):
        read(["--al", "x"], OPTIONS)
