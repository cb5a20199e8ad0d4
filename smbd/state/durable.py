"""Durable opens that have lost their connection, and the reconnects that get them back.

[MS-SMB2] 3.3.5.9.7 and 3.3.5.9.12 (reconnect), 3.3.7.1 (loss of a connection), 3.3.6.2 (the Durable
Open Scavenger Timer).  A parked Open yields at once to a request that breaks its caching, as on
Windows: no client is there to be asked.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from smbd.auth import Identity
from smbd.memory import MemoryAccount
from smbd.ntstatus import NtError, NtStatus
from smbd.share import Share
from smbd.state.caching import Caching, H
from smbd.state.client import Client
from smbd.state.deadlines import Deadline, Deadlines
from smbd.state.open import Open
from smbd.state.opens import OpenTable
from smbd.tally import Tally
from smbd.vfs import Root, fold
from smbd.wire.access import FILE_ALL_ACCESS


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A reconnect ([MS-SMB2] 2.2.13.2.4, 2.2.13.2.12), its user and its connection."""

    persistent_id: int
    user: Identity | None
    share: Share | None
    root: Root | None  # the folder of the tree connect
    name: tuple[str, str | None]  # path and stream
    create_guid: bytes | None = None  # None: by version 1
    persistent: bool = False
    client: Client | None = None  # of the connection's ClientGuid
    lease_key: bytes | None = None  # None: without a lease context
    maximal_access: int = FILE_ALL_ACCESS  # of the tree connect


@dataclass(slots=True)
class DurableOpens:
    """The parked Opens.  `limit` bounds their number, and one user has half of it at most."""

    deadlines: Deadlines
    limit: int = 4096
    account: MemoryAccount = field(default_factory=MemoryAccount)  # of all of them together
    wake: Callable[[], None] = lambda: None  # called when take_ended has more to give
    _parked: dict[Open, Deadline] = field(default_factory=dict)
    _of_user: Tally = field(default_factory=Tally)
    _ended: list[Open] = field(default_factory=list)
    _persistent: dict[Open, None] = field(default_factory=dict)  # parked or not
    _persistent_of: Tally = field(default_factory=Tally)

    @property
    def persistent(self) -> list[Open]:
        """The opens that are to outlive the process, parked or not."""
        return list(self._persistent)

    def make_persistent(self, open_: Open) -> bool:
        """Make a durable Open persistent; False if there are too many."""
        durable = open_.durable
        assert durable is not None, "it is durable"
        user = _user_of(open_)
        if len(self._persistent) >= self.limit or 2 * self._persistent_of[user] >= self.limit:
            return False
        self._persistent[open_] = None
        self._persistent_of[user] += 1
        durable.persistent = True
        if open_.caching is not None:
            open_.caching.persistent += 1
        return True

    def make_merely_durable(self, open_: Open) -> None:
        """It is not to outlive the process any more.

        One that is parked stays so as far as a durable Open may, and yields as one.
        """
        self._forget_persistent(open_)
        if open_.durable is not None:
            open_.durable.persistent = False
        if open_ not in self._parked:
            return
        if open_.caching is not None:
            open_.caching.parked[open_] = lambda: self.end(open_)
        if not open_.is_preserved:
            self.end(open_)

    def leave(self, open_: Open) -> None:
        """Forget an Open that is closed, parked or persistent.  A second call does nothing."""
        self.remove(open_)
        self._forget_persistent(open_)

    def _forget_persistent(self, open_: Open) -> None:
        if self._persistent.pop(open_, open_) is not None:
            return
        self._persistent_of.less(_user_of(open_))
        if open_.caching is not None:
            open_.caching.persistent -= 1

    def __len__(self) -> int:
        return len(self._parked)

    def due(self, open_: Open) -> float | None:
        """When a parked Open ends, by the clock of `add`; None of another one."""
        deadline = self._parked.get(open_)
        return None if deadline is None else deadline.due

    def has_room_for(self, open_: Open) -> bool:
        """Whether one more may be parked."""
        caching = open_.caching
        size = open_.memory.size + (0 if caching is None else caching.memory.size)
        return (
            len(self._parked) < self.limit
            and 2 * self._of_user[_user_of(open_)] < self.limit
            and self.account.has_room(size)
        )

    def add(self, open_: Open, now: float) -> None:
        """An Open is parked: it ends when its time is over or a request breaks its caching."""
        durable, caching = open_.durable, open_.caching
        assert durable is not None, "it is durable"
        due = now + durable.timeout
        self._parked[open_] = self.deadlines.at(due, lambda: self.end(open_))
        self._of_user[_user_of(open_)] += 1
        if caching is not None and not durable.persistent:
            caching.parked[open_] = lambda: self.end(open_)

    def remove(self, open_: Open) -> None:
        """Take out an Open that a session has again, or that is closed.  Again does nothing."""
        self._discount(open_)
        if open_.caching is not None:
            open_.caching.parked.pop(open_, None)

    def end(self, open_: Open) -> None:
        """End a parked Open: no reconnect gets it back, and the caller of `take_ended` closes it.

        Until then its share mode and its caching are in the way.
        """
        if self._discount(open_):
            self._ended.append(open_)
            self.wake()

    def end_those_of(self, user: str) -> int:
        """End the parked opens of a user; how many there were."""
        ended = [one for one in self._parked if _user_of(one) == user.casefold()]
        for open_ in ended:
            self.end(open_)
        return len(ended)

    def end_all(self) -> None:
        """End all parked opens, with the server."""
        for open_ in list(self._parked):
            self.end(open_)

    def take_ended(self) -> list[Open]:
        """The opens that are to be closed now."""
        ended, self._ended = self._ended, []
        return ended

    def _discount(self, open_: Open) -> bool:
        deadline = self._parked.pop(open_, None)
        if deadline is None:
            return False
        deadline.cancel()
        self._of_user.less(_user_of(open_))
        return True

    def find(self, opens: OpenTable, claim: Claim) -> Open:
        """The Open that a reconnect may have back.

        NtError, in the order of the specification: OBJECT_NAME_NOT_FOUND for one that is not
        parked or is another's by all that is said, INVALID_PARAMETER for a lease of another file,
        ACCESS_DENIED for another user's, and for one with rights that its user has lost meanwhile.
        """
        open_ = opens.find(claim.persistent_id)
        if open_ is None or not self._is_claimable(open_, claim):
            raise NtError(NtStatus.OBJECT_NAME_NOT_FOUND)
        leased = claim.lease_key is not None
        if leased and not is_named(open_, claim.name):
            raise NtError(NtStatus.INVALID_PARAMETER)
        assert open_.durable is not None, "it is parked"
        if claim.user is None or not claim.user.is_same_account(open_.durable.owner):
            raise NtError(NtStatus.ACCESS_DENIED)
        if open_.granted_access & ~claim.maximal_access:
            raise NtError(NtStatus.ACCESS_DENIED)
        return open_

    def _is_claimable(self, open_: Open, claim: Claim) -> bool:
        durable = open_.durable
        if durable is None or open_ not in self._parked:
            return False
        if claim.create_guid is not None and claim.create_guid != durable.create_guid:
            return False
        if claim.persistent != durable.persistent and claim.create_guid is not None:
            return False
        if open_.share is not claim.share or open_.file.root is not claim.root:
            return False
        return _has_caching(open_.caching, claim, needed=not durable.persistent)


def _has_caching(caching: Caching | None, claim: Claim, *, needed: bool) -> bool:
    """Whether a claim says the lease of an Open, or none; and whether it keeps its handle."""
    is_leased = caching is not None and not caching.is_oplock
    if is_leased != (claim.lease_key is not None):
        return False
    if caching is None:
        return not needed
    if is_leased and (
        claim.client is None
        or caching.key != claim.lease_key
        or not claim.client.is_heir_of(caching)
    ):
        return False
    return not needed or bool(caching.kept & H)


def is_named(open_: Open, name: tuple[str, str | None]) -> bool:
    """Whether a (path, stream) means the name by which a file is open."""
    path, stream = name
    file = open_.file
    return (fold(path), fold(stream or "")) == (fold(file.path), fold(file.stream or ""))


def _user_of(open_: Open) -> str:
    """The account that a parked Open is counted for."""
    assert open_.durable is not None, "it is durable"
    return open_.durable.owner.user.casefold()
