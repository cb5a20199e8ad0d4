"""How the event loop waits for what state says is not over yet."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import trio

from smbd.ntstatus import NtError
from smbd.state import Change, FileTable, Open, Place, Wait


async def until(wait: Wait) -> None:
    """Return when it is over; NtError with the status that it ended with, if that is a refusal."""
    if not wait.over:
        over = trio.Event()
        wait.wake = over.set
        await over.wait()
    if wait.status:
        raise NtError(wait.status)


async def begun(begin: Callable[[], Change | Wait]) -> Change:
    """Reserve, asking again after each change that was in the way."""
    while True:
        change = begin()
        if isinstance(change, Change):
            return change
        await until(change)


@asynccontextmanager
async def in_turn(place: Place) -> AsyncIterator[None]:
    """A block that begins when its turn in a queue has come; with it the place is given up."""
    try:
        await until(place)
        yield
    finally:
        place.give_up()


def alone(files: FileTable, open_: Open) -> AbstractAsyncContextManager[None]:
    """A block in which no other request changes the records or names of an open file."""
    return in_turn(files.queues.join(open_.file.identity))
