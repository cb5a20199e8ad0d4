"""A tree written as JSON: `tsmbd serve --content FILE.json`.

A text is a file, and an object is a folder: {"a": {"b.txt": "text"}}.  An object that has one of
the words "text", "base64", "size", "symlink", "folder" describes a file, a symbolic link or a
folder, and has nothing but such words:

    {"base64": "AAE=", "mtime": "2001-02-03T04:05:06Z", "attributes": ["readonly"], "mode": "0444"}
    {"size": "5 GiB"}        {"symlink": "b.txt"}        {"folder": {"size": "text of a file"}}
"""

import base64
import binascii
import json
import re
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, NoReturn

from smbd.content.details import ATTRIBUTES
from smbd.content.kinds import Entry, File, Folder, Symlink, Tree
from smbd.content.making import check
from smbd.content.sizes import parse_size

LARGEST = 64 << 20  # bytes of the document

_DETAILS = ("mtime", "created", "attributes", "mode", "eas", "streams")
_OF_FILES = ("text", "base64", "size")
_KINDS = (*_OF_FILES, "symlink", "folder")


class DocumentError(ValueError):
    """A document is no tree; the text says where, and what would be right."""


def load(path: str | Path) -> Tree:
    """Read a file of JSON; DocumentError, OSError.  Blocks."""
    with Path(path).open("rb") as file:
        data = file.read(LARGEST + 1)
    if len(data) > LARGEST:
        raise DocumentError(f"{path}: longer than {LARGEST >> 20} MiB")
    try:
        return parse(data)
    except DocumentError as error:
        raise DocumentError(f"{path}: {error}") from error


def parse(text: str | bytes) -> Tree:
    """The tree of a JSON text; DocumentError."""
    try:
        found = json.loads(text, object_pairs_hook=_without_doubles)
    except RecursionError:
        raise DocumentError("nested too deeply") from None
    except DocumentError:
        raise
    except ValueError as error:  # JSONDecodeError, UnicodeDecodeError
        raise DocumentError(f"is no JSON: {error}") from error
    if not isinstance(found, dict):
        raise DocumentError(f"must be an object, a folder: {{...}}, not {_kind(found)}")
    try:
        tree = _entry("", found)
        if not isinstance(tree, Mapping):
            raise DocumentError("describes a file, and must be a folder")
        check(tree)
    except RecursionError:
        raise DocumentError("nested too deeply") from None
    except DocumentError:
        raise
    except (TypeError, ValueError) as error:
        raise DocumentError(str(error)) from error
    return tree


def _without_doubles(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found: dict[str, object] = {}
    for name, value in pairs:
        if name in found:
            raise DocumentError(f'"{name}" is twice in one object')
        found[name] = value
    return found


def _entry(path: str, value: object) -> Entry:
    if isinstance(value, str):
        return value
    if not isinstance(value, dict):
        _refuse(path, f"must be a text or an object, not {_kind(value)}")
    kinds = [word for word in _KINDS if word in value]
    if not kinds:
        return {
            name: _entry(f"{path}/{name}" if path else name, its) for name, its in value.items()
        }
    _check_words(path, value, kinds)
    details = _details(path, value)
    try:
        if "folder" in value:
            return Folder(_folder(path, value["folder"]), **details)
        if "symlink" in value:
            return Symlink(_text(path, "symlink", value["symlink"]))
        return File(_data(path, value), size=_size(path, value.get("size")), **details)
    except DocumentError:
        raise
    except (TypeError, ValueError) as error:
        _refuse(path, str(error))


def _check_words(path: str, value: dict[str, Any], kinds: list[str]) -> None:
    kind = kinds[0]
    if kind in _OF_FILES:
        known: tuple[str, ...] = (*_OF_FILES, *_DETAILS)
    else:
        known = (kind, *_DETAILS) if kind == "folder" else (kind,)
    for word in value:
        if word not in known:
            _refuse(
                path,
                f'"{word}" has no place beside "{kind}" (known there: {", ".join(known)}); '
                f'a folder with a file named "{kind}" is written {{"folder": {{"{kind}": ...}}}}',
            )
    if "text" in value and "base64" in value:
        _refuse(path, 'has both "text" and "base64"')


def _folder(path: str, value: object) -> Tree:
    if not isinstance(value, dict):
        _refuse(path, f'"folder" must be an object, not {_kind(value)}')
    return {name: _entry(f"{path}/{name}" if path else name, its) for name, its in value.items()}


def _data(path: str, value: dict[str, Any]) -> bytes:
    if "base64" in value:
        return _base64(path, value["base64"])
    return _text(path, "text", value.get("text", "")).encode()


def _base64(path: str, value: object) -> bytes:
    try:
        return base64.b64decode(_text(path, "base64", value), validate=True)
    except (binascii.Error, ValueError) as error:
        _refuse(path, f'"base64" is none: {error}')


def _text(path: str, word: str, value: object) -> str:
    if not isinstance(value, str):
        _refuse(path, f'"{word}" must be a text, not {_kind(value)}')
    return value


def _size(path: str, value: object) -> int | None:
    if value is None or (isinstance(value, int) and not isinstance(value, bool)):
        return value
    if not isinstance(value, str):
        _refuse(path, f'"size" must be a number of bytes, or like "64 MiB", not {_kind(value)}')
    try:
        return parse_size(value)
    except ValueError as error:
        _refuse(path, f'"size" {error}')


def _details(path: str, value: dict[str, Any]) -> dict[str, Any]:
    return {word: _READ[word](path, word, value[word]) for word in _DETAILS if word in value}


def _time(path: str, word: str, value: object) -> object:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return value
    try:
        found = datetime.fromisoformat(_text(path, word, value))
    except ValueError:
        found = None
    if found is None or found.tzinfo is None:
        _refuse(path, f'"{word}" must be seconds of Unix time, or like "2001-02-03T04:05:06Z"')
    return found


def _attributes(path: str, word: str, value: object) -> int:
    if not isinstance(value, list) or not all(isinstance(name, str) for name in value):
        _refuse(path, f'"{word}" must be a list of texts, as ["readonly", "hidden"]')
    attributes = 0
    for name in value:
        if name.lower() not in ATTRIBUTES:
            _refuse(path, f'"{word}": there is no "{name}"; known: {", ".join(ATTRIBUTES)}')
        attributes |= ATTRIBUTES[name.lower()]
    return attributes


def _mode(path: str, word: str, value: object) -> int:
    if not isinstance(value, str) or not re.fullmatch("0?[0-7]{3,4}", value):
        _refuse(path, f'"{word}" must be a text of octal digits, as "0444"')
    return int(value, 8)


def _named(path: str, word: str, value: object) -> dict[str, bytes]:
    if not isinstance(value, dict):
        _refuse(path, f'"{word}" must be an object of names, not {_kind(value)}')
    named = {}
    for name, its in value.items():
        if isinstance(its, dict) and its.keys() == {"base64"}:
            named[name] = _base64(path, its["base64"])
        elif isinstance(its, str):
            named[name] = its.encode()
        else:
            _refuse(path, f'"{word}": "{name}" must be a text, or {{"base64": "..."}}')
    return named


_READ: dict[str, Callable[[str, str, object], Any]] = {
    "mtime": _time,
    "created": _time,
    "attributes": _attributes,
    "mode": _mode,
    "eas": _named,
    "streams": _named,
}


def _kind(value: object) -> str:
    if value is None:
        return "null"
    kinds = {bool: "true or false", str: "a text", int: "a number", float: "a number"}
    return kinds.get(type(value), "an array" if isinstance(value, list) else "an object")


def _refuse(path: str, message: str) -> NoReturn:
    raise DocumentError(f"{path}: {message}" if path else message)
