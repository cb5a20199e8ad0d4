"""Removes, now and then, the large streams that no file refers to any more."""

import contextlib
import logging
from collections.abc import Callable, Iterable, Iterator
from functools import partial

from smbd.config import ShareConfig
from smbd.events import about
from smbd.ntstatus import NtError
from smbd.server.hourly import carry_out, folders_of, hourly
from smbd.service import Service
from smbd.share import Share
from smbd.vfs import Root
from smbd.vfs.streams.sweep import GRACE, Sweep

_log = logging.getLogger("smbd")


async def sweep(service: Service) -> None:
    """Sweep the stores of the shares for as long as the server lives."""
    await hourly(service, "the sweep of streams", _has_store, partial(_sweep_now, service))


def _has_store(config: ShareConfig) -> bool:
    return config.streams and not config.read_only


async def _sweep_now(service: Service, due: list[Share]) -> None:
    users = [user.name for user in service.config.users]
    await sweep_stores(due, list(service.shares.values()), users=users)


async def sweep_stores(
    due: list[Share], shares: list[Share], *, users: Iterable[str] = (), grace: float = GRACE
) -> None:
    """Sweep the stores of shares that are `due`, in slices, by a look at all that there are.

    Of a share of homes those of `users`.  Younger files than `grace`, in seconds, may still be
    waiting for their reference.  A share that cannot be looked at wholly may have what refers to
    any of them: nothing is removed then.
    """
    swept = Sweep(grace)
    for share, user in folders_of(due, users):
        with contextlib.suppress(OSError, NtError):  # no folder, and so no store
            await _look(share, user, swept.look)
    try:
        if not swept.undecided:
            return
        for share, user in folders_of([*shares, *shares], users):
            await _look(share, user, swept.walk)
        for share in due[:1]:
            await carry_out(share, swept.finish())
    except (OSError, NtError) as error:
        text, extra = "streams of files that are gone stay: %s", about("not swept")
        _log.info(text, error, extra=extra)
    if swept.removed:
        _log.info("removed %d streams of files that are gone", swept.removed, extra=about("swept"))


async def _look(share: Share, user: str, part: Callable[[Root], Iterator[None]]) -> None:
    """Carry out a part of the sweep on one folder; OSError.  A user may have no home yet."""
    try:
        root = await share.workers.run_long(None, share.open_whole, user)
    except FileNotFoundError:
        if share.config.has_homes:
            return
        raise
    await carry_out(share, part(root))
