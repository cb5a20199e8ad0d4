"""Reads that no task waits for: every engine, in every form, tells of each of them once."""

import errno
import os
import threading
from collections import Counter, deque
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import trio

import aio
from aio._readers import READERS
from aio.base import Begun
from aio.completion import TURN, after_burst, tell
from tests.aio.engines import CONTENT, Form, a_file, attached


class Reads:
    """The reads that a test has begun, and how they ended."""

    def __init__(self, engine: aio.Engine, fd: int) -> None:
        self.ended: dict[int, bytes | int | None] = {}
        self.afterwards: list[int] = []
        self._engine, self._fd = engine, fd
        self._event = trio.Event()
        self._begun = 0

    def begin(self, length: int, offset: int) -> Begun:
        number, buffer = self._begun, bytearray(length)
        into = memoryview(buffer)

        def done(count: int, error: BaseException | None) -> None:
            assert number not in self.ended
            assert error is None or isinstance(error, OSError)
            self.ended[number] = bytes(into[:count]) if error is None else error.errno
            into.release()  # whoever still has its address now writes to what is not its own
            buffer.clear()  # BufferError if the engine still has a view of it
            after_burst(self._after)
            self._event.set()

        self._begun += 1
        return self._engine.begin_read(self._fd, into, offset, done)

    def _after(self) -> None:
        self.afterwards.append(len(self.ended))

    async def end(self) -> list[bytes | int | None]:
        """Kick, and wait until all have ended."""
        self._engine.kick()
        with trio.fail_after(240):
            while len(self.ended) < self._begun:
                self._event = trio.Event()
                await self._event.wait()
        return [self.ended[number] for number in range(self._begun)]


async def test_each_of_a_burst_gets_its_own_data(engine: aio.Engine, fd: int) -> None:
    os.fsync(fd)
    os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
    reads = Reads(engine, fd)
    for number in range(64):
        reads.begin(5000, number * 1000)
    assert not reads.ended  # not before `begin_read` returns
    assert await reads.end() == [CONTENT[n * 1000 : n * 1000 + 5000] for n in range(64)]
    assert reads.afterwards[-1] == 64
    assert len(reads.afterwards) <= 64
    stats = engine.statistics()
    assert (stats.reads, stats.bytes_read) == (64, 64 * 5000)


async def test_a_read_over_the_end_is_short_and_one_behind_it_gives_nothing(
    engine: aio.Engine, fd: int
) -> None:
    reads = Reads(engine, fd)
    for length, offset in ((8192, len(CONTENT) - 100), (10, len(CONTENT)), (10, 1 << 40), (0, 5)):
        reads.begin(length, offset)
    assert await reads.end() == [CONTENT[-100:], b"", b"", b""]


async def test_a_mebibyte_is_whole(engine: aio.Engine, any_fd: int) -> None:
    os.pwrite(any_fd, CONTENT * 5, 0)
    reads = Reads(engine, any_fd)
    reads.begin(1 << 20, 777)
    assert await reads.end() == [(CONTENT * 5)[777 : 777 + (1 << 20)]]


async def test_an_error_ends_a_read_or_is_raised_where_it_begins(
    engine: aio.Engine, any_fd: int, tmp_path: Path
) -> None:
    good = Reads(engine, any_fd)
    good.begin(10, 0)
    assert await good.end() == [CONTENT[:10]]  # the engine has opened all that it needs
    bad = os.open(tmp_path, os.O_RDONLY)
    os.close(bad)
    engine.attach(bad)
    reads = Reads(engine, bad)
    try:
        reads.begin(10, 0)
    except OSError as error:
        ends: list[bytes | int | None] = [error.errno]
    else:
        ends = await reads.end()
    assert ends == [errno.EBADF]
    engine.detach(bad)


async def test_a_read_that_is_withdrawn_ends_all_the_same(engine: aio.Engine, any_fd: int) -> None:
    reads = Reads(engine, any_fd)
    for begun in [reads.begin(1000, 0) for _ in range(32)]:
        begun.withdraw()
    assert set(await reads.end()) <= {CONTENT[:1000], errno.ECANCELED}


async def test_aclose_waits_for_reads_kicked_or_not(engine: aio.Engine, any_fd: int) -> None:
    reads = Reads(engine, any_fd)
    for number in range(32):
        reads.begin(100_000, 0)
        if number == 16:
            engine.kick()
    await engine.aclose()
    await trio.lowlevel.checkpoint()
    assert list(reads.ended.values()) == [CONTENT[:100_000]] * 32
    with pytest.raises(trio.ClosedResourceError):
        reads.begin(10, 0)


async def test_reads_of_tasks_and_reads_without_one_go_together(
    engine: aio.Engine, fd: int
) -> None:
    reads = Reads(engine, fd)
    got: list[int] = []

    async def one() -> None:
        got.append(await engine.read(fd, memoryview(bytearray(100)), 0))

    async with trio.open_nursery() as nursery:
        for number in range(20):
            nursery.start_soon(one)
            reads.begin(100, number)
        assert await reads.end() == [CONTENT[n : n + 100] for n in range(20)]
    assert got == [100] * 20


async def test_a_read_answers_from_the_file_that_it_was_begun_on(
    form: Form, tmp_path: Path
) -> None:
    """Descriptors come again, as soon as the files are closed that had them."""
    engine = form.open()
    wrong = Counter[str]()
    try:
        for turn in range(200):
            content = turn.to_bytes(2, "little") * 2048
            with a_file(engine, tmp_path, content) as fd:
                os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
                reads = Reads(engine, fd)
                for block in range(8):
                    reads.begin(512, block * 512)
                for answer in await reads.end():
                    wrong["answers"] += 1
                    wrong["of another file"] += answer != content[:512]
    finally:
        await engine.aclose()
    assert wrong == {"answers": 1600, "of another file": 0}


def test_what_has_ended_is_told_of_until_the_turn_is_over() -> None:
    """And what is due afterwards once for each turn."""

    class Ended:
        def tell(self) -> None:
            told.append(self)
            after_burst(act)

    def act() -> None:
        acts.append(len(told))

    told: list[Ended] = []
    acts: list[int] = []
    waiting = [Ended() for _ in range(5)]
    queue = deque(waiting)
    assert not tell(queue, 0.0)
    assert told == waiting[:1]
    assert tell(queue, float("inf"))
    assert told == waiting
    assert acts == [1, 5]
    assert TURN <= 0.002


async def test_no_burst_is_left_waiting(form: Form, tmp_path: Path) -> None:
    """A wake-up that comes while results are taken out is for those that come behind them."""
    engine = form.open()
    try:
        with a_file(engine, tmp_path, CONTENT) as fd:
            for _ in range(300):
                reads = Reads(engine, fd)
                for number in range(16):
                    reads.begin(64, number)
                assert await reads.end() == [CONTENT[n : n + 64] for n in range(16)]
    finally:
        await engine.aclose()


@pytest.mark.parametrize("compiled", [True, False])
async def test_a_file_with_many_reads_holds_up_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, compiled: bool
) -> None:
    """Descriptors take turns at the threads, in C as in Python."""
    if not compiled:
        monkeypatch.setattr(READERS, "at_hand", lambda: None)
    elif READERS.at_hand() is None:
        pytest.skip("no threads in C")
    engine = aio.open_engine("threads", workers=1)
    order: list[str] = []
    all_have_begun, preadv = threading.Event(), os.preadv

    def preadv_later(*args: Any) -> int:
        all_have_begun.wait(60)  # or a thread is at the last one before this one has begun it
        return preadv(*args)

    with (
        a_file(engine, tmp_path, CONTENT) as many,
        attached(engine, tmp_path / "file") as one,
    ):
        monkeypatch.setattr(os, "preadv", preadv_later)
        for fd, name in (*[(many, "many")] * 10, (one, "one")):
            done = partial(_note, order, name)
            engine.begin_read(fd, memoryview(bytearray(100)), 0, done)
        all_have_begun.set()
        await engine.aclose()
        await trio.lowlevel.checkpoint()
    assert len(order) == 11
    assert order.index("one") <= 2


def _note(order: list[str], name: str, _count: int, _error: BaseException | None) -> None:
    order.append(name)
