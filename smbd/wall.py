"""The wall around tasks beside requests: a failure ends the task that failed, and no other.

In a nursery one exception ends all that runs beside it: a bug in the answer to `tsmbd status` would
end every client's connection.  (For requests, `dispatch` is the wall.)
"""

import logging
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import TypeVarTuple, cast

import trio

from smbd.events import about

Args = TypeVarTuple("Args")

_log = logging.getLogger("smbd")

# Seconds before a task that failed begins anew: one that fails at once must neither take the
# processor nor fill the log.
_PAUSE = 1.0


def wall(what: str) -> "AbstractContextManager[None, bool]":
    """Log an exception of the block with its traceback, as "`what` failed"; cancellation passes."""
    return cast("AbstractContextManager[None, bool]", _wall(what))


@contextmanager
def _wall(what: str) -> Iterator[None]:
    try:
        yield
    except* Exception:  # noqa: BLE001 - the wall: our bug must not end the server
        _log.exception("%s failed", what, extra=about("failed"))


async def behind_wall(
    what: str, function: Callable[[*Args], Awaitable[object]], *args: *Args
) -> bool:
    """Await `function(*args)` behind the wall, as a task of a nursery; whether it was a success."""
    with wall(what):
        await function(*args)
        return True
    return False


async def kept_running(
    what: str, function: Callable[[*Args], Awaitable[object]], *args: *Args
) -> None:
    """The same for a task that has to go on as long as the server: begun anew when it fails."""
    while True:
        if await behind_wall(what, function, *args):
            return
        await trio.sleep(_PAUSE)
