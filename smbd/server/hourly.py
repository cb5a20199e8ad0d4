"""Long work on the shares' folders: after the start and once an hour, in slices, in their workers.

Of a share that nobody uses once, after the start: it must not keep its disk mounted.
"""

from collections.abc import Awaitable, Callable, Iterable, Iterator
from functools import partial
from time import perf_counter
from typing import TypeVar

import trio

from smbd.config import ShareConfig
from smbd.service import Service
from smbd.share import Share
from smbd.wall import wall

T = TypeVar("T")

_FIRST, _EVERY = 10.0, 3600.0  # seconds
# A worker's call takes so long, and the disk has ten times as long for others.
_SLICE, _PAUSE = 0.02, 0.2
_MOST = 100  # of what is found in a slice


async def hourly(
    service: Service,
    what: str,
    concerns: Callable[[ShareConfig], bool],
    act: Callable[[list[Share]], Awaitable[None]],
) -> None:
    """Have `act` work on the shares that it `concerns` for as long as the server lives.

    A failure is logged as one of `what`.
    """
    seen: set[Share] = set()
    await trio.sleep(_FIRST)
    while True:
        due = [
            share
            for share in service.shares.values()
            if concerns(share.config) and (share not in seen or share.roots)
        ]
        seen |= set(due)
        with wall(what):
            await act(due)
        seen &= set(service.shares.values())
        await trio.sleep(_EVERY)


def folders_of(shares: Iterable[Share], users: Iterable[str]) -> Iterator[tuple[Share, str]]:
    """The folders of shares, each with its user, which is "" where there are no homes."""
    for share in shares:
        if not share.config.has_homes:
            yield share, ""
            continue
        yield from ((share, user) for user in users if share.config.allows(user))


async def carry_out(
    share: Share,
    steps: Iterator[T | None],
    take: Callable[[T], Awaitable[None]] | None = None,
) -> None:
    """Go on with steps in a share's workers until they are done; OSError.

    What they give is taken in the loop, one by one, before they go on.
    """
    more = True
    while more:
        part = partial(_slice, steps)
        more, found = await share.workers.run_long(None, part)
        if take is not None:
            for one in found:
                await take(one)
        await trio.sleep(_PAUSE if more else 0)


def _slice(steps: Iterator[T | None]) -> tuple[bool, list[T]]:
    """Go on for a while: whether there is more, and what was found."""
    over, found = perf_counter() + _SLICE, list[T]()
    for one in steps:
        if one is not None:
            found.append(one)
        if len(found) >= _MOST or perf_counter() > over:
            return True, found
    return False, found
