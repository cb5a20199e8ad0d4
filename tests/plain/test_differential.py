"""With C and without it a client gets the same bytes, and the server is in the same state.

Sequences of bursts, of valid, odd and hostile frames and of changes on the server's side, are
played to both.
"""

import os
import tempfile
from dataclasses import dataclass
from functools import partial
from itertools import chain
from pathlib import Path
from struct import pack

import pytest
import trio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aio._readers import READERS
from smbd.standby import Standby
from tests.core import messages
from tests.core.messages import CLOSE, ECHO, FLUSH, LOCK, READ, WRITE
from tests.scripted.framing import framed

from .rig import DISK, a_rig, begin, need_nowait, settle_time, the_core

SIZES = {"a": 3 * 4096 + 100, "b": 70000}
APPENDING = 3
READY, NEVER_READY = os.eventfd(1), os.eventfd(0)
# The name of a file, and the access by which it is open.
OPENS = (("a", 0x1F01FF), ("a", 0x120089), ("b", 0x1F01FF), ("b", 0x4), ("a", 0x120196))


@dataclass(frozen=True)
class Ask:
    """A request, as its client would make it, and what is odd about it."""

    command: int
    open: int = 0  # which of OPENS
    offset: int = 0
    length: int = 4096
    minimum: int = 0
    charge: int = 1
    asked: int = 1
    flags: int = 0
    sequence: int = 0
    skip: int = 0  # ids before it
    more: int = 0  # bytes behind it
    data_at: int = 112
    write_flags: int = 0
    wrong: tuple[int, int] | None = None  # a byte of the frame, and which bits of it are turned
    tree: int = 0
    session: int = 0
    open_id: int = 0

    def body(self, file_id):
        if self.command == READ:
            body = messages.read(file_id, self.offset, self.length, self.minimum)
        elif self.command == WRITE:
            padding = bytes(max(self.data_at - 112, 0))
            data = bytes([self.offset % 251]) * self.length
            body = pack(
                "<HHIQ16sIIHHI",
                *(49, self.data_at, self.length, self.offset, file_id, 0, 0, 0, 0),
                self.write_flags,
            )
            body += padding + data
        elif self.command == LOCK:
            kind = (messages.EXCLUSIVE | 16, messages.SHARED | 16, messages.UNLOCK)[self.length % 3]
            lock = pack("<QQII", self.offset % 8192, 4096, kind, 0)
            body = pack("<HHI16s", 48, 1, 0, file_id) + lock
        elif self.command == FLUSH:
            body = messages.flush(file_id)
        elif self.command == CLOSE:
            body = messages.close(file_id)
        else:
            body = messages.EMPTY
        return body + bytes(self.more)


@dataclass(frozen=True)
class Change:
    """Something that happens on the server between two bursts."""

    what: str
    open: int = 0

    def make(self, rig, opens):
        session = rig.stage.session
        one = session.opens.get(int.from_bytes(opens[self.open][8:], "little"))
        if self.what == "evicted":
            for name in SIZES:
                with Path(rig.stage.root.absolute_path, name).open("rb") as file:
                    os.fsync(file.fileno())
                    os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        elif self.what == "suspended":
            session.suspended = not session.suspended
        elif self.what == "signed":
            session.signing_required = not session.signing_required
        elif self.what == "sealed":
            session.encrypt = not session.encrypt
        elif self.what == "tree":
            for tree in session.trees.values():
                tree.encrypt = not tree.encrypt
        elif self.what == "few credits":
            rig.window.maximum = 64 if rig.window.maximum > 64 else 512
        elif one is not None:
            one.channel_sequence ^= 1


commands = st.sampled_from([READ, READ, WRITE])
opens = st.sampled_from(range(len(OPENS)))
plain = st.builds(
    Ask,
    commands,
    opens,
    st.sampled_from([0, 4096, 8192, 12288]),
    st.sampled_from([4096, 4096, 8192, 1000]),
    asked=st.integers(1, 20),
)
# One thing that is odd about a request.
ODD = [
    *({"offset": offset} for offset in (1, 100, 12288, 12388, 65536, 70000, 1 << 20)),
    *({"offset": offset} for offset in (2**63 - 4096, 2**63 - 4095, 2**63, 2**64 - 1)),
    *({"length": length} for length in (0, 1, 100, 12388, 65535, 65536, 65537, 131072)),
    *({"minimum": minimum, "offset": 12288} for minimum in (1, 100, 101, 4096, 65536)),
    *({"asked": asked} for asked in (0, 8192, 65535)),
    *({"charge": charge} for charge in (0, 2, 3)),
    *({"flags": flag} for flag in (2, 4, 8, 0x10, 0x70, 0x10000000, 0x20000000)),
    *({"more": more} for more in (8, 70000)),
    *({"data_at": at} for at in (120, 111, 0, 256, 257, 65535)),
    *({"write_flags": flags} for flags in (1, 2, 3)),
    {"tree": 1},
    {"session": 1},
    {"open_id": 1},
    *({"wrong": (at, 0xFF)} for at in (10, 11, 14, 32, 36, 44, 60)),
    *({"wrong": (at, 0xFF)} for at in range(64, 113)),
]
# What comes behind them is no more what it was.
LAST = [
    *({"sequence": sequence} for sequence in (1, 2, 0x7FFF, 0x8000)),
    {"wrong": (8, 0xFF)},
    {"wrong": (9, 0xFF)},
    {"skip": 1},
    {"skip": -1},
    {"charge": 1000},
    {"flags": 1},
    *({"wrong": (at, 0xFF)} for at in (0, 1, 2, 3, 4, 5, 6, 12, 13, 16, 17, 20, 23, 24, 31)),
]


def odd(oddities):
    return st.builds(
        lambda command, one, oddity: Ask(command, one, **oddity),
        st.sampled_from([READ, WRITE]),
        opens,
        st.sampled_from(oddities),
    )


others = st.builds(
    Ask,
    st.sampled_from([ECHO, LOCK, LOCK, FLUSH, CLOSE]),
    opens,
    st.sampled_from([0, 4096, 8192]),
    st.integers(0, 2),
)
asks = st.one_of(plain, plain, plain, odd(ODD), odd(ODD), others)
changes = st.builds(
    Change,
    st.sampled_from(["suspended", "signed", "sealed", "tree", "few credits", "sequence"]),
    opens,
)
bursts = st.lists(asks, min_size=1, max_size=12)
cuts = st.lists(st.integers(1, 4000), max_size=3)
steps = st.lists(st.one_of(*3 * [st.tuples(bursts, cuts)], changes), min_size=4, max_size=16)
ends = st.lists(st.one_of(plain, odd(LAST)), max_size=6)


def _parts(burst):
    """What goes to a worker is alone: its answer comes when it comes, and credits go with it."""
    part = []
    for ask in burst:
        late = ask.command in {FLUSH, CLOSE} or (ask.command == WRITE and ask.open == APPENDING)
        if late or ask.write_flags & 1:
            yield from filter(None, ([*part], [ask]))
            part = []
        else:
            part.append(ask)
    if part:
        yield part


LEARNT = [Ask(command, one) for command in (READ, WRITE) for one in (0, 1, 2, 4)]


class Script:
    """Makes the same bytes for both, but for the numbers of their opens."""

    def __init__(self, rig, opens):
        self.rig, self.opens = rig, opens
        self.next_id = rig.stage.peer.next_id

    def frame(self, ask):
        ids = max(ask.charge, 1)
        tree = self.rig.stage.peer.session.tree_id + ask.tree
        message_id = max(self.next_id + ask.skip, 0)
        one = self.opens[ask.open]
        file_id = bytes([one[0] ^ ask.open_id]) + one[1:]
        frame = messages.message(
            ask.command,
            ask.body(file_id),
            message_id=message_id,
            charge=ask.charge,
            asked=ask.asked,
            flags=ask.flags,
            tree_id=tree,
            session_id=7 + ask.session,
            channel_sequence=ask.sequence,
        )
        self.next_id = max(self.next_id, message_id + ids)
        if ask.wrong is not None:
            at, value = ask.wrong
            frame = frame[:at] + bytes([frame[at] ^ value]) + frame[at + 1 :]
        return frame

    async def play(self, step):
        if isinstance(step, Change):
            step.make(self.rig, self.opens)
            return []
        burst, where = step
        replies = []
        for part in _parts(burst):
            replies += await self._send(part, where)
        return replies

    async def _send(self, burst, where):
        data = framed(*map(self.frame, burst))
        pieces, at = [], 0
        for cut in where:
            pieces.append(data[at : at + cut])
            at += cut
        return sorted(await self.rig.exchange(*filter(None, [*pieces, data[at:]])))


_write = Path.write_bytes


def _read(file):
    """The beginning of it, and its size, which an odd offset makes a terabyte; None: it is gone."""
    if not file.exists():
        return None
    with file.open("rb") as opened:
        return opened.read(1 << 20), os.fstat(opened.fileno()).st_size


async def _play(told, script_of, core=None, *, talks=False):
    """All that a client sees and the server knows, after each step."""
    found = []
    with tempfile.TemporaryDirectory(dir=DISK) as folder:
        files = [Path(folder, name) for name in SIZES]
        for file, size in zip(files, SIZES.values(), strict=True):
            _write(file, (bytes(range(256)) * (size // 256 + 1))[:size])
        async with a_rig(Path(folder), native=core is not None, core=core) as rig:
            if talks:
                rig.loop, rig.transport._standby = READY, Standby(NEVER_READY)
            opens = [await rig.stage.open(name, access=access) for name, access in OPENS]
            await begin(rig)
            script = script_of(rig, opens)
            for step in told:
                replies = await script.play(step)
                found.append((replies, rig.state))
                if rig.hung_up:
                    break
        found.append(list(map(_read, files)))
    return found


@pytest.fixture(scope="module")
def core():
    need_nowait()
    return the_core()


def both(core, told, script_of=Script):
    """Play a story to both, and to C in conversations: they differ in nothing.

    Once more where the page cache has lost a page for one of them: that is this machine's doing.
    So is the order of WRITEs that came together: one that goes to a worker may come second.
    """
    for _ in range(20):
        without = trio.run(_play, told, script_of)
        with_c = [
            trio.run(partial(_play, talks=talks), told, script_of, core) for talks in (False, True)
        ]
        same_files = all(one[-1] == without[-1] for one in with_c)
        if all(_missed(one) == _missed(without) for one in with_c) and (
            same_files or not _writes_come_together(told)
        ):
            break
    for one in with_c:
        for step, mine, other in zip(told, one, without, strict=False):
            assert mine == other, step
        assert one == without


def _writes_come_together(told):
    bursts = [step[0] for step in told if not isinstance(step, Change)]
    return any([ask.command for ask in burst].count(WRITE) > 1 for burst in bursts)


def _missed(found):
    """How often the engine was asked for what was not there at once, after each step."""
    counts = [state["counts"] for _, state in found[:-1]]
    return [(one["misses"], one["unknown"], one["writes_deferred"]) for one in counts]


def test_each_oddity_alone_is_answered_alike(core, monkeypatch):
    settle_time(monkeypatch)
    for one in range(len(OPENS)):
        between = [
            ([Ask(READ), Ask(command, one, **oddity), Ask(READ, 2)], [])
            for command in (READ, WRITE)
            for oddity in ODD
        ]
        both(core, [(LEARNT, []), *between])


def test_what_is_not_in_the_page_cache_is_answered_alike(core, monkeypatch):
    """Each alone: which one of several ends first is the disk's doing.

    And four in a story: a look at what is cold begins to read it, and on a busy machine the disk
    may be done before the look is, so that a story of all is seldom played alike.
    """
    settle_time(monkeypatch)
    READERS.load()
    cold = [(Change("evicted"), ([Ask(READ, **oddity)], [])) for oddity in [{}, *ODD]]
    for first in range(0, len(cold), 4):
        both(core, [(LEARNT, []), *chain.from_iterable(cold[first : first + 4])])


@pytest.mark.parametrize("oddity", LAST, ids=str)
def test_what_changes_the_rest_does_so_alike(core, monkeypatch, oddity):
    settle_time(monkeypatch)
    for command in (READ, WRITE):
        both(core, [(LEARNT, []), ([Ask(READ), Ask(command, **oddity), Ask(READ)], [])])


story = settings(
    deadline=None,
    max_examples=int(os.environ.get("EXAMPLES", "40")),
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@story
@given(steps, ends)
def test_c_changes_nothing_that_anybody_sees(core, monkeypatch, told, end):
    settle_time(monkeypatch)
    # What is asked first is learnt, so that C has something to do in each story.
    told = [(LEARNT, []), *told, *([(end, [])] if end else [])]
    both(core, told)
