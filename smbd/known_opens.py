"""The opens of one connection that C knows, and what it may answer of each.

An open is known once a command has answered a plain READ or WRITE of it, or its CREATE, where the
files before it were read or written too: most files are small, and one READ is all.  Before each
burst `_ways` asks whether all still holds that the command would ask.  So nothing has to tell C of
a lock, a lease, a CLOSE or a LOGOFF, and nothing that has ended is kept.
"""

from collections.abc import Container
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol, cast

from aio.jobs import Owner
from aio.plain_calls import PLAIN_MISSES, PLAIN_READS, PLAIN_WRITES
from aio.probe import Probe
from smbd import guarding
from smbd.connection import Connection
from smbd.guarding import Guard
from smbd.memory import REQUEST
from smbd.native import MOST_OPENS, Core
from smbd.request import Request
from smbd.session import Channel, Tree
from smbd.state import UNUSED, Apart, Open
from smbd.vfs import File, Root
from smbd.wire.access import Access
from smbd.wire.create import CreateOptions
from smbd.wire.header import Flags

_MAY_READ, _MAY_WRITE, _MAY_MISS, _MAY_FLUSH, _MAY_PASS = 1, 2, 32, 64, 128  # others: guarding
MAY_TELL, MAY_CLOSE = 256, 512
LONGEST_PLAIN = 65536  # bytes of a READ or WRITE: what it may move for one credit
_READS = Access.FILE_READ_DATA | Access.FILE_EXECUTE
_WRITES = Access.FILE_WRITE_DATA | Access.FILE_APPEND_DATA
# So many CREATEs in a row make an open known that nobody reads or writes: then the next do not.
_MOST_IDLE = 4


class InCall(NamedTuple):
    """An open that C may use in a call, and what belongs to it."""

    number: int
    open: Open
    engine: Probe
    channel: Channel
    tree: Tree
    guard: Guard | None


class Misses(Owner, Protocol):
    """The READs and FLUSHes that C goes on with behind the burst."""

    @property
    def room(self) -> int:
        """How many more may begin."""

    @property
    def held(self) -> Container[int]:
        """The numbers of C's opens of which some are in flight: these are to stay what they are."""

    def may_begin(self, number: int, open_: Open, channel: Channel, guard: Guard | None) -> bool:
        """Whether one more may beside those that are in flight."""

    def began(self, used: InCall, count: int, size: int) -> None:
        """So many have begun in a burst, for which so many bytes are held."""

    def flush_began(self, used: InCall, size: int) -> None:
        """The same of a FLUSH."""

    def take_all(self) -> None:
        """Python answers those that are in flight."""


class Predicted(Protocol):
    """The open whose client may be told more than its data, and may close it."""

    number: int  # by which C knows it

    def ways(self, open_: Open) -> int:
        """What C may answer of an open now: MAY_TELL, MAY_CLOSE."""

    def closed(self, open_: Open) -> None:
        """C has answered its CLOSE."""


@dataclass(slots=True)
class _Known:
    """An open by the numbers that a request has for it: a reference would keep it."""

    session_id: int
    tree_id: int
    volatile_id: int
    persistent_id: int
    sequence: int = 0
    fd: int = -1
    writes: bool = False  # a WRITE came, or may: else nobody looks whether one may be made
    longest_passed: int = -1  # bytes that a READ by the pipe may have; -1: none that long has come
    idle: bool = False  # its CREATE alone came
    guard: Guard | None = None  # once a request came that was signed or sealed

    @property
    def key(self) -> tuple[int, int, int]:
        """What it is found by."""
        return self.session_id, self.tree_id, self.volatile_id


def is_plain(request: Request) -> bool:
    """Whether C could have answered a READ or WRITE that a command has answered at once.

    Of a CREATE: whether it could answer those that follow.
    """
    open_ = request.open
    return (
        open_ is not None
        and not request.flags & ~(Flags.PRIORITY_MASK | Flags.SIGNED)
        and type(open_.file) is File  # the descriptor of a stream may become another one
        and isinstance(open_.share.engine, Probe)
        and guarding.is_known(request)
    )


class KnownOpens:
    """Those of one connection, each by its number in C's `struct burst`.

    The calls of C (smbd.plain) are a subclass: so what each burst asks is one attribute away.
    """

    def __init__(self, core: Core, connection: Connection) -> None:
        self._core, self._ffi = core, core.ffi
        self._connection = connection
        self.apart = connection.apart = Apart(connection.service.tables)
        self._channels = connection.channels
        self._known: list[_Known] = []
        self._numbers: dict[tuple[int, int, int], int] = {}
        self._next = 0  # which one goes for the next that comes
        self._last = 0  # which one was used last
        self._writes = False  # there is a WRITE for sure
        self._idle = _MOST_IDLE  # CREATEs since an open was read or written
        # Those that C may use in this call, as InCall, whose call takes longer.
        self._in_call: list[tuple[int, Open, Probe, Channel, Tree, Guard | None]] = []
        self.misses: Misses | None = None
        self.predicted: Predicted | None = None
        slow = Probe.SLOW_READ, Probe.SLOW_WRITE, Probe.SLOW_MISS, Root.SLOW_OPEN
        self.burst: Any = core.new(slow, REQUEST)

    def learn(self, request: Request) -> None:
        """A command has answered this plain READ or WRITE: the next of its open may be plain."""
        self._idle = 0
        self._learn(request, writes=request.row.changes)

    def learn_long(self, request: Request) -> None:
        """The READ that was learned last is longer than those of a burst: the next may be plain."""
        known, fast = self._known[self._last], self.burst.opens[self._last]
        if known.longest_passed < 0 and request.open is not None:
            engine, most = (
                cast("Probe", request.open.share.engine),
                self._connection.negotiated.max_read,
            )
            passed = min(engine.plain_longest_passed(known.fd), self._core.longest_passed, most)
            known.longest_passed = fast.longest_passed = passed
            fast.longest_read = min(engine.plain_longest, most)

    def foresee(self, request: Request) -> int | None:
        """A CREATE has been answered at once: the first READ or WRITE of its open may be plain.

        The number of that; None if it is not foreseen.
        """
        open_ = request.open
        assert open_ is not None, "is_plain"
        file = open_.file
        if self._idle >= _MOST_IDLE or not file.has_data or file.is_directory:
            return None
        engine = cast("Probe", open_.share.engine)
        if open_.channel_sequence == UNUSED or not engine.plain_opened(file.fd, file.look):
            return None
        self._idle += 1
        known = self._learn(request, writes=bool(open_.granted_access & Access.FILE_WRITE_DATA))
        if known is None:
            return None
        known.idle = True
        return self._last

    def _learn(self, request: Request, *, writes: bool) -> _Known | None:
        open_ = request.open
        assert open_ is not None, "is_plain"
        key = request.session_id, request.tree_id, open_.volatile_id
        number = self._numbers.get(key)
        if number is None:
            number = self._enter(_Known(*key, open_.persistent_id))
            if number is None:
                return None
        known, fast = self._known[number], self.burst.opens[number]
        if request.sealed or request.flags & Flags.SIGNED:
            others = (other.guard for other in self._known)
            guard = known.guard = guarding.guard_for(request, others, self._core)
            fast.guard = self._ffi.NULL if guard is None else guard.keys
        fast.sequence = known.sequence = open_.channel_sequence
        fast.fd = known.fd = open_.file.fd
        if writes:
            known.writes = True
            engine = cast("Probe", open_.share.engine)
            fast.working = self._ffi.cast("int32_t *", engine.plain_waits(known.fd))
            fast.longest = min(engine.plain_longest, self._connection.negotiated.max_write)
        self._last = number
        return known

    def _enter(self, known: _Known) -> int | None:
        """Its number; None if there is none: READs of all others are in flight."""
        number = len(self._known)
        if number < MOST_OPENS:
            self._known.append(known)
            self.burst.count = number + 1
        else:
            number = self._next
            while self._is_held(number):
                number = (number + 1) % MOST_OPENS
                if number == self._next:
                    return None
            self._next = (number + 1) % MOST_OPENS
            del self._numbers[self._known[number].key]
            self._known[number] = known
        self._numbers[known.key] = number
        fast = self.burst.opens[number]
        fast.session_id, fast.tree_id, fast.volatile_id = known.key
        fast.persistent_id = known.persistent_id
        fast.longest_read = fast.longest_passed = 0
        fast.guard = self._ffi.NULL
        return number

    def _is_held(self, number: int) -> bool:
        return self.misses is not None and number in self.misses.held

    def channel_of(self, number: int) -> Channel:
        """That of an open, in the step of the loop in which C has used it."""
        return self._channels[self._known[number].session_id]

    def _ways(self, number: int) -> int:
        """What the commands would do now without asking anybody: _MAY_READ, _MAY_WRITE ..."""
        if number >= len(self._known):
            return 0  # there is none yet
        known = self._known[number]
        channel = self._channels.get(known.session_id)
        if channel is None:
            known.guard, self.burst.opens[number].guard = None, self._ffi.NULL
            return 0
        session = channel.session
        tree = session.trees.get(known.tree_id)
        open_ = session.opens.get(known.volatile_id) or self.apart.find(known.volatile_id)
        if (
            tree is None
            or open_ is None
            or open_.holder is not tree
            or open_.persistent_id != known.persistent_id
            or open_.channel_sequence != known.sequence
            or open_.file.fd != known.fd
            or open_.locks.held
            # checking.check_session and check_tree, protection.check_signature
            or session.suspended
            or session.identity is None
        ):
            return 0
        engine = cast("Probe", open_.share.engine)
        ways = engine.plain_ways(known.fd, LONGEST_PLAIN)
        ready = _MAY_READ if ways & PLAIN_READS and open_.granted_access & _READS else 0
        # By the pipe it could show half of another's WRITE: the pages are the file's own.
        if ready and known.longest_passed > 0 and open_.link is not None:
            ready |= 0 if open_.link.state.has_other_writer(open_) else _MAY_PASS
        if known.writes and ways & PLAIN_WRITES and _may_write(open_):
            until = engine.plain_until_asked if self._writes else engine.plain_until
            self.burst.opens[number].writes_until = until(known.fd)
            ready |= _MAY_WRITE
        if self.predicted is not None and self.predicted.number == number:
            ready |= self.predicted.ways(open_)
        flushes = known.writes and open_.granted_access & _WRITES and engine.plain_flushes
        if ready or flushes:
            guard, misses = known.guard, self.misses
            self._in_call.append((number, open_, engine, channel, tree, guard))
            ready |= guarding.ways(guard, channel, tree)
            if (
                misses is not None
                and (ways & PLAIN_MISSES or flushes)
                and (number not in misses.held or misses.may_begin(number, open_, channel, guard))
            ):
                ready |= _MAY_MISS if ways & PLAIN_MISSES else 0
                ready |= _MAY_FLUSH if flushes else 0
        return ready


def _may_write(open_: Open) -> bool:
    """Whether a WRITE asks nobody, and needs not be on the disk."""
    return bool(
        open_.granted_access & Access.FILE_WRITE_DATA
        and open_.changes_alone
        and not open_.create_options & CreateOptions.WRITE_THROUGH
    )
