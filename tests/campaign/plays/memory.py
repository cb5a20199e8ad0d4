"""Clients that make the server hold much: before a login, in flight, and as what they have open.

Figures are the growth of the process' resident memory.
"""

import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path
from typing import TypeAlias

import trio

from smbd.ntstatus import NtStatus
from tests.core import messages
from tests.core.messages import (
    CHANGE_NOTIFY,
    ECHO,
    LOCK,
    QUERY_DIRECTORY,
    READ,
    SESSION_SETUP,
    TREE_CONNECT,
    WRITE,
)
from tests.scripted import Connection, connected

from ..campaign import Campaign, Play
from ..served import Served, served

Attack: TypeAlias = "Callable[[Connection, Served, Play], Awaitable[None]]"

_KIB, _MIB = 1 << 10, 1 << 20
_ANONYMOUS_NEGOTIATE = b"NTLMSSP\0\1\0\0\0\x97\x82\x08\xe2" + bytes(16)
# MiB beside what is counted.  Python gives memory back by whole arenas of 1 MiB, and one object in
# one keeps it.
_ALLOCATOR = 24.0
_UNHURRIED = "[server.limits]\nlogin_time = 600"  # many wait for each other's logins
_ARENA = 1024.0  # KiB: Python's allocator takes so much at once, so one more is anybody's
_SETTLED = 6.0  # seconds after which nothing is kept for the next of its kind


async def play(play: Play) -> None:
    """Every part has a server of its own; in the short form they play at once."""
    parts: dict[str, Attack] = {
        "requests that wait, each behind 8 MiB": _wait_behind_large_frames,
        "READs of 8 MiB that nobody takes": _take_no_data,
        "listings of a large folder that nobody takes": _take_no_listings,
        "ECHOs whose answers nobody takes": _take_no_answers,
        "listings of long names until there are no more": _list_much,
        "opens and locks until there are no more": _open_and_lock,
        "tree connects of many sessions until there are no more": _connect_trees,
    }
    plays: list[Callable[[], Awaitable[None]]] = [
        partial(_before_a_login, play, what, attack) for what, attack in _BEFORE_A_LOGIN.items()
    ]
    plays.append(partial(_announced, play))
    plays += [
        partial(_by_one, play, what, attack)
        for what, attack in parts.items()
        if attack not in _LONG or not play.short
    ]
    async with trio.open_nursery() as nursery:
        for part in plays:
            if play.short:
                nursery.start_soon(part)
            else:
                await part()


@asynccontextmanager
async def _connections(server: Served, count: int) -> AsyncIterator[list[Connection]]:
    async with AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(connected(server)) for _ in range(count)]
        for client in clients:
            await client.negotiate(asked=16)
        yield clients


async def _before_a_login(
    play: Play, what: str, attack: Callable[[Connection], Awaitable[None]]
) -> None:
    count = play.size(long=200, short=40)
    async with served(play.folder(what), more=_UNHURRIED) as server:
        async with _connections(server, 1) as (first,):
            await attack(first)  # what it needs once is not the others'
        start = server.resident()
        async with _connections(server, count) as clients:
            objects = server.resident()
            play.note(f"{what}: its objects", (objects - start) / count / _KIB, "KiB")
            async with trio.open_nursery() as nursery:
                for client in clients:
                    nursery.start_soon(attack, client)
            await trio.sleep(1)
            more = (server.resident() - objects) / count / _KIB
            play.note(f"{what}: beyond them", more, "KiB", bar=16 + _ARENA / count)
        await _note_rest(play, what, server, start)


async def _begin_logins(client: Connection) -> None:
    """As much as there is room for: sessions, tokens, and a frame that does not end."""
    for length in (4000, 0, 0, 0, 0):
        body = messages.session_setup(_ANONYMOUS_NEGOTIATE + bytes(length))
        await client.ask(SESSION_SETUP, body, session_id=0)
    await client.stream.send_all((8192).to_bytes(4, "big") + bytes(8000))


async def _be_held_back(client: Connection) -> None:
    """Guess three times at once: the address has to wait, and does not wait for the answers."""
    proofs = []
    for _ in range(3):
        guess = client.peer.login(password="wrong")
        await client.send(next(guess))
        proofs.append(guess.send(await client.answer()))
    await client.send(*proofs)


_BEFORE_A_LOGIN = {
    "a connection with logins begun and half a frame": _begin_logins,
    "a connection with failed logins held back": _be_held_back,
}


async def _announced(play: Play) -> None:
    what, count = "8 MiB announced and never sent", play.size(long=200, short=40)
    async with (
        served(play.folder("announced"), more=_UNHURRIED) as server,
        _connections(server, count) as clients,
    ):
        for client in clients:
            assert (await client.log_in()).status == 0
        start = server.resident()
        for client in clients:
            await client.stream.send_all((8 * _MIB).to_bytes(4, "big") + bytes(5000))
        await trio.sleep(1)
        more = (server.resident() - start) / count / _KIB
        play.note(f"{what}: a connection", more, "KiB", bar=160)


async def _by_one(play: Play, what: str, attack: Attack) -> None:
    """One connection's attack, and what is left of it."""
    limit = play.size(64, 16)
    more = f'[server.limits]\nmemory = "{limit} MiB"\nmax_read = "8 MiB"\nmax_write = "8 MiB"'
    async with served(play.folder(what), more=more) as server:
        with (server.folder / "big").open("wb") as file:
            file.truncate(8 * _MIB)
        async with connected(server) as other:
            await other.connect()
            start = server.resident()
            async with connected(server) as client:
                await client.connect()
                while client.peer.next_id < 40:
                    await client.ask(ECHO, asked=400)
                await attack(client, server, play)
                await trio.sleep(1)
                most = (server.resident() - start) / _MIB
                play.note(what, most, "MiB", bar=limit + _ALLOCATOR)
                assert await other.works()
            await _note_rest(play, what, server, start)


async def _note_rest(play: Play, what: str, server: Served, start: int) -> None:
    await trio.sleep(_SETTLED)
    rest = (server.resident() - start) / _MIB
    play.note(f"{what}: left when it has hung up", rest, "MiB", bar=_ALLOCATOR)
    play.note(f"{what}: tracebacks", server.tracebacks(), bar=0)


async def _wait_behind_large_frames(client: Connection, server: Served, play: Play) -> None:
    folder = await client.open("", access=1, options=1)
    no_file = messages.write(bytes(16), bytes(8 * _MIB))
    for number in range(play.size(60, 12)):
        await client.send(
            client.peer.request(WRITE, no_file, charge=128, asked=300),
            client.peer.request(CHANGE_NOTIFY, messages.change_notify(folder)),
        )
        if number % 2:
            assert (await client.answer()).status == NtStatus.FILE_CLOSED


async def _take_no_data(client: Connection, server: Served, play: Play) -> None:
    file_id = await client.open("big", disposition=messages.FILE_OPEN)
    body = messages.read(file_id, length=8 * _MIB)
    for _ in range(play.size(60, 8)):
        with trio.move_on_after(0.5):
            await client.send(client.peer.request(READ, body, charge=128, asked=300))


async def _take_no_answers(client: Connection, server: Served, play: Play) -> None:
    """Until nothing is read any more."""
    client.stream.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    with trio.move_on_after(20):
        blocked = False
        while not blocked:
            burst = [client.peer.request(ECHO, asked=1) for _ in range(500)]
            with trio.move_on_after(2) as sending:
                await client.send(*burst)
            blocked = sending.cancelled_caught


async def _list_much(client: Connection, server: Served, play: Play) -> None:
    """Begin to list a large folder by many handles."""
    folder = server.folder / "large"
    await trio.to_thread.run_sync(_make_names, folder, play.size(10_000, 2_000))
    status, most = 0, 0
    for _ in range(200):
        answer = await client.ask(messages.CREATE, messages.create("large", access=1, options=1))
        file_id = answer.body[64:80]
        listed = messages.query_directory(file_id, length=4096, flags=2)
        status = answer.status or (await client.ask(QUERY_DIRECTORY, listed)).status
        if status:
            break
        most += 1
    assert status == NtStatus.INSUFFICIENT_RESOURCES, most


async def _take_no_listings(client: Connection, server: Served, play: Play) -> None:
    """Ask 60 handles for all of a large folder at once."""
    await trio.to_thread.run_sync(_make_names, server.folder / "large", play.size(10_000, 2_000))
    folders = [await client.open("large", access=1, options=1) for _ in range(play.size(60, 8))]
    for folder in folders:
        listed = messages.query_directory(folder, length=8 * _MIB)
        with trio.move_on_after(0.5):
            await client.send(client.peer.request(QUERY_DIRECTORY, listed, charge=128, asked=300))


def _make_names(folder: Path, count: int) -> None:
    folder.mkdir()
    for number in range(count):
        (folder / f"{'a' * 200}{number:07}").touch()


async def _open_and_lock(client: Connection, server: Served, play: Play) -> None:
    status = place = 0
    while not status:
        file_id = (await client.ask(messages.CREATE, messages.create(f"file {place}"))).body[64:80]
        place += 1
        for batch in range(30):
            some = [
                (1000 * batch + n, 1, messages.SHARED | messages.FAIL_IMMEDIATELY)
                for n in range(250)
            ]
            status = (await client.ask(LOCK, messages.lock(file_id, *some))).status
            if status:
                break
    assert status == NtStatus.INSUFFICIENT_RESOURCES


async def _connect_trees(client: Connection, server: Served, play: Play) -> None:
    peer = client.peer
    connect = messages.tree_connect(r"\\box\share")
    refused = False
    while not refused:
        refused = (await client.log_in()).status != 0
        for _ in range(10):
            if not refused:
                requests = [peer.request(TREE_CONNECT, connect) for _ in range(100)]
                await client.send(*requests)
                answers = [await client.answer() for _ in requests]
                refused = any(one.status for one in answers)


_LONG = (_open_and_lock, _connect_trees)  # some 40,000 requests each

CAMPAIGN = Campaign(
    "memory", "clients that make the server hold what limits.memory should bound", play
)
