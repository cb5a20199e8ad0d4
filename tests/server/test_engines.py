"""READ and WRITE through each engine, and what the status document counts of it."""

import os

import pytest
import trio

from aio import parse_spec
from smbd.config import ShareConfig
from smbd.testing import serve
from tests.aio.engines import ALONE, PROBED, Form
from tests.aio.page_cache import make_cold, make_warm
from tests.server.clients import PypiClient

SIZE = 65536
DIRECT = {"direct": 1}
FORMS = [
    *ALONE,
    *PROBED,
    Form("nowait+uring,threads"),
    Form("threads", {"dontcache": SIZE}),
    Form("nowait", {"dontcache": SIZE}),
]


def counters(server, share="share"):
    """What the status document counts for one share."""
    (found,) = [one for one in server.server.document()["shares"] if one["name"] == share]
    return found


@pytest.mark.parametrize("form", FORMS, ids=str)
async def test_each_engine_serves(folder, connect, form):
    form.require()
    data = os.urandom(300_000)
    async with serve(folder, engine=form.spec, engine_options=form.options) as server:

        def story():
            with connect(server, "2.1") as client:
                client.put("file", data)
                assert client.get("file") == data

        await trio.to_thread.run_sync(story)
        counted = counters(server)
    assert (folder / "file").read_bytes() == data
    assert counted["bytes_read"] == counted["bytes_written"] == len(data)
    assert counted["reads"] >= 1
    assert counted["writes"] >= 1
    probe, plus, name = counted["engine"].rpartition("+")
    spec = parse_spec(form.spec)
    assert name in spec.engines
    assert f"{probe}{plus}" == ("nowait+" if spec.probe else "")


async def test_sync_switches_no_threads_and_threads_does_for_every_call(folder):
    for engine in ("sync", "threads"):
        async with serve(folder, engine=engine) as server:
            await trio.to_thread.run_sync(ten_reads_and_writes, server)
            counted = counters(server)
        assert counted["engine"] == engine
        assert counted["reads"] == counted["writes"] == 10
        assert counted["switches"] == (0 if engine == "sync" else 20)
        assert counted["hits"] == counted["misses"] == 0


def ten_reads_and_writes(server):
    with PypiClient(server) as client:
        opened = client.open("file")
        for number in range(10):
            opened.write(bytes(100), number * 100)
            opened.read(0, 100)


async def test_a_cold_read_goes_to_a_worker_and_a_warm_one_does_not(disk):
    with (disk / "file").open("wb+") as file:
        file.write(os.urandom(4 * SIZE))
        file.flush()
        make_cold(file.fileno())
    looks = []
    async with serve(disk, engine="nowait") as server:

        def story():
            with PypiClient(server) as client:
                opened = client.open("file")
                for _ in range(2):
                    opened.read(SIZE, SIZE)
                    looks.append(trio.from_thread.run_sync(counters, server))

        await trio.to_thread.run_sync(story)
    cold, warm = looks
    assert (cold["hits"], cold["misses"], cold["switches"]) == (0, 1, 1)
    assert (warm["hits"], warm["misses"], warm["switches"]) == (1, 1, 1)
    assert warm["bytes_read"] == 2 * SIZE


async def test_what_is_partly_cold_is_a_miss_and_comes_whole(disk):
    data = os.urandom(64 * SIZE)
    with (disk / "file").open("wb+") as file:
        file.write(data)
        file.flush()
        make_cold(file.fileno())
        os.pread(file.fileno(), 4096, 0)
    async with serve(disk, engine="nowait") as server:

        def story():
            with PypiClient(server) as client:
                opened = client.open("file")
                assert opened.read(0, SIZE) == data[:SIZE]

        await trio.to_thread.run_sync(story)
        counted = counters(server)
    assert counted["misses"] == 1


async def test_the_tail_of_a_file_and_its_end_are_hits(disk):
    with (disk / "file").open("wb+") as file:
        file.write(b"x" * 5000)
        file.flush()
        make_warm(file.fileno())
        async with serve(disk, engine="nowait") as server:

            def story():
                with PypiClient(server) as client:
                    opened = client.open("file")
                    assert opened.read(4000, SIZE) == b"x" * 1000
                    assert opened.read(0, SIZE) == b"x" * 5000

            await trio.to_thread.run_sync(story)
            counted = counters(server)
    assert (counted["hits"], counted["misses"], counted["switches"]) == (2, 0, 0)


async def test_each_share_counts_for_itself(folder, tmp_path):
    (tmp_path / "second").mkdir()
    second = ShareConfig(name="second", path=tmp_path / "second", engine="threads")
    async with serve(folder, shares=[second], engine="sync") as server:

        def story():
            with PypiClient(server) as client:
                client.put("file", b"x" * 100)
            with PypiClient(server, share="second") as client:
                client.put("file", b"x" * 200)
                client.get("file")

        await trio.to_thread.run_sync(story)
        first, second = counters(server), counters(server, "second")
    assert (first["bytes_written"], first["bytes_read"]) == (100, 0)
    assert (second["bytes_written"], second["bytes_read"]) == (200, 200)
    assert first["switches"] == 0
    assert second["switches"] > 0


@pytest.mark.parametrize(
    ("options", "switches"), [({"inline_limit": SIZE}, 0), ({"inline_limit": 4096}, 1)]
)
async def test_the_engines_options_are_obeyed(disk, options, switches):
    with (disk / "file").open("wb+") as file:
        file.write(b"x" * SIZE)
        file.flush()
        make_warm(file.fileno())
        async with serve(disk, engine="nowait", engine_options=options) as server:

            def story():
                with PypiClient(server) as client:
                    assert len(client.open("file").read(0, SIZE)) == SIZE

            await trio.to_thread.run_sync(story)
            counted = counters(server)
    assert counted["switches"] == counted["oversize"] == switches
