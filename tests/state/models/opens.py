"""The life of Opens, beside a list: held, parked, given back, ended; limits, claimants, memory.

[MS-SMB2] 3.3.5.9.7, 3.3.5.9.12 (reconnect), 3.3.7.1 (loss of a connection), 3.3.6.2 (scavenger).
Which oplock an Open gets, and when it breaks, is another model's: see `caching`.
"""

from collections import Counter
from dataclasses import dataclass
from sys import getsizeof

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from smbd.auth import Identity
from smbd.memory import LOCK, OPEN, MemoryAccount
from smbd.ntstatus import NtError, NtStatus
from smbd.state import OPLOCKS, Claim, Client, Durability, Open, OpenTable, Tables, WantedCaching
from smbd.state.caching import H, R, W
from smbd.wire.create import OplockLevel
from smbd.wire.create_contexts import Lease

from ..holders import PaperFile, PaperHolder, PaperShare, an_open

NUMBER = st.integers(0, 1 << 16)
LIMIT = 6  # of all opens
MOST_PARKED = 4
MEMORY = 7 * OPEN  # of one session; three quarters may be held
USERS = {"ann": Identity("ann", "", b""), "bob": Identity("bob", "", b"")}
SESSIONS = (("ann", "net 1"), ("ann", "net 2"), ("bob", "net 1"))
SESSION = st.integers(0, len(SESSIONS) - 1)
GUIDS = (b"g" * 16, b"h" * 16)
SHARE = PaperShare()
SECONDS = st.sampled_from((5.0, 30.0, 60.0))


@dataclass(eq=False)
class Opened:
    """An Open of the model."""

    real: Open
    user: str
    claimants: tuple
    session: int | None  # None: it is parked, or to be closed
    guid: bytes | None = None  # of one that is durable
    persistent: bool = False
    due: float | None = None  # of a parked one

    @property
    def keeps_its_handle(self):
        caching = self.real.caching
        return caching is not None and bool(caching.kept & H)

    @property
    def key(self):
        """Its LeaseKey, if it has a lease."""
        caching = self.real.caching
        return None if caching is None or caching.is_oplock else caching.key

    @property
    def memory(self):
        """What it takes with it, the lease that it may share included."""
        caching = self.real.caching
        return self.real.memory.size + (0 if caching is None else caching.memory.size)


def memory_of(opens):
    """What some opens take together: a lease counts once."""
    cachings = {one.real.caching: None for one in opens if one.real.caching is not None}
    return sum(one.real.memory.size for one in opens) + sum(one.memory.size for one in cachings)


class OpensMachine(RuleBasedStateMachine):
    """Sessions of two users open, lose their connections, come back, and close."""

    def __init__(self):
        super().__init__()
        self.tables = Tables(OpenTable(LIMIT))
        self.tables.durable.limit = MOST_PARKED
        self.tables.durable.account = MemoryAccount(MEMORY)
        self.holders = [
            PaperHolder(f"session {at}", f"user {user}", net, session_id=at + 1, memory=MEMORY)
            for at, (user, net) in enumerate(SESSIONS)
        ]
        self.clients = {user: Client(guid=user.encode()) for user in USERS}
        self.opens: list[Opened] = []
        self.payers = {}  # the session that pays for a lease or oplock: the last that had it
        self.made = 0
        self.now = 0.0
        self.ids = set()

    def _parked(self):
        return [one for one in self.opens if one.due is not None]

    def _paid_by(self, session):
        """What a session's memory should hold, or for None that of all parked opens."""
        cachings = {one.real.caching for one in self.opens} - {None}
        return sum(one.real.memory.size for one in self.opens if one.session == session) + sum(
            one.memory.size for one in cachings if self.payers[one] == session
        )

    def _of(self, session):
        return [one for one in self.opens if one.session == session]

    def _claims(self, claimant):
        return sum(claimant in one.claimants for one in self.opens)

    def _has_room(self, claimants, left):
        """Session, user and network have no more than once, twice, three times what is left."""
        return left > 0 and all(
            self._claims(claimant) < times * left for times, claimant in enumerate(claimants, 1)
        )

    def _close(self, one):
        self.opens.remove(one)
        for _ in range(2):
            assert self.tables.leave(one.real) is None
        assert one.real.closed

    def _close_ended(self, expected):
        """What the server does with what `take_ended` gives."""
        ended = self.tables.durable.take_ended()
        assert set(ended) == {one.real for one in expected}
        for one in expected:
            one.due = None
            self._close(one)

    # --- CREATE ---

    @rule(
        session=SESSION,
        inodes=st.lists(st.integers(1, 5), min_size=1, max_size=3),
        caching=st.sampled_from(("", "batch", "lease")),
        durable=st.sampled_from((None, *GUIDS)),
        persistent=st.booleans(),
    )
    def create(self, session, inodes, caching, durable, persistent):
        for inode in inodes:
            self._create(session, inode, caching, durable, persistent)

    def _wanted(self, session, inode, caching):
        user, _ = SESSIONS[session]
        if caching == "lease":
            lease = Lease(2, f"{user} {inode}".encode().ljust(16), R | W | H)
            return WantedCaching(client=self.clients[user], lease=lease)
        return WantedCaching(oplock=OPLOCKS[OplockLevel.BATCH] if caching else 0)

    def _create(self, session, inode, caching, durable, persistent):
        holder = self.holders[session]
        self.made += 1
        file = PaperFile(inode, path=f"{inode}")
        real = an_open(file, number=self.made)
        real.share = SHARE
        real.volatile_id = self.tables.opens.new_volatile_id()
        wanted = self._wanted(session, inode, caching)
        own = None if wanted.lease is None else wanted.lease.key
        status, yields = 0, []
        if not self._has_room(holder.claimants, LIMIT - len(self.opens)):
            status = NtStatus.INSUFFICIENT_RESOURCES
        else:
            yields = self._that_yield(inode, own)
            connected = [
                one
                for one in self.opens
                if one.due is None and any(one.key and one.key == other.key for other in yields)
            ]
            if yields and not connected:
                # No client is there to be asked: they end at once.
                wait = self.tables.enter(real, holder, wanted, self.now)
                assert wait is not None
                self._close_ended(yields)
                assert wait.over
                yields = []
            size = OPEN + getsizeof(file.path)
            if holder.account.held + size > MEMORY * 3 // 4:
                status = NtStatus.INSUFFICIENT_RESOURCES
        if status:
            with pytest.raises(NtError) as error:
                self.tables.enter(real, holder, wanted, self.now)
            assert error.value.status == status
            self._close_ended(yields)
            return
        assert self.tables.enter(real, holder, wanted, self.now) is None
        user, _ = SESSIONS[session]
        one = Opened(real, user, holder.claimants, session)
        self.opens.append(one)
        self.payers.setdefault(real.caching, session)
        self._close_ended(yields)
        if durable is not None and (one.keeps_its_handle or (persistent and not caching)):
            self._make_durable(one, durable, persistent)

    def _that_yield(self, inode, own):
        """Parked opens whose WRITE caching another open of the file takes."""
        return [
            one
            for one in self._parked()
            if one.real.file.inode == inode
            and one.real.caching is not None
            and one.real.caching.kept & W
            and not (own and one.key == own)
        ]

    def _make_durable(self, one, guid, persistent):
        one.guid = guid
        one.real.durable = Durability(USERS[one.user], 60.0, guid)
        if persistent and one.real.caching is None:
            persistent_ones = [other for other in self.opens if other.persistent]
            of_user = sum(other.user == one.user for other in persistent_ones)
            room = len(persistent_ones) < MOST_PARKED and 2 * of_user < MOST_PARKED
            assert self.tables.durable.make_persistent(one.real) is room
            one.persistent = room

    # --- the ends ---

    @precondition(lambda self: self.opens)
    @rule(number=NUMBER)
    def close(self, number):
        one = self.opens[number % len(self.opens)]
        one.due = None
        self._close(one)

    @rule(session=SESSION)
    def lose_the_connection(self, session):
        for one in self._of(session):
            parked = self._parked()
            stays = (
                one.guid is not None
                and (one.persistent or one.keeps_its_handle)
                and len(parked) < MOST_PARKED
                and 2 * sum(other.user == one.user for other in parked) < MOST_PARKED
                and memory_of(parked) + one.memory <= MEMORY * 3 // 4
            )
            assert self.tables.park(one.real, self.now) is stays
            if stays:
                one.session, one.due = None, self.now + 60.0
                self.payers[one.real.caching] = None
                one.claimants = one.claimants[1:]
            else:
                self._close(one)

    @rule(seconds=SECONDS)
    def time_passes(self, seconds):
        self.now += seconds
        over = [one for one in self._parked() if one.due <= self.now]
        self.tables.deadlines.pass_(self.now)
        self._close_ended(over)

    # --- a client comes back ---

    @precondition(lambda self: self.opens)
    @rule(
        number=NUMBER,
        session=SESSION,
        wrong=st.sampled_from(("", "", "guid", "persistent", "share", "lease")),
    )
    def reconnect(self, number, session, wrong):
        parked = self._parked() or self.opens
        self._reconnect(parked[number % len(parked)], session, wrong)

    @rule(session=SESSION)
    def come_back(self, session):
        user, _ = SESSIONS[session]
        for one in [one for one in self._parked() if one.user == user]:
            self._reconnect(one, session, "")

    def _reconnect(self, one, session, wrong):
        holder = self.holders[session]
        user, _ = SESSIONS[session]
        claim = Claim(
            persistent_id=one.real.persistent_id,
            user=USERS[user],
            share=PaperShare() if wrong == "share" else SHARE,
            root=one.real.file.root,
            name=(one.real.file.path, None),
            create_guid=b"another guid" if wrong == "guid" else one.guid,
            client=self.clients[user],
            lease_key=b"another key".ljust(16) if wrong == "lease" else one.key,
            persistent=one.persistent ^ (wrong == "persistent"),
        )
        if one.due is None or wrong:
            status = NtStatus.OBJECT_NAME_NOT_FOUND
        elif user != one.user:
            # By the client of another the lease is not even looked at.
            status = NtStatus.OBJECT_NAME_NOT_FOUND if one.key else NtStatus.ACCESS_DENIED
        elif not self._fits(one, holder):
            status = NtStatus.INSUFFICIENT_RESOURCES
        else:
            assert self.tables.reclaim(claim, holder) is one.real
            one.session, one.due, one.claimants = session, None, holder.claimants
            self.payers[one.real.caching] = session
            return
        with pytest.raises(NtError) as error:
            self.tables.reclaim(claim, holder)
        assert error.value.status == status

    def _fits(self, one, holder):
        """Whether a session may have one more, which its user has already."""
        if holder.account.held + one.memory > MEMORY * 3 // 4:
            return False
        before, one.claimants = one.claimants, ()
        has_room = self._has_room(holder.claimants, LIMIT - len(self.opens) + 1)
        one.claimants = before
        return has_room

    @precondition(lambda self: self.opens)
    @rule(number=NUMBER)
    def lock(self, number):
        """An Open grows: so much more goes with it wherever it goes."""
        one = self.opens[number % len(self.opens)]
        if one.session is not None:
            account = self.holders[one.session].account
            if account.held + LOCK <= MEMORY * 3 // 4:
                one.real.memory.grow(LOCK)

    # --- what both must say ---

    @invariant()
    def each_table_has_the_same_opens(self):
        assert list(self.tables.opens) == [one.real for one in self.opens]
        assert SHARE.opens >= len(self.opens)
        counts = Counter(claimant for one in self.opens for claimant in one.claimants)
        assert self.tables.opens._counts == counts
        assert len(self.tables.durable) == len(self._parked())
        for at, holder in enumerate(self.holders):
            mine = self._of(at)
            assert set(holder.opened.values()) == {one.real for one in mine}
            assert all(holder.opened[one.real.volatile_id] is one.real for one in mine)
            assert holder.account.held == self._paid_by(at)
        assert self.tables.durable.account.held == self._paid_by(None)
        for one in self.opens:
            assert one.real.session_id == (0 if one.session is None else one.session + 1)
            assert self.tables.durable.due(one.real) == one.due
        inodes = {one.real.file.inode for one in self.opens}
        assert {inode for _, inode in self.tables.files._files} == inodes

    @invariant()
    def nothing_is_done_for_an_open_that_is_not_parked(self):
        assert len(self.tables.deadlines) == len(self._parked())

    def teardown(self):
        while self.opens:
            self.close(0)
        SHARE.opens = 0
        assert not self.tables.opens._counts
        assert not self.tables.files._files
        assert not len(self.tables.deadlines)
        assert not self.tables.durable.persistent
        assert not any(holder.account.held for holder in self.holders)
        assert not any(client.leases for client in self.clients.values())
        assert not self.tables.durable.account.held
