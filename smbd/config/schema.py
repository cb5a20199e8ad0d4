"""Every key that shares.toml may have, and its check. The dataclasses hold the defaults."""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, time

from smbd.config.model import DIALECTS, NAME_LENGTH, Address

# Takes a value as tomllib gives it; returns it as the dataclass has it, or raises CheckError.
Check = Callable[[object], object]

_MIB = 1024 * 1024
_UNITS = {"": 1, "B": 1, "KIB": 1024, "MIB": _MIB, "GIB": 1024 * _MIB}
_SIZE = re.compile(r"(\d+)\s*([A-Za-z]*)")

# What no name on the wire has, less the two wildcards that people know.
_NOT_IN_PATTERNS = frozenset('"/\\:<>|')
_LONGEST_PATTERN = 255
_STREAM_STORE = ".smbd-streams"  # the server's own

# 64 KiB is all that 2.0.2 has; beyond 8 MiB no client asks, and one request would hold 128 credits.
LARGEST_TRANSFER = 8 * _MIB
SMALLEST_TRANSFER = 64 * 1024  # and what one credit pays for


@dataclass(frozen=True, slots=True)
class ArrayOf:
    """The check of each element of an array; each has its own line, and so its own error."""

    element: Check


# The keys of one table.
Keys = Mapping[str, Check | ArrayOf]


class CheckError(ValueError):
    """A value is not what its key takes; the text says what would be right."""


def nearest(word: str, choices: Iterable[str]) -> str:
    """Return ' (did you mean "engine"?)'-like advice for a mistyped word, or nothing."""
    import difflib  # noqa: PLC0415 -- for mistakes alone

    found = difflib.get_close_matches(word.lower(), choices, n=1)
    return f'; did you mean "{found[0]}"?' if found else ""


def kind(value: object) -> str:
    """Name a value's type in TOML's words: an error must not repeat a text that may be secret.

    What TOML has no word for comes from Python, and has its name there.
    """
    names = {bool: "a boolean", str: "a string", int: "an integer", float: "a float"}
    names |= {list: "an array", dict: "a table"}
    if isinstance(value, date | time):
        return "a date or time"
    return names.get(type(value), type(value).__name__)


def boolean(value: object) -> bool:
    """Take true or false."""
    if not isinstance(value, bool):
        raise CheckError(f"must be true or false, not {kind(value)}")
    return value


def guest(value: object) -> object:
    """Take true, false, or "unknown"."""
    if not (isinstance(value, bool) or value == "unknown"):
        found = f'"{value}"' if isinstance(value, str) else kind(value)
        raise CheckError(f'must be true, false or "unknown", not {found}')
    return value


def string(value: object) -> str:
    """Take any string. The text is not repeated: it may be a password."""
    if not isinstance(value, str):
        raise CheckError(f'must be a string ("..."), not {kind(value)}')
    return value


def text(value: object) -> str:
    """Take a string that says something and stays on one line."""
    found = string(value)
    if not found or not found.isprintable():
        advice = "; in \"...\" a backslash begins an escape: write '...'" if found else ""
        raise CheckError(
            f"must be a string of at least one character, all of them printable{advice}"
        )
    return found


def one_of(*choices: str) -> Check:
    """Take one of some words."""
    wanted = " or ".join((", ".join(f'"{choice}"' for choice in choices[:-1]), f'"{choices[-1]}"'))

    def check(value: object) -> str:
        if not isinstance(value, str):
            raise CheckError(f"must be {wanted}, not {kind(value)}")
        if value not in choices:
            raise CheckError(f'must be {wanted}, not "{value}"')
        return value

    return check


def name_pattern(value: object) -> str:
    """Take a pattern of names of files: it means one name in a folder, so it is no path."""
    found = text(value)
    if not _NOT_IN_PATTERNS.isdisjoint(found) or len(found) > _LONGEST_PATTERN:
        raise CheckError(
            "must be a name of a file, in which * is any characters and ? one of them, up to "
            f"{_LONGEST_PATTERN}, none of " + " ".join(sorted(_NOT_IN_PATTERNS))
        )
    return found


def folder_name(value: object) -> str:
    """Take the name of a folder in the share's; "" is none."""
    found = string(value)
    if not found:
        return found
    if (
        not found.isprintable()
        or not {*_NOT_IN_PATTERNS, "*", "?"}.isdisjoint(found)
        or found.rstrip(". ") != found
        or found.lower() == _STREAM_STORE
        or len(found.encode("utf-8", "replace")) > _LONGEST_PATTERN
    ):
        raise CheckError(
            f'must be the name of a folder in the share, as in ".recycle", not "{found}"'
        )
    return found


def integer(least: int, most: int) -> Check:
    """Take an integer of a range."""

    def check(value: object) -> int:
        if not isinstance(value, int) or isinstance(value, bool):
            raise CheckError(f"must be an integer from {least} to {most}, not {kind(value)}")
        if not least <= value <= most:
            raise CheckError(f"must be an integer from {least} to {most}, not {value}")
        return value

    return check


def seconds(least: int, most: int) -> Check:
    """Take a number of seconds."""

    def check(value: object) -> float:
        wanted = f"must be a number of seconds from {least} to {most}"
        if not isinstance(value, int | float) or isinstance(value, bool):
            raise CheckError(f"{wanted}, not {kind(value)}")
        if not least <= value <= most:
            raise CheckError(f"{wanted}, not {value:g}")
        return float(value)

    return check


def size(least: int, most: int) -> Check:
    """Take a number of bytes, as an integer or as "8 MiB"."""

    def check(value: object) -> int:
        wanted = f'must be a size from "{in_units(least)}" to "{in_units(most)}"'
        if isinstance(value, str):
            match = _SIZE.fullmatch(value.strip())
            if match is None or match[2].upper() not in _UNITS:
                raise CheckError(f'{wanted} in B, KiB, MiB or GiB, not "{value}"')
            count = int(match[1]) * _UNITS[match[2].upper()]
        elif isinstance(value, int) and not isinstance(value, bool):
            count = value
        else:
            raise CheckError(f"{wanted}, not {kind(value)}")
        if not least <= count <= most:
            raise CheckError(f'{wanted}, not "{in_units(count)}"')
        return count

    return check


def in_units(count: int) -> str:
    """Write a number of bytes the way that `size` reads it."""
    for unit in ("GiB", "MiB", "KiB"):
        if count and count % _UNITS[unit.upper()] == 0:
            return f"{count // _UNITS[unit.upper()]} {unit}"
    return f"{count} B"


def netbios_name(value: object) -> str:
    """Take a server's or workgroup's name; Windows shows them in upper case."""
    found = string(value)
    if not re.fullmatch(rf"[A-Za-z0-9_-]{{1,{NAME_LENGTH}}}", found):
        raise CheckError(f'must be 1 to {NAME_LENGTH} letters, digits, "-" or "_", not "{found}"')
    return found.upper()


def dialect(value: object) -> int:
    """Take a dialect as people write it."""
    return DIALECTS[str(one_of(*DIALECTS)(value))]


def address(value: object) -> Address:
    """Take one address to listen on."""
    if isinstance(value, int) and not isinstance(value, bool):
        raise CheckError(f'must be a string, as in "127.0.0.1:{value}", not an integer')
    return Address.parse(string(value))


def announced(value: object) -> Address:
    """Take the address that clients use, which has a port."""
    found = address(value)
    if not found.port:
        raise CheckError("must have the port that clients connect to, not 0")
    return found


def nt_hash(value: object) -> bytes:
    """Take an NT hash. The text is not repeated: a hash is as good as the password."""
    digits = string(value)
    if not re.fullmatch(r"[0-9A-Fa-f]{32}", digits):
        raise CheckError('must be 32 hexadecimal digits, as "tsmbd user NAME" prints them')
    return bytes.fromhex(digits)


def table(value: object) -> dict[str, object]:
    """Take a table whose keys somebody else judges."""
    if not isinstance(value, dict):
        raise CheckError(f"must be a table, not {kind(value)}")
    return value


_COUNT = integer(1, 1_000_000)
_TRANSFER = size(SMALLEST_TRANSFER, LARGEST_TRANSFER)

SERVER: Keys = {
    "listen": ArrayOf(address),
    "name": netbios_name,
    "workgroup": netbios_name,
    "min_dialect": dialect,
    "max_dialect": dialect,
    "signing": one_of("required", "enabled"),
    "encryption": one_of("off", "desired", "required"),
    "leases": boolean,
    "multichannel": boolean,
    "interfaces": ArrayOf(text),
    "state_directory": text,
    "status_socket": string,
    "log_format": one_of("text", "json"),
    "metrics": address,
    "announce": announced,
    "mdns": boolean,
    "ws_discovery": boolean,
    "watch": boolean,
    "limits": table,
}

LIMITS: Keys = {
    "connections": _COUNT,
    "connections_per_address": _COUNT,
    "half_open_logins": _COUNT,
    "login_time": seconds(1, 3600),
    "idle_time": seconds(0, 30 * 86400),
    "opens": _COUNT,
    "parked": integer(0, 1_000_000),
    "requests": integer(16, 65536),
    "credits": integer(1, 65535),
    "max_read": _TRANSFER,
    "max_write": _TRANSFER,
    "max_transact": _TRANSFER,
    "memory": size(2 * SMALLEST_TRANSFER, 1024 * _MIB),
}

USER: Keys = {
    "password": string,
    "password_file": text,
    "nt_hash": nt_hash,
    "generate": boolean,
}

SHARE: Keys = {
    "path": text,
    "comment": string,
    "read_only": boolean,
    "users": ArrayOf(text),
    "write": ArrayOf(text),
    "read": ArrayOf(text),
    "guest": guest,
    "hidden": boolean,
    "hide": ArrayOf(name_pattern),
    "veto": ArrayOf(name_pattern),
    "recycle": folder_name,
    "recycle_except": ArrayOf(name_pattern),
    "recycle_days": integer(0, 36500),
    "streams": boolean,
    "encryption": one_of("off", "desired", "required"),
    "leases": boolean,
    "engine": text,
    "continuous": boolean,
    "engine_options": table,
    "create": boolean,
    "watch": boolean,
}

TOP: Keys = {"server": table, "users": table, "shares": table}

TABLES: Mapping[str, Keys] = {
    "server": SERVER,
    "server.limits": LIMITS,
    "users.NAME": USER,
    "shares.NAME": SHARE,
}
