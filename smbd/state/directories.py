"""Leases of directories: what changes in one is told to those that have its listing cached.

[MS-FSA] 2.1.4.12 (PARENT_OBJECT) and [MS-SMB2] 3.3.1.12, ParentLeaseKey.  A directory is found by
its path, as those that are watched are.
"""

from dataclasses import dataclass, field

from smbd.state.caching import Caching, Operation
from smbd.state.cachings import Cachings
from smbd.state.notify import where_of
from smbd.vfs import File


@dataclass(slots=True)
class DirectoryLeases:
    """The directories that clients have leases of, by their paths on disk."""

    _leased: dict[str, Cachings] = field(default_factory=dict)

    def enter(self, file: File, cachings: Cachings) -> None:
        """A directory has a lease; again is nothing new."""
        self._leased[where_of(file)] = cachings

    def leave(self, file: File) -> None:
        """Forget a directory that is open by this name no more."""
        if self._leased:
            self._leased.pop(where_of(file), None)

    def changed(self, file: File, by: Caching | None, now: float, path: str | None = None) -> None:
        """A name came or went in the directory of a file, or what a listing shows of it changed.

        `by` is the lease of the directory that its client changed with open eyes: it stays.
        """
        if self._leased:
            above = where_of(file, path).rpartition("/")[0]
            cachings = self._leased.get(above)
            if cachings is not None and cachings.keepers:
                cachings.contend(Operation.CHANGE, by, now)

    def renamed(self, file: File, old_path: str) -> None:
        """A directory has moved, with all that lies in it."""
        if not self._leased:
            return
        old, new = where_of(file, old_path), where_of(file)
        below = old + "/"
        for where in [one for one in self._leased if one == old or one.startswith(below)]:
            self._leased[new + where[len(old) :]] = self._leased.pop(where)
