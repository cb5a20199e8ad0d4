"""Search patterns of QUERY_DIRECTORY: `*`, `?` and the three DOS wildcards, compiled once each.

[MS-FSCC] 2.1.4.4 defines them, [MS-FSA] 2.1.4.4 says how they match.
"""

import re
from collections.abc import Callable
from functools import lru_cache

from smbd.ntstatus import NtError, NtStatus
from smbd.vfs.names import MAXIMUM_COMPONENT, fold

Matcher = Callable[[str], bool]

_WILDCARDS = frozenset('*?"<>')

# DOS_QM: one character, or none before a period and at the end.  DOS_DOT: a period, or the end.
_ATOMS = {"*": ".*", "?": ".", ">": r"(?:[^.]|(?=\.|\Z))", '"': r"(?:\.|\Z)"}


def has_wildcards(pattern: str) -> bool:
    """Whether a pattern can match more than the one name that it spells."""
    return not _WILDCARDS.isdisjoint(pattern)


def match(pattern: str, name: str) -> bool:
    """Whether an SMB name matches an SMB pattern, whatever their case."""
    matches = matcher(pattern)
    return matches is None or matches(name)


@lru_cache(maxsize=256)
def matcher(pattern: str) -> Matcher | None:
    """The compiled pattern; None when every name matches, so that a listing need not ask.

    Raises NtError(OBJECT_NAME_INVALID) for one longer than any name: what it costs to match is
    the client's choice, and this bounds it (50 us a name at worst).
    """
    if pattern in {"", "*"}:
        return None
    if len(pattern) > MAXIMUM_COMPONENT:
        raise NtError(NtStatus.OBJECT_NAME_INVALID)
    pattern = fold(pattern)
    if not has_wildcards(pattern):
        return lambda name: fold(name) == pattern
    if "<" in pattern or pattern.count("*") > 1:
        return lambda name: _matches(pattern, fold(name))
    # 0.4 us a name where _matches takes 4; with a second star it could backtrack for milliseconds.
    expression = re.compile(
        "".join(_ATOMS.get(character, re.escape(character)) for character in pattern), re.DOTALL
    )
    return lambda name: expression.fullmatch(fold(name)) is not None


def _matches(pattern: str, name: str) -> bool:
    """Whether a folded pattern matches a folded name, in time linear in both.

    `places` is the set of places in the name that the pattern so far can end at, as the bits of an
    integer, so that one wildcard moves all of them at once.
    """
    end = 1 << len(name)
    whole = (end << 1) - 1
    holding: dict[str, int] = {}  # character -> the places where the name has it
    for place, character in enumerate(name):
        holding[character] = holding.get(character, 0) | 1 << place
    periods = holding.get(".", 0)
    before = (1 << periods.bit_length()) - 1  # up to and with the last period, which is ...
    last_period = before ^ before >> 1  # ... this place; both 0 where the name has none

    places = 1
    for character in pattern:
        match character:
            case "*":
                places = _from_lowest(places) & whole
            case "<":  # anything, up to the last period and with it; behind that, anything
                early = _from_lowest(places & before) & (before | last_period << 1)
                places = early | (_from_lowest(places & ~before) & whole)
            case "?":
                places = places << 1 & whole
            case ">":
                stays = places & (periods | end)
                places = stays | (places ^ stays) << 1
            case '"':
                places = (places & periods) << 1 | (places & end)
            case _:
                places = (places & holding.get(character, 0)) << 1
    return bool(places & end)


def _from_lowest(places: int) -> int:
    """Every place from the lowest one of these on."""
    return -(places & -places)
