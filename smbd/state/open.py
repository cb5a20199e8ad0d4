"""What a client holds after CREATE, and the table that finds it again by FileId."""

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from itertools import count
from typing import TYPE_CHECKING, Self

from smbd.memory import Holding
from smbd.ntstatus import NtError, NtStatus
from smbd.share import Share
from smbd.state.line import Line
from smbd.state.listing import Listing
from smbd.state.locks import ByteRangeLocks
from smbd.state.notify import ChangeNotifyEntry
from smbd.vfs import File

if TYPE_CHECKING:
    from smbd.state.files import Link


_NO_LOCKS = ByteRangeLocks()


@dataclass(slots=True)
class Enumeration:
    """Where one directory handle stands in its listing ([MS-SMB2] 3.3.5.18).

    The names are those of the moment the scan began: a folder that changes meanwhile makes no
    entry come twice, and none that stays is lost.
    """

    pattern: str
    names: Listing
    next: int = 0
    answered: bool = False  # whether any entry was given: NO_SUCH_FILE or NO_MORE_FILES
    counted: int = 0  # bytes of the names, in the account of the Open


@dataclass(slots=True, eq=False)
class Open:
    """[MS-SMB2] 3.3.1.10, less what other rooms hold.

    `users` counts the operations in flight.  CLOSE takes the Open out of its table at once; the
    descriptor closes with the last operation that still uses it, never under one: whoever hears
    from `leave` that he was that one closes it (smbd.teardown).
    """

    persistent_id: int
    volatile_id: int
    session_id: int
    tree_id: int
    share: Share
    file: File
    granted_access: int
    share_access: int
    create_options: int
    locks: ByteRangeLocks = _NO_LOCKS  # the file's, once it is entered
    link: "Link | None" = None  # the name by which it was opened, once it is entered
    delete_on_close: bool = False
    position: int = 0  # FilePositionInformation: kept and given back, used by nothing
    enumeration: Enumeration | None = None
    appends: Line | None = None  # of one that may append and not write
    listing: AbstractAsyncContextManager[object] | None = None  # whose turn it is to go on with it
    notify: ChangeNotifyEntry | None = None  # of a directory that is watched
    unreported: int = 0  # CompletionFilter of what WRITE did, which CLOSE and FLUSH report
    kept_write_time: int | None = None  # FILETIME that what this open writes leaves alone ...
    writers_then: int = 0  # ... while FileState.writers says that nobody else could write
    holders: Sequence[str] = ()  # in whose shares of the table it counts: OpenTable.check
    memory: Holding = field(default_factory=Holding)
    users: int = 0
    closed: bool = False
    closed_at: int = 0  # FILETIME

    def require(self, access: int) -> None:
        """ACCESS_DENIED unless all of `access` was granted."""
        if self.granted_access & access != access:
            raise NtError(NtStatus.ACCESS_DENIED)

    def require_any(self, access: int) -> None:
        """ACCESS_DENIED unless some of `access` was granted."""
        if not self.granted_access & access:
            raise NtError(NtStatus.ACCESS_DENIED)

    def hold(self) -> Self:
        """Count one more operation in flight; a CLOSE counts itself too."""
        self.users += 1
        return self

    def leave(self) -> bool:
        """Count one less; whether it was the last, with which the descriptor is to be closed."""
        self.users -= 1
        return self.closed and not self.users


@dataclass(slots=True)
class OpenTable:
    """GlobalOpenTable: every Open of the server by the volatile half of its FileId.

    `limit` bounds the opens of the whole server: each costs a descriptor.
    """

    limit: int
    _opens: dict[int, Open] = field(default_factory=dict)
    _held: Counter[str] = field(default_factory=Counter)  # by holder
    # Volatile ids are never used twice: a stale one can only miss.
    _ids: Iterator[int] = field(default_factory=lambda: count(1))

    def __len__(self) -> int:
        return len(self._opens)

    def __iter__(self) -> Iterator[Open]:
        return iter(self._opens.values())

    def check(self, holders: Sequence[str]) -> None:
        """INSUFFICIENT_RESOURCES if one more open would leave too little to others.

        `holders` are its connection, its user and its client's network.  A connection never has
        more than what is left to all others, a user over many connections twice and a network
        three times that: a half of the table, two thirds and three quarters, if they are alone.
        Of two connections each has a third, and whoever comes next finds as much again.
        """
        left = self.limit - len(self._opens)
        if left <= 0 or any(
            self._held[holder] >= left * times for times, holder in enumerate(holders, 1)
        ):
            raise NtError(NtStatus.INSUFFICIENT_RESOURCES)

    def next_id(self) -> int:
        """A FileId half that no Open has had."""
        return next(self._ids)

    def add(self, open_: Open) -> None:
        """Make an Open findable."""
        self._opens[open_.volatile_id] = open_
        self._held.update(open_.holders)
        open_.share.opens += 1

    def remove(self, open_: Open) -> None:
        """Take an Open out, so that no later request finds it."""
        if self._opens.pop(open_.volatile_id, None) is not None:
            open_.share.opens -= 1
            for one in open_.holders:
                self._held[one] -= 1
                if not self._held[one]:
                    del self._held[one]

    def get(self, persistent_id: int, volatile_id: int, session_id: int, tree_id: int) -> Open:
        """The Open of a FileId that this session and tree connect made; else FILE_CLOSED."""
        open_ = self._opens.get(volatile_id)
        if (
            open_ is None
            or open_.session_id != session_id
            or open_.tree_id != tree_id
            or open_.persistent_id != persistent_id
        ):
            raise NtError(NtStatus.FILE_CLOSED)
        return open_
