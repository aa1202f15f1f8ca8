"""The manual pages say what the program does: nothing is missing, and every reader likes them."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import manpages
import markdown
import pagetexts
import pytest
import roff
from hypothesis import given
from hypothesis import strategies as st

from hirte.ctl.exits import MEANINGS
from hirte.ctl.verbs import VERBS, every_option
from hirte.main import MODES, NAMES
from hirte.online import main as online
from hirte.proxy import main as proxy
from hirte.settings.option import COMPATIBLE, LONG_MAX, NATIVE, Number
from hirte.settings.table import ROLES, AgentSettings, ManagerSettings, NodeSettings, Settings

ROOT = Path(__file__).resolve().parent.parent.parent
PAGES = {page.name: page for page in manpages.pages()}
WIDTH = 80
APOSTROPHE = "\N{RIGHT SINGLE QUOTATION MARK}"


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the pages, as `make man` does."""
    place = tmp_path_factory.mktemp("man")
    assert manpages.main([str(place)]) == 0
    return place


def shown(name: str, width: int = WIDTH) -> str:
    """Return a page as a terminal of that width shows it, without its attributes."""
    done = subprocess.run(
        ["groff", "-man", "-ww", "-Tascii", "-P-cbou", f"-rLL={width - 2}n"],
        input=PAGES[name].text, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stderr == ""
    return done.stdout


def words(name: str) -> str:
    """Return a page as one line."""
    return " ".join(shown(name).split())


def entries(name: str, title: str) -> list[str]:
    """Return what is explained in a section: the lines that stand out there."""
    text = shown(name).split(f"\n{title}\n")[1]
    text = re.split(r"^[A-Z]", text, flags=re.MULTILINE)[0]
    return [line[7:] for line in text.splitlines() if re.match(r" {7}\S", line)]


def explains(listed: list[str], word: str) -> bool:
    """Tell whether one of the entries is about `word`."""
    return any(re.search(rf"(^|[ ,]){re.escape(word)}($|[ ,=])", line) for line in listed)


# What must be there


def test_every_mode_has_its_page_and_is_named() -> None:
    listed = entries("hirte", "MODES")
    for mode in MODES:
        assert f"hirte-{mode}" in PAGES
        assert f"hirte {mode}" in listed
    names = entries("hirte", "PROGRAM NAMES")
    assert [name for name in NAMES if name not in names] == []


@pytest.mark.parametrize("verb", VERBS.values(), ids=list(VERBS))
def test_every_command_is_told_with_words_options_and_example(verb: object) -> None:
    page = words("hirte-ctl")
    lines = PAGES["hirte-ctl"].text.split("\n.SH ")
    lines = next(part for part in lines if part.startswith("COMMANDS\n")).splitlines()
    (place,) = [n for n, line in enumerate(lines) if line.split(" ")[0] == roff.bold(verb.name)]
    told = "\n".join(lines[place : place + 6]).replace("\\-", "-")
    for word in verb.words:
        assert word in told
    for option in verb.options:
        assert f"--{option.name}" in told
    assert f"Example: hirte ctl {verb.example}" in page


def test_every_option_of_ctl_is_told() -> None:
    listed = entries("hirte-ctl", "OPTIONS")
    for option in every_option():
        for flag in option.spellings:
            assert explains(listed, flag), flag


def test_every_kind_of_word_is_told() -> None:
    listed = [line.split()[0] for line in entries("hirte-ctl", "WORDS")]
    assert sorted(listed) == sorted({kind for verb in VERBS.values() for kind in verb.kinds()})


def test_every_exit_code_of_ctl_is_told() -> None:
    text = words("hirte-ctl").split("EXIT STATUS")[1]
    for code, meaning in MEANINGS.items():
        # As a page shows it, code stands without its quotes.
        assert f"{code} {meaning.replace('`', '')}" in text


def test_every_word_option_and_exit_code_of_proxy_is_told() -> None:
    assert all(explains(entries("hirte-proxy", "WORDS"), word) for word in proxy.WORDS)
    listed = entries("hirte-proxy", "OPTIONS")
    assert all(explains(listed, flag) for option in proxy.OPTIONS for flag in option.spellings)
    text = words("hirte-proxy").split("EXIT STATUS")[1]
    assert all(f"{code} {meaning}" in text for code, meaning in proxy.EXIT_CODES.items())


def test_every_question_option_and_exit_code_of_online_is_told() -> None:
    questions = entries("hirte-online", "QUESTIONS")
    assert all(explains(questions, word) for word in online.WORDS)
    listed = entries("hirte-online", "OPTIONS")
    assert all(explains(listed, flag) for option in online.OPTIONS for flag in option.spellings)
    text = words("hirte-online").split("EXIT STATUS")[1]
    assert all(f"{code} {meaning}" in text for code, meaning in online.EXIT_CODES.items())


@pytest.mark.parametrize("kind", ROLES)
def test_every_option_and_variable_of_a_daemon_is_told(kind: type[Settings]) -> None:
    name = f"hirte-{kind.role}"
    listed, variables = entries(name, "OPTIONS"), entries(name, "ENVIRONMENT")
    for option in kind.options():
        assert all(explains(listed, flag) for flag in option.flags)
        if option.environment:
            assert f"HIRTE_{option.environment}" in variables


@pytest.mark.parametrize(
    ("page", "kind"),
    [
        ("hirte.conf", ManagerSettings),
        ("hirte.conf", NodeSettings),
        ("hirte-agent.conf", AgentSettings),
    ],
)
def test_every_setting_is_told_with_default_range_and_the_reference_name(
    page: str, kind: type[Settings]
) -> None:
    text = words(page)
    for option in kind.options():
        if not option.key:
            continue
        _, tag, told = text.partition(f" {option.key}= ")
        assert tag, option.key
        told = re.split(r" [A-Z]\w+= ", told)[0]
        default = option.default_text(NATIVE)
        assert f"default: {default}" in told
        if isinstance(option, Number) and option.high != LONG_MAX:
            assert f"from {option.low} to {option.high};" in told
        for flag in option.flags:
            assert flag in told
        if option.compatible_key != option.key:
            assert f"BlueChi's name: {option.compatible_key}." in told
        if option.default_text(COMPATIBLE) != default:
            assert f"as bluechi-* {option.default_text(COMPATIBLE)}." in told


@pytest.mark.parametrize(
    ("page", "kind"), [("hirte.conf", ManagerSettings), ("hirte-agent.conf", AgentSettings)]
)
def test_files_are_told_in_the_order_in_which_they_win(page: str, kind: type[Settings]) -> None:
    vendor, administrator, directory = kind.files[NATIVE]
    places = ["built in", vendor, administrator, f"{directory}/*.conf"]
    places += ["HIRTE_LOG_LEVEL, HIRTE_LOG_TARGET, HIRTE_LOG_IS_QUIET", "-c FILE"]
    assert [line for line in entries(page, "FILES") if line in places] == places
    assert kind.sections[COMPATIBLE] in words(page)


@pytest.mark.parametrize("name", PAGES)
def test_the_sections_that_readers_expect(name: str) -> None:
    titles = re.findall(r"^[A-Z].*$", shown(name), re.MULTILINE)[1:]
    expected = ["NAME", "SYNOPSIS", "DESCRIPTION", "SEE ALSO"]
    if PAGES[name].chapter != 5:
        expected += ["EXIT STATUS"]
    if PAGES[name].chapter == 8:
        expected += ["OPTIONS", "EXAMPLES"]
    if name in ("hirte-manager", "hirte-agent"):
        expected += ["FILES", "ENVIRONMENT"]
    assert [title for title in expected if title not in titles] == []
    assert len(set(titles)) == len(titles)


def test_all_pages_lead_to_each_other() -> None:
    assert {page.name: page.chapter for page in PAGES.values()} == pagetexts.SEE_ALSO
    for name in PAGES:
        also = words(name).split("SEE ALSO")[1]
        for page in PAGES.values():
            assert (f"{page.name}({page.chapter})" in also) == (page.name != name)


def test_the_units_name_pages_that_exist() -> None:
    named = set()
    for path in (ROOT / "systemd").rglob("*"):
        if path.is_file():
            named |= set(re.findall(r"\bman:(\S+)\((\d)\)", path.read_text()))
    assert named
    assert named <= {(page.name, str(page.chapter)) for page in PAGES.values()}


# How they look


@pytest.mark.parametrize("name", PAGES)
@pytest.mark.parametrize("width", [60, WIDTH, 132])
def test_groff_has_no_complaint_and_lines_fit(name: str, width: int) -> None:
    assert [line for line in shown(name, width).splitlines() if len(line) > width] == []


def test_apropos_finds_them(built: Path) -> None:
    for page in PAGES.values():
        done = subprocess.run(
            ["lexgrog", page.path], cwd=built, capture_output=True, text=True, check=True
        )
        assert done.stdout == f'{page.path}: "{page.name} - {pagetexts.NAMES[page.name]}"\n'


def test_a_name_leads_to_the_page_of_its_mode(built: Path) -> None:
    done = subprocess.run(
        ["lexgrog", "man1/hirtectl.1"], cwd=built, capture_output=True, text=True, check=True
    )
    assert '"hirte-ctl - ' in done.stdout


def test_what_is_copied_has_plain_quotes_and_hyphens() -> None:
    done = subprocess.run(
        ["groff", "-man", "-Tutf8", "-P-cbou"],
        input=PAGES["hirte-ctl"].text, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert "Example: hirte ctl nodes 'ecu-*' -o json" in done.stdout
    assert "--no-legend" in done.stdout
    assert "see `hirte ctl" in done.stdout


# How they are made


def test_the_same_bytes_each_time(built: Path, tmp_path: Path) -> None:
    """Neither time, terminal, locale nor hash seed matter."""
    elsewhere = {"COLUMNS": "40", "TZ": "Asia/Tokyo", "LC_ALL": "C", "PYTHONHASHSEED": "4711"}
    subprocess.run(
        [sys.executable, str(ROOT / "packaging" / "manpages.py"), str(tmp_path)],
        env={**os.environ, **elsewhere, "SOURCE_DATE_EPOCH": "1"}, capture_output=True, check=True,
    )  # fmt: skip
    paths = [path.relative_to(built) for path in sorted(built.rglob("*.?"))]
    assert len(paths) == len(PAGES) + len(manpages.aliases())
    for path in paths:
        assert (tmp_path / path).read_bytes() == (built / path).read_bytes()


def plain(text: str) -> str:
    """Return what a paragraph of roff shows; some systems have plain apostrophes everywhere."""
    done = subprocess.run(
        ["groff", "-man", "-ww", "-Tutf8", "-P-cbou", "-rLL=1000n"],
        input=f'.TH X 1 "" "" ""\n.nh\n.SH X\n{text}\n', capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stderr == ""
    return done.stdout.partition("\nX\n")[2].lstrip().splitlines()[0].replace(APOSTROPHE, "'")


@pytest.mark.parametrize(
    ("written", "seen"),
    [
        (".not a request", ".not a request"),
        ("'nor this", "'nor this"),
        ("`'a' \\x2d - ~^` it's", "'a' \\x2d - ~^ it's"),
        ("**strong `code`** and [a `link`](docs/x.md)", "strong code and a link"),
        ("knö", "knö"),
        (r"`a\|b`", "a|b"),
    ],
)  # fmt: skip
def test_markdown_as_roff(written: str, seen: str) -> None:
    assert plain("\n".join(roff.paragraph(written))) == seen


@given(st.text(st.characters(codec="ascii", exclude_categories=["Cc"])))
def test_no_text_is_a_request(text: str) -> None:
    """Nor does one end a line, or leave ASCII."""
    for line in roff.inline(text), f"x{roff.literal(text)}":
        assert not line.startswith((".", "'"))
        assert "\n" not in line
        assert line.isascii()


def test_a_document_is_cut_into_blocks() -> None:
    text = "# T\n\nfirst\n\n## A\n\none\ntwo\n\n| a | b |\n|---|---|\n| `x\\|y` | z |\n"
    text += "\n- i\n  j\n- k\n\n    code\n      more\n\n## B\n\nlast\n"
    assert markdown.blocks(markdown.section(text, "")) == [
        markdown.Block(markdown.PARAGRAPH, ("first",))
    ]
    assert markdown.blocks(markdown.section(text, "A")) == [
        markdown.Block(markdown.PARAGRAPH, ("one two",)),
        markdown.Block(markdown.TABLE, rows=(("a", "b"), (r"`x\|y`", "z"))),
        markdown.Block(markdown.LIST, ("i j", "k")),
        markdown.Block(markdown.CODE, ("code", "  more")),
    ]
    with pytest.raises(KeyError):
        markdown.section(text, "C")
