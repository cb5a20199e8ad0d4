"""A file system is frozen, for a snapshot say, while clients change something on it."""

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import Any, TypeAlias

import trio

from .campaign import Play
from .disks import Disk
from .served import Served

PAUSE = 0.2  # much longer than the server believes that a file system is as it was

Clients: TypeAlias = Callable[[Served], AbstractAsyncContextManager[Any]]
Changes: TypeAlias = Callable[[Any, int], Awaitable[None]]  # a client makes so many


async def frozen_in_a_pause(
    play: Play, what: str, disk: Disk, server: Served, clients: Clients, changes: Changes
) -> None:
    """A snapshot is taken while nobody changes anything; then two clients do."""
    async with clients(server) as client, clients(server) as other:
        await trio.sleep(PAUSE)
        server.forget_turns()
        async with trio.open_nursery() as nursery, disk.frozen():
            for one in (client, other):
                nursery.start_soon(changes, one, 20)
            await trio.sleep(play.size(10, 2) / 10)
    play.note_turn(what, server.longest_turn())


async def frozen_amid(
    play: Play, what: str, disk: Disk, server: Served, clients: Clients, changes: Changes
) -> None:
    """No system call tells beforehand; so the first change after the freeze stops the loop."""
    async with clients(server) as client, trio.open_nursery() as nursery:
        nursery.start_soon(changes, client, 2000)
        await trio.sleep(PAUSE)
        server.forget_turns()
        async with disk.frozen():
            await trio.sleep(1)
    play.note(what, server.longest_turn().milliseconds, "ms", timed=True)
