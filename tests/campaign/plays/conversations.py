"""Conversations fuzzed with their state: several connections, sessions and compounds at once.

Each connection says what a client might, with a field bent here and there, about files that it or
somebody else has open, and ends in the middle.  At the end nothing is left of any.
"""

from random import Random
from struct import pack

import trio

from smbd.ntstatus import NtStatus
from smbd.wire.create_contexts import ContextName
from tests.auth.peers import Impacket
from tests.core import messages
from tests.core.messages import CANCEL, CREATE, LOGOFF, PREVIOUS_FILE, RELATED, SESSION_SETUP
from tests.core.messages import TREE_DISCONNECT as DISCONNECT
from tests.core.nonsense import bent, bodies
from tests.scripted import Connection, connected, plain

from ..campaign import Campaign, Play
from ..served import Served, served

_AT_ONCE = 6  # connections
_MOST_IN_FLIGHT = 30  # the login brought 64 credits
_PENDING = 0x103
_DIALECTS = (0x0202, 0x0210, 0x0302)
_BRIEFLY = 50  # milliseconds
_RESIDENT = 24.0  # MiB: what an allocator keeps, and no more however long it goes on


class Talk:
    """What all connections of one play share: known FileIds, and what was answered."""

    def __init__(self, server: Served, random: Random) -> None:
        self.server = server
        self.random = random
        self.files = [pack("<QQ", 1, 1)]
        self.sessions = [1]
        self.requests = self.answers = self.internal_errors = 0

    async def hold(self, requests: int) -> None:
        """Go on until so many requests have been sent."""
        end = self.requests + requests
        async with trio.open_nursery() as nursery:
            for _ in range(_AT_ONCE):
                nursery.start_soon(self._one_after_the_other, end)

    async def _one_after_the_other(self, end: int) -> None:
        while self.requests < end:
            dialect = self.random.choice(_DIALECTS)
            async with connected(self.server, plain(dialect)) as client:
                await client.connect()
                self.sessions = [*self.sessions[-10:], client.peer.session.session_id]
                with trio.CancelScope() as scope:
                    await _Speaker(self, client, scope).speak(self.random.randrange(5, 120))


class _Speaker:
    """One connection, from its login to its end."""

    def __init__(self, talk: Talk, client: Connection, scope: trio.CancelScope) -> None:
        self._talk = talk
        self._client = client
        self._scope = scope
        self._in_flight: set[int] = set()
        self._progress = trio.Event()

    async def speak(self, frames: int) -> None:
        """Send so many frames while answers come, and hang up."""
        random = self._talk.random
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._listen)
            for _ in range(frames):
                burst = [self._frame() for _ in range(random.choice((1, 1, 1, 5)))]
                try:
                    await self._client.send(*burst)
                except trio.BrokenResourceError:
                    break
                await self._pause()
            nursery.cancel_scope.cancel()

    async def _pause(self) -> None:
        """Not more in flight than there are credits; what may never be answered is cancelled."""
        await trio.lowlevel.checkpoint()
        with trio.move_on_after(0.02):
            while len(self._in_flight) > _MOST_IN_FLIGHT // 2:
                self._progress = trio.Event()
                await self._progress.wait()
        if len(self._in_flight) > _MOST_IN_FLIGHT:
            self._scope.cancel()

    async def _listen(self) -> None:
        while found := await self._client.answers():
            for answer in found:
                self._heard(answer)
        self._scope.cancel()

    def _heard(self, answer: messages.Answer) -> None:
        talk = self._talk
        talk.internal_errors += answer.status == NtStatus.INTERNAL_ERROR
        if answer.status == _PENDING:
            return
        talk.answers += 1
        self._in_flight.discard(answer.message_id)
        self._progress.set()
        if answer.command == CREATE and not answer.status:
            talk.files = [*talk.files[-40:], answer.file_id]

    def _frame(self) -> bytes:
        """A request or a compound."""
        talk, peer, first = self._talk, self._client.peer, self._client.peer.next_id
        random = talk.random
        frame = self._end_of_something() if random.random() < 0.04 else self._requests()
        self._in_flight |= set(range(first, peer.next_id))
        talk.requests += max(peer.next_id - first, 1)
        if random.random() < 0.02:
            frame = bytearray(frame)
            frame[random.randrange(len(frame))] ^= 1 << random.randrange(8)
        return bytes(frame)

    def _requests(self) -> bytes:
        random, peer = self._talk.random, self._client.peer
        if random.random() < 0.05 and self._in_flight:
            return peer.request(CANCEL, message_id=random.choice(list(self._in_flight)))
        parts = [
            self._request(random.choice(self._talk.files))
            for _ in range(random.choice((1, 1, 2, 4)))
        ]
        if len(parts) == 1:
            return peer.request(*parts[0], **self._fields())
        if random.random() < 0.7:
            first, *others = parts
            return peer.related(first, *(self._request(PREVIOUS_FILE) for _ in others))
        return peer.compound(*parts, flags=random.choice((0, RELATED)))

    def _request(self, file_id: bytes) -> tuple[int, bytes]:
        random = self._talk.random
        command, body = random.choice(bodies(random, file_id))
        other = bent(random, body) if random.random() < 0.5 else body
        return command, other if _is_kept_briefly(other) else body

    def _fields(self) -> dict[str, int]:
        """A header that is bent at times."""
        random, peer = self._talk.random, self._client.peer
        if random.random() > 0.05:
            return {}
        name = random.choice(("session_id", "tree_id", "charge", "asked", "flags"))
        values = {
            "session_id": (0, 1, peer.session.session_id + 1),
            "tree_id": (0, 2, 0xFFFFFFFF),
            "charge": (0, 2, 3),
            "asked": (0, 600),
            "flags": (RELATED, 0x20000000, 0x70),
        }[name]
        return {name: random.choice(values)}

    def _end_of_something(self) -> bytes:
        """Of a session or a tree connect; or a login begins: of this session, of a new one, or one
        that binds a session, maybe another connection's.
        """
        random, peer = self._talk.random, self._client.peer
        begun = Impacket("test", "test").negotiate()
        other = random.choice(self._talk.sessions)
        token, binds = messages.session_setup(begun), messages.session_setup(begun, flags=1)
        if random.random() < 0.5:
            peer.expect_the_end_of(peer.session.session_id)
            return random.choice(
                (
                    lambda: peer.request(SESSION_SETUP, token),
                    lambda: peer.request(SESSION_SETUP, binds, session_id=other),
                    lambda: peer.request(SESSION_SETUP, token, session_id=other),
                )
            )()
        return random.choice(
            (
                lambda: peer.request(LOGOFF),
                lambda: peer.request(DISCONNECT),
                peer.tree_connect,
                lambda: peer.request(SESSION_SETUP, token, session_id=0),
            )
        )()


def _is_kept_briefly(body: bytes) -> bool:
    """Whether it is no CREATE of a handle that outlives its connection by more than 50 ms."""
    _, name, data = body.partition(ContextName.DURABLE_REQUEST_V2)
    return not name or 0 < int.from_bytes(data[4:8], "little") <= _BRIEFLY  # behind padding


async def play(play: Play) -> None:
    """Talk, hang up, and look at what is left."""
    async with served(play.folder("conversations")) as server:
        folder = server.folder / "d"
        folder.mkdir()
        talk = Talk(server, play.random)
        before = await server.held_at_rest()
        server.forget_turns()
        await talk.hold(play.size(60_000, 600))
        await server.left(before)
        resident = server.resident()
        await talk.hold(play.size(240_000, 600))
        left = await server.left(before)
        play.note("requests sent", talk.requests)
        play.note("answers", talk.answers)
        play.note("INTERNAL_ERROR answered", talk.internal_errors, bar=0)
        play.note("tracebacks logged", server.tracebacks(), bar=0)
        for what, count in left.items():
            play.note(f"{what} left", count, bar=0)
        grown = (server.resident() - resident) / (1 << 20)
        play.note("memory grown in the last four fifths", grown, "MiB", bar=_RESIDENT, timed=True)
        play.note_turn("meanwhile", server.longest_turn())


CAMPAIGN = Campaign("conversations", "what several clients say at once, bent here and there", play)
