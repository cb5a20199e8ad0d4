"""A long READ takes room for what the file has, and not for what is asked."""

from contextlib import asynccontextmanager

import pytest

from smbd.ntstatus import NtStatus
from tests.commands.stage import HeldEngine, on_stage
from tests.commands.test_opens_that_wait import FUSE, pretend
from tests.core import messages
from tests.core.messages import READ

LONGEST = 8 << 20
CONTENT = bytes(range(100))


class MeasuringEngine(HeldEngine):
    """Notes how much room each read has been given."""

    def __init__(self):
        super().__init__()
        self.rooms = []

    def try_read(self, fd, into, offset):
        self.rooms.append(len(into))
        return super().try_read(fd, into, offset)

    async def read(self, fd, into, offset):
        self.rooms.append(len(into))
        return await super().read(fd, into, offset)

    def begin_read(self, fd, into, offset, done):
        self.rooms.append(len(into))
        return super().begin_read(fd, into, offset, done)


@pytest.fixture
def engine():
    made = MeasuringEngine()
    made.cached = CONTENT
    return made


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "small").write_bytes(CONTENT)
    return tmp_path


@asynccontextmanager
async def a_stage(folder, engine):
    async with on_stage(folder, engine) as stage:
        stage.settle(max_read=LONGEST)
        yield stage


def long_read(file_id, offset=0, **more):
    return READ, messages.read(file_id, offset, LONGEST, **more)


async def ask(stage, request):
    stage.ask(*request, charge=LONGEST // 65536)
    return await stage.answer()


async def test_a_small_file_gets_a_small_buffer(folder, engine, mock_clock):
    async with a_stage(folder, engine) as stage:
        file_id = await stage.open("small")
        answer = await ask(stage, long_read(file_id))
        assert (answer.status, answer.data) == (0, CONTENT)
        answer = await ask(stage, long_read(file_id, 40))
        assert (answer.status, answer.data) == (0, CONTENT[40:])
        assert engine.rooms == [100, 60]


@pytest.mark.parametrize(("offset", "minimum"), [(100, 0), (5000, 0), (2**62, 0), (0, 101)])
async def test_at_the_end_there_is_nothing(folder, engine, mock_clock, offset, minimum):
    async with a_stage(folder, engine) as stage:
        file_id = await stage.open("small")
        answer = await ask(stage, long_read(file_id, offset, minimum=minimum))
        assert answer.status == NtStatus.END_OF_FILE
        assert max(engine.rooms) <= 100


async def test_so_does_one_that_waits_for_the_disk(folder, engine, mock_clock):
    engine.cached = None
    async with a_stage(folder, engine) as stage:
        file_id = await stage.open("small")
        stage.ask(*long_read(file_id), charge=LONGEST // 65536)
        assert await stage.answers() == []
        engine.held[0].finish(CONTENT)
        assert (await stage.answer()).data == CONTENT
        assert engine.rooms == [100, 100]


async def test_a_file_that_shrank_meanwhile_gives_what_is_left(folder, engine, mock_clock):
    engine.cached = CONTENT[:10]
    async with a_stage(folder, engine) as stage:
        file_id = await stage.open("small")
        assert (await ask(stage, long_read(file_id))).data == CONTENT[:10]


async def test_where_the_size_is_asked_of_others_a_worker_asks(
    folder, engine, mock_clock, monkeypatch
):
    pretend(monkeypatch, folder, FUSE)
    async with a_stage(folder, engine) as stage:
        file_id = await stage.open("small")
        engine.held = []
        stage.calls.holding = True
        stage.ask(*long_read(file_id), charge=LONGEST // 65536)
        assert await stage.answers() == []
        stage.calls.held[-1].finish()
        assert await stage.answers() == []
        engine.held[0].finish(CONTENT)
        assert (await stage.answer()).data == CONTENT
        stage.calls.holding = False
        assert engine.rooms == [100]
