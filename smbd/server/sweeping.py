"""Removes, now and then, the large streams that no file refers to any more."""

import contextlib
import logging
from collections.abc import Callable, Iterable, Iterator
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
            and (share not in swept or share.roots)
        ]
        swept |= set(due)
        users = [user.name for user in service.config.users]
        with wall("the sweep of streams"):
            await sweep_stores(due, shares, users=users)
        swept &= set(service.shares.values())
        await trio.sleep(_EVERY)


async def sweep_stores(
    due: list[Share], shares: list[Share], *, users: Iterable[str] = (), grace: float = GRACE
) -> None:
    """Sweep the stores of shares that are `due`, in slices, by a look at all that there are.

    Of a share of homes those of `users`.  Younger files than `grace`, in seconds, may still be
    waiting for their reference.  A share that cannot be looked at wholly may have what refers to
    any of them: nothing is removed then.
    """
    swept = Sweep(grace)
    for share, user in _folders(due, users):
        with contextlib.suppress(OSError, NtError):  # no folder, and so no store
            await _look(share, user, swept.look)
    try:
        if not swept.undecided:
            return
        for share, user in _folders([*shares, *shares], users):
            await _look(share, user, swept.walk)
        for share in due[:1]:
            await _carry_out(share, swept.finish())
    except (OSError, NtError) as error:
        text, extra = "streams of files that are gone stay: %s", about("not swept")
        _log.info(text, error, extra=extra)
    if swept.removed:
        _log.info("removed %d streams of files that are gone", swept.removed, extra=about("swept"))


def _folders(shares: Iterable[Share], users: Iterable[str]) -> Iterator[tuple[Share, str]]:
    """The folders of shares, each with its user, which is "" where there are no homes."""
    for share in shares:
        if not share.config.has_homes:
            yield share, ""
            continue
        yield from ((share, user) for user in users if share.config.allows(user))


async def _look(share: Share, user: str, part: Callable[[Root], Iterator[None]]) -> None:
    """Carry out a part of the sweep on one folder; OSError.  A user may have no home yet."""
    try:
        root = await share.workers.run_long(None, share.open_whole, user)
    except FileNotFoundError:
        if share.config.has_homes:
            return
        raise
    await _carry_out(share, part(root))


async def _carry_out(share: Share, steps: Iterator[None]) -> None:
    """Go on with steps in a share's workers until they are done; OSError."""
    more = True
    while more:
        more = await share.workers.run_long(None, _slice, steps)
        await trio.sleep(_PAUSE if more else 0)


def _slice(steps: Iterator[None]) -> bool:
    """Go on for a while; whether there is more."""
    over = perf_counter() + _SLICE
    return any(perf_counter() > over for _ in steps)
