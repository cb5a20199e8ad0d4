"""SIGTERM and SIGKILL under load, and clients without power: all in time, and nothing is lost."""

import os
import signal
import socket
import time
from ctypes import addressof, create_string_buffer
from pathlib import Path
from struct import pack
from typing import NamedTuple

import trio

from smbd.vfs import Root, end_of_file, open_stream
from tests.core import messages
from tests.core.messages import CREATE, ECHO, FLUSH, READ, WRITE
from tests.scripted import Connection, HungUpError, connected

from ..campaign import Campaign, Play
from ..served import Served, served

_MIB = 1 << 20
_BLOCK = 4096
_CLIENTS, _STREAM = 4, "file:stream"
_SO_ATTACH_FILTER = 26
# What a container is given is ten; what the kernel gives a silent peer is fifty.
_ENDED_WITHIN, _GONE_WITHIN = 9.5, 60.0


async def play(play: Play) -> None:
    """Signals, and clients that go without a word."""
    for kind in (signal.SIGTERM, signal.SIGKILL):
        ends = [await _killed_under_load(play, kind, one) for one in range(play.size(10, 1))]
        what = f"{kind.name} under load"
        play.note(f"{what}: blocks lost", sum(one.lost for one in ends), bar=0)
        play.note(f"{what}: tracebacks", sum(one.tracebacks for one in ends), bar=0)
        if kind == signal.SIGTERM:
            play.note(f"{what}: exit status", max(abs(one.status) for one in ends), bar=0)
            longest = max(one.seconds for one in ends)
            play.note(f"{what}: the longest end", longest, "s", bar=_ENDED_WITHIN)
    await _nobody_takes_replies(play)
    if not play.short:  # it takes as long as the kernel's patience
        await _power_is_lost(play)


# --- writers ---


class _End(NamedTuple):
    lost: int  # blocks
    status: int
    seconds: float
    tracebacks: int


async def _killed_under_load(play: Play, kind: signal.Signals, number: int) -> _End:
    """Each client writes blocks and flushes now and then; what was flushed is there afterwards.

    One of them writes them to a named stream, which begins small and becomes large.
    """
    flushed: dict[str, int] = {}
    async with served(play.folder(f"{kind.name} {number}")) as server:
        async with trio.open_nursery() as nursery:
            for client in range(_CLIENTS - 1):
                nursery.start_soon(_write_and_flush, server, f"file {client}", flushed)
            nursery.start_soon(_write_and_flush, server, _STREAM, flushed)
            while len(flushed) < _CLIENTS or min(flushed.values()) < 8 * (number + 1):
                await trio.lowlevel.checkpoint()
            began = time.monotonic()
            status = await trio.to_thread.run_sync(server.stop, kind)
            took = time.monotonic() - began
        lost = sum(_lost(_read(server.folder, name), blocks) for name, blocks in flushed.items())
        return _End(lost, status, took, server.tracebacks())


async def _write_and_flush(server: Served, name: str, flushed: dict[str, int]) -> None:
    """Blocks that say which they are, until the server is gone."""
    try:
        async with connected(server) as client:
            await client.connect()
            file_id = await client.open(name)
            for block in range(1 << 30):
                body = messages.write(file_id, _content(block), block * _BLOCK)
                assert (await client.ask(WRITE, body)).status == 0
                if block % 4 == 3:
                    assert (await client.ask(FLUSH, messages.flush(file_id))).status == 0
                    flushed[name] = block + 1
    except (HungUpError, AssertionError, OSError, trio.BrokenResourceError):
        pass  # hung up on, or killed: what counts is what was answered before


def _content(block: int) -> bytes:
    return block.to_bytes(8, "little") * (_BLOCK // 8)


def _read(folder: Path, name: str) -> bytes:
    path, _, stream = name.partition(":")
    if not stream:
        return (folder / path).read_bytes()
    with Root(folder) as root:
        file = root.open(path, read=True, write=False)
        with open_stream(file, stream, read=True, write=False) as opened:
            return os.pread(opened.fd, end_of_file(opened), 0)


def _lost(data: bytes, blocks: int) -> int:
    return sum(data[at * _BLOCK : (at + 1) * _BLOCK] != _content(at) for at in range(blocks))


# --- what could hold up an end ---


async def _nobody_takes_replies(play: Play) -> None:
    """A client that asks for 60 MiB and takes nothing of it."""
    async with served(play.folder("blocked")) as server, connected(server) as client:
        await _ask_for_much(client, server)
        await trio.sleep(1)
        began = time.monotonic()
        status = await trio.to_thread.run_sync(server.stop)
        took = time.monotonic() - began
        play.note("SIGTERM with a client that takes nothing: exit status", abs(status), bar=0)
        play.note("SIGTERM with a client that takes nothing: took", took, "s", bar=_ENDED_WITHIN)


async def _ask_for_much(client: Connection, server: Served) -> None:
    (server.folder / "large").write_bytes(bytes(_MIB))
    await client.connect()
    for _ in range(2):
        assert (await client.ask(ECHO, asked=512)).status == 0
    read = messages.read(await client.open("large"), 0, _MIB)
    await client.send(*(client.peer.request(READ, read, charge=16) for _ in range(60)))


# --- clients without power ---


async def _power_is_lost(play: Play) -> None:
    """Two clients fall silent, one of them with replies under way: their files are free again."""
    async with (
        served(play.folder("power")) as server,
        connected(server) as idle,
        connected(server) as busy,
        connected(server) as heir,
    ):
        await heir.connect()
        for client, name in ((idle, "idle"), (busy, "busy")):
            await client.connect()
            await client.open(name, share=0)
            _lose_power(client)
        await busy.send(busy.peer.request(ECHO))
        began = time.monotonic()
        for name in ("idle", "busy"):
            while True:
                answer = await heir.ask(CREATE, messages.create(name, share=0))
                if answer.status == 0:
                    break
                await trio.sleep(0.2)
            took = time.monotonic() - began
            play.note(f"power lost, {name}: its file is free after", took, "s", bar=_GONE_WITHIN)


def _lose_power(client: Connection) -> None:
    """From now on its kernel drops whatever comes, unanswered: by a filter that lets nothing in.

    (struct sock_fprog of linux/filter.h, with one instruction: BPF_RET | BPF_K, 0.)
    """
    instruction = create_string_buffer(pack("HBBI", 0x06, 0, 0, 0))
    program = pack("HP", 1, addressof(instruction))
    client.stream.socket.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, program)


CAMPAIGN = Campaign(
    "kills", "signals under load and clients without power: in time, nothing lost", play
)
