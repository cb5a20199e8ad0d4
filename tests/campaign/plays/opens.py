"""Opens that wait for a copy, a lease or a late server, and a folder of many names."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import trio

from aio.kernel import MNT_DETACH, mount, unmount
from tests.core import messages
from tests.core.messages import CLOSE, CREATE, QUERY_DIRECTORY, QUERY_INFO, READ, WRITE
from tests.scripted import connected

from ..bystander import bystander
from ..campaign import Campaign, NotHereError, Play
from ..disks import new_disk, overlay_on
from ..late import late
from ..served import Served, served

_MEBIBYTE = 1 << 20
_OPEN, _CREATE_NEW = 1, 2  # CreateDisposition
_DIRECTORY_FILE = 1  # CreateOptions
_TO_READ, _TO_WRITE = 0x120089, 0x12019F  # DesiredAccess
_BASIC = 4  # FileBasicInformation
_ATTRIBUTES = 1  # of CLOSE: tell them at the end
_LINKS = 60_000  # of one inode; ext4 has 65,000 at most
_HOLDER = """
import fcntl, signal, sys, time
signal.signal(signal.SIGIO, signal.SIG_IGN)
with open(sys.argv[1], "rb") as file:
    fcntl.fcntl(file, fcntl.F_SETLEASE, fcntl.F_RDLCK)
    print("held", flush=True)
    time.sleep(float(sys.argv[2]))
"""


async def play(play: Play) -> None:
    """Each with a server of its own."""
    await _leased(play)
    await _copied_up(play)
    await _late(play)
    await _many_names(play)


async def _leased(play: Play) -> None:
    """Another program holds a lease on a file, and gives way after a while."""
    async with served(play.folder("lease")) as server:
        (server.folder / "file").touch()
        with _lease(server.folder / "file", play.size(10, 1)):
            async with connected(server) as client:
                await client.connect()
                await _open_for_writing(play, server, client, "a lease", "file")


@contextmanager
def _lease(path: Path, seconds: int) -> Iterator[None]:
    words = [sys.executable, "-c", _HOLDER, str(path), str(seconds)]
    with subprocess.Popen(words, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        if holder.stdout.readline() != b"held\n":
            raise NotHereError("no leases on this file system")
        yield


async def _copied_up(play: Play) -> None:
    """A CREATE for writing of what is in a lower layer of an overlayfs copies all of it."""
    size = play.size(200, 16)
    with new_disk("ext4", play.work) as disk:
        with overlay_on(disk) as folder:
            with (disk.folder / "lower" / "file").open("wb") as file:
                for _ in range(size):
                    file.write(os.urandom(_MEBIBYTE))
            async with served(play.folder("overlay"), folder=folder) as server:
                (folder / "file").stat()  # now its name is known
                async with connected(server) as client:
                    await client.connect()
                    await client.open("file", access=_TO_READ, disposition=_OPEN)
                    what = f"{size} MiB copied up"
                    await _open_for_writing(play, server, client, what, "file")


async def _open_for_writing(play: Play, server: Served, client, what: str, name: str) -> None:
    async with bystander(server) as waits:
        server.forget_turns()
        began = time.perf_counter()
        file_id = await client.open(name, access=_TO_WRITE, disposition=_OPEN)
        play.note(f"{what}: CREATE for writing", (time.perf_counter() - began) * 1000, "ms")
        assert (await client.ask(CLOSE, messages.close(file_id))).status == 0
        play.note_turn(f"{what}", server.longest_turn())
    longest = waits.percentile(100)
    play.note(f"{what}: another's READ, longest", longest, "ms", bar=100, timed=True)


async def _late(play: Play) -> None:
    """A FUSE file system whose every answer comes late; another share is on a disk."""
    milliseconds = play.size(300, 30)
    place, folder = play.folder("fuse"), play.folder("late")
    with late(place, milliseconds / 1000) as point:
        more = f'[shares.late]\npath = "{point}"\n'
        async with served(folder, more=more) as server, connected(server) as client:
            async with bystander(server) as waits:
                server.forget_turns()
                await client.connect("late")
                for _ in range(play.size(5, 2)):
                    await _use(client)
                play.note_turn(f"FUSE that is {milliseconds} ms late", server.longest_turn())
            longest = waits.percentile(100)
            play.note("late FUSE: another's READ, longest", longest, "ms", bar=100, timed=True)


async def _use(client) -> None:
    """All that a client does with a file."""
    file_id = await client.open("file", access=_TO_WRITE, disposition=_OPEN)
    for command, body in (
        (QUERY_INFO, messages.query_info(file_id, _BASIC)),
        (READ, messages.read(file_id)),
        (WRITE, messages.write(file_id, bytes(100))),
        (CLOSE, messages.close(file_id, _ATTRIBUTES)),
    ):
        answer = await client.ask(command, body)
        assert answer.status == 0 or command == WRITE, hex(answer.status)


async def _many_names(play: Play) -> None:
    """New files in a folder of very many names, and a listing of it."""
    count = play.size(1_200_000, 20_000)
    with _memory(play.folder("names")) as folder:
        (folder / "many").mkdir()
        await trio.to_thread.run_sync(_fill, folder, count)
        async with served(play.folder("many"), folder=folder) as server:
            async with connected(server) as client, bystander(server) as waits:
                await client.connect()
                server.forget_turns()
                took = [await _make(client, number) for number in range(51)]
                await _list(client)
                play.note_turn(f"{count:,} names", server.longest_turn())
            play.note(f"{count:,} names: the first new file", took[0], "ms")
            median = sorted(took[1:])[25]
            play.note(f"{count:,} names: each further one", median, "ms", bar=20, timed=True)
            longest = waits.percentile(100)
            play.note("meanwhile another's READ, longest", longest, "ms", bar=100, timed=True)
            play.note("memory of the server", server.resident() / _MEBIBYTE, "MiB")


async def _make(client, number: int) -> float:
    """The milliseconds that a CREATE takes."""
    began = time.perf_counter()
    body = messages.create(f"many\\new {number}", disposition=_CREATE_NEW)
    answer = await client.ask(CREATE, body)
    assert answer.status == 0
    took = (time.perf_counter() - began) * 1000
    await client.ask(CLOSE, messages.close(answer.file_id))
    return took


async def _list(client) -> None:
    """The first entries that match a pattern of many stars, which none does but the dots."""
    folder = await client.open("many", options=_DIRECTORY_FILE, disposition=_OPEN)
    for pattern in ("*", "*a*e*i*z"):
        handle = await client.open("many", options=_DIRECTORY_FILE, disposition=_OPEN)
        await client.ask(QUERY_DIRECTORY, messages.query_directory(handle, pattern))
        await client.ask(CLOSE, messages.close(handle))
    await client.ask(CLOSE, messages.close(folder))


def _fill(folder: Path, count: int) -> None:
    """Hard links: a million inodes would take a gigabyte of memory."""
    for number in range(count):
        if number % _LINKS == 0:
            file = folder / f"of {number}"
            file.touch()
        os.link(file, folder / "many" / f"some ordinary name {number:07}")


@contextmanager
def _memory(folder: Path) -> Iterator[Path]:
    """A tmpfs there."""
    try:
        mount("smbd-campaign", folder, "tmpfs", "size=4g,nr_inodes=0")
    except OSError as error:
        raise NotHereError(f"mounting tmpfs: {error.strerror}") from error
    try:
        yield folder
    finally:
        with suppress(OSError):
            unmount(folder, MNT_DETACH)


CAMPAIGN = Campaign("opens", "opens that wait for a copy, a lease, a server; very many names", play)
