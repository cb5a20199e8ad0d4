"""Where each key of a TOML text stands: tomllib keeps no positions.

Works on a text that tomllib has accepted, so it only has to find the ends of things, never to judge
them.
"""

import re
import tomllib
from collections.abc import Mapping

# A key's place in the document: names of tables and keys, and indices within arrays.
Place = tuple[str | int, ...]

# Longest alternative first: a multi-line string may end in up to two quotes of its own.
_STRING = re.compile(
    r'"""(?:[^\\]|\\.)*?"{3,5}'
    r"|'''.*?'{3,5}"
    r'|"(?:[^"\\]|\\.)*"'
    r"|'[^']*'",
    re.DOTALL,
)
_BLANK = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_SPACE = re.compile(r"[ \t]*")
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_SCALAR = re.compile(r"[^,\]}#\r\n]*")


def find_lines(text: str) -> Mapping[Place, int]:
    """Map the place of every table, key and array element to its line, counted from 1.

    An implied table (the `a` of `[a.b]`) has the line where it is first named.
    """
    return _Scanner(text).scan()


class _Scanner:
    """Walks a valid text once, from statement to statement."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._line = 1
        self._counted = 0
        self._lines: dict[Place, int] = {}
        self._lengths: dict[Place, int] = {}  # of arrays of tables

    def scan(self) -> dict[Place, int]:
        """Note every place of the text."""
        table: Place = ()
        self._skip(_BLANK)
        while self._at < len(self._text):
            if self._text.startswith("[", self._at):
                table = self._header()
            else:
                self._pair(table)
            self._skip(_BLANK)
        return self._lines

    def _header(self) -> Place:
        brackets = 2 if self._text.startswith("[[", self._at) else 1
        self._at += brackets
        *parents, name = self._dotted_key()
        table: Place = ()
        for parent in parents:
            table = self._latest((*table, parent))
        table = (*table, name)
        if brackets == 2:
            self._note(table)
            length = self._lengths.get(table, 0)
            self._lengths[table] = length + 1
            table = (*table, length)
        # [a.b] before [a]: the line of `a` itself is the better one.
        self._lines[table] = self._line_here()
        self._at += brackets
        return table

    def _latest(self, place: Place) -> Place:
        """Note a parent table; of an array of tables it is the last element that a header means."""
        self._note(place)
        length = self._lengths.get(place)
        return place if length is None else (*place, length - 1)

    def _pair(self, table: Place) -> None:
        place = table
        for name in self._dotted_key():
            place = (*place, name)
            self._note(place)
        self._at += 1  # the equals sign
        self._value(place)

    def _value(self, place: Place) -> None:
        self._skip(_SPACE)
        opening = self._text[self._at]
        if opening == "[":
            self._array(place)
        elif opening == "{":
            self._inline_table(place)
        elif opening in "\"'":
            self._take(_STRING)
        else:
            self._take(_SCALAR)

    def _array(self, place: Place) -> None:
        index = 0
        while self._next_element("]"):
            element = (*place, index)
            self._note(element)
            self._value(element)
            index += 1

    def _inline_table(self, place: Place) -> None:
        while self._next_element("}"):
            self._pair(place)

    def _next_element(self, closing: str) -> bool:
        """Step over the opening bracket or a comma, and past the closing bracket at the end."""
        self._skip(_BLANK)
        if self._text[self._at] != closing:
            self._at += 1
            self._skip(_BLANK)
        if self._text[self._at] == closing:
            self._at += 1
            return False
        return True

    def _dotted_key(self) -> list[str]:
        names = []
        while True:
            self._skip(_SPACE)
            if self._text[self._at] in "\"'":
                quoted = self._take(_STRING)
                names.append(str(tomllib.loads(f"key = {quoted}")["key"]))
            else:
                names.append(self._take(_BARE_KEY))
            self._skip(_SPACE)
            if self._text[self._at] != ".":
                return names
            self._at += 1

    def _note(self, place: Place) -> None:
        self._lines.setdefault(place, self._line_here())

    def _line_here(self) -> int:
        self._line += self._text.count("\n", self._counted, self._at)
        self._counted = self._at
        return self._line

    def _skip(self, pattern: re.Pattern[str]) -> None:
        self._take(pattern)

    def _take(self, pattern: re.Pattern[str]) -> str:
        match = pattern.match(self._text, self._at)
        assert match is not None, "tomllib accepted this text"
        self._at = match.end()
        return match.group()
