"""How the event loop waits for what state says is not over yet."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import trio

from smbd.ntstatus import NtError
from smbd.state import Change, FileTable, Open, QueueEntry, Wait


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
async def queued(entry: QueueEntry) -> AsyncIterator[None]:
    """A block that begins when a queue lets the entry go on, and gives it up at the end."""
    try:
        await until(entry)
        yield
    finally:
        entry.give_up()


def alone(files: FileTable, open_: Open) -> AbstractAsyncContextManager[None]:
    """A block in which no other request changes the records or names of an open file."""
    return queued(files.queues.join(open_.file.identity))
