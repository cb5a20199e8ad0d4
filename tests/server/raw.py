"""A raw socket to a real server, with a scripted client behind it."""

from contextlib import asynccontextmanager

import trio

from tests.core import messages
from tests.core.messages import CLOSE, CREATE, READ, WRITE, answers
from tests.core.peer import PENDING, Peer


class RawClient:
    """Sends whatever bytes it is given; the polite methods wait for one answer."""

    def __init__(self, stream, dialect=0x0302):
        self.stream = stream
        self.peer = Peer(dialect)
        self._received = bytearray()

    async def send(self, *frames):
        """Frames, each behind its length."""
        await self.stream.send_all(b"".join(len(one).to_bytes(4, "big") + one for one in frames))

    async def answers(self):
        """The responses of the next frame; [] when the server has hung up."""
        buffer = self._received
        while len(buffer) < 4 or len(buffer) < 4 + int.from_bytes(buffer[:4], "big"):
            try:
                more = await self.stream.receive_some()
            except trio.BrokenResourceError:
                more = b""
            if not more:
                return []
            buffer += more
        end = 4 + int.from_bytes(buffer[:4], "big")
        frame = bytes(buffer[4:end])
        del buffer[:end]
        return answers(frame)

    async def answer(self):
        """One response, not counting interim ones."""
        while True:
            (one,) = await self.answers()
            if one.status != PENDING:
                return one

    async def hung_up(self):
        """Whether the server ends the connection without another word."""
        return await self.answers() == []

    async def ask(self, command, body=messages.EMPTY, **fields):
        """One request and its response."""
        await self.send(self.peer.request(command, body, **fields))
        return await self.answer()

    async def negotiate(self, **fields):
        await self.send(self.peer.negotiate(**fields))
        self.peer.negotiated(await self.answer())

    async def log_in(self, user="test", password="test", *, credits_asked=64):
        """NEGOTIATE and SESSION_SETUP; the last status."""
        await self.negotiate()
        return await self.authenticate(user, password, credits_asked=credits_asked)

    async def authenticate(self, user="test", password="test", *, credits_asked=64):
        """SESSION_SETUP; the last status."""
        steps = self.peer.login(user, password, asked=credits_asked)
        request = next(steps)
        while True:
            await self.send(request)
            answer = await self.answer()
            try:
                request = steps.send(answer)
            except StopIteration:
                return answer.status

    async def connect(self, share="share"):
        """All the way to a share."""
        assert await self.log_in() == 0
        await self.send(self.peer.tree_connect(share))
        answer = await self.answer()
        assert answer.status == 0
        self.peer.tree_id = answer.tree_id

    async def open(self, name, **wanted):
        """CREATE; its FileId."""
        answer = await self.ask(CREATE, messages.create(name, **wanted))
        assert answer.status == 0
        return answer.file_id

    async def works(self):
        """Write a file, read it back, delete it: nothing else that goes on here matters to it."""
        name = f"still works {id(self)}"
        file_id = await self.open(name, options=messages.DELETE_ON_CLOSE)
        assert (await self.ask(WRITE, messages.write(file_id, b"still here"))).status == 0
        read = await self.ask(READ, messages.read(file_id))
        assert (await self.ask(CLOSE, messages.close(file_id))).status == 0
        return read.data == b"still here"


@asynccontextmanager
async def raw_client(server, dialect=0x0302):
    async with await trio.open_tcp_stream(server.host, server.port) as stream:
        yield RawClient(stream, dialect)
