"""A client that sends half of something and falls silent, many times: the others go on."""

import trio
import trio.testing

from tests.scripted import connected

from ..campaign import Campaign, Play
from ..served import served

_HALVES = (
    b"\0",  # of the length
    b"\0\0\1\0",  # no frame behind it
    b"\0\0\1\0\xfeSMB",  # a part of its header
)


async def play(play: Play) -> None:
    """Connections that say nothing more, beside one that works."""
    count = play.size(240, 24)
    async with served(play.folder("silence")) as server, trio.open_nursery() as nursery:
        for number in range(count):
            nursery.start_soon(_fall_silent, server, _HALVES[number % len(_HALVES)])
        await trio.testing.wait_all_tasks_blocked(0.05)
        server.forget_turns()
        worked = 0
        async with connected(server) as client:
            await client.connect()
            for _ in range(play.size(200, 20)):
                worked += await client.works()
        play.note("operations refused", play.size(200, 20) - worked, bar=0)
        play.note_turn("beside them", server.longest_turn())
        nursery.cancel_scope.cancel()


async def _fall_silent(server, half: bytes) -> None:
    async with await trio.open_tcp_stream(server.host, server.port) as stream:
        await stream.send_all(half)
        await trio.sleep_forever()


CAMPAIGN = Campaign("silence", "many connections that send half a frame, beside one client", play)
