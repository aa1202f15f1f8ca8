"""Configuration files: any bytes are read or refused, and what is written is read again."""

from __future__ import annotations

from hypothesis import example, given
from hypothesis import strategies as st

from hirte.nearest import nearest
from hirte.settings import ConfigError, ManagerSettings, load
from hirte.settings.ini import parse
from hirte.settings.option import BLANKS
from hirte.settings.report import effective
from tests.unit.test_settings import ADMIN, FakeHost

SOUP = st.text(st.sampled_from("[]=:;# \t\r\n\x0b,ab\ufeffä\x85\u2028"), max_size=60)
NAMES = st.text(
    st.characters(blacklist_characters="[]=:;#\n\0", blacklist_categories=["Cs"]), min_size=1
).filter(lambda name: name == name.strip(BLANKS))
VALUES = st.text(st.characters(blacklist_characters=";\n\0", blacklist_categories=["Cs"])).map(
    lambda text: text.strip(BLANKS)
)
NODES = st.lists(
    NAMES.filter(lambda name: "," not in name and not name.startswith("\ufeff")),
    unique=True,
    max_size=5,
)


@given(st.one_of(st.binary(max_size=100), SOUP.map(str.encode)))
def test_any_bytes_are_read_or_refused_with_the_place(data):
    try:
        content = parse(data, "file")
    except ConfigError as error:
        _, line, message = str(error).split(":", 2)
        assert 1 <= int(line) <= data.count(b"\n") + 1
        assert message
        return
    for entry in content.entries:
        assert entry.key == entry.key.strip(BLANKS)
        assert not {"\n", "\0"} & set(entry.key + entry.value)
    lines = [entry.line for entry in content.entries]
    assert lines == sorted(set(lines))


@given(st.lists(st.tuples(NAMES, st.lists(st.tuples(NAMES, VALUES)))))
@example([("\ufeff", [("a", "b")])])
def test_what_is_written_is_read_again(sections):
    text = "\n"
    expected = []
    for section, options in sections:
        text += f"[{section}]\n"
        for key, value in options:
            text += f"{key}={value}\n"
            expected.append((section, key, value))
    content = parse(text.encode(), "file")
    assert [(e.section, e.key, e.value) for e in content.entries] == expected


@given(SOUP)
def test_settings_are_loaded_or_refused(text):
    host = FakeHost({ADMIN: f"[hirte]\nManagerPort={text}\n"})
    try:
        settings = load(ManagerSettings, [], {}, host)
    except ConfigError as error:
        assert str(error).startswith(f"{ADMIN}:")
    else:
        assert 0 <= settings.manager_port <= 65535


@given(NODES, st.integers(0, 65535), st.booleans())
def test_effective_settings_mean_themselves(nodes, port, tcp):
    tcp_text = "yes" if tcp else "no"
    text = f"[hirte]\nAllowedNodeNames={','.join(nodes)}\nManagerPort={port}\nUseTCP={tcp_text}\n"
    first = load(ManagerSettings, [], {}, FakeHost({ADMIN: text}))
    assert [node.name for node in first.nodes] == nodes
    second = load(ManagerSettings, [], {}, FakeHost({ADMIN: "\n".join(effective(first))}))
    assert second.values == first.values
    assert [node.values for node in second.nodes] == [node.values for node in first.nodes]


@given(st.text(max_size=20), st.lists(st.text(max_size=20)))
def test_the_nearest_is_one_of_the_known_and_finds_the_word_itself(word, known):
    assert nearest(word, known) in [*known, ""]
    assert nearest(word, [word]) == word
