"""Requests that C answers, bent here and there, while AddressSanitizer watches what C touches.

The server builds its C for that, with the sanitizers of gcc, and Python takes its memory from
malloc: so the end of a receive buffer is the end of an object.  Bursts are filled up to it.
"""

import os
import shutil
import subprocess
from collections.abc import Callable, Mapping
from itertools import count
from pathlib import Path
from random import Random

import trio

from tests.core import messages
from tests.core.messages import (
    CLOSE,
    CREATE,
    DELETE_ON_CLOSE,
    FILE_OPEN,
    FLUSH,
    PREVIOUS_FILE,
    QUERY_INFO,
    READ,
    WRITE,
)
from tests.core.nonsense import bent
from tests.scripted import WINDOWS, Connection, HungUpError, connected, plain
from tests.scripted.framing import framed

from ..campaign import Campaign, NotHereError, Play
from ..served import Served, served

_COMPILER = "env -u LD_PRELOAD gcc -g -fno-omit-frame-pointer -fsanitize=address,undefined"
_LIBRARIES = ("libasan.so", "libubsan.so")
_BUILT_WITHIN = 90.0  # seconds
_ROOMS = (4096, 131072)  # bytes of a connection's first receive buffer, and of those after it
_LONGEST = 60000  # bytes of a frame that C takes, and some to spare
_ANSWERED_WITHIN = 0.5  # seconds; what is bent may wait for a CANCEL that never comes
_BURSTS = 8  # of one connection
_LENGTHS = (*6 * (4096,), *3 * (1, 8192, 65536), 131072)
_HOW = ("bare", "signed", "sealed")
_Bend = Callable[[bytes], bytes]


async def play(play: Play) -> None:
    """Talk to a server whose C is watched, and read what the sanitizers have written."""
    cache = play.folder("cache")
    unsigned = 'signing = "enabled"'
    async with served(
        play.folder("native"), server=unsigned, environment=_environment(cache)
    ) as server:
        for name in ("a", "b", "looked at"):
            (server.folder / name).write_bytes(bytes(2 << 20))
        await _loaded(server)
        talk = _Talk(server, play.random)
        await talk.hold(play.size(1500, 60))
        works = await _still_works(server)
    errors = sorted(cache.glob("error.*"))
    first = errors[0].read_text()[:2000] if errors else ""
    play.note("bursts sent", talk.bursts)
    play.note("answers", talk.answers)
    play.note("connections lost before a burst", talk.lost, bar=0)
    play.note("errors of memory", len(errors), bar=0, detail=first)
    play.note("the server answers no more", not works, bar=0)
    play.note("tracebacks in the log", server.tracebacks(), bar=0)


def _environment(cache: Path) -> Mapping[str, str]:
    """What a server needs for it, beside what it has."""
    if shutil.which("gcc") is None:
        raise NotHereError("no gcc")
    found = [
        subprocess.check_output(["gcc", f"-print-file-name={name}"], text=True).strip()
        for name in _LIBRARIES
    ]
    if not all(os.path.isabs(path) for path in found):  # noqa: PTH117 -- gcc's own word for "none"
        raise NotHereError("gcc has no AddressSanitizer (libasan)")
    written = f"log_path={cache}/error"
    return {
        "CC": _COMPILER,
        "XDG_CACHE_HOME": str(cache),
        "LD_PRELOAD": " ".join(found),
        "ASAN_OPTIONS": f"detect_leaks=0:{written}",  # Python ends with much that it never frees
        "UBSAN_OPTIONS": f"print_stacktrace=1:{written}",
        "PYTHONMALLOC": "malloc",
        "PYCRYPTODOME_DISABLE_DEEPBIND": "1",  # with which AddressSanitizer cannot work
    }


async def _loaded(server: Served) -> None:
    """Until the server has built its C."""
    with trio.move_on_after(_BUILT_WITHIN):
        maps = trio.Path(f"/proc/{server.pid}/maps")
        while "/aio/burst-" not in await maps.read_text():  # noqa: ASYNC110 -- of another process
            await trio.sleep(0.1)
        return
    raise NotHereError(f"the C was not built with the sanitizers: {server.log()[-1000:]}")


async def _still_works(server: Served) -> bool:
    if not server.alive():
        return False
    async with connected(server, plain(0x0302)) as client:
        await client.connect()
        return await client.works()


class _Talk:
    """Connections one behind the other; each is protected in its own way."""

    def __init__(self, server: Served, random: Random) -> None:
        self._server = server
        self._random = random
        self._names = map("goes {}".format, count())
        self.bursts = self.answers = 0
        self.lost = 0  # connections that ended before a burst

    async def hold(self, connections: int) -> None:
        """So many; it ends early where the server does."""
        for number in range(connections):
            if not self._server.alive():
                return
            how = _HOW[number % len(_HOW)]
            offer = plain(0x0302) if how == "bare" else WINDOWS
            try:
                async with connected(self._server, offer) as client:
                    await client.connect()
                    await self._speak(client, how)
            except (HungUpError, OSError):
                self.lost += 1

    async def _speak(self, client: Connection, how: str) -> None:
        """Ask so that C knows the files, and looks at one; then go on until the server hangs up."""
        files = [await client.open(name, access=0x1F01FF, share=7) for name in ("a", "b")]
        protected = {"signed": how == "signed", "seal": how == "sealed", "asked": 64}
        for file_id in files * 2:
            assert (await client.read(file_id, **protected)).status == 0
        for _ in range(10):  # some are a worker's, where the machine is slow
            await client.send(self._look(client, how))
            assert [one.status for one in await client.answers()] == [0, 0]
        for number in range(_BURSTS):
            room = _ROOMS[min(number, 1)] if how == "bare" else 0
            frames = self._burst(client, files, how, room)
            self.bursts += 1
            try:
                await client.stream.send_all(framed(*frames))
            except trio.BrokenResourceError:
                return
            if not await self._heard(client, len(frames)):
                return

    async def _heard(self, client: Connection, frames: int) -> bool:
        """Whether the connection goes on."""
        with trio.move_on_after(_ANSWERED_WITHIN):
            for _ in range(frames):
                found = await client.answers()
                self.answers += len(found)
                if not found:
                    return False
        return True

    def _burst(self, client: Connection, files: list[bytes], how: str, room: int) -> list[bytes]:
        """Frames.  Some end behind `room` bytes, where the receive buffer does: before them are
        READs that are longer than they need to be.
        """
        random, filled = self._random, []
        room = room if random.random() < 0.7 else 0
        for _ in range(-(-room // _LONGEST)):
            read = messages.read(files[0])
            filled.append(client.peer.request(READ, read, signed=False, asked=64))
        frames = [self._frame(client, files, how) for _ in range(random.choice((1, 1, 2, 5)))]
        if how == "bare" and random.random() < (0.6 if filled else 0.1):
            frames[-1] = frames[-1][: random.randrange(80, 128)]
        left = room - len(framed(*filled, *frames))
        for number, read in enumerate(filled):
            more = max(left // (len(filled) - number), 0)
            filled[number] = read + bytes(more)
            left -= more
        return [*filled, *frames]

    def _frame(self, client: Connection, files: list[bytes], how: str) -> bytes:
        random = self._random
        file_id, length = random.choice(files), random.choice(_LENGTHS)
        kind = random.choice((READ, READ, WRITE, FLUSH, QUERY_INFO, CLOSE, CREATE, CREATE, CREATE))
        if kind == CREATE and random.random() < 0.5:
            return self._removal(client, how)
        if kind == CREATE:
            return self._look(client, how, self._bent)
        body = {
            READ: lambda: messages.read(file_id, random.randrange(4) * 4096, length),
            WRITE: lambda: messages.write(file_id, bytes(length), random.randrange(4) * 4096),
            FLUSH: lambda: messages.flush(file_id),
            QUERY_INFO: lambda: messages.query_info(file_id, 18),
            CLOSE: lambda: messages.close(file_id),
        }[kind]()
        fields = {"asked": 64, "charge": max(1, length >> 16), "signed": how == "signed"}
        return self._protected(client, client.peer.request(kind, self._bent(body), **fields), how)

    def _look(self, client: Connection, how: str, bent: _Bend = bytes) -> bytes:
        """A compound that looks at a file which nobody has open."""
        created = messages.create("looked at", access=0x80, disposition=FILE_OPEN)
        return self._opened_and_closed(client, how, bent, created)

    def _removal(self, client: Connection, how: str) -> bytes:
        """One whose file goes with it."""
        name = next(self._names)
        (self._server.folder / name).touch()
        created = messages.create(
            name, access=0x10080, disposition=FILE_OPEN, options=DELETE_ON_CLOSE
        )
        return self._opened_and_closed(client, how, self._bent, created)

    def _opened_and_closed(
        self, client: Connection, how: str, bent: _Bend, created: bytes
    ) -> bytes:
        closed = messages.close(PREVIOUS_FILE)
        frame = client.peer.related(
            (CREATE, bent(created)), (CLOSE, bent(closed)), signed=how == "signed"
        )
        return self._protected(client, frame, how)

    @staticmethod
    def _protected(client: Connection, frame: bytes, how: str) -> bytes:
        return client.peer.sealed(frame) if how == "sealed" else frame

    def _bent(self, body: bytes) -> bytes:
        return bent(self._random, body) if self._random.random() < 0.4 else body


CAMPAIGN = Campaign("native", "the memory of what C answers, by requests bent here and there", play)
