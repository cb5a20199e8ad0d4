"""Files made and removed where the file system makes a caller wait: the loop waits a little, once.

No system call tells beforehand that a change of names will wait (smbd.vfs.at_once).
"""

import os
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

import trio

from tests.core import messages
from tests.core.messages import CLOSE, CREATE, DELETE_ON_CLOSE, FLUSH, RELATED
from tests.scripted import Connection, connected

from ..campaign import Campaign, Play
from ..disks import Disk, new_disk
from ..freezing import frozen_amid, frozen_in_a_pause
from ..served import Served, served

_MEBIBYTE = 1 << 20
_CREATE_NEW = 2
_NAMES = 20_000  # of the folder that is cold


async def play(play: Play) -> None:
    """Each adversary on each file system."""
    adversaries = (_frozen_in_a_pause, _beside_a_flush)
    if not play.short:
        adversaries += (_beside_a_busy_journal, _in_a_cold_folder, _frozen_amid_changes)
    for kind in ("ext4",) if play.short else ("ext4", "xfs", "btrfs"):
        with new_disk(kind, play.work) as disk:
            async with served(play.folder(kind), folder=disk.folder) as server:
                for adversary in adversaries:
                    await adversary(play, kind, disk, server)
                play.note(f"{kind}: tracebacks in the log", server.tracebacks(), bar=0)


@asynccontextmanager
async def _client(server: Served) -> AsyncIterator[Connection]:
    async with connected(server) as client:
        await client.connect()
        await _change(client, 5)
        yield client


async def _change(client: Connection, count: int, folder: str = "") -> None:
    """Make so many files, each with a page in it, and remove them again, one after the other."""
    for number in range(count):
        name = f"{folder}new {id(client)} {number}"
        body = messages.create(name, disposition=_CREATE_NEW, options=DELETE_ON_CLOSE)
        close = messages.close(messages.PREVIOUS_FILE)
        await client.send(client.peer.compound((CREATE, body), (CLOSE, close), flags=RELATED))
        answered = 0
        while answered < 2:
            for answer in await client.answers():
                assert answer.status in {0, 0x103}, hex(answer.status)
                answered += answer.status == 0


async def _frozen_in_a_pause(play: Play, kind: str, disk: Disk, server: Served) -> None:
    what = f"{kind}, new files on a frozen file system"
    await frozen_in_a_pause(play, what, disk, server, _client, _change)


async def _frozen_amid_changes(play: Play, kind: str, disk: Disk, server: Served) -> None:
    what = f"{kind}, frozen for 1 s amid new files: longest turn"
    await frozen_amid(play, what, disk, server, _client, _change)


async def _beside_a_flush(play: Play, kind: str, disk: Disk, server: Served) -> None:
    """A client has much written to a slow disk, and the journal with it; another makes files."""
    with disk.rationed(written=32 * _MEBIBYTE):
        async with _client(server) as client, _client(server) as other:
            file_id = await client.open("dirty")
            with _dirty(disk, play.size(48, 2) * _MEBIBYTE):
                server.forget_turns()
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(client.ask, FLUSH, messages.flush(file_id))
                    await trio.sleep(0.01)
                    await _change(other, play.size(200, 20))
    play.note_turn(f"{kind}, new files beside a FLUSH", server.longest_turn())


@contextmanager
def _dirty(disk: Disk, size: int) -> Iterator[None]:
    fd = os.open(disk.folder / "dirty", os.O_RDWR | os.O_CREAT)
    try:
        for offset in range(0, size, _MEBIBYTE):
            os.pwrite(fd, os.urandom(_MEBIBYTE), offset)
        yield
    finally:
        os.close(fd)


async def _beside_a_busy_journal(play: Play, kind: str, disk: Disk, server: Served) -> None:
    """Other programs make, write and flush small files on the same slow disk."""
    with disk.rationed(written=2 * _MEBIBYTE):
        async with _client(server) as client, trio.open_nursery() as nursery:
            for number in range(3):
                nursery.start_soon(trio.to_thread.run_sync, _churn, disk, number)
            server.forget_turns()
            await _change(client, 300)
            play.note_turn(f"{kind}, new files beside a busy journal", server.longest_turn())


def _churn(disk: Disk, number: int) -> None:
    for round_ in range(60):
        path = disk.folder / f"churn {number} {round_}"
        fd = os.open(path, os.O_RDWR | os.O_CREAT)
        os.write(fd, bytes(4096))
        os.fsync(fd)
        os.close(fd)
        path.unlink()


async def _in_a_cold_folder(play: Play, kind: str, disk: Disk, server: Served) -> None:
    """The names of a folder are known, and then its blocks are evicted; the disk reads slowly."""
    folder = disk.folder / "cold"
    folder.mkdir()
    for number in range(_NAMES):
        (folder / f"some ordinary name {number:07}").touch()
    async with _client(server) as client:
        await _change(client, 5, "cold\\")
        os.sync()  # what is dirty is not evicted
        _evict(disk)
        with disk.rationed(reads=100):
            server.forget_turns()
            await _change(client, 50, "cold\\")
    play.note_turn(f"{kind}, new files in a cold folder", server.longest_turn())


def _evict(disk: Disk) -> None:
    fd = os.open(disk.device, os.O_RDONLY)
    os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
    os.close(fd)


CAMPAIGN = Campaign(
    "names", "files made and removed on file systems that make a caller wait (root)", play
)
