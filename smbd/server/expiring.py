"""Empties recycle folders of what has lain there for longer than `recycle_days`."""

import contextlib
import logging
import time
from collections.abc import Iterable
from functools import partial

from smbd.config import ShareConfig
from smbd.events import about
from smbd.ntstatus import NtError
from smbd.server.hourly import carry_out, folders_of, hourly
from smbd.service import Service
from smbd.share import Share
from smbd.vfs import Root
from smbd.vfs.expiry import Expired, find_expired, remove_expired
from smbd.waiting import begun

_log = logging.getLogger("smbd")

_DAY = 86400  # seconds


async def expire(service: Service) -> None:
    """Empty the recycle folders of the shares for as long as the server lives."""
    act = partial(_expire_now, service)
    await hourly(service, "the emptying of recycle folders", _expires, act)


def _expires(config: ShareConfig) -> bool:
    return bool(config.recycle and config.recycle_days) and not config.read_only


async def _expire_now(service: Service, due: list[Share]) -> None:
    await expire_shares(service, due, time.time())


async def expire_shares(service: Service, due: Iterable[Share], now: float) -> None:
    """Remove what is too old at a time (Unix, seconds), one file at a time, in workers.

    What a client has open stays for the next time; so does what cannot be removed.
    """
    users = [user.name for user in service.config.users]
    for share, user in folders_of(due, users):
        if not _expires(share.config):  # by now
            continue
        removed = 0
        with contextlib.suppress(OSError, NtError):  # no folder, and so nothing to remove
            root = await share.workers.run_long(None, share.find_root, user)
            removed = await _expire(service, share, root, now - share.config.recycle_days * _DAY)
        if removed:
            text = "%s: %d of what lay in %s for more than %d days is gone"
            what = (share.name, removed, share.config.recycle, share.config.recycle_days)
            _log.info(text, *what, extra=about("recycled gone", share=share.name))


async def _expire(service: Service, share: Share, root: Root, before: float) -> int:
    removed = 0

    async def take(one: Expired) -> None:
        nonlocal removed
        with contextlib.suppress(OSError, NtError):
            removed += await _remove(service, share, root, one, before)

    await carry_out(share, find_expired(root, share.config.recycle, before), take)
    return removed


async def _remove(service: Service, share: Share, root: Root, one: Expired, before: float) -> bool:
    """Remove one file, if nobody has it open, and tell those that watch its folder."""
    files = service.tables.files
    with await begun(lambda: files.changes.begin([one.identity], paths=(one.place,))):
        if files.by_key(one.identity) is not None:
            return False
        gone = await share.workers.run_long(None, remove_expired, root, one, before)
        if gone:
            service.tables.vanished(one.place, service.clock(), directory=one.is_directory)
    return gone
