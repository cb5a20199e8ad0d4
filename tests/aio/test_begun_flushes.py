"""Fsyncs that no task waits for: every engine, in every form, tells of each of them once."""

import errno
import os
import threading
from functools import partial
from pathlib import Path

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

import aio
from aio.base import Begun, Done
from aio.dontcache import DontCache
from aio.inodes import is_strained
from aio.probe import Probe
from aio.queued import QueuedEngine
from aio.ring import FSYNC, Request, Ring
from tests.aio.engines import CONTENT, Form, a_file, attached
from tests.aio.test_ring import PaperQueue


class Flushes:
    """The fsyncs that a test has begun, and how they ended: 0, or an errno."""

    def __init__(self, engine: aio.Engine) -> None:
        self.ended: dict[int, int | None] = {}
        self._engine = engine
        self._event = trio.Event()
        self._begun = 0

    def begin(self, fd: int) -> Begun:
        begun = self._engine.begin_fsync(fd, partial(self._done, self._begun))
        self._begun += 1
        return begun

    def _done(self, number: int, count: int, error: BaseException | None) -> None:
        assert number not in self.ended
        assert count == 0
        assert error is None or isinstance(error, OSError)
        self.ended[number] = 0 if error is None else error.errno
        self._event.set()

    async def end(self) -> list[int | None]:
        """Kick, and wait until all have ended."""
        self._engine.kick()
        with trio.fail_after(240):
            while len(self.ended) < self._begun:
                self._event = trio.Event()
                await self._event.wait()
        return [self.ended[number] for number in range(self._begun)]


@pytest.fixture
def paper() -> PaperQueue:
    return PaperQueue()


async def test_each_ends_once_and_is_counted(engine: aio.Engine, any_fd: int) -> None:
    flushes = Flushes(engine)
    for _ in range(20):
        flushes.begin(any_fd)
    assert not flushes.ended  # not before `begin_fsync` returns
    assert await flushes.end() == [0] * 20
    assert engine.statistics().fsyncs == 20


async def test_an_error_ends_it(engine: aio.Engine, any_fd: int, tmp_path: Path) -> None:
    flushes = Flushes(engine)
    flushes.begin(any_fd)
    assert await flushes.end() == [0]  # the engine has opened all that it needs
    bad = os.open(tmp_path, os.O_RDONLY)
    os.close(bad)
    flushes.begin(bad)
    assert await flushes.end() == [0, errno.EBADF]
    assert engine.statistics().fsyncs == 1


async def test_one_that_is_withdrawn_ends_all_the_same(engine: aio.Engine, any_fd: int) -> None:
    flushes = Flushes(engine)
    for begun in [flushes.begin(any_fd) for _ in range(32)]:
        begun.withdraw()
    assert set(await flushes.end()) <= {0, errno.ECANCELED}


async def test_aclose_waits_for_them_kicked_or_not(form: Form, tmp_path: Path) -> None:
    engine = form.open()
    with a_file(engine, tmp_path, CONTENT) as fd:
        flushes = Flushes(engine)
        for number in range(8):
            flushes.begin(fd)
            if number == 4:
                engine.kick()
        await engine.aclose()
        await trio.lowlevel.checkpoint()
    assert await flushes.end() == [0] * 8
    with pytest.raises(trio.ClosedResourceError):
        flushes.begin(fd)


async def test_the_loop_writes_nothing_to_the_file_until_it_has_ended(
    disk: Path, paper: PaperQueue
) -> None:
    queued = QueuedEngine(paper, DontCache(0), direct=False, workers=0)
    engine = Probe(queued, 1 << 20, DontCache(0))
    with a_file(engine, disk, CONTENT) as fd:
        device = os.fstat(fd).st_dev
        assert engine.try_write(fd, b"before", 0) == 6
        flushes = Flushes(engine)
        flushes.begin(fd)
        engine.kick()
        assert engine.try_write(fd, b"meanwhile", 0) is None
        assert is_strained(device)
        paper.complete(*paper.tags)
        assert await flushes.end() == [0]
        assert engine.try_write(fd, b"after", 0) == 5
        assert not is_strained(device)
    await engine.aclose()


async def test_one_that_waits_for_room_and_is_withdrawn_never_begins(paper: PaperQueue) -> None:
    engine = QueuedEngine(paper, DontCache(0), direct=False, workers=0)
    flushes = Flushes(engine)
    begun = [flushes.begin(0) for _ in range(paper.depth // 2 + 1)]
    engine.kick()
    begun[-1].withdraw()
    begun[-1].withdraw()
    await wait_all_tasks_blocked()
    assert flushes.ended == {len(begun) - 1: errno.ECANCELED}
    paper.complete(*paper.tags)
    assert await flushes.end() == [0] * (len(begun) - 1) + [errno.ECANCELED]
    assert sum(paper.calls) == len(begun) - 1
    await engine.aclose()


class Beginnings:
    """Which descriptors' fsyncs begin, one after the other, in threads of Python or in a ring.

    Their ends would not do: a thread that has begun one may have no processor until others have
    made all the rest.  So in threads half of the many wait until the one has begun.
    """

    def __init__(self, one: int, monkeypatch: pytest.MonkeyPatch) -> None:
        self.order: list[int] = []
        self._one = one
        self._one_has_begun = threading.Event()
        fsync, begin = os.fsync, Ring.begin

        def fsync_in_turn(fd: int) -> None:
            self._note(fd)
            if len(self.order) > _MANY // 2:
                self._one_has_begun.wait(_LONG)
            fsync(fd)

        def begin_in_ring(ring: Ring, request: Request, done: Done) -> None:
            if request.code == FSYNC:
                self._note(request.fd)
            begin(ring, request, done)

        monkeypatch.setattr(os, "fsync", fsync_in_turn)
        monkeypatch.setattr(Ring, "begin", begin_in_ring)

    def _note(self, fd: int) -> None:
        self.order.append(fd)
        if fd == self._one:
            self._one_has_begun.set()


_MANY, _LONG = 60, 10.0


async def test_a_file_with_many_holds_up_no_other(
    form: Form, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = form.open()
    ended = 0

    def end(_count: int, _error: BaseException | None) -> None:
        nonlocal ended
        ended += 1

    with (
        a_file(engine, tmp_path, CONTENT) as many,
        attached(engine, tmp_path / "file") as one,
    ):
        beginnings = None if form.spec.endswith("sync") else Beginnings(one, monkeypatch)
        for fd in (*[many] * _MANY, one):
            engine.begin_fsync(fd, end)
        await engine.aclose()
        await trio.lowlevel.checkpoint()
    assert ended == _MANY + 1
    if beginnings is not None:
        assert sorted(beginnings.order) == sorted([many] * _MANY + [one])
        assert beginnings.order.index(one) < _MANY
