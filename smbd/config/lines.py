"""Where each key of a TOML text stands: tomllib keeps no positions.

Works on a text that tomllib has accepted, so it only has to find the ends of things, never to judge
them.
"""

import re
from collections.abc import Mapping

# The way to a key in the document: names of tables and keys, and indices within arrays.
KeyPath = tuple[str | int, ...]

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


def find_lines(text: str) -> Mapping[KeyPath, int]:
    """Map every table, key and array element to its line, counted from 1.

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
        self._lines: dict[KeyPath, int] = {}
        self._lengths: dict[KeyPath, int] = {}  # of arrays of tables

    def scan(self) -> dict[KeyPath, int]:
        """Note the line of every key of the text."""
        table: KeyPath = ()
        self._skip(_BLANK)
        while self._at < len(self._text):
            if self._text.startswith("[", self._at):
                table = self._header()
            else:
                self._pair(table)
            self._skip(_BLANK)
        return self._lines

    def _header(self) -> KeyPath:
        brackets = 2 if self._text.startswith("[[", self._at) else 1
        self._at += brackets
        *parents, name = self._dotted_key()
        table: KeyPath = ()
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

    def _latest(self, key_path: KeyPath) -> KeyPath:
        """Note a parent table; of an array of tables it is the last element that a header means."""
        self._note(key_path)
        length = self._lengths.get(key_path)
        return key_path if length is None else (*key_path, length - 1)

    def _pair(self, table: KeyPath) -> None:
        key_path = table
        for name in self._dotted_key():
            key_path = (*key_path, name)
            self._note(key_path)
        self._at += 1  # the equals sign
        self._value(key_path)

    def _value(self, key_path: KeyPath) -> None:
        self._skip(_SPACE)
        opening = self._text[self._at]
        if opening == "[":
            self._array(key_path)
        elif opening == "{":
            self._inline_table(key_path)
        elif opening in "\"'":
            self._take(_STRING)
        else:
            self._take(_SCALAR)

    def _array(self, key_path: KeyPath) -> None:
        index = 0
        while self._next_element("]"):
            element = (*key_path, index)
            self._note(element)
            self._value(element)
            index += 1

    def _inline_table(self, key_path: KeyPath) -> None:
        while self._next_element("}"):
            self._pair(key_path)

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
                import tomllib  # noqa: PLC0415 -- as in smbd.config.document

                quoted = self._take(_STRING)
                names.append(str(tomllib.loads(f"key = {quoted}")["key"]))
            else:
                names.append(self._take(_BARE_KEY))
            self._skip(_SPACE)
            if self._text[self._at] != ".":
                return names
            self._at += 1

    def _note(self, key_path: KeyPath) -> None:
        self._lines.setdefault(key_path, self._line_here())

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
