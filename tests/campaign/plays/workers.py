"""What holds workers: bad patterns, a dead disk, flushes, no threads; beside it somebody works."""

import os
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from struct import pack

import trio

from tests.core import messages
from tests.core.messages import CLOSE, CREATE, FLUSH, QUERY_DIRECTORY, READ, SET_INFO
from tests.scripted import connected

from ..campaign import Campaign, NotHereError, Play
from ..disks import new_disk
from ..served import Served, served

_MEBIBYTE = 1 << 20
_END_OF_FILE = 20
_CREATE_NEW = 2
_DIRECTORY_FILE = 1
# Stars that the end of no name matches: as much work for each name as a pattern can ask for.
_BAD_PATTERN = "*a" * 100 + "*b"
_LISTINGS = 16
_PIDS = (Path("/sys/fs/cgroup/pids"), Path("/sys/fs/cgroup"))


async def play(play: Play) -> None:
    """Each of them with a server of its own."""
    await _bad_patterns(play)
    with new_disk("ext4", play.work) as disk:
        await _dead_disk(play, disk)
        await _flushes(play, disk)
    await _limit_of_threads(play)


class Bystander:
    """A client in the share "other": makes a file, sets its size, closes it, again and again."""

    def __init__(self) -> None:
        self._took: list[float] = []
        self._began = 0.0  # when it began with a file that is not closed yet

    @asynccontextmanager
    async def beside(self, server: Served) -> AsyncIterator[None]:
        """For as long as the block lasts."""
        async with connected(server) as client, trio.open_nursery() as nursery:
            await client.connect("other")
            nursery.start_soon(self._work, client)
            yield
            await trio.sleep(0.05)
            nursery.cancel_scope.cancel()
            if self._began:  # and still waits
                self._took.append(time.perf_counter() - self._began)

    async def _work(self, client) -> None:
        number = 0
        while True:
            number += 1
            self._began = time.perf_counter()
            file_id = await client.open(f"new {number}", disposition=_CREATE_NEW)
            body = messages.set_info(file_id, _END_OF_FILE, pack("<Q", number))
            assert (await client.ask(SET_INFO, body)).status == 0
            await client.ask(CLOSE, messages.close(file_id))
            self._took.append(time.perf_counter() - self._began)
            self._began = 0.0
            await trio.sleep(0.01)

    def note(self, play: Play, what: str) -> None:
        """A file's time: what one of a hundred takes longer than."""
        ordered = sorted(self._took)
        p99 = ordered[len(ordered) * 99 // 100] * 1000
        detail = f"{len(ordered)} of them, the longest {ordered[-1] * 1000:.1f} ms"
        what = f"{what}: CREATE, SET_INFO and CLOSE in another share, p99"
        play.note(what, p99, "ms", bar=100, timed=True, detail=detail)


def _two_shares(state: Path) -> str:
    other = state / "other"
    other.mkdir()
    return f'[shares.other]\npath = "{other}"\n'


async def _bad_patterns(play: Play) -> None:
    """Listings of a large folder that match nothing, and a client that leaves before they end."""
    state = play.folder("bad patterns")
    async with served(state, more=_two_shares(state)) as server:
        for number in range(play.size(20_000, 2_000)):
            (server.folder / f"{'a' * 200}{number:07d}").touch()
        bystander = Bystander()
        async with bystander.beside(server):
            async with connected(server) as client:
                await client.connect()
                folders = [await _folder(client) for _ in range(_LISTINGS)]
                server.forget_turns()
                await client.send(*(_listing(client, one) for one in folders))
                await trio.sleep(play.size(10, 1))
            await trio.sleep(0.3)
            play.note_turn("listings with bad patterns", server.longest_turn())
        bystander.note(play, "listings with bad patterns")
        used = server.cpu()
        await trio.sleep(play.size(2, 1))
        used = server.cpu() - used
        play.note("CPU after their client has gone", used * 1000, "ms", bar=100, timed=True)


async def _folder(client) -> bytes:
    return await client.open("", options=_DIRECTORY_FILE)


def _listing(client, folder: bytes) -> bytes:
    return client.peer.request(QUERY_DIRECTORY, messages.query_directory(folder, _BAD_PATTERN))


async def _dead_disk(play: Play, disk) -> None:
    """A share whose disk does not answer: neither other shares nor logins wait for it."""
    state = play.folder("dead disk")
    async with served(state, folder=disk.folder, more=_two_shares(state)) as server:
        bystander = Bystander()
        async with connected(server) as client, bystander.beside(server):
            await client.connect()
            server.forget_turns()
            async with disk.frozen():
                requests = [
                    client.peer.request(CREATE, messages.create(f"n{one}", disposition=_CREATE_NEW))
                    for one in range(20)
                ]
                await client.send(*requests)
                await trio.sleep(play.size(3, 1))
                began = time.perf_counter()
                async with connected(server) as newcomer:
                    await newcomer.connect()
                    login = time.perf_counter() - began
                await server.status()
            play.note_turn("a frozen share", server.longest_turn())
            made = [(await client.answer()).status for _ in requests]
        bystander.note(play, "a frozen share")
        play.note("a frozen share: login", login * 1000, "ms", bar=1000, timed=True)
        play.note("a frozen share: CREATEs that fail after it", sum(map(bool, made)), bar=0)


async def _flushes(play: Play, disk) -> None:
    """Misses of one client beside 32 FLUSHes of another, on a disk that writes slowly."""
    count = play.size(32, 20)
    (disk.folder / "cold").write_bytes(os.urandom(16 * _MEBIBYTE))
    _evict(disk.folder / "cold")
    with disk.rationed(written=50 * _MEBIBYTE):
        async with (
            served(play.folder("flushes"), folder=disk.folder) as server,
            connected(server) as writer,
            connected(server) as reader,
        ):
            await writer.connect()
            await reader.connect()
            cold = await reader.open("cold")
            files = [await writer.open(f"file {number}") for number in range(count)]
            for number in range(count):
                (disk.folder / f"file {number}").write_bytes(bytes(play.size(4, 1) * _MEBIBYTE))
            await writer.send(*(writer.peer.request(FLUSH, messages.flush(one)) for one in files))
            await trio.sleep(0.05)
            took = [await _miss(reader, cold, number * 700_000) for number in range(20)]
            for _ in files:
                assert (await writer.answer()).status == 0
    longest = max(took) * 1000
    play.note("a miss beside 32 FLUSHes, the longest", longest, "ms", bar=250, timed=True)


async def _miss(client, file_id: bytes, offset: int) -> float:
    began = time.perf_counter()
    assert (await client.ask(READ, messages.read(file_id, offset))).status == 0
    return time.perf_counter() - began


def _evict(path: Path) -> None:
    fd = os.open(path, os.O_RDWR)
    try:
        os.fsync(fd)
        os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
    finally:
        os.close(fd)


async def _limit_of_threads(play: Play) -> None:
    """A server that may start no thread more answers all the same."""
    refused = 0
    with _limited_group() as limit:
        async with served(play.folder("limit of threads")) as server:
            cold = server.folder / "cold"
            cold.write_bytes(os.urandom(4 * _MEBIBYTE))
            limit(server)
            for number in range(play.size(10, 2)):
                async with connected(server) as client:
                    await client.connect()
                    refused += await _read_and_create(client, cold, number)
    play.note("requests that fail where no thread can be started", refused, bar=0)


async def _read_and_create(client, cold: Path, number: int) -> int:
    """Misses and CREATEs, all at once; how many fail, or have no answer after a minute."""
    file_id = await client.open(cold.name)
    _evict(cold)
    requests = [messages.read(file_id, at * 100_000) for at in range(20)]
    frames = [client.peer.request(READ, one) for one in requests]
    requests = [messages.create(f"{number} {one}", disposition=_CREATE_NEW) for one in range(20)]
    frames += [client.peer.request(CREATE, one) for one in requests]
    await client.send(*frames)
    done = 0
    with trio.move_on_after(60):
        for _ in frames:
            done += (await client.answer()).status == 0
    return len(frames) - done


@contextmanager
def _limited_group() -> Iterator[Callable[[Served], None]]:
    """What lets a server start no thread more.  NotHereError where there is no such limit."""
    top = next((one for one in _PIDS if (one / "cgroup.procs").exists()), None)
    if top is None or os.geteuid() != 0:
        raise NotHereError("a limit of threads needs root, and control groups")
    group = top / f"smbd-campaign-{os.getpid()}"
    try:
        group.mkdir()
    except OSError as error:
        raise NotHereError(f"a limit of threads: {error.strerror}") from error

    def limit(server: Served) -> None:
        (group / "cgroup.procs").write_text(str(server.pid))
        (group / "pids.max").write_text(str(server.threads()))

    try:
        if not (group / "pids.max").exists():
            raise NotHereError("control groups here do not count threads")
        yield limit
    finally:
        group.rmdir()


CAMPAIGN = Campaign(
    "workers", "bad patterns, a dead disk, flushes, no threads: beside a client that works", play
)
