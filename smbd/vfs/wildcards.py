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
_ATOMS = {"?": ".", ">": r"(?:[^.]|(?=\.|\Z))", '"': r"(?:\.|\Z)"}
_RUNS = re.compile("[*<]{2,}")


def has_wildcards(pattern: str) -> bool:
    """Whether a pattern can match more than the one name that it spells."""
    return not _WILDCARDS.isdisjoint(pattern)


def match(pattern: str, name: str) -> bool:
    """Whether an SMB name matches an SMB pattern, without regard to case."""
    matches = matcher(pattern)
    return matches is None or matches(name)


@lru_cache(maxsize=256)
def matcher(pattern: str) -> Matcher | None:
    """The compiled pattern; None when every name matches, so that a listing need not ask.

    Raises NtError(OBJECT_NAME_INVALID) for one longer than any name: the client chooses the cost of
    a match, and this bounds it.  Measured with names of 207 characters: 2 us a name for 100 stars,
    at worst (150 letters between two stars, or DOS_STARs) 60 to 150.
    """
    if pattern in {"", "*"}:
        return None
    if len(pattern) > MAXIMUM_COMPONENT:
        raise NtError(NtStatus.OBJECT_NAME_INVALID)
    # A run with a star matches as a star does, one of DOS_STARs alone as two of them do.
    pattern = _RUNS.sub(lambda run: "*" if "*" in run[0] else run[0][:2], fold(pattern))
    if not has_wildcards(pattern):
        return lambda name: fold(name) == pattern
    # A DOS_STAR matches less than a star does, and the same where there is no period.
    matches_wider = expression(pattern.replace("<", "*")).fullmatch
    if "<" not in pattern:
        return lambda name: matches_wider(fold(name)) is not None

    def matches(name: str) -> bool:
        folded = fold(name)
        if matches_wider(folded) is None:
            return False
        return "." not in folded or _matches(pattern, folded)

    return matches


def expression(pattern: str) -> re.Pattern[str]:
    """A pattern as a regular expression, in time linear in pattern times name.

    The text between two stars is taken at its first match, for good (?>...): no later position
    would let the rest of the pattern match more.  That is not so of a DOS_STAR.
    """
    first, *others = pattern.split("*")
    parts = [_atoms(first)]
    if others:
        *between, last = others
        parts += [f"(?>.*?{_atoms(part)})" for part in between if part]
        parts += [".*", _atoms(last)]
    return re.compile("".join(parts), re.DOTALL)


def _atoms(part: str) -> str:
    return "".join(_ATOMS.get(character, re.escape(character)) for character in part)


def _matches(pattern: str, name: str) -> bool:
    """Whether a folded pattern matches a folded name, in time linear in both.

    `positions` is the set of positions in the name that the pattern so far can end at, as the bits
    of an integer, so that one wildcard moves all of them at once.
    """
    end = 1 << len(name)
    whole = (end << 1) - 1
    holding = {character: _places(name, character) for character in {".", *pattern}}
    periods = holding["."]
    before = (1 << periods.bit_length()) - 1  # up to and with the last period, which is ...
    last_period = before ^ before >> 1  # ... this position; both 0 where the name has none

    positions = 1
    for character in pattern:
        match character:
            case "*":
                positions = _from_lowest(positions) & whole
            case "<":  # anything, up to the last period and with it; behind that, anything
                early = _from_lowest(positions & before) & (before | last_period << 1)
                positions = early | (_from_lowest(positions & ~before) & whole)
            case "?":
                positions = positions << 1 & whole
            case ">":
                stays = positions & (periods | end)
                positions = stays | (positions ^ stays) << 1
            case '"':
                positions = (positions & periods) << 1 | (positions & end)
            case _:
                positions = (positions & holding[character]) << 1
    return bool(positions & end)


def _places(name: str, character: str) -> int:
    """The positions where a name has a character."""
    positions, at = 0, name.find(character)
    while at >= 0:
        positions |= 1 << at
        at = name.find(character, at + 1)
    return positions


def _from_lowest(positions: int) -> int:
    """Every position from the lowest one of these on."""
    return -(positions & -positions)
