"""Clients that hold much that they may hold: what it takes of memory, and how long others wait.

Bytes are the growth of the process' PSS for one more of a kind, held against what smbd.memory
counts for it.  Then, with all of it held, another client does each operation, one by one.
"""

import time
from collections.abc import Awaitable, Callable, Sequence
from statistics import median
from typing import TypeAlias

from smbd.memory import CACHING, KEYS, LOCK, OPEN, REQUEST, SESSION, TASK, WATCH
from smbd.ntstatus import NtStatus
from tests.core import messages
from tests.core.messages import (
    CHANGE_NOTIFY,
    CREATE,
    ECHO,
    FILE_OPEN,
    QUERY_DIRECTORY,
)
from tests.scripted import WINDOWS, Connection, caching, connected, frames
from tests.scripted.offer import plain

from ..campaign import Campaign, Play
from ..served import Served, served

Operation: TypeAlias = "Callable[[Connection, int, _Clock, bytes], Awaitable[None]]"

_LOCKED = "locked"
_LOCKS, _WATCHES = 10_000, 1_000
_IN_ONE = 250  # elements of one LOCK
_AT_ONCE = 100  # requests
_FOLDERS = 100
_LONGEST = 5.0  # milliseconds
_LIMITS = "[server.limits]\nopens = 32768\n"
_WATCHED = "watched"


async def play(play: Play) -> None:
    """One client holds, and another works beside it."""
    count = play.size(9_000, 2_700)  # of handles, of which a third have leases
    async with served(play.folder("held"), more=_LIMITS) as server:
        for number in range(_FOLDERS):
            (server.folder / f"{number:02}").mkdir()
        (server.folder / _WATCHED).mkdir()
        async with (
            connected(server, plain(0x0311)) as holder,
            connected(server, plain(0x0311)) as cacher,  # one client alone may not have so many
            connected(server) as other,
        ):
            for client in (holder, cacher, other):
                await client.connect()
                for _ in range(20):
                    await client.ask(ECHO, asked=400)
            await _warm_up(cacher)
            await _sessions(play, server)
            taken, *watches = await _hold(server, holder, cacher, count)
            for what, (bytes_, bar, counted) in taken.items():
                play.note(f"{what}: memory", bytes_, "B", bar=bar)
                beyond = max(0.0, bytes_ - counted)
                # The allocator takes memory by the MiB: few of a kind tell little.
                play.note(f"{what}: beyond what is counted", beyond, "B", bar=0, timed=True)
            await _work(play, server, other)
            await _tell(play, server, other, cacher, *watches)
            play.note("tracebacks", server.tracebacks(), bar=0)


async def _hold(
    server: Served, client: Connection, cacher: Connection, count: int
) -> tuple[dict[str, tuple[float, float, int]], list[bytes], list[int]]:
    """What was held: bytes of one, the bar for it, and what is counted for it.

    And the FileIds that are watched, and the MessageIds of their CHANGE_NOTIFYs.
    """
    taken = {}
    without, leases = count - count // 3, count // 3

    start = server.proportional()
    await _create(client, [messages.create(_name(number)) for number in range(without)])
    opened = (server.proportional() - start) / without
    taken["an open handle"] = opened, 6144.0, OPEN + _PATH

    start = server.proportional()
    await _create(cacher, [_leased(without + number) for number in range(leases)])
    leased = (server.proportional() - start) / leases
    taken["an open handle with a lease"] = leased, 6144.0 + 1024.0, OPEN + _PATH + CACHING

    file_id = await client.open(_LOCKED)
    start = server.proportional()
    for at in range(0, _LOCKS, _IN_ONE):
        some = [(2 * n, 1, _EXCLUSIVE) for n in range(at, at + _IN_ONE)]
        assert (await client.lock(file_id, *some)).status == 0
    taken["a byte-range lock"] = (server.proportional() - start) / _LOCKS, 500.0, LOCK

    folder = [messages.create(_WATCHED, access=1, options=1)] * _WATCHES
    watched = await _create(cacher, folder)
    start = server.proportional()
    asked = await _watch_all(cacher, watched)
    waiting = (server.proportional() - start) / _WATCHES
    taken["a notification that waits"] = waiting, 8192.0, WATCH + TASK + REQUEST
    return taken, watched, asked


async def _sessions(play: Play, server: Served) -> None:
    """Sessions of one connection, as many as it may have."""
    count = play.size(900, 200)
    async with connected(server, WINDOWS) as client:
        await client.connect()
        for _ in range(20):
            await client.ask(ECHO, asked=400)
        start = server.proportional()
        for _ in range(count):
            assert (await client.log_in()).status == 0
        taken = (server.proportional() - start) / count
    play.note("a session: memory", taken, "B")
    beyond = max(0.0, taken - SESSION - KEYS)
    play.note("a session: beyond what is counted", beyond, "B", bar=0, timed=True)


async def _watch_all(client: Connection, watched: Sequence[bytes]) -> list[int]:
    """The MessageIds of as many CHANGE_NOTIFYs, once each has its interim response."""
    asked = [
        await client.begin(CHANGE_NOTIFY, messages.change_notify(one), asked=1) for one in watched
    ]
    for one in asked:
        await client.interim(one)
    return asked


_PATH = 64  # getsizeof of its characters and Python's head of a string
_EXCLUSIVE = messages.EXCLUSIVE | messages.FAIL_IMMEDIATELY


def _name(number: int) -> str:
    return f"{number % _FOLDERS:02}\\{number:08}"


def _leased(number: int) -> bytes:
    asked = caching.lease(b"%016d" % number, caching.R | caching.H | caching.W)
    return messages.create(_name(number), oplock=caching.BY_LEASE, contexts=(asked,))


async def _create(client: Connection, bodies: Sequence[bytes]) -> list[bytes]:
    """The FileIds of many CREATEs, so many at once."""
    found = []
    for at in range(0, len(bodies), _AT_ONCE):
        ids = [await client.begin(CREATE, body, asked=2) for body in bodies[at : at + _AT_ONCE]]
        for one in ids:
            answer = await client.reply(one)
            assert answer.status == 0, hex(answer.status)
            found.append(answer.file_id)
    return found


async def _warm_up(client: Connection) -> None:
    """What the first requests of a kind make is for all of them."""
    found = await _create(client, [messages.create(f"warm {number}") for number in range(_AT_ONCE)])
    for file_id in found:
        await client.lock(file_id, (0, 1, _EXCLUSIVE))
        await client.close(file_id)
    await _create(client, [_leased(10**7 + number) for number in range(_AT_ONCE)])


# --- beside all that ---


class _Clock:
    """Milliseconds of the blocks that it times."""

    def __init__(self) -> None:
        self.took: list[float] = []
        self._began = 0.0

    def __enter__(self) -> None:
        self._began = time.perf_counter()

    def __exit__(self, *_exc_info: object) -> None:
        self.took.append(1000 * (time.perf_counter() - self._began))


async def _work(play: Play, server: Served, client: Connection) -> None:
    await client.ask(ECHO, asked=400)
    for number in range(_NAMES):
        (server.folder / "theirs" / f"folder {number}").mkdir(parents=True)
        (server.folder / "theirs" / f"{number}").touch()
    locked = await client.open(_LOCKED)
    server.forget_turns()
    for what, operation in _OPERATIONS.items():
        clock = _Clock()
        for number in range(play.size(_NAMES, 8)):
            await operation(client, number, clock, locked)
        longest = f"the longest {max(clock.took):.3g} ms"
        play.note(what, median(clock.took), "ms", bar=_LONGEST, timed=True, detail=longest)
    play.note_turn("all operations", server.longest_turn(), bar=_LONGEST)


async def _tell(
    play: Play,
    server: Served,
    client: Connection,
    watcher: Connection,
    watched: Sequence[bytes],
    asked: Sequence[int],
) -> None:
    """Each watcher is told of each of some new files, and waits for the next one."""
    clock, turns = _Clock(), []
    for number in range(play.size(7, 2)):
        server.forget_turns()
        with clock:
            await client.open(f"{_WATCHED}\\news {number}")
        for one in asked:
            assert (await watcher.reply(one)).status == 0
        turns.append(server.longest_turn())
        asked = await _watch_all(watcher, watched)
    longest = f"the longest {max(clock.took):.3g} ms"
    what = "CREATE of which all watchers are told"
    play.note(what, median(clock.took), "ms", bar=_LONGEST, timed=True, detail=longest)
    longest_turn = max(turns, key=lambda one: one.milliseconds)
    play.note_turn("all watchers told", longest_turn, bar=_LONGEST)


async def _create_new(client: Connection, number: int, clock: _Clock, _locked: bytes) -> None:
    with clock:
        file_id = await client.open(f"theirs\\new {number}")
    await client.close(file_id)


async def _create_open(client: Connection, number: int, clock: _Clock, _locked: bytes) -> None:
    with clock:
        file_id = await client.open(_name(number), disposition=FILE_OPEN)
    await client.close(file_id)


async def _close(client: Connection, number: int, clock: _Clock, _locked: bytes) -> None:
    file_id = await client.open(f"theirs\\new {number}", access=0x80, disposition=FILE_OPEN)
    with clock:
        await client.close(file_id)


async def _read(client: Connection, number: int, clock: _Clock, locked: bytes) -> None:
    with clock:
        answer = await client.read(locked, 2 * number + 1, 1)
    assert answer.status == NtStatus.END_OF_FILE


async def _read_locked(client: Connection, number: int, clock: _Clock, locked: bytes) -> None:
    with clock:
        answer = await client.read(locked, 2 * number, 1)
    assert answer.status == NtStatus.FILE_LOCK_CONFLICT


async def _write(client: Connection, number: int, clock: _Clock, locked: bytes) -> None:
    with clock:
        answer = await client.write(locked, b"between", 2 * _LOCKS + number)
    assert answer.status == 0


async def _lock(client: Connection, number: int, clock: _Clock, locked: bytes) -> None:
    with clock:
        answer = await client.lock(locked, (2 * number + 1, 1, _EXCLUSIVE))
    assert answer.status == 0


async def _unlock(client: Connection, number: int, clock: _Clock, locked: bytes) -> None:
    with clock:
        answer = await client.lock(locked, (2 * number + 1, 1, messages.UNLOCK))
    assert answer.status == 0


async def _lock_refused(client: Connection, number: int, clock: _Clock, locked: bytes) -> None:
    with clock:
        answer = await client.lock(locked, (number, 2 * _LOCKS, _EXCLUSIVE))
    assert answer.status == NtStatus.LOCK_NOT_GRANTED


async def _query(client: Connection, _number: int, clock: _Clock, locked: bytes) -> None:
    with clock:
        answer = await client.query_info(locked, frames.ALL)
    assert answer.status == 0


async def _list(client: Connection, _number: int, clock: _Clock, _locked: bytes) -> None:
    file_id = await client.open(_WATCHED, access=1, options=1)
    with clock:
        answer = await client.ask(QUERY_DIRECTORY, messages.query_directory(file_id))
    assert answer.status == 0
    await client.close(file_id)


async def _rename(client: Connection, number: int, clock: _Clock, _locked: bytes) -> None:
    await _move(client, clock, f"theirs\\{number}", f"theirs\\moved {number}", 0)


async def _rename_folder(client: Connection, number: int, clock: _Clock, _locked: bytes) -> None:
    await _move(client, clock, f"theirs\\folder {number}", f"theirs\\moved folder {number}", 1)


async def _move(client: Connection, clock: _Clock, old: str, new: str, options: int) -> None:
    file_id = await client.open(old, disposition=FILE_OPEN, options=options)
    with clock:
        answer = await client.set_info(file_id, frames.RENAME, frames.rename(new))
    assert answer.status == 0
    await client.close(file_id)


async def _delete(client: Connection, number: int, clock: _Clock, _locked: bytes) -> None:
    file_id = await client.open(f"theirs\\moved {number}", options=0x1000)
    with clock:
        await client.close(file_id)


async def _break(client: Connection, number: int, clock: _Clock, _locked: bytes) -> None:
    """A WRITE takes a lease to READ and HANDLE away, which it does not wait for."""
    name = f"theirs\\new {number}"
    asked = caching.lease(b"other's %8d" % number, caching.R | caching.H)
    answer = await client.create(name, oplock=caching.BY_LEASE, contexts=(asked,))
    assert answer.status == 0
    file_id = await client.open(name)
    with clock:
        await client.write(file_id, b"1")
    await client.close(answer.file_id)
    await client.close(file_id)


async def _watch(client: Connection, _number: int, clock: _Clock, _locked: bytes) -> None:
    file_id = await client.open("theirs", access=1, options=1)
    with clock:
        asked = await client.begin(CHANGE_NOTIFY, messages.change_notify(file_id))
        await client.cancel(asked)
        await client.reply(asked)
    await client.close(file_id)


_NAMES = 40
_OPERATIONS: dict[str, Operation] = {
    "CREATE of a new file": _create_new,
    "CREATE of a file that is open": _create_open,
    "CLOSE": _close,
    "READ between the locks": _read,
    "READ of a lock, refused": _read_locked,
    "WRITE behind the locks": _write,
    "LOCK": _lock,
    "LOCK that gives up": _unlock,
    "LOCK across all others, refused": _lock_refused,
    "QUERY_INFO": _query,
    "QUERY_DIRECTORY": _list,
    "SET_INFO, rename of a file": _rename,
    "SET_INFO, rename of a folder": _rename_folder,
    "CLOSE that deletes": _delete,
    "WRITE that breaks a lease": _break,
    "CHANGE_NOTIFY and CANCEL": _watch,
}

CAMPAIGN = Campaign(
    "held", "10,000 handles, leases and locks, 1,000 waiting notifications: bytes and delays", play
)
