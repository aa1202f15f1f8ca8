"""A terminal without glass: what a screen shows that was written these characters.

It knows what hirte ctl uses of ECMA-48 and xterm's private modes and nothing else: an unknown
sequence is an error, because on some terminal it would be text.
"""

from __future__ import annotations

import re

_SEQUENCE = re.compile(r"\x1b\[(\??)([\d;]*)([A-Za-z])")


class Screen:
    """`columns` times `rows` cells, each with a character; colours are not kept."""

    def __init__(self, columns: int, rows: int) -> None:
        self.columns = columns
        self.rows = rows
        self.is_alternate = False
        self.has_cursor = self.wraps = True
        self._cells = self._blank()
        self._main = self._cells
        self._row = self._column = 0
        self._saved = (0, 0)
        self._rest = ""

    def _blank(self) -> list[list[str]]:
        return [[" "] * self.columns for _ in range(self.rows)]

    @property
    def lines(self) -> list[str]:
        """Return what can be read, without blanks at the ends of lines and empty lines below."""
        found = ["".join(row).rstrip() for row in self._cells]
        while found and not found[-1]:
            found.pop()
        return found

    def resize(self, columns: int, rows: int) -> None:
        """Have another size; what was shown stays in the upper left corner."""
        old, self.columns, self.rows = self._cells, columns, rows
        self._cells = self._blank()
        for new_row, old_row in zip(self._cells, old):
            new_row[: len(old_row)] = old_row[:columns]

    def feed(self, text: str) -> None:
        """Show more; the end may be in the middle of a sequence."""
        text = self._rest + text
        self._rest = ""
        place = 0
        while place < len(text):
            if text[place] != "\x1b":
                self._put(text[place])
                place += 1
                continue
            found = _SEQUENCE.match(text, place)
            if found is None:
                assert len(text) - place < 10, repr(text[place : place + 10])
                self._rest = text[place:]
                return
            self._obey(*found.groups())
            place = found.end()

    def _put(self, character: str) -> None:
        if character == "\r":
            self._column = 0
        elif character == "\n":
            self._feed_line()
        elif character == "\t":
            self._column = min(self._column // 8 * 8 + 8, self.columns - 1)
        else:
            assert character.isprintable(), repr(character)
            if self._column == self.columns:
                if self.wraps:
                    self._column = 0
                    self._feed_line()
                else:
                    self._column -= 1
            self._cells[self._row][self._column] = character
            self._column += 1

    def _feed_line(self) -> None:
        self._row += 1
        if self._row == self.rows:
            self._row -= 1
            self._cells[:] = [*self._cells[1:], [" "] * self.columns]

    def _obey(self, private: str, numbers: str, command: str) -> None:
        if private:
            self._set_mode(int(numbers), {"h": True, "l": False}[command])
        elif command == "H":
            row, column = (int(number) for number in (numbers or "1;1").split(";"))
            self._row, self._column = min(row, self.rows) - 1, min(column, self.columns) - 1
        elif command in "JK" and numbers == "":
            # The cursor that has reached the margin stands on the last cell.
            column = min(self._column, self.columns - 1)
            self._cells[self._row][column:] = " " * (self.columns - column)
            if command == "J":
                self._cells[self._row + 1 :] = self._blank()[self._row + 1 :]
        else:
            assert command == "m", f"unknown sequence {numbers}{command}"

    def _set_mode(self, mode: int, wanted: bool) -> None:
        if mode == 7:
            self.wraps = wanted
        elif mode == 25:
            self.has_cursor = wanted
        elif mode == 1049:
            self.is_alternate = wanted
            if wanted:
                self._saved = self._row, self._column
                self._main, self._cells = self._cells, self._blank()
            else:
                self._cells = self._main
                self._row, self._column = self._saved
        else:
            raise AssertionError(f"unknown mode {mode}")
