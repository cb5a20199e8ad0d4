"""Ends that are much work: of deleted and of rewritten files, of handles by the thousand.

The kernel may take minutes to free what was deleted, and a client may leave thousands of handles
behind; the others must not feel it, and nothing may be left.
"""

import os
import resource

import trio

from tests.core import messages
from tests.core.messages import (
    CLOSE,
    CREATE,
    DELETE_ON_CLOSE,
    ECHO,
    LOGOFF,
    TREE_DISCONNECT,
    WRITE,
)
from tests.scripted import Connection, connected

from ..bystander import bystander
from ..campaign import Campaign, NotHereError, Play
from ..served import Served, served

_MIB = 1 << 20
_PENDING = 0x103
_HANDLES = 9000  # of one connection, which may have half of the server's
_OVERWRITE_IF = 5
_DELETES = 0x10080  # DELETE, FILE_READ_ATTRIBUTES
_READS_ATTRIBUTES = 0x80


async def play(play: Play) -> None:
    """One end after the other, each with a client beside it that reads now and then."""
    room = os.statvfs(play.work)
    if room.f_bavail * room.f_frsize < play.size(8 << 30, 1 << 30):
        raise NotHereError("too little room on the disk")
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    if most != resource.RLIM_INFINITY and most < play.size(2 * _HANDLES + 2000, 4096):
        raise NotHereError(f"a server may have {most} descriptors: too few")
    metrics = 'metrics = "127.0.0.1:0"'
    async with served(play.folder("ends"), server=metrics) as server:
        await _deleted(play, server)
        await _rewritten(play, server)
        await _left_behind(play, server, names=1)
        await _left_behind(play, server, names=play.size(_HANDLES, 500))
        await _asked(play, server)
        await _ends_in_one_burst(play, server)
        play.note("tracebacks in the log", server.tracebacks(), bar=0)


async def _deleted(play: Play, server: Served) -> None:
    """CLOSE of the last handle of a large file, and of one in many pieces."""
    large, pieces = play.size(4096, 64), play.size(100_000, 2000)
    await trio.to_thread.run_sync(_write_large, server, large)
    await _timed_close(play, server, f"deleted: {large} MiB", "large")
    await trio.to_thread.run_sync(_write_pieces, server, pieces)
    await _timed_close(play, server, f"deleted: {pieces:,} extents", "pieces")


def _write_large(server: Served, mebibytes: int) -> None:
    with (server.folder / "large").open("wb") as file:
        for _ in range(mebibytes):
            file.write(bytes(_MIB))


def _write_pieces(server: Served, count: int) -> None:
    with (server.folder / "pieces").open("wb", buffering=0) as file:
        for number in range(count):
            os.pwrite(file.fileno(), b"x" * 4096, number * 8192)
        os.fsync(file.fileno())


async def _timed_close(play: Play, server: Served, what: str, name: str) -> None:
    async with bystander(server) as waits, connected(server) as client:
        await client.connect()
        file_id = await client.open(name, access=_DELETES, options=DELETE_ON_CLOSE)
        server.forget_turns()
        began = trio.current_time()
        closed = (await client.ask(CLOSE, messages.close(file_id))).status
        took = trio.current_time() - began
        turn = server.longest_turn()
    play.note(f"{what}: refused", closed, bar=0)
    play.note(f"{what}: CLOSE took", took, "s", timed=True)
    play.note_turn(what, turn)
    play.note(f"{what}: another's READ, the longest", waits.percentile(100), "ms", timed=True)


async def _rewritten(play: Play, server: Served) -> None:
    """CLOSE of a file that was truncated and written anew: ext4 writes it back."""
    size = play.size(300, 16)
    (server.folder / "rewritten").write_bytes(bytes(size * _MIB))
    os.sync()
    async with connected(server) as client:
        await client.connect()
        await _have_credits(client, 512)
        file_id = await client.open("rewritten", disposition=_OVERWRITE_IF)
        data = os.urandom(_MIB)
        for number in range(size):
            body = messages.write(file_id, data, number * _MIB)
            assert (await client.ask(WRITE, body, charge=16, asked=16)).status == 0
        server.forget_turns()
        assert (await client.ask(CLOSE, messages.close(file_id))).status == 0
        play.note_turn(f"closed after {size} MiB were rewritten", server.longest_turn())


async def _left_behind(play: Play, server: Served, *, names: int) -> None:
    """A connection that is lost with as many handles as it may have."""
    count = play.size(_HANDLES, 500)
    what = f"lost with {count:,} handles of {names:,} names"
    for number in range(names):
        (server.folder / f"name {number}").touch()
    before = await server.held_at_rest()
    async with bystander(server) as waits:
        async with connected(server) as client:
            await client.connect()
            opened = await _open_many(client, names, count)
            server.forget_turns()
        with trio.fail_after(120):  # by /proc: to ask the server would be work for it
            while True:
                if server.descriptors() <= before["descriptors"] + 8:
                    break
                await trio.sleep(0.02)
        turn = server.longest_turn()
    play.note(f"{what}: not opened", count - opened, bar=0)
    play.note_turn(what, turn)
    play.note(f"{what}: another's READ, the longest", waits.percentile(100), "ms", timed=True)
    left = await server.left(before)
    play.note(f"{what}: descriptors left", left["descriptors"], bar=0)


async def _asked(play: Play, server: Served) -> None:
    """`smbd status` with 4,000 opens."""
    count = play.size(4000, 300)
    async with connected(server) as client:
        await client.connect()
        await _open_many(client, 1, count)
        server.forget_turns()
        began = trio.current_time()
        told = await server.status()
        took = trio.current_time() - began
        play.note(f"status with {count:,} opens: not shown", count - len(told["opens"]), bar=0)
        play.note_turn(f"status with {count:,} opens", server.longest_turn())
        play.note(f"status with {count:,} opens: it took", took, "s", timed=True)
    await _until_none_is_open(server)


async def _ends_in_one_burst(play: Play, server: Served) -> None:
    """LOGOFF or TREE_DISCONNECT, with CLOSEs of what goes with its close, in one burst."""
    errors = 0
    for number in range(play.size(200, 10)):
        async with connected(server) as client:
            await client.connect()
            names = [f"doomed {one}" for one in range(6)]
            doomed = [await client.open(one, options=DELETE_ON_CLOSE) for one in names]
            await client.open(f"kept {number % 2}", share=0)
            ends = client.peer.request((LOGOFF, TREE_DISCONNECT)[number % 2])
            closes = [client.peer.request(CLOSE, messages.close(one)) for one in doomed[1:]]
            await client.send(ends, *closes)
            answered = 0
            while answered < 6:
                for answer in await client.answers():
                    errors += answer.status == 0xC00000E5  # INTERNAL_ERROR
                    answered += answer.status != _PENDING
    await _until_none_is_open(server)
    play.note("ends in one burst: INTERNAL_ERROR", errors, bar=0)
    left = [one for one in os.listdir(server.folder) if one.startswith("doomed")]  # noqa: PTH208
    play.note("ends in one burst: files left", len(left), bar=0)


async def _have_credits(client: Connection, count: int) -> None:
    for _ in range(-(-count // 512)):
        assert (await client.ask(ECHO, asked=512)).status == 0


async def _open_many(client: Connection, names: int, count: int) -> int:
    """How many of so many CREATEs succeed."""
    await _have_credits(client, 512)
    opened = 0
    for first in range(0, count, 250):
        numbers = range(first, min(first + 250, count))
        bodies = [
            messages.create(f"name {number % names}", access=_READS_ATTRIBUTES, disposition=1)
            for number in numbers
        ]
        await client.send(*(client.peer.request(CREATE, one, asked=1) for one in bodies))
        answered = 0
        while answered < len(bodies):
            for answer in await client.answers():
                answered += answer.status != _PENDING
                opened += answer.status == 0
    return opened


async def _until_none_is_open(server: Served) -> None:
    with trio.fail_after(120):
        while True:
            if not (await server.status())["opens"]:
                return
            await trio.sleep(0.05)


CAMPAIGN = Campaign(
    "ends", "closes and ends that are much work: what others feel, what is left", play
)
