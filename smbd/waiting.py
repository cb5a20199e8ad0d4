"""How the event loop waits for what state says is not over yet."""

from collections.abc import AsyncIterator, Callable, Hashable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import trio

from smbd.state import Change, FileTable, Lines, Open, Wait


async def until(wait: Wait) -> None:
    """Return when it is over."""
    over = trio.Event()
    wait.wake = over.set
    if not wait.over:
        await over.wait()


async def begun(begin: Callable[[], Change | Wait]) -> Change:
    """Reserve, asking again after each change that was in the way."""
    while True:
        change = begin()
        if isinstance(change, Change):
            return change
        await until(change)


@asynccontextmanager
async def in_turn(lines: Lines, thing: Hashable) -> AsyncIterator[None]:
    """A block that begins when all that came before for the same thing are done."""
    place = lines.join(thing)
    try:
        if not place.is_first:
            turn = trio.Event()
            place.wake = turn.set
            await turn.wait()
        yield
    finally:
        lines.leave(thing, place)


def alone(files: FileTable, open_: Open) -> AbstractAsyncContextManager[None]:
    """A block in which no other request changes the records or names of an open file."""
    return in_turn(files.lines, open_.file.identity)
