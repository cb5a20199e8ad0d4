"""GlobalOpenTable: all opens of the server, and how many anybody may have."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import count
from struct import Struct

from smbd.ntstatus import NtError, NtStatus
from smbd.state.open import Open
from smbd.tally import Tally

# FileIds that mean something else: no file, and "that of the request before" (3.3.5.2.7.2).
_RESERVED = frozenset((0, 0xFFFFFFFFFFFFFFFF))
# Drawn together, a persistent id costs 0.1 us, and 1.6 by itself (measured).
_DRAWN = Struct("=64Q")
_OF_A_STREAM = 2  # descriptors beside its own: of its file, and of the content that opens share


@dataclass(slots=True)
class OpenTable:
    """GlobalOpenTable ([MS-SMB2] 3.3.1.5): every Open by the persistent half of its FileId.

    A session finds its own by the volatile half (Session.OpenTable).  `limit` bounds the opens of
    the whole server: each costs a descriptor, that of a named stream more.
    """

    limit: int
    _further: int = 0  # descriptors beside one for each open
    _opens: dict[int, Open] = field(default_factory=dict)
    _counts: Tally = field(default_factory=Tally)  # by claimant
    _drawn: list[int] = field(default_factory=list)  # persistent ids to be
    # Volatile ids are never used twice: a stale one can only miss.
    _volatile_ids: Iterator[int] = field(default_factory=lambda: count(1))

    def __len__(self) -> int:
        return len(self._opens)

    def __iter__(self) -> Iterator[Open]:
        return iter(self._opens.values())

    def check(self, claimants: Sequence[str]) -> None:
        """INSUFFICIENT_RESOURCES if one more open would leave too little to others.

        `claimants` are its session, its user and its client's network.  A session never has more
        than what is left to all others, a user over many sessions twice and a network three times
        that: a half of the table, two thirds and three quarters, if they are alone.  Of two
        sessions each has a third, and the next one finds as much again.
        """
        self._check(claimants, self.limit - len(self._opens) - self._further)

    def _check(self, claimants: Sequence[str], left: int) -> None:
        if len(self._opens) < left:
            return  # of which no claimant has more than all
        counts, most = self._counts, left
        for claimant in claimants:
            if counts.get(claimant, 0) >= most:
                raise NtError(NtStatus.INSUFFICIENT_RESOURCES)
            most += left
        if left <= 0:
            raise NtError(NtStatus.INSUFFICIENT_RESOURCES)

    def new_volatile_id(self) -> int:
        """A volatile id that no Open and no pipe has had."""
        return next(self._volatile_ids)

    def new_persistent_id(self) -> int:
        """A persistent id that no Open has.  It cannot be guessed: it is half of a claim.

        Drawn from 64 bits, so that the id of a closed Open does not come back either.
        """
        while True:
            if not self._drawn:
                self._drawn += _DRAWN.unpack(os.urandom(_DRAWN.size))
            number = self._drawn.pop()
            if number not in self._opens and number not in _RESERVED:
                return number

    def find(self, persistent_id: int) -> Open | None:
        """The Open that a reconnect names ([MS-SMB2] 3.3.5.9.7), parked or held by any session."""
        return self._opens.get(persistent_id)

    def add(self, open_: Open) -> None:
        """Make an Open findable; it counts for its claimants."""
        self._opens[open_.persistent_id] = open_
        self._counts.more(open_.claimants)
        self._further += _further(open_)
        open_.share.opens += 1

    def remove(self, open_: Open) -> None:
        """Take an Open out, so that no reconnect finds it."""
        if self._opens.pop(open_.persistent_id, None) is not None:
            self._further -= _further(open_)
            open_.share.opens -= 1
            self._counts.fewer(open_.claimants)

    def release(self, open_: Open) -> None:
        """Count an Open, whose session is gone, for its user and network alone."""
        self._counts.fewer(open_.claimants)
        open_.claimants = open_.claimants[1:]
        self._counts.more(open_.claimants)

    def claim(self, open_: Open, claimants: Sequence[str]) -> None:
        """Count an Open for others; INSUFFICIENT_RESOURCES as if it were one more, and as before.

        It was counted for its user already, which must not keep its user from having it back.
        """
        self._counts.fewer(open_.claimants)
        try:
            self._check(claimants, self.limit - len(self._opens) - self._further + 1)
            open_.claimants = claimants
        finally:
            self._counts.more(open_.claimants)


def _further(open_: Open) -> int:
    return 0 if open_.file.stream is None else _OF_A_STREAM
