"""A fair lock that many tasks hold together (shared), or one alone (exclusive)."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import trio


class SharedLock:
    """Used in one trio loop."""

    __slots__ = ("_order", "_released", "_sharing")

    def __init__(self) -> None:
        self._order = trio.Lock()  # trio's are fair
        self._sharing = 0
        self._released = trio.Event()  # by the last of the tasks that share it

    @asynccontextmanager
    async def shared(self) -> AsyncIterator[None]:
        """Hold it beside others, after every task that asked before for it alone."""
        async with self._order:
            self._sharing += 1
        try:
            yield
        finally:
            self._sharing -= 1
            if not self._sharing:
                self._released.set()

    @asynccontextmanager
    async def exclusive(self) -> AsyncIterator[None]:
        """Hold it alone, after every task that asked before; a task that asks later waits."""
        async with self._order:
            if self._sharing:
                self._released = trio.Event()
                await self._released.wait()
            yield
