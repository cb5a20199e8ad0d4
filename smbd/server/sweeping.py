"""Removes, now and then, the large streams that no file refers to any more."""

import contextlib
import logging
from collections.abc import Callable, Iterator
from time import perf_counter

import trio

from smbd.events import about
from smbd.ntstatus import NtError
from smbd.service import Service
from smbd.share import Share
from smbd.vfs import Root
from smbd.vfs.streams.sweep import GRACE, Sweep
from smbd.wall import wall

_log = logging.getLogger("smbd")

_FIRST, _EVERY = 10.0, 3600.0  # seconds
# A worker's call takes so long, and the disk has ten times as long for others.
_SLICE, _PAUSE = 0.02, 0.2


async def sweep(service: Service) -> None:
    """Sweep the stores of the shares for as long as the server lives.

    Of a share that nobody uses once, after the start: it must not keep its disk mounted.
    """
    swept: set[Share] = set()
    await trio.sleep(_FIRST)
    while True:
        shares = list(service.shares.values())
        due = [
            share
            for share in shares
            if share.config.streams
            and not share.config.read_only
            and (share not in swept or share.root is not None)
        ]
        swept |= set(due)
        with wall("the sweep of streams"):
            await sweep_stores(due, shares)
        swept &= set(service.shares.values())
        await trio.sleep(_EVERY)


async def sweep_stores(due: list[Share], shares: list[Share], *, grace: float = GRACE) -> None:
    """Sweep the stores of shares that are `due`, in slices, by a look at all that there are.

    Younger files than `grace`, in seconds, may still be waiting for their reference.  A share that
    cannot be looked at wholly may have what refers to any of them: nothing is removed then.
    """
    swept = Sweep(grace)
    for share in due:
        with contextlib.suppress(OSError, NtError):  # no folder, and so no store
            await _step(share, swept.look)
    try:
        if not swept.undecided:
            return
        for share in (*shares, *shares):
            await _step(share, swept.walk)
        for share in due[:1]:
            await _step(share, lambda _: swept.finish())
    except (OSError, NtError) as error:
        text, extra = "streams of files that are gone stay: %s", about("not swept")
        _log.info(text, error, extra=extra)
    if swept.removed:
        _log.info("removed %d streams of files that are gone", swept.removed, extra=about("swept"))


async def _step(share: Share, part: Callable[[Root], Iterator[None]]) -> None:
    """Go on with a part of the sweep in a share's workers until it is done; OSError."""
    run = share.workers.run_long
    steps = part(await run(None, share.open_root))
    more = True
    while more:
        more = await run(None, _slice, steps)
        await trio.sleep(_PAUSE if more else 0)


def _slice(steps: Iterator[None]) -> bool:
    """Go on for a while; whether there is more."""
    over = perf_counter() + _SLICE
    return any(perf_counter() > over for _ in steps)
