"""What a file or folder has beside its content: times, DOS attributes, mode, EAs, named streams."""

import contextlib
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, TypedDict

from smbd.vfs import SETTABLE_ATTRIBUTES
from smbd.wire.fscc import FileAttribute

# FILE_ATTRIBUTE_* ([MS-FSCC] 2.6), by the names that a JSON document has for them.
ATTRIBUTES = {
    "readonly": FileAttribute.READONLY,
    "hidden": FileAttribute.HIDDEN,
    "system": FileAttribute.SYSTEM,
    "archive": FileAttribute.ARCHIVE,
    "temporary": FileAttribute.TEMPORARY,
    "offline": FileAttribute.OFFLINE,
    "not_content_indexed": FileAttribute.NOT_CONTENT_INDEXED,
    "normal": FileAttribute.NORMAL,
}

Time = float | datetime  # seconds of Unix time, or a time with its zone
Bytes = str | bytes  # text is UTF-8

_SHOWN = 1000  # bytes of data in a representation
_TIME_STEP = 1000  # ns: of today's seconds a float has some 240, and a FILETIME has 100


class Details(TypedDict, total=False):
    """All that can be said; None is not said.

    `mtime` is LastWriteTime and `created` CreationTime.  `attributes` are READONLY, HIDDEN and so
    on, all that clients are to see (NORMAL: none; where nothing is said, ARCHIVE).  `mode` has the
    permission bits on the disk.  `eas` are extended attributes and `streams` named streams, by
    their names.
    """

    mtime: Time | None
    created: Time | None
    attributes: int | None
    mode: int | None
    eas: Mapping[str, Bytes] | None
    streams: Mapping[str, Bytes] | None


def checked(details: Mapping[str, Any]) -> dict[str, Any]:
    """What is said; TypeError or ValueError for a value that no file can have."""
    for name, value in details.items():
        if name not in _CHECKS:
            raise TypeError(f"{name}: unknown; known are {', '.join(_CHECKS)}")
        if value is not None:
            _CHECKS[name](name, value)
    return {name: value for name, value in details.items() if value is not None}


def differences(mine: Mapping[str, Any], others: Mapping[str, Any]) -> list[str]:
    """The names of what both say, and differently."""
    return [name for name in mine if name in others and not _ALIKE[name](mine[name], others[name])]


def represented(name: str, value: Any) -> str:
    """A detail as Python has it."""
    if name == "attributes":
        names = [name.upper() for name, bit in ATTRIBUTES.items() if value & bit]
        return f"{name}={' | '.join(names) or 'NORMAL'}"
    if name in {"eas", "streams"}:
        value = ", ".join(
            f"{its!r}: {represented_data(in_bytes(data))}" for its, data in value.items()
        )
        return f"{name}={{{value}}}"
    return f"{name}={oct(value) if name == 'mode' else repr(value)}"


def represented_data(data: bytes) -> str:
    """Text as text, and of much data only the beginning."""
    shown: str | bytes = data[:_SHOWN]
    with contextlib.suppress(UnicodeDecodeError):
        shown = data[:_SHOWN].decode()
    return repr(shown) if len(data) <= _SHOWN else f"{shown!r}... ({len(data)} bytes)"


def is_unusual(name: str, value: Any) -> bool:
    """Whether nobody would expect it of a file of which nothing was said."""
    if name == "attributes":
        return bool(value & SETTABLE_ATTRIBUTES & ~FileAttribute.ARCHIVE)
    return name in {"eas", "streams"} and bool(value)


def in_bytes(data: Bytes) -> bytes:
    """Text as UTF-8."""
    return data.encode() if isinstance(data, str) else bytes(data)


def in_nanoseconds(time: Time) -> int:
    """Unix time in nanoseconds."""
    return round((time.timestamp() if isinstance(time, datetime) else time) * 1_000_000_000)


def check_integer(name: str, value: object, most: int) -> None:
    """Raise TypeError or ValueError for what is no integer from 0 to `most`."""
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError(f"{name}: must be an integer, not {value!r}")
    if not 0 <= value <= most:
        raise ValueError(f"{name}: must be from 0 to {most}, not {value}")


def _check_time(name: str, time: object) -> None:
    if isinstance(time, datetime):
        if time.tzinfo is None:
            raise ValueError(f"{name}: needs a time zone, as in datetime.now(timezone.utc)")
    elif not isinstance(time, int | float) or isinstance(time, bool):
        raise TypeError(f"{name}: must be seconds of Unix time or a datetime, not {time!r}")
    elif not -1e10 < time < 1e12:
        raise ValueError(f"{name}: must be seconds of Unix time, not {time!r}")


def _check_attributes(name: str, value: object) -> None:
    settable = SETTABLE_ATTRIBUTES | FileAttribute.NORMAL
    check_integer(name, value, 0xFFFF_FFFF)
    assert isinstance(value, int)
    if value & ~settable:
        known = ", ".join(map(str.upper, ATTRIBUTES))
        raise ValueError(f"{name}: {value:#x} has others than {known}")


def _check_mode(name: str, value: object) -> None:
    check_integer(name, value, 0o7777)


def _check_named(name: str, named: object) -> None:
    if not isinstance(named, Mapping):
        raise TypeError(f"{name}: must be a dict, from names to data, not {type(named).__name__}")
    for its, data in named.items():
        if not isinstance(its, str) or not its:
            raise TypeError(f"{name}: a name must be a string that is not empty, not {its!r}")
        if not isinstance(data, str | bytes):
            raise TypeError(f"{name}: {its!r} must be str or bytes, not {type(data).__name__}")


_CHECKS: dict[str, Callable[[str, object], None]] = {
    "mtime": _check_time,
    "created": _check_time,
    "attributes": _check_attributes,
    "mode": _check_mode,
    "eas": _check_named,
    "streams": _check_named,
}


def _same_time(mine: Time, others: Time) -> bool:
    return abs(in_nanoseconds(mine) - in_nanoseconds(others)) < _TIME_STEP


def _same_attributes(mine: int, others: int) -> bool:
    return not (mine ^ others) & SETTABLE_ATTRIBUTES


def _same_mode(mine: int, others: int) -> bool:
    return mine == others


def _same_named(mine: Mapping[str, Bytes], others: Mapping[str, Bytes]) -> bool:
    return {name: in_bytes(data) for name, data in mine.items()} == {
        name: in_bytes(data) for name, data in others.items()
    }


_ALIKE: dict[str, Callable[[Any, Any], bool]] = {
    "mtime": _same_time,
    "created": _same_time,
    "attributes": _same_attributes,
    "mode": _same_mode,
    "eas": _same_named,
    "streams": _same_named,
}
