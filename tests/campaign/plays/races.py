"""Races: one client opens what another deletes, renames, replaces, marks or overwrites.

Whatever the two are told must be true: an open that succeeded is of a file with a name, and what
a client shared with nobody is not changed beneath it.
"""

from collections.abc import Awaitable, Callable
from pathlib import Path
from random import Random

import trio

from tests.core import messages
from tests.core.messages import (
    CLOSE,
    CREATE,
    DELETE_ON_CLOSE,
    FLUSH,
    PREVIOUS_FILE,
    QUERY_INFO,
    READ,
    SET_INFO,
    WRITE,
    Answer,
)
from tests.scripted import Connection, connected

from ..campaign import Campaign, Play
from ..served import served

_OPEN, _CREATE, _OPEN_IF, _OVERWRITE, _OVERWRITE_IF = 1, 2, 3, 4, 5
_A_FOLDER = 1
_RENAME, _LINK, _DISPOSITION, _STANDARD, _ALL = 10, 11, 13, 5, 18
_READ_WRITE, _READ_ATTRIBUTES = 0x12019F, 0x80
_PENDING = 0x103
_READONLY = 1
_INNER = "share\\"
_WAYS = (  # the other one's share, prefix of its names
    ("share", "", ""),
    ("larger", _INNER, ", through a share within a share"),
    ("share", "way\\", ", through a symbolic link"),
)
_LONGEST_GAP = 0.0006  # seconds: about what a request with a worker takes


def _named(file_id: bytes, kind: int, name: str) -> bytes:
    raw = name.encode("utf-16-le")
    value = bytes([1]) + bytes(15) + len(raw).to_bytes(4, "little") + raw
    return messages.set_info(file_id, kind, value)


class _Rivals:
    """Two clients of one folder, which the other one may reach by another path or share."""

    def __init__(
        self, folder: Path, one: Connection, other: Connection, prefix: str, random: Random
    ) -> None:
        self.folder = folder
        self.one = one
        self.other = other
        self.prefix = prefix  # of the other one's names
        self.random = random

    async def race(
        self, mine: bytes, theirs: bytes, answers: int = 1
    ) -> tuple[Answer, list[Answer]]:
        """Send a request of each at nearly the same time; what they are answered."""
        runners = [(self.one, mine), (self.other, theirs)]
        if self.random.random() < 0.5:
            runners.reverse()
        (first, request), (second, another) = runners
        await first.send(request)
        gap = trio.current_time() + self.random.random() * _LONGEST_GAP
        while trio.current_time() < gap:
            pass  # no sleep is as short
        await second.send(another)
        answer = await self.one.answer()
        found: list[Answer] = []
        while len(found) < answers:
            found += [one for one in await self.other.answers() if one.status != _PENDING]
        return answer, found

    async def close(self, *opened: tuple[Connection, bytes]) -> None:
        for client, file_id in opened:
            await client.ask(CLOSE, messages.close(file_id))


async def _deleting_close(rivals: _Rivals) -> bool:
    """Whether somebody wrote with success into a file that has no name."""
    path = rivals.folder / "deleted"
    doomed = await rivals.one.open("deleted", options=DELETE_ON_CLOSE)
    disposition = rivals.random.choice((_OPEN, _OPEN_IF, _OVERWRITE, _OVERWRITE_IF))
    name = rivals.random.choice(("deleted", "DELETED"))
    body = messages.create(rivals.prefix + name, disposition=disposition, access=_READ_WRITE)
    _, (opened,) = await rivals.race(
        rivals.one.peer.request(CLOSE, messages.close(doomed)),
        rivals.other.peer.request(CREATE, body),
    )
    if opened.status:
        return False
    other, file_id = rivals.other, opened.file_id
    written = await other.ask(WRITE, messages.write(file_id, b"precious"))
    await other.ask(FLUSH, messages.flush(file_id))
    standard = await other.ask(QUERY_INFO, messages.query_info(file_id, _STANDARD))
    pending = standard.raw[72 + 20]
    names = [one for one in rivals.folder.iterdir() if one.name.lower() == "deleted"]
    lost = (
        not pending and not written.status and [one.read_bytes() for one in names] != [b"precious"]
    )
    await rivals.close((other, file_id))
    for one in (*names, path):
        one.unlink(missing_ok=True)
    return lost


def _replacing(kind: int) -> Callable[[_Rivals], Awaitable[bool]]:
    async def replaced(rivals: _Rivals) -> bool:
        """Whether a file was replaced that somebody had open and shared with nobody."""
        target, source = rivals.folder / "target", rivals.folder / "source"
        target.write_bytes(b"old")
        renamed = await rivals.one.open("source")
        await rivals.one.ask(WRITE, messages.write(renamed, b"new"))
        name = rivals.prefix + rivals.random.choice(("target", "TARGET"))
        body = messages.create(name, disposition=_OPEN, access=_READ_WRITE, share=0)
        _, (opened,) = await rivals.race(
            rivals.one.peer.request(SET_INFO, _named(renamed, kind, "target")),
            rivals.other.peer.request(CREATE, body),
        )
        lost = False
        if not opened.status:
            await rivals.other.ask(WRITE, messages.write(opened.file_id, b"theirs"))
            lost = target.read_bytes() != b"theirs"
            await rivals.close((rivals.other, opened.file_id))
        await rivals.close((rivals.one, renamed))
        for one in (target, source):
            one.unlink(missing_ok=True)
        return lost

    return replaced


async def _folder_renamed(rivals: _Rivals) -> bool:
    """Whether an open in a folder that was renamed says that it is where nothing is any more."""
    before, after = rivals.folder / "folder", rivals.folder / "moved"
    before.mkdir()
    (before / "old").touch()
    moving = await rivals.one.open("folder", options=_A_FOLDER)
    name = rivals.random.choice(("old", "OLD", "new"))
    body = messages.create(f"{rivals.prefix}folder\\{name}", disposition=_OPEN_IF)
    moved, (opened,) = await rivals.race(
        rivals.one.peer.request(SET_INFO, _named(moving, _RENAME, "moved")),
        rivals.other.peer.request(CREATE, body),
    )
    lost = False
    if not opened.status:
        everything = messages.query_info(opened.file_id, _ALL)
        answer = await rivals.other.ask(QUERY_INFO, everything)
        told = answer.raw[72 + 100 :].decode("utf-16-le").strip("\\").replace("\\", "/")
        top = rivals.folder.parent if rivals.prefix == _INNER else rivals.folder
        lost = not (top / told).exists() or (not moved.status and before.exists())
        await rivals.close((rivals.other, opened.file_id))
    await rivals.close((rivals.one, moving))
    for one in (before, after):
        for entry in one.iterdir() if one.exists() else ():
            entry.unlink()
        if one.exists():
            one.rmdir()
    return lost


async def _marked_folder(rivals: _Rivals) -> bool:
    """Whether a folder was marked for deletion and a file made in it, both with success."""
    folder = rivals.folder / "marked"
    folder.mkdir()
    marking = await rivals.one.open("marked", options=_A_FOLDER)
    body = messages.create(f"{rivals.prefix}marked\\new", disposition=_CREATE)
    marked, (opened,) = await rivals.race(
        rivals.one.peer.request(SET_INFO, messages.set_info(marking, _DISPOSITION, b"\1")),
        rivals.other.peer.request(CREATE, body),
    )
    lost = not marked.status and not opened.status
    if not opened.status:
        await rivals.close((rivals.other, opened.file_id))
    await rivals.close((rivals.one, marking))
    (folder / "new").unlink(missing_ok=True)
    if folder.exists():
        folder.rmdir()
    return lost


async def _overwritten(rivals: _Rivals) -> bool:
    """Whether a file changed beneath an open that shares no writing."""
    path = rivals.folder / "overwritten"
    path.write_bytes(b"old")
    mine = messages.create("overwritten", disposition=_OVERWRITE, access=_READ_ATTRIBUTES)
    name = f"{rivals.prefix}overwritten"
    theirs = messages.create(name, disposition=_OPEN, access=1, share=1)
    peer = rivals.other.peer
    done, (opened, *then) = await rivals.race(
        rivals.one.peer.request(CREATE, mine),
        peer.related((CREATE, theirs), (READ, messages.read(PREVIOUS_FILE))),
        answers=2,
    )
    lost = False
    if not opened.status:
        again = await rivals.other.ask(READ, messages.read(opened.file_id))
        lost = (then[0].status, then[0].data) != (again.status, again.data)
        await rivals.close((rivals.other, opened.file_id))
    if not done.status:
        await rivals.close((rivals.one, done.file_id))
    path.unlink()
    return lost


async def _stream_of_a_deleted_file(rivals: _Rivals) -> bool:
    """Whether somebody wrote with success into a stream of a file that has no name."""
    path = rivals.folder / "deleted"
    doomed = await rivals.one.open("deleted", options=DELETE_ON_CLOSE)
    name = rivals.prefix + "deleted:stream"
    disposition = rivals.random.choice((_OPEN_IF, _OVERWRITE_IF))
    body = messages.create(name, disposition=disposition, access=_READ_WRITE)
    other = rivals.other
    _, (opened,) = await rivals.race(
        rivals.one.peer.request(CLOSE, messages.close(doomed)), other.peer.request(CREATE, body)
    )
    if opened.status:
        return False
    file_id = opened.file_id
    written = await other.ask(WRITE, messages.write(file_id, b"precious"))
    standard = await other.ask(QUERY_INFO, messages.query_info(file_id, _STANDARD))
    pending = standard.raw[72 + 20]
    await rivals.close((other, file_id))
    again = await other.ask(CREATE, messages.create(name, disposition=_OPEN, access=_READ_WRITE))
    lost = not pending and not written.status and bool(again.status)
    if not again.status:
        await rivals.close((other, again.file_id))
    path.unlink(missing_ok=True)
    return lost


async def _stream_of_an_overwritten_file(rivals: _Rivals) -> bool:
    """Whether a file lost its streams while somebody had one of them open."""
    one, other = rivals.one, rivals.other
    await rivals.close((one, await one.open("target:stream")))
    body = messages.create(rivals.prefix + "target:stream", disposition=_OPEN, access=_READ_WRITE)
    overwrites = messages.create("target", disposition=_OVERWRITE, access=_READ_WRITE)
    made, (opened,) = await rivals.race(
        one.peer.request(CREATE, overwrites), other.peer.request(CREATE, body)
    )
    for client, answer in ((one, made), (other, opened)):
        if not answer.status:
            await rivals.close((client, answer.file_id))
    (rivals.folder / "target").unlink()
    return not made.status and not opened.status


async def _made(rivals: _Rivals) -> bool:
    """Whether somebody had a new file before its maker, or may write to it though it is READONLY.

    One in two is made by a worker, since it asks for an allocation.
    """
    one, other = rivals.one, rivals.other
    allocation = (b"AlSi", (4096).to_bytes(8, "little"))
    contexts = [allocation] if rivals.random.random() < 0.5 else []
    mine = messages.create(
        "made", disposition=_CREATE, share=0, attributes=_READONLY, contexts=contexts
    )
    name = rivals.prefix + rivals.random.choice(("made", "MADE"))
    body = messages.create(name, disposition=_OPEN, access=_READ_WRITE)
    made, (opened,) = await rivals.race(
        one.peer.request(CREATE, mine), other.peer.request(CREATE, body)
    )
    for client, answer in ((one, made), (other, opened)):
        if not answer.status:
            await rivals.close((client, answer.file_id))
    (rivals.folder / "made").unlink(missing_ok=True)
    return bool(made.status) or not opened.status


async def _spelled(rivals: _Rivals) -> bool:
    """Whether two made one name in two spellings."""
    mine = messages.create("spelled", disposition=_CREATE)
    theirs = messages.create(rivals.prefix + "SPELLED", disposition=_CREATE)
    one, other = rivals.one, rivals.other
    answer, (another,) = await rivals.race(
        one.peer.request(CREATE, mine), other.peer.request(CREATE, theirs)
    )
    for client, made in ((one, answer), (other, another)):
        if not made.status:
            await rivals.close((client, made.file_id))
    names = [one for one in rivals.folder.iterdir() if one.name.lower() == "spelled"]
    for entry in names:
        entry.unlink()
    return len(names) != 1 or not (answer.status or another.status)


async def _stream_made(rivals: _Rivals) -> bool:
    """Whether two made one stream, the one by another name of its file."""
    path, link = rivals.folder / "target", rivals.folder / "linked"
    path.touch()
    link.hardlink_to(path)
    mine = messages.create("target:stream", disposition=_CREATE, share=0)
    theirs = messages.create(rivals.prefix + "linked:STREAM", disposition=_CREATE, share=0)
    one, other = rivals.one, rivals.other
    answer, (another,) = await rivals.race(
        one.peer.request(CREATE, mine), other.peer.request(CREATE, theirs)
    )
    for client, made in ((one, answer), (other, another)):
        if not made.status:
            await rivals.close((client, made.file_id))
    path.unlink()
    link.unlink()
    return bool(answer.status) == bool(another.status)


_RACES: dict[str, Callable[[_Rivals], Awaitable[bool]]] = {
    "CREATE against a CLOSE that deletes": _deleting_close,
    "CREATE against a rename over the file": _replacing(_RENAME),
    "CREATE against a link over the file": _replacing(_LINK),
    "CREATE in a folder that is renamed": _folder_renamed,
    "CREATE in a folder that is marked for deletion": _marked_folder,
    "CREATE of a stream against a CLOSE that deletes its file": _stream_of_a_deleted_file,
    "open of a stream against a CREATE that overwrites its file": _stream_of_an_overwritten_file,
    "open against a CREATE that overwrites": _overwritten,
    "open against a CREATE that makes the file": _made,
    "CREATE against one of another spelling": _spelled,
    "CREATE of a stream against one by another name of its file": _stream_made,
}


async def _play(play: Play) -> None:
    state = play.folder("server")
    larger = f'[shares.larger]\npath = "{state}"\n'
    async with served(state, more=larger) as server, connected(server) as one:
        await one.connect()
        (server.folder / "way").symlink_to(".")
        for share, prefix, how in _WAYS:
            async with connected(server) as other:
                await other.connect(share)
                rivals = _Rivals(server.folder, one, other, prefix, play.random)
                await _run(play, rivals, how)
        left = await server.left({"opens": 0})
        play.note("opens left", left["opens"], bar=0)
        play.note("tracebacks", server.tracebacks(), bar=0)


async def _run(play: Play, rivals: _Rivals, how: str) -> None:
    rounds = play.size(3000, 40)
    for what, race in _RACES.items():
        losses = 0
        for _ in range(rounds):
            losses += await race(rivals)
        play.note(f"{what}{how}: losses in {rounds:,} rounds", losses, bar=0)


CAMPAIGN = Campaign("races", "one opens what another deletes, renames, replaces or marks", _play)
