"""Turns: many together, or one alone; first come, first served."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import trio


class Turns:
    """Those of one thing.  Used in one trio loop."""

    __slots__ = ("_last", "_order", "_together")

    def __init__(self) -> None:
        self._order = trio.Lock()  # trio's are fair
        self._together = 0
        self._last = trio.Event()

    @asynccontextmanager
    async def together(self) -> AsyncIterator[None]:
        """Beside others, once whoever came before and wants to be alone has had his turn."""
        async with self._order:
            self._together += 1
        try:
            yield
        finally:
            self._together -= 1
            if not self._together:
                self._last.set()

    @asynccontextmanager
    async def alone(self) -> AsyncIterator[None]:
        """Once all who came before are done; who comes later waits."""
        async with self._order:
            if self._together:
                self._last = trio.Event()
                await self._last.wait()
            yield
