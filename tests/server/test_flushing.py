"""At the end each file that is open for writing is flushed once, a bounded number at a time."""

from collections import Counter

import smbd.testing
from smbd.server.flushing import _AT_ONCE, flush
from tests.scripted import connected

READING = 0x120089
MANY = 3 * _AT_ONCE


async def test_all_files_are_flushed_once_and_not_all_at_the_same_time(tmp_path, monkeypatch):
    async with smbd.testing.serve(tmp_path) as server, connected(server) as client:
        await client.connect()
        for number in range(MANY):
            await client.open(str(number))
            await client.open(str(number))
        await client.open("0", access=READING)
        service = server.server.service
        inodes = {one.file.fd: one.file.inode for one in service.tables.opens}
        engine = service.shares["share"].engine
        real, flushed, under_way, most = engine.fsync, Counter(), set(), 0

        async def fsync(fd):
            nonlocal most
            under_way.add(fd)
            most = max(most, len(under_way))
            if not flushed:
                flushed["failing"] += 1
                under_way.remove(fd)
                raise RuntimeError("our bug")
            await real(fd)
            under_way.remove(fd)
            flushed[inodes[fd]] += 1

        monkeypatch.setattr(engine, "fsync", fsync)
        await flush(service)
        assert set(flushed.values()) == {1}
        assert len(flushed) == MANY, "all but the one that fails"
        assert 1 < most <= _AT_ONCE
        monkeypatch.undo()
