"""A man in the middle: hears every frame between a client and the server, and may change some."""

from collections.abc import Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from types import SimpleNamespace

import trio

from smbd.wire.header import HEADER_SIZE, Flags
from tests.scripted.framing import FrameReader, framed

PLAIN, SEALED, SMB1 = b"\xfeSMB", b"\xfdSMB", b"\xffSMB"


@dataclass(frozen=True)
class Message:
    """One SMB2 message as it went by, in whichever direction."""

    sender: str  # "client" or "server"
    data: bytes

    @property
    def status(self):
        return int.from_bytes(self.data[8:12], "little")

    @property
    def command(self):
        return int.from_bytes(self.data[12:14], "little")

    @property
    def body(self):
        return self.data[HEADER_SIZE:]

    @property
    def is_signed(self):
        return bool(int.from_bytes(self.data[16:20], "little") & Flags.SIGNED)


@dataclass
class Tap:
    """Stands before a server: `place` is where clients find it, as they find a TestServer.

    `change(sender, frame) -> frame` may be set to tamper.
    """

    place: SimpleNamespace
    frames: list[tuple[str, bytes]] = field(default_factory=list)
    change: Callable[[str, bytes], bytes] = lambda _, frame: frame

    def kinds(self, sender):
        """What the frames of one side begin with."""
        return [frame[:4] for who, frame in self.frames if who == sender]

    def messages(self):
        """All messages that went by in the clear, compounds taken apart."""
        found = []
        for sender, frame in self.frames:
            while frame[:4] == PLAIN:
                after = int.from_bytes(frame[20:24], "little")
                found.append(Message(sender, frame[: after or None]))
                frame = frame[after:] if after else b""  # noqa: PLW2901
        return found

    def heard(self, data):
        """Whether these bytes went by in the clear."""
        return any(data in frame for _, frame in self.frames)

    async def relay(self, client: trio.SocketStream, address):
        async with client, await trio.open_tcp_stream(*address) as server:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._carry, "client", client, server)
                nursery.start_soon(self._carry, "server", server, client)

    async def _carry(self, sender, source, target):
        reader = FrameReader()
        try:
            async for data in source:
                for heard in reader.frames(data):
                    frame = self.change(sender, heard)
                    self.frames.append((sender, frame))
                    await target.send_all(framed(frame))
            await target.send_eof()
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            await target.aclose()


@asynccontextmanager
async def tapped(server):
    """A Tap before a server of `smbd.testing`."""
    (listener,) = await trio.open_tcp_listeners(0, host=server.host)
    tap = Tap(
        SimpleNamespace(
            host=server.host,
            port=listener.socket.getsockname()[1],
            share=server.share,
            user=server.user,
            password=server.password,
        )
    )

    async def relay(stream):
        await tap.relay(stream, (server.host, server.port))

    running = trio.open_nursery()
    nursery = await running.__aenter__()
    nursery.start_soon(trio.serve_listeners, relay, [listener])
    try:
        yield tap
    finally:
        # Without what the block raised: a failed test is no ExceptionGroup, nor is a skipped one.
        nursery.cancel_scope.cancel()
        await running.__aexit__(None, None, None)
