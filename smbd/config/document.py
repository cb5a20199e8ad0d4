"""A shares.toml on its way to a Config: its tables, their lines, and all that is wrong so far."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from smbd.config import environment, schema
from smbd.config.lines import KeyPath, find_lines
from smbd.config.model import ConfigError, Problem

_TOML_POSITION = re.compile(r" \(at line (\d+), column \d+\)$")
# A key and the beginning of its value: a word, a path or an address without quotes; or a string
# with a backslash in it.
_UNQUOTED = re.compile(r"\s*([\w.-]+)\s*=\s*(\[?)\s*[^\s\"'\[{#\]]")
_HEADER_WITH_SPACE = re.compile(r"\s*\[\s*(users|shares)\.[^\"'\]]*\s[^\"'\]]*\]")
_ESCAPED = re.compile(r'\s*[\w.-]+\s*=\s*"[^"]*\\')
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")


class Findings(Protocol):
    """Takes problems, each with its key."""

    def problem(self, key_path: KeyPath, message: str) -> None:
        """Note one thing."""


class Document:
    """One parsed file. Problems are collected, so that the user sees all of them at once."""

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()
        self.problems: list[Problem] = []
        self.warnings: list[Problem] = []
        self._name = str(path)
        self._byte_order_mark = False
        text = self._read(path)
        import tomllib  # noqa: PLC0415 -- 6 ms that a server without a file need not wait for

        try:
            self.top: Mapping[str, object] = tomllib.loads(text)
            self._lines = find_lines(text)
        except RecursionError:
            raise ConfigError((Problem(self._name, None, "", "nested too deeply"),)) from None
        except ValueError as error:  # TOMLDecodeError, or a number of thousands of digits
            raise ConfigError((self._syntax_problem(str(error), text),)) from None
        if self._byte_order_mark:
            message = "the file begins with a byte order mark (BOM), which TOML has no place for"
            self.warnings.append(Problem(self._name, 1, "", f"{message}: it was passed over"))

    def _read(self, path: Path) -> str:
        try:
            self._name, found = environment.text_of(path)
            text = found.decode()
            self._byte_order_mark = text.startswith("\ufeff")
            return text.removeprefix("\ufeff")
        except OSError as error:
            message = error.strerror or str(error)
        except UnicodeDecodeError as error:
            message = f"TOML is UTF-8, and byte {error.start} of this file is not"
        raise ConfigError((Problem(self._name, None, "", message),))

    def _syntax_problem(self, message: str, text: str) -> Problem:
        position = _TOML_POSITION.search(message)
        if position is None:  # "(at end of document)"
            return Problem(self._name, text.count("\n") + 1, "", message)
        line = int(position[1])
        lines = text.split("\n")
        hint = "" if message.startswith("Cannot") else _syntax_hint(lines[line - 1])
        return Problem(self._name, line, "", message[: position.start()] + hint)

    def problem(self, key_path: KeyPath, message: str) -> None:
        """Note a problem of a key: an existing one, or a missing one of an existing table."""
        self.problems.append(self._at(key_path, message))

    def warn(self, key_path: KeyPath, message: str) -> None:
        """Note a setting that is legal but unwise."""
        self.warnings.append(self._at(key_path, message))

    def _at(self, key_path: KeyPath, message: str) -> Problem:
        known = key_path
        while known and known not in self._lines:
            known = known[:-1]
        line, share = self._lines.get(known), share_of(key_path)
        return Problem(self._name, line, dotted(key_path), message, share)

    def table(self, key_path: KeyPath, checks: schema.Keys) -> dict[str, Any]:
        """Return the checked values of one table; one that fails is noted and left out."""
        found: object = self.top
        for name in key_path:
            found = found.get(name, {}) if isinstance(found, dict) else {}
        if not isinstance(found, dict):
            self.problem(key_path, f"must be a table: {header(key_path)}")
            return {}
        values = {}
        for key, value in found.items():
            if key not in checks:
                self.problem((*key_path, key), f"unknown key{_advice(key, checks)}")
                continue
            checked = self._checked((*key_path, key), value, checks[key])
            if checked is not None:
                values[key] = checked
        return values

    def _checked(
        self, key_path: KeyPath, value: object, check: schema.Check | schema.ArrayOf
    ) -> object:
        """Return the checked value, or None after noting what is wrong: TOML has no null."""
        if isinstance(check, schema.ArrayOf):
            return self._checked_array(key_path, value, check.element)
        try:
            return check(value)
        except ValueError as error:
            self.problem(key_path, str(error))
            return None

    def _checked_array(self, key_path: KeyPath, value: object, check: schema.Check) -> object:
        if not isinstance(value, list):
            self.problem(key_path, f"must be an array ([...]), not {schema.kind(value)}")
            return None
        before = len(self.problems)
        elements = tuple(
            self._checked((*key_path, index), element, check) for index, element in enumerate(value)
        )
        return elements if len(self.problems) == before else None

    def names(self, table: str) -> list[str]:
        """Return the names that a table of tables has: the NAMEs of its [table.NAME]."""
        found = self.top.get(table, {})
        return list(found) if isinstance(found, dict) else []


def _syntax_hint(line: str) -> str:
    """Say what was probably meant, without a word of the value: it may be a password."""
    if _ESCAPED.match(line):
        return (
            "; in \"...\" a backslash begins an escape: write 'C:\\folder' in single quotes, "
            'or "C:\\\\folder"'
        )
    header_ = _HEADER_WITH_SPACE.match(line)
    if header_:
        return f'; a name with a space stands in quotes: [{header_[1]}."..."]'
    found = _UNQUOTED.match(line)
    if not found:
        return ""
    return f"; a text stands in quotes: {found[1]} = " + ('["..."]' if found[2] else '"..."')


def dotted(key_path: KeyPath) -> str:
    """Write a key as TOML does: `shares."my music".users[1]`."""
    written = ""
    for part in key_path:
        if isinstance(part, int):
            written += f"[{part}]"
            continue
        name = part if _BARE_KEY.fullmatch(part) else f'"{part}"'
        written += f".{name}" if written else name
    return written


def share_of(key_path: KeyPath) -> str:
    """Return the name of the share that a key belongs to; '' if none."""
    return str(key_path[1]) if len(key_path) > 1 and key_path[0] == "shares" else ""


def header(key_path: KeyPath) -> str:
    """Write the line that begins a table."""
    return f"[{dotted(key_path)}]"


def _advice(key: str, checks: schema.Keys) -> str:
    """Say where a key belongs that is right elsewhere, or which one it is nearly."""
    for table, others in schema.TABLES.items():
        if key in others:
            return f"; it belongs in [{table}]"
    return schema.nearest(key, checks) or f"; known here: {', '.join(sorted(checks))}"
