"""One burst or one request that is as much work as its sender can make it, beside one that reads.

Each adversary prepares what it needs, and then sends everything at once.  What counts is how long
the server's loop did not go round meanwhile, and what a client waited that did nothing to deserve
it.
"""

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from itertools import chain
from struct import pack

import trio

from tests.core import messages
from tests.core.messages import (
    CANCEL,
    CHANGE_NOTIFY,
    CLOSE,
    CREATE,
    ECHO,
    EXCLUSIVE,
    FAIL_IMMEDIATELY,
    IOCTL,
    LOCK,
    QUERY_INFO,
    READ,
    SESSION_SETUP,
    SET_INFO,
    SHARED,
    UNLOCK,
    WRITE,
)
from tests.scripted import Connection, connected

from ..bystander import bystander
from ..campaign import Campaign, Play
from ..served import Served, served

_MIB = 1 << 20
_LONG = '[server.limits]\nmax_read = "8 MiB"'  # the longest there may be
_PENDING = 0x103
_CREDITS = 8000
_NOW_SHARED, _NOW_EXCLUSIVE = SHARED | FAIL_IMMEDIATELY, EXCLUSIVE | FAIL_IMMEDIATELY
# Milliseconds: what the READ of a client may take beside an ordinary load, 64 READs of 1 MiB in
# flight; it shares two processors with the load, the server and itself.
_READ_BESIDE = 20.0


@dataclass
class Scene:
    """One adversary's connection, and how much it is to send."""

    play: Play
    server: Served
    client: Connection
    folder_id: bytes = b""

    def begin(self) -> None:
        """What is prepared is no attack."""
        self.server.forget_turns()

    def requests(self, count: int, command: int, body: bytes, **fields: int) -> list[bytes]:
        """The same request so many times."""
        return [self.client.peer.request(command, body, **fields) for _ in range(count)]

    async def send(self, frames: Iterable[bytes], answers: int = -1) -> list[messages.Answer]:
        """Everything at once; as many final answers as there are frames, or as said."""
        frames = list(frames)
        found: list[messages.Answer] = []

        async def receive() -> None:
            wanted = len(frames) if answers < 0 else answers
            while len(found) < wanted and (more := await self.client.answers()):
                found.extend(one for one in more if one.status != _PENDING)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(receive)
            try:
                await self.client.send(*frames)
            except trio.BrokenResourceError:
                nursery.cancel_scope.cancel()  # hung up on: an answer too
        return found

    async def opens(self, name: str, count: int, **wanted: int) -> list[bytes]:
        """So many handles of one file."""
        frames = self.requests(count, CREATE, messages.create(name, **wanted), asked=2)
        answers = await self.send(frames)
        assert not any(one.status for one in answers)
        return [one.file_id for one in answers]

    async def open_with_locks(self, count: int, kind: int) -> bytes:
        """A file of 64 KiB with so many locks, one byte each, of one handle."""
        file_id = await self.client.open("locked")
        await self.client.ask(WRITE, messages.write(file_id, bytes(65536)))
        for first in range(0, count, 250):
            places = range(first, min(first + 250, count))
            body = messages.lock(file_id, *((8 * place, 1, kind) for place in places))
            assert (await self.client.ask(LOCK, body)).status == 0
        return file_id


# --- the adversaries ---


async def creates(scene: Scene) -> None:
    """8,000 CREATEs of a name that the kernel has cached."""
    (scene.server.folder / "cached").touch()
    count = scene.play.size(7900, 300)
    frames = scene.requests(count, CREATE, messages.create("cached", access=0x80))
    scene.begin()
    await scene.send(frames)


async def queries(scene: Scene) -> None:
    """8,000 QUERY_INFOs."""
    file_id = await scene.client.open("asked")
    frames = scene.requests(
        scene.play.size(7900, 300), QUERY_INFO, messages.query_info(file_id, 18, length=4096)
    )
    scene.begin()
    await scene.send(frames)


async def reads(scene: Scene) -> None:
    """64 READs of 1 MiB in flight, all from the page cache, as an ordinary copy has them."""
    (scene.server.folder / "large").write_bytes(bytes(_MIB))
    file_id = await scene.client.open("large")
    scene.begin()
    for _ in range(scene.play.size(30, 1)):
        await scene.send(scene.requests(64, READ, messages.read(file_id, length=_MIB), charge=16))


async def largest_reads(scene: Scene) -> None:
    """READs as large as there are."""
    (scene.server.folder / "larger").write_bytes(bytes(8 * _MIB))
    file_id = await scene.client.open("larger")
    scene.begin()
    body = messages.read(file_id, length=8 * _MIB)
    for _ in range(scene.play.size(10, 1)):
        await scene.send(scene.requests(8, READ, body, charge=128))


async def cancels(scene: Scene) -> None:
    """Half a million CANCELs, which cost no credit."""
    count = scene.play.size(500_000, 20_000)
    cancel = scene.client.peer.request(CANCEL, message_id=1 << 40)
    echo = scene.client.peer.request(ECHO)
    scene.begin()
    await scene.send(chain((cancel for _ in range(count)), [echo]), 1)


async def cancels_in_one_frame(scene: Scene) -> None:
    """As many as a frame holds."""
    peer = scene.client.peer
    frame = peer.compound(*[(CANCEL, messages.EMPTY, {"message_id": 1 << 40})] * 110_000)
    scene.begin()
    await scene.send([frame], 1)


async def compounds(scene: Scene) -> None:
    """A compound of 1,000 that opens and closes."""
    create, close = messages.create("compound"), messages.close(messages.PREVIOUS_FILE)
    await scene.client.open("compound")
    scene.begin()
    for _ in range(scene.play.size(7, 1)):
        pairs = [(CREATE, create), (CLOSE, close)] * 500
        await scene.send([scene.client.peer.related(*pairs)], 1000)


async def reads_in_one_compound(scene: Scene) -> None:
    """As much as one frame of answers may carry."""
    (scene.server.folder / "large").write_bytes(bytes(_MIB))
    file_id = await scene.client.open("large")
    read = (READ, messages.read(file_id, length=_MIB), {"charge": 16})
    scene.begin()
    for _ in range(scene.play.size(20, 1)):
        await scene.send([scene.client.peer.compound(*[read] * 8)], 8)


async def one_lock_of_many(scene: Scene) -> None:
    """One LOCK of 251 ranges in front of 7,900 that are held; its last range fails them all."""
    file_id = await scene.open_with_locks(7900, _NOW_SHARED)
    ranges = [(0, (1 << 40) + place, _NOW_SHARED) for place in range(250)]
    body = messages.lock(file_id, *ranges, (8, 1, _NOW_EXCLUSIVE))
    scene.begin()
    await scene.send(scene.requests(scene.play.size(200, 5), LOCK, body))


async def reads_over_locks(scene: Scene) -> None:
    """READs over one's own 8,000 locks."""
    file_id = await scene.open_with_locks(8000, _NOW_EXCLUSIVE)
    frames = scene.requests(
        scene.play.size(7000, 100), READ, messages.read(file_id, length=65536), asked=1
    )
    scene.begin()
    await scene.send(frames)


async def locks_that_wait(scene: Scene) -> None:
    """1,000 LOCKs that wait for what is held, while it is given up and taken again."""
    file_id = await scene.open_with_locks(250, _NOW_EXCLUSIVE)
    other = await scene.client.open("locked")
    places = range(250)
    wait = messages.lock(other, (0, 1 << 40, EXCLUSIVE))
    waiting = scene.requests(1000, LOCK, wait)
    up = messages.lock(file_id, *((8 * place, 1, UNLOCK) for place in places[1:]))
    again = messages.lock(file_id, *((8 * place, 1, _NOW_EXCLUSIVE) for place in places[1:]))
    await scene.client.send(*waiting)
    turns = [
        scene.client.peer.request(LOCK, body) for body in (up, again) * scene.play.size(300, 10)
    ]
    scene.begin()
    await scene.send(turns)


async def contexts(scene: Scene) -> None:
    """A CREATE with as many contexts as 8 MiB hold, and one with as many as its credit pays for."""
    for count, charge in ((349_000, 128), (2700, 1)):
        chained = messages.create("contexts", contexts=[(b"none", b"")] * count)
        scene.begin()
        await scene.send([scene.client.peer.request(CREATE, chained, charge=charge)])


async def attributes(scene: Scene) -> None:
    """A CREATE and a SET_INFO with as many attributes as 8 MiB hold."""
    one = pack("<IBBH", 12, 0, 1, 0) + b"n\0\0\0"
    data = one * 650_000 + pack("<IBBH", 0, 0, 1, 0) + b"n\0"
    file_id = await scene.client.open("attributes")
    with_them = messages.create("attributes 2", contexts=[(b"ExtA", data)])
    frames = [
        scene.client.peer.request(CREATE, with_them, charge=128),
        scene.client.peer.request(SET_INFO, messages.set_info(file_id, 15, data), charge=128),
    ]
    scene.begin()
    await scene.send(frames)


async def chunks(scene: Scene) -> None:
    """A server-side copy of 349,000 chunks."""
    file_id = await scene.client.open("chunks")
    key = (await scene.client.ask(IOCTL, messages.ioctl(file_id, 0x140078))).body[48:72]
    data = key + pack("<II", 349_000, 0) + pack("<QQII", 0, 0, 1, 0) * 349_000
    frame = scene.client.peer.request(IOCTL, messages.ioctl(file_id, 0x1440F2, data), charge=128)
    scene.begin()
    await scene.send([frame])


async def entries_of_acls(scene: Scene) -> None:
    """A descriptor with two lists of 4,000 entries."""
    ace = pack("<BBHI", 0, 0, 16, 1) + bytes((1, 0, 0, 0, 0, 0, 0, 1))
    acl = pack("<BBHHH", 2, 0, 8 + 16 * 4000, 4000, 0) + ace * 4000
    data = pack("<BBHIIII", 1, 0, 0x8014, 0, 0, 20, 20 + len(acl)) + acl + acl
    file_id = await scene.client.open("descriptor")
    body = messages.set_info(file_id, 0, data, info_type=3, additional=4)
    frames = scene.requests(scene.play.size(50, 2), SET_INFO, body, charge=3)
    scene.begin()
    await scene.send(frames)


async def names_of_many_parts(scene: Scene) -> None:
    """CREATEs of a name of 30,000 folders."""
    frames = scene.requests(
        scene.play.size(50, 2), CREATE, messages.create("a\\" * 15_000 + "a"), charge=1
    )
    scene.begin()
    await scene.send(frames)


async def watchers(scene: Scene) -> None:
    """9,000 handles that watch one folder, while somebody makes files there."""
    await scene.client.open("watched", options=1)
    count = scene.play.size(9000, 200)
    handles: list[bytes] = []
    while len(handles) < count:
        some = min(1000, count - len(handles))
        handles += await scene.opens("watched", some, options=1, access=0x81)
    peer = scene.client.peer
    for handle in handles:
        watch = peer.request(CHANGE_NOTIFY, messages.change_notify(handle), asked=2)
        cancel = peer.request(CANCEL, message_id=peer.next_id - 1)
        await scene.send([watch, cancel], 1)
    body = messages.create("watched\\made", options=messages.DELETE_ON_CLOSE)
    close = messages.close(messages.PREVIOUS_FILE)
    scene.begin()
    for _ in range(scene.play.size(100, 5)):
        await scene.send([peer.related((CREATE, body), (CLOSE, close))], 2)


async def renamed_folders(scene: Scene) -> None:
    """9,000 opens, and a folder that is renamed."""
    folder = await scene.client.open("folder", options=1)
    for _ in range(scene.play.size(9, 1)):
        await scene.opens("opened", 1000, access=0x80)
    scene.begin()
    for number in range(scene.play.size(50, 3)):
        name = f"folder {number}".encode("utf-16-le")
        target = pack("<B7xQI", 0, 0, len(name)) + name
        await scene.client.ask(SET_INFO, messages.set_info(folder, 10, target))


async def mechanisms(scene: Scene) -> None:
    """Strangers whose login offers 20,000 mechanisms."""

    def der(tag: int, value: bytes) -> bytes:
        return bytes((tag, 0x82)) + len(value).to_bytes(2, "big") + value

    listed = der(0x30, b"\6\1\x2a" * 20_000)
    inner = der(0xA0, der(0x30, der(0xA0, listed)))
    token = der(0x60, der(6, bytes.fromhex("2b0601050502")) + inner)
    scene.begin()
    for _ in range(scene.play.size(50, 3)):
        async with connected(scene.server) as stranger:
            await stranger.negotiate()
            await stranger.send(stranger.peer.request(SESSION_SETUP, messages.session_setup(token)))
            await stranger.answers()


async def strangers(scene: Scene) -> None:
    """ECHOs of 40 connections on which nobody has logged in, for some seconds."""
    scene.begin()

    async def flood() -> None:
        async with connected(scene.server) as stranger:
            await stranger.negotiate()
            await stranger.ask(ECHO, asked=8000)
            while True:
                await stranger.send(*[stranger.peer.request(ECHO, asked=2) for _ in range(900)])
                for _ in range(900):
                    await stranger.answers()

    with trio.move_on_after(scene.play.size(10, 1)):
        async with trio.open_nursery() as nursery:
            for _ in range(scene.play.size(40, 4)):
                nursery.start_soon(flood)


async def everybody(scene: Scene) -> None:
    """Twenty connections with 4,000 QUERY_INFOs each at the same time."""
    count = scene.play.size(4000, 50)
    scenes: list[tuple[Scene, list[bytes]]] = []
    async with trio.open_nursery() as connections:
        for _ in range(scene.play.size(20, 3)):
            ready = trio.Event()

            async def connect(ready: trio.Event = ready) -> None:
                async with connected(scene.server) as client:
                    one = Scene(scene.play, scene.server, client)
                    await _log_in(client)
                    body = messages.query_info(await client.open("asked"), 18)
                    scenes.append((one, one.requests(count, QUERY_INFO, body)))
                    ready.set()
                    await trio.sleep_forever()

            connections.start_soon(connect)
            await ready.wait()
        scene.begin()
        async with trio.open_nursery() as nursery:
            for one, frames in scenes:
                nursery.start_soon(one.send, frames)
        connections.cancel_scope.cancel()


Adversary = Callable[[Scene], Awaitable[None]]
_ADVERSARIES: tuple[Adversary, ...] = (
    reads,
    largest_reads,
    reads_in_one_compound,
    creates,
    queries,
    cancels,
    cancels_in_one_frame,
    compounds,
    one_lock_of_many,
    reads_over_locks,
    locks_that_wait,
    contexts,
    attributes,
    chunks,
    entries_of_acls,
    names_of_many_parts,
    watchers,
    renamed_folders,
    mechanisms,
    strangers,
    everybody,
)


async def _log_in(client: Connection) -> None:
    await client.connect()
    await client.ask(ECHO, asked=_CREDITS)


async def play(play: Play) -> None:
    """One adversary after the other, each against a server of its own and beside a bystander.

    In the short form, where times decide nothing, all have one server, and nobody stands by.
    """
    if play.short:
        async with served(play.folder("all"), more=_LONG) as server:
            for adversary in _ADVERSARIES:
                await _attack(play, server, adversary)
        return
    for adversary in _ADVERSARIES:
        async with served(play.folder(adversary.__name__), more=_LONG) as server:
            async with bystander(server) as waits:
                await _attack(play, server, adversary)
            bar = _READ_BESIDE if adversary is reads else None
            wait = waits.percentile(99)
            what = f"{_name(adversary)}: another's READ, p99"
            play.note(what, wait, "ms", bar=bar, timed=True)


async def _attack(play: Play, server: Served, adversary: Adversary) -> None:
    before = server.tracebacks()
    async with connected(server) as client:
        await _log_in(client)
        await adversary(Scene(play, server, client))
    play.note_turn(_name(adversary), server.longest_turn())
    play.note(f"{_name(adversary)}: tracebacks", server.tracebacks() - before, bar=0)


def _name(adversary: Adversary) -> str:
    return adversary.__name__.replace("_", " ")


CAMPAIGN = Campaign("bursts", "as much work as one burst or one request can make", play)
