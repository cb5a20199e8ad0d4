"""How a command waits for what state says is not over yet."""

from collections.abc import Callable

import trio

from smbd.request import Request
from smbd.state import Change, Open, Wait


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


async def reserved(request: Request, open_: Open) -> Change:
    """An open file for one change alone: its records are read, changed and written back."""
    changes = request.service.files.changes
    return await begun(lambda: changes.begin([open_.file.identity]))
