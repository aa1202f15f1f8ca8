"""The syntax of configuration files: bytes to sections and options, nothing about their meaning.

The reference reads its files with inih; this reads the same language:

- `[section]`, `name=value`, `name: value`; blanks around names and values do not count;
- a line that starts with `#` or `;` is a comment, and so is a `;` after a blank up to the end of
  the line;
- an indented line continues the option before it in the same section; nothing is put in between;
- a byte order mark at the start is skipped.

It deviates where the reference is wrong: a line may be of any length, the same option twice is
not glued together (the caller decides which wins), and the first broken line is the error.
"""

from __future__ import annotations

from hirte.settings.errors import ConfigError
from hirte.settings.option import BLANKS

COMMENT = (";", "#")
INLINE_COMMENT = ";"
BYTE_ORDER_MARK = b"\xef\xbb\xbf"


class Entry:
    """One option of a file; `section` is None before the first section."""

    __slots__ = ("key", "line", "section", "value")

    def __init__(self, section: str | None, key: str, value: str, line: int) -> None:
        self.section = section
        self.key = key
        self.value = value
        self.line = line


class IniFile:
    """What one file says: options in the order of the file, section headers with their line."""

    __slots__ = ("entries", "sections")

    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self.sections: list[tuple[str, int]] = []


def parse(data: bytes, path: str) -> IniFile:
    """Return what `data` says. Raises ConfigError naming `path` and the broken line."""
    result = IniFile()
    section: str | None = None
    entry: Entry | None = None
    for number, line in enumerate(_lines(data, path), 1):
        text = line.strip(BLANKS)
        if not text or text.startswith(COMMENT):
            continue
        place = f"{path}:{number}"
        if entry is not None and line[0] in BLANKS:
            entry.value += text[: _end(text)].rstrip(BLANKS)
        elif text.startswith("["):
            section = _section(text, place)
            result.sections.append((section, number))
            entry = None
        else:
            key, value = _option(text, place)
            entry = Entry(section, key, value, number)
            result.entries.append(entry)
    return result


def _lines(data: bytes, path: str) -> list[str]:
    if data.startswith(BYTE_ORDER_MARK):
        data = data[len(BYTE_ORDER_MARK) :]
    for number, line in enumerate(data.split(b"\n"), 1):
        if b"\0" in line:
            raise ConfigError("a NUL byte is not text", f"{path}:{number}")
    try:
        return data.decode("utf-8").split("\n")
    except UnicodeDecodeError as error:
        number = data.count(b"\n", 0, error.start) + 1
        raise ConfigError("this is not UTF-8", f"{path}:{number}") from None


def _section(text: str, place: str) -> str:
    end = _end(text, "]", 1)
    if text[end : end + 1] != "]":
        raise ConfigError(f"the section's name does not end with ]: {text!r}", place)
    return text[1:end]


def _option(text: str, place: str) -> tuple[str, str]:
    end = _end(text, "=:")
    if text[end : end + 1] not in ("=", ":"):
        raise ConfigError(f"neither name=value nor [section]: {text!r}", place)
    value = text[end + 1 :]
    return text[:end].rstrip(BLANKS), value[: _end(value)].strip(BLANKS)


def _end(text: str, wanted: str = "", start: int = 0) -> int:
    """Return where the first of `wanted` or an inline comment starts, or the end of `text`."""
    after_blank = False
    for position in range(start, len(text)):
        character = text[position]
        if character in wanted or (after_blank and character == INLINE_COMMENT):
            return position
        after_blank = character in BLANKS
    return len(text)
