"""What is kept for a while, and who looks after it."""

import trio

from smbd.server.server import Server

_EVERY = 1.0  # seconds


async def tend(server: Server) -> None:
    """Let the server give back what it does not need any more, until it ends."""
    while True:
        await trio.sleep(_EVERY)
        server.settle()
