"""How a CREATE waits for a program that holds a lease on its file: with no worker, and bounded.

Samba with kernel oplocks and knfsd take such leases.  open(2) itself would wait for the holder, up
to fs.lease-break-time (45 s), and that many seconds would be a worker's that others need.
"""

from collections.abc import Callable
from typing import TypeVar, TypeVarTuple

import trio

from smbd.ntstatus import NtError, NtStatus
from smbd.request import Request

R = TypeVar("R")
Args = TypeVarTuple("Args")

# Longer than the kernel lets a holder keep a lease that another process breaks.
_PATIENCE = 60.0
_FIRST_PAUSE, _LONGEST_PAUSE = 0.01, 0.5


async def opened(request: Request, open_: Callable[[*Args], R], *args: *Args) -> R:
    """Await `open_(*args)` in a worker, and again while BlockingIOError says that a lease is held.

    NtError(SHARING_VIOLATION) for one that is not given up.
    """
    deadline = trio.current_time() + _PATIENCE
    pause = _FIRST_PAUSE
    while True:
        try:
            return await request.blocking(open_, *args)
        except BlockingIOError as error:
            if trio.current_time() >= deadline:
                raise NtError(NtStatus.SHARING_VIOLATION) from error
        await trio.sleep(pause)
        pause = min(2 * pause, _LONGEST_PAUSE)
