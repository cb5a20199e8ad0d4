"""What a client holds after CREATE: [MS-SMB2] 3.3.1.10 (Open).

The life of an Open:

* A worker of CREATE has opened a file, and commands.entering makes an Open of it that no table
  knows.  It may have to wait, until others have given up what they cache; then it looks again.
* Held: Tables.enter puts it into all tables.  `holder` is Open.TreeConnect; the session finds it by
  the volatile half of its FileId, GlobalOpenTable by the persistent one.
* Parked: it is durable, and its session has lost the last connection.  Open.Session,
  Open.TreeConnect and Open.Connection are NULL (`holder` is None, Tables.park), and share mode and
  locks stay.  A reconnect makes it held again, by another session and under another volatile id
  (Tables.reclaim).  It ends by DurableOpenTimeout, or for an operation of other clients that breaks
  its caching (DurableOpens.end), and server.tending has it closed.
* Closed: a CLOSE, the end of its tree connect or session, or that of its time takes it out of all
  tables, once (closing.drop_open, Tables.leave).  With the last open of a link whose deletion is
  pending the name goes (closing.end_open).  The descriptor closes with the last operation that
  uses it: the caller for which `leave` returns True closes it (closing.close_descriptor).

Deletion is pending for a Link, not for an Open: `delete_on_close` becomes its link's at its close.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from smbd.memory import Holding
from smbd.ntstatus import NtError, NtStatus
from smbd.share import Share
from smbd.state.caching import Caching, H, W
from smbd.state.cachings import Cachings
from smbd.state.deadlines import Deadlines
from smbd.state.durability import Creation, Durability
from smbd.state.file_state import Link
from smbd.state.holder import Holder
from smbd.state.listing import Listing
from smbd.state.locks import ByteRangeLocks
from smbd.state.notify import ChangeNotifyEntry
from smbd.vfs import File

_NO_LOCKS = ByteRangeLocks()
_NO_MEMORY = Holding()
UNUSED = -1  # the ChannelSequence of no request: so the first one is seen without another look
_LOCK_SEQUENCES = 64  # [MS-SMB2] 3.3.1.10
_NO_CACHINGS = Cachings(Deadlines())


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
    """[MS-SMB2] 3.3.1.10, less what other rooms hold; the module says how it lives.

    `users` counts the operations in flight: the descriptor never closes under one.
    """

    persistent_id: int  # Open.DurableFileId: GlobalOpenTable finds it by that, also when parked
    volatile_id: int  # Open.FileId: its session finds it by that; another one after a reconnect
    share: Share
    file: File
    granted_access: int
    share_access: int
    create_options: int
    locks: ByteRangeLocks = _NO_LOCKS  # the file's, once it is entered
    cachings: Cachings = _NO_CACHINGS  # the same
    caching: Caching | None = None  # its lease, or its oplock
    unsaid: Caching | None = None  # the same until the client has been told, by CREATE's answer
    holder: "Holder[Open] | None" = None  # Open.TreeConnect and Open.Session, once it is entered
    link: Link | None = None  # the name by which it was opened, once it is entered ...
    base: Link | None = None  # ... and for a named stream, that of its file
    delete_on_close: bool = False
    position: int = 0  # FilePositionInformation: kept and given back, used by nothing
    enumeration: Enumeration | None = None
    notify: ChangeNotifyEntry | None = None  # of a directory that is watched
    unreported: int = 0  # CompletionFilter of what WRITE did, which CLOSE and FLUSH report
    kept_write_time: int | None = None  # FILETIME that what this open writes leaves alone ...
    writers_then: int = 0  # ... while FileState.writers says that no other open could write
    claimants: Sequence[str] = ()  # it counts for these in the table: OpenTable.check
    memory: Holding = _NO_MEMORY  # its own, once it is entered
    users: int = 0
    channel_sequence: int = 0  # ChannelSequence; 0 before 3.0; UNUSED while nothing has used it
    requests: int = 0  # OutstandingRequestCount: those of `users` with this ChannelSequence
    earlier_requests: int = 0  # OutstandingPreRequestCount: those with an earlier one
    lock_sequences: bytearray | None = None  # LockSequenceArray: each number + 1, or 0
    durable: Durability | None = None  # IsDurable: it may outlive its connection
    creation: Creation | None = None  # IsReplayEligible: nothing has used it since its CREATE
    closed: bool = False
    closed_at: int = 0  # FILETIME

    @property
    def session_id(self) -> int:
        """Of the session that holds it; 0 while it is parked."""
        return 0 if self.holder is None else self.holder.session_id

    @property
    def is_preserved(self) -> bool:
        """Whether it outlives the loss of its connection ([MS-SMB2] 3.3.7.1)."""
        if self.durable is None or self.closed:
            return False
        if self.durable.persistent:
            return True
        caching = self.caching
        return caching is not None and bool(caching.kept & H) and caching.is_settled

    def promise(self) -> None:
        """What it may cache is going to be told by the answer to its CREATE: `said` must follow."""
        if self.caching is not None:
            self.unsaid = self.caching
            self.unsaid.promise()

    def said(self, now: float) -> None:
        """The answer to its CREATE has left, or never will; a second call does nothing."""
        unsaid, self.unsaid = self.unsaid, None
        if unsaid is not None:
            unsaid.said(now)

    def require(self, access: int) -> None:
        """ACCESS_DENIED unless all of `access` was granted."""
        if self.granted_access & access != access:
            raise NtError(NtStatus.ACCESS_DENIED)

    def require_any(self, access: int) -> None:
        """ACCESS_DENIED unless some of `access` was granted."""
        if not self.granted_access & access:
            raise NtError(NtStatus.ACCESS_DENIED)

    @property
    def changes_alone(self) -> bool:
        """Whether nobody caches the file that is to hear of a change by it.

        Who may cache writes is the only one that caches.
        """
        own = self.caching
        return not self.cachings.keepers or bool(own is not None and own.kept & W)

    def follow_sequence(self, sequence: int, *, replay: bool) -> bool:
        """A request has this ChannelSequence; whether it may modify data ([MS-SMB2] 3.3.5.2.10).

        The client counts it up when it has lost a channel.  What it sent before must do nothing
        any more, and what it sends again nothing while that which it repeats may be under way.
        """
        if sequence != self.channel_sequence:
            if sequence - self.channel_sequence & 0xFFFF > 0x7FFF:
                return False
            self.earlier_requests += self.requests
            self.requests = 0
            self.channel_sequence = sequence
        return not (replay and self.earlier_requests)

    def restart_sequence(self, sequence: int) -> None:
        """A reconnect begins with this ChannelSequence ([MS-SMB2] 3.3.5.9.7, 3.3.5.9.12).

        Requests of the session that had it before may be in work still, and came earlier.
        """
        if sequence != self.channel_sequence:
            self.earlier_requests += self.requests
            self.requests = 0
            self.channel_sequence = sequence

    def begin_request(self, sequence: int) -> bool:
        """Count a request in flight; False for one that came late: it hinders no replay."""
        if sequence != self.channel_sequence:
            return False
        self.requests += 1
        return True

    def end_request(self, sequence: int) -> None:
        """A request that was counted is answered."""
        if sequence == self.channel_sequence:
            self.requests -= 1
        else:
            self.earlier_requests -= 1

    @staticmethod
    def has_sequence(index: int) -> bool:
        """Whether a LOCK is numbered, by this LockSequenceIndex: any other says that it is not."""
        return 1 <= index <= _LOCK_SEQUENCES

    def has_locked(self, index: int, number: int) -> bool:
        """Whether a LOCK was carried out before: [MS-SMB2] 3.3.5.14, LockSequenceArray.

        If it was not, its entry is not valid until `locked`.
        """
        sequences = self.lock_sequences
        if sequences is None or not self.has_sequence(index):
            return False
        if sequences[index] == number + 1:
            return True
        sequences[index] = 0
        return False

    def locked(self, index: int, number: int) -> None:
        """A LOCK has been carried out."""
        if self.has_sequence(index):
            if self.lock_sequences is None:
                self.lock_sequences = bytearray(_LOCK_SEQUENCES + 1)
            self.lock_sequences[index] = number + 1

    def use(self) -> Self:
        """Count one more operation in flight; a CLOSE counts itself too."""
        self.users += 1
        return self

    def leave(self) -> bool:
        """Count one less; whether it was the last, with which the descriptor is to be closed."""
        self.users -= 1
        return self.closed and not self.users
