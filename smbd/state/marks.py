"""The marks by which the kernel tells of other programs' changes, and their maker's protocol."""

from dataclasses import dataclass, field
from typing import Protocol

from smbd.share import Workers
from smbd.vfs import File
from smbd.vfs.watches import Key, Watches


@dataclass(slots=True, eq=False)
class Mark:
    """An inode of which events are told."""

    key: Key
    watches: Watches
    places: dict[str, None] = field(default_factory=dict)


@dataclass(slots=True, eq=False)
class Watched:
    """A directory that clients watch: alone, or with all that lies below it."""

    where: str
    workers: Workers  # of the share
    users: int = 0
    deep: int = 0  # those of the users that watch all


@dataclass(slots=True)
class Counts:
    """What the kernel has told so far."""

    events: int = 0
    ours: int = 0  # those of the events that the server itself has caused
    overflows: int = 0


class Marker(Protocol):
    """Opens directories and marks them, which state does not."""

    def begin(self, watched: Watched, directory: File) -> None:
        """Mark an open directory, and with `watched.deep` all below it; `put` is told of each."""

    def look(self, watched: Watched, place: str, *, fresh: bool) -> None:
        """Mark the directory that has come to a place below `watched`, and all below that.

        `fresh`: something may lie in it already that nobody has heard of.
        """

    def end(self, watched: Watched) -> None:
        """Forget a directory that nobody watches any more."""

    def unmark(self, mark: Mark, place: str) -> None:
        """Remove a mark some time, unless it `is_marked` by then; `place` is where it was last."""
