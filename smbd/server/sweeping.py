"""What nobody needs any more in the stores of large streams is removed, now and then."""

import logging
from collections.abc import Iterator
from time import perf_counter

import trio

from smbd.events import about
from smbd.service import Service
from smbd.share import Share
from smbd.vfs.streams.sweep import GRACE, Sweep
from smbd.wall import wall

_log = logging.getLogger("smbd")

_FIRST, _EVERY = 10.0, 3600.0  # seconds
# A worker's call takes so long, and the disk has ten times as long for others.
_SLICE, _PAUSE = 0.02, 0.2


async def sweep(service: Service) -> None:
    """Sweep the stores of all shares for as long as the server lives.

    A share that nobody uses is swept once, after the start: it must not keep its disk mounted.
    """
    swept: set[Share] = set()
    await trio.sleep(_FIRST)
    while True:
        for share in list(service.shares.values()):
            if share.config.read_only or not share.config.streams:
                continue
            if share not in swept or share.root is not None:
                swept.add(share)
                with wall(f"the sweep of share {share.name}"):
                    await sweep_share(share)
        swept &= set(service.shares.values())
        await trio.sleep(_EVERY)


async def sweep_share(share: Share, *, grace: float = GRACE) -> None:
    """Sweep the stores of one share, in slices; OSError if not all of it can be looked at.

    Younger files than `grace`, in seconds, may still be waiting for their reference.
    """
    swept = Sweep(await share.workers.run_long(None, share.open_root), grace)
    steps = swept.steps()
    more = True
    while more:
        more = await share.workers.run_long(None, _slice, steps)
        await trio.sleep(_PAUSE if more else 0)
    if swept.removed:
        text, extra = (
            "%s: removed %d streams of files that are gone",
            about("swept", share=share.name),
        )
        _log.info(text, share.name, swept.removed, extra=extra)


def _slice(steps: Iterator[None]) -> bool:
    """Go on for a while; whether there is more."""
    over = perf_counter() + _SLICE
    return any(perf_counter() > over for _ in steps)
