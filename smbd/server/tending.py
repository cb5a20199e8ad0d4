"""Memory that is kept for a while, and the task that gives it back."""

import gc
import os
from collections.abc import Awaitable, Callable
from itertools import count
from pathlib import Path

import trio

from aio import kernel
from smbd.server.server import Server
from smbd.service import Service
from smbd.state import Deadlines
from smbd.teardown import end_parked
from smbd.wall import behind_wall, wall

_EVERY = 1.0  # seconds
_BUSY_EVERY = 10  # times as long, while clients hold something
_MUCH = 8 << 20
_NOTHING = 1 << 20
# Acts in one round of the loop: 10,000 breaks that no client acknowledges are due together, and
# the end of one takes 20 us (measured).
_ACTS = 64


async def tend(server: Server, work: Callable[[Callable[[], None]], Awaitable[None]]) -> None:
    """Let the server give back what it does not need any more, until it ends.

    `work` calls a function in a worker.
    """
    floor = _unaccounted(server)
    for number in count(1):
        await trio.sleep(_EVERY)
        server.settle()
        idle = server.memory_held() < _NOTHING
        if _unaccounted(server) > floor + _MUCH and (idle or not number % _BUSY_EVERY):
            # There is next to no garbage.  But a full collection also empties Python's lists of
            # free objects, which keep memory by the megabyte from being given back.
            gc.collect()
            await work(kernel.trim_heap)
            if idle:
                floor = _unaccounted(server)
        floor = min(floor, _unaccounted(server))


async def meet(deadlines: Deadlines) -> None:
    """Do what is due when it is due, until cancelled.

    What fails costs its own deadline alone: it must not make others late, or end the server.
    """
    while True:
        earlier = trio.Event()
        deadlines.earlier = earlier.set
        with trio.move_on_at(deadlines.next):
            await earlier.wait()
        with wall("a deadline"):
            deadlines.pass_(trio.current_time(), _ACTS)


async def close_parked(service: Service) -> None:
    """Close parked opens once they have ended, until cancelled: none waits for another's disk."""
    durable = service.tables.durable
    async with trio.open_nursery() as nursery:
        while True:
            more = trio.Event()
            durable.wake = more.set
            ended = durable.take_ended()
            if ended:
                what = "the end of parked opens"
                nursery.start_soon(behind_wall, what, end_parked, service, ended)
                del ended  # no closed file keeps its share's folder open, and its disk mounted
            else:
                await more.wait()


def _unaccounted(server: Server) -> int:
    """Resident bytes beside those that clients make the server hold."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGESIZE") - server.memory_held()
