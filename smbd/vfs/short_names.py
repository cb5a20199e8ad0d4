"""8.3 names: FileAlternateNameInformation, and the lookup by such a name.

Made from the name alone, nothing is stored: a name that DOS could say is its own short name, any
other gets its first character and a hash, in the form that Samba uses.  Two names of one directory
could get the same one: then neither is found by it, since a file that is opened by a short name may
be deleted by it too.
"""

import re
import zlib
from collections.abc import Iterable, Sequence

from aio import in_slices
from smbd.vfs.names import fold, to_wire

_LEGAL = re.compile(r"[A-Z0-9!#$%&'()\-@^_`{}~]{1,8}(\.[A-Z0-9!#$%&'()\-@^_`{}~]{1,3})?", re.ASCII)
_MADE = re.compile(r"[A-Z0-9_][A-Z0-9]{5}~[A-Z0-9](\.[A-Z0-9_]{1,3})?", re.ASCII)
_UNUSUAL = re.compile(r"[^A-Z0-9_]", re.ASCII)
_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"


def short_name(name: str) -> str:
    """The 8.3 name of an SMB name (one component)."""
    upper = fold(name)
    if _LEGAL.fullmatch(upper):
        return upper
    base, _, extension = upper.rpartition(".")
    if not base:
        base, extension = upper, ""
    value = zlib.crc32(upper.encode("utf-16-le", "surrogatepass"))
    digits = []
    for _ in range(6):
        value, digit = divmod(value, 36)
        digits.append(_DIGITS[digit])
    ending = _UNUSUAL.sub("", extension)[:3]
    start = _UNUSUAL.sub("", base)[:1] or "_"
    return f"{start}{''.join(digits[:5])}~{digits[5]}" + (f".{ending}" if ending else "")


def could_be_short(name: str) -> bool:
    """Whether `short_name` could have made this one, for a name that is another."""
    return "~" in name and _MADE.fullmatch(name.upper()) is not None


def find_by_short_name(short: str, portions: Iterable[list[str]]) -> str | None:
    """The one of many names (components on disk) that has this short name; None if not just one."""
    wanted = short.upper()
    start = wanted[0]
    found: list[str] = []

    def look(names: Sequence[str]) -> None:
        found.extend(
            name
            for name in names
            # A look at the first character spares most of a large directory the hash.
            if (start == "_" or start in name.upper()) and short_name(to_wire(name)) == wanted
        )

    for names in portions:
        in_slices(look, names)
    return found[0] if len(found) == 1 else None
