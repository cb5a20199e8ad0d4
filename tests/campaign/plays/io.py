"""File systems that make a caller wait: the server's loop waits for none of them."""

import os
from contextlib import asynccontextmanager
from struct import pack

import trio

from tests.core import messages
from tests.core.messages import FLUSH, IOCTL, READ, SET_INFO, WRITE
from tests.scripted import connected

from ..campaign import Campaign, Play
from ..disks import Disk, new_disk, overlay_on
from ..freezing import frozen_amid, frozen_in_a_pause
from ..served import Served, served

_MEBIBYTE = 1 << 20
_SET_ZERO_DATA = 0x0980C8
_END_OF_FILE = 20
_TO_READ = 0x120089  # DesiredAccess: to open for more would copy a file up
_PAGE = bytes(4096)
_MOUNT_LOOKED_AT = 1.1  # seconds until the server has noticed how a mount has changed
# Until it believes for longest that what was in the page cache is there.
_BELIEVED = 5.0


async def play(play: Play) -> None:
    """Each adversary on each file system that it is about."""
    adversaries = (_frozen_in_a_pause, _locked, _synchronous)
    if not play.short:
        adversaries += (_access_times, _paused_writer, _frozen_amid_writes)
    for kind in ("ext4",) if play.short else ("ext4", "xfs", "btrfs"):
        with new_disk(kind, play.work) as disk:
            async with served(play.folder(kind), folder=disk.folder) as server:
                for adversary in adversaries:
                    await adversary(play, kind, disk, server)
    for kind in () if play.short else ("ext4", "xfs"):
        with new_disk(kind, play.work) as disk:
            await _evicted(play, kind, disk)


@asynccontextmanager
async def _client(server, name="file", size=_MEBIBYTE):
    """A client with a file open; it has read and written there."""
    path = server.folder / name
    if not path.exists():
        path.write_bytes(bytes(size))
    async with connected(server) as client:
        await client.connect()
        client.file_id = await client.open(name)
        await client.ask(READ, messages.read(client.file_id))
        await _write(client, 1)
        yield client


async def _write(client, count):
    """WRITEs of a page each, one after the other."""
    for number in range(count):
        answer = await client.ask(WRITE, messages.write(client.file_id, _PAGE, number % 256 * 4096))
        assert answer.status == 0


async def _frozen_in_a_pause(play: Play, kind: str, disk: Disk, server: Served) -> None:
    what = f"{kind}, WRITEs to a frozen file system"
    await frozen_in_a_pause(play, what, disk, server, _client, _write)


async def _frozen_amid_writes(play: Play, kind: str, disk: Disk, server: Served) -> None:
    what = f"{kind}, frozen for 1 s amid WRITEs: longest turn"
    await frozen_amid(play, what, disk, server, _client, _write)


async def _locked(play: Play, kind: str, disk: Disk, server: Served) -> None:
    """One client has the kernel hold a file's lock while the disk works; another one writes."""
    dirty = play.size(48, 2) * _MEBIBYTE
    calls = {
        "FLUSH": (FLUSH, messages.flush),
        "SET_ZERO_DATA": (
            IOCTL,
            lambda file_id: messages.ioctl(file_id, _SET_ZERO_DATA, pack("<QQ", 0, dirty)),
        ),
        "a truncation": (
            SET_INFO,
            lambda file_id: messages.set_info(file_id, _END_OF_FILE, pack("<Q", dirty - 1000)),
        ),
    }
    with disk.rationed(written=32 * _MEBIBYTE):
        for number, (name, (command, body)) in enumerate(calls.items()):
            file = f"locked {number}"
            _make_dirty(disk.folder / file, dirty)
            async with _client(server, file) as client, _client(server, file) as other:
                _make_dirty(disk.folder / file, dirty)
                server.forget_turns()
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(client.ask, command, body(client.file_id))
                    await trio.sleep(0.01)
                    await _write(other, 20)
            turn = server.longest_turn()
            play.note_turn(f"{kind}, {name} and WRITEs to the same file", turn)


def _make_dirty(path, size):
    fd = os.open(path, os.O_RDWR | os.O_CREAT)
    for offset in range(0, size, _MEBIBYTE):
        os.pwrite(fd, os.urandom(_MEBIBYTE), offset)
    os.close(fd)


async def _synchronous(play: Play, kind: str, disk: Disk, server: Served) -> None:
    """A mount that becomes synchronous: each write takes the disk's time."""
    async with _client(server) as client:
        disk.remount("sync")
        await trio.sleep(_MOUNT_LOOKED_AT)
        server.forget_turns()
        await _write(client, play.size(500, 20))
        disk.remount("async")
    play.note_turn(f"{kind}, WRITEs to a `sync` mount", server.longest_turn())


async def _access_times(play: Play, kind: str, disk: Disk, server: Served) -> None:
    """The first READ after a WRITE would note its time in a journal that others keep busy."""
    async with _client(server) as client, trio.open_nursery() as nursery:
        for number in range(3):
            nursery.start_soon(trio.to_thread.run_sync, _churn, disk, number)
        server.forget_turns()
        for _ in range(300):
            await _write(client, 1)
            await client.ask(READ, messages.read(client.file_id, 8192))
    play.note_turn(f"{kind}, READs after WRITEs beside a busy journal", server.longest_turn())


def _churn(disk: Disk, number: int) -> None:
    for _ in range(300):
        fd = os.open(disk.folder / f"churn {number}", os.O_RDWR | os.O_CREAT | os.O_TRUNC)
        os.write(fd, _PAGE)
        os.fsync(fd)
        os.close(fd)


async def _paused_writer(play: Play, kind: str, disk: Disk, server: Served) -> None:
    """Another writer has reached the device's dirty limit; the kernel pauses all its writers."""
    file = disk.folder / "other writer"
    with disk.dirty_limit(24 * _MEBIBYTE), disk.rationed(written=32 * _MEBIBYTE):
        async with _client(server) as client, trio.open_nursery() as nursery:
            await trio.sleep(_MOUNT_LOOKED_AT)
            server.forget_turns()
            nursery.start_soon(trio.to_thread.run_sync, _make_dirty, file, 128 * _MEBIBYTE)
            await _write(client, 1000)
    file.unlink()
    play.note_turn(f"{kind}, WRITEs beyond the dirty limit", server.longest_turn())


async def _evicted(play: Play, kind: str, disk: Disk) -> None:
    """Many open files were read from the page cache, and then something took them out of it."""
    count = 256
    with overlay_on(disk) as folder:
        paths = [disk.folder / "lower" / f"{number}" for number in range(count)]
        for path in paths:
            path.write_bytes(os.urandom(4 * len(_PAGE)))
        os.sync()  # what is dirty is not evicted
        state = play.folder(f"{kind} evicted")
        with disk.rationed(reads=200):
            async with served(state, folder=folder) as server, connected(server) as client:
                await client.connect()
                files = [await client.open(f"{one}", access=_TO_READ) for one in range(count)]
                until = trio.current_time() + _BELIEVED
                while trio.current_time() < until:
                    await _read_all(client, files)
                for path in paths:
                    _evict(path)
                server.forget_turns()
                await _read_all(client, files)
                play.note_turn(
                    f"overlayfs on {kind}, READs of {count} evicted files", server.longest_turn()
                )


async def _read_all(client, files):
    for at in range(0, len(files), 32):
        burst = files[at : at + 32]
        await client.send(*(client.peer.request(READ, messages.read(one)) for one in burst))
        for _ in burst:
            assert (await client.answer()).status == 0


def _evict(path):
    fd = os.open(path, os.O_RDONLY)
    os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
    os.close(fd)


CAMPAIGN = Campaign("io", "file systems that make a caller wait (root)", play)
