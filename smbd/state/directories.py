"""Leases of directories: what changes in one is told to those that have its listing cached.

[MS-FSA] 2.1.4.12 (PARENT_OBJECT) and [MS-SMB2] 3.3.1.12, ParentLeaseKey.  A directory is found by
its absolute path as the kernel has it, which is one also where symbolic links lead to it.
"""

from dataclasses import dataclass, field

from smbd.state.caching import Caching, Operation
from smbd.state.cachings import Cachings


@dataclass(slots=True)
class DirectoryLeases:
    """The directories that clients have leases of, by their absolute paths, and the paths."""

    _leased: dict[str, Cachings] = field(default_factory=dict)
    _places: dict[Cachings, str] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self._leased)

    def is_leased(self, place: str) -> bool:
        """Whether a client may cache the listing of the directory of this absolute path."""
        cachings = self._leased.get(place)
        return cachings is not None and bool(cachings.keepers)

    def enter(self, place: str, cachings: Cachings) -> None:
        """A directory has a lease; again is nothing new."""
        self.leave(cachings)
        self._leased[place], self._places[cachings] = cachings, place

    def leave(self, cachings: Cachings) -> None:
        """Forget a directory that nobody has open any more."""
        place = self._places.pop(cachings, "")
        if self._leased.get(place) is cachings:
            del self._leased[place]

    def changed(self, place: str, by: Caching | None, now: float) -> None:
        """A name came or went, by this absolute path, or what a listing shows of it changed.

        `by` is the lease of the directory that its client changed with open eyes: it stays.
        """
        cachings = self._leased.get(place.rpartition("/")[0])
        if cachings is not None and cachings.keepers:
            cachings.contend(Operation.CHANGE, by, now)

    def renamed(self, old: str, new: str) -> None:
        """A directory has moved, with all that lies in it."""
        below = old + "/"
        for where in [one for one in self._leased if one == old or one.startswith(below)]:
            self.enter(new + where[len(old) :], self._leased[where])
