"""Sessions of many channels: a thousand that one session asks for, and lives that nobody planned.

A life binds sessions to connections, loses these in the middle of a login, a binding or a LOCK,
proves itself again and logs off.  When all clients are gone nothing of it may be left.
"""

from contextlib import suppress
from random import Random

import trio

from tests.core import messages
from tests.core.messages import CHANGE_NOTIFY, CREATE, EXCLUSIVE, LOCK, LOGOFF, REPLAY, UNLOCK
from tests.scripted import Client, Connection, HungUpError, caching, clients

from ..bystander import bystander
from ..campaign import Campaign, Play
from ..served import Served, served

_REFUSED = 0xC000009A  # INSUFFICIENT_RESOURCES
_MOST = 32
_CONNECTIONS = 5  # of one life
_LONGEST = 0.2  # seconds that one step waits for an answer, which may never come
# What a step may meet whose connection or session another step has ended.
_ENDED = (HungUpError, trio.BrokenResourceError, trio.ClosedResourceError, AssertionError, KeyError)


async def play(play: Play) -> None:
    """Both, on one server."""
    limits = "[server.limits]\nconnections_per_address = 1000\nhalf_open_logins = 1000\n"
    async with served(play.folder("channels"), more=limits) as server:
        before = await server.held_at_rest()
        await _thousand(play, server)
        await server.left(before)
        random, lives, steps = play.random, play.size(16, 3), play.size(400, 40)
        server.forget_turns()
        async with clients(server) as new_client, trio.open_nursery() as nursery:
            for _ in range(lives):
                nursery.start_soon(_life, new_client(), Random(random.random()), steps)
        left = await server.left(before)
        for what in ("sessions", "opens", "locks"):
            play.note(f"lives: {what} left", left[what], bar=0)
        play.note_turn("lives", server.longest_turn())
        for what in ("descriptors", "tasks"):
            play.note(f"{what} left", left[what], bar=0)
        play.note("tracebacks", server.tracebacks(), bar=0)


async def _thousand(play: Play, server: Served) -> None:
    """Bind one session to very many connections."""
    count, refused = play.size(1000, 40), 0
    async with clients(server) as new_client, bystander(server) as waits:
        client = new_client()
        first = await client.connect()
        server.forget_turns()  # the start is none of the attack's doing
        for _ in range(count):
            connection, answer = await client.bind(first.session)
            refused += answer.status == _REFUSED
            if answer.status == _REFUSED:
                await client.lose(connection)
        (most,) = [len(one["channels"]) for one in (await server.status())["sessions"] if
                   one["id"] == hex(first.session.session_id)]  # fmt: skip
        assert await first.works()
    play.note("a thousand: channels of one session", most, bar=_MOST)
    play.note("a thousand: not refused", count - refused, bar=_MOST - 1)
    play.note_turn("a thousand", server.longest_turn())
    play.note("a thousand: another's READ, p99", waits.percentile(99), "ms", bar=20, timed=True)


async def _life(client: Client, random: Random, steps: int) -> None:
    await client.connect()
    files: list[bytes] = []
    for _ in range(steps):
        with trio.move_on_after(_LONGEST), suppress(*_ENDED):
            await _step(client, random, files)
    for connection in list(client.connections):
        await client.lose(connection)


async def _step(client: Client, random: Random, files: list[bytes]) -> None:
    """One thing that clients do."""
    if not client.connections:
        await client.connect()
    connection = random.choice(client.connections)
    what = random.randrange(12)
    if what < 3 and len(client.connections) < _CONNECTIONS:
        await _bind(client, random)
    elif what == 3 or (what == 4 and random.random() < 0.3):
        await client.lose(connection)
    elif what == 4:
        await connection.log_in(again=connection.session)
    elif what == 5 and random.random() < 0.3:
        await connection.ask(LOGOFF)
    elif what == 6:
        folder = await connection.open("", access=1, options=1)
        await connection.begin(CHANGE_NOTIFY, messages.change_notify(folder))
    elif what in {7, 8} or not files:
        level = random.choice((caching.NONE, caching.BATCH))
        answer = await connection.create(f"file {random.randrange(6)}", oplock=level)
        files.append(answer.file_id)
    elif what == 9:
        await _lock(connection, random, files)
    elif what == 10:
        await connection.write(random.choice(files), bytes(100))
    else:
        await connection.close(files.pop(random.randrange(len(files))))


async def _lock(connection: Connection, random: Random, files: list[bytes]) -> None:
    """Lock or unlock, maybe as a replay; nobody waits for the answer."""
    element = (random.randrange(3), 4, random.choice((EXCLUSIVE, EXCLUSIVE, UNLOCK)))
    body = messages.lock(random.choice(files), element, sequence=0x10 + random.randrange(4))
    how = {"channel_sequence": random.randrange(2), "flags": random.choice((0, REPLAY))}
    await connection.begin(LOCK, body, **how)


async def _bind(client: Client, random: Random) -> None:
    """One more connection to a session, which may break at any moment of it; or a new session."""
    if not client.sessions or random.random() < 0.2:
        await client.connect()
        return
    session = random.choice(list(client.sessions.values()))
    connection = await client.connection()
    await connection.negotiate()
    login = connection.peer.login(binding=session)
    await connection.send(next(login))
    if random.random() < 0.3:
        await client.lose(connection)
        return
    answer = await connection.answer()
    try:
        await connection.send(login.send(answer))
    except StopIteration:
        return  # the session has ended
    if random.random() < 0.3:
        await client.lose(connection)
        return
    answer = await connection.answer()
    with suppress(StopIteration):
        login.send(answer)
    await connection.ask(CREATE, messages.create("file 0"))


CAMPAIGN = Campaign("channels", "sessions of very many connections, and the loss of some", play)
