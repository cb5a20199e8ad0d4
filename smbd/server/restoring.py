"""Persistent handles after a restart: their opens are there again before the first client is."""

import logging
from collections import Counter
from functools import partial
from itertools import islice

from smbd.events import about
from smbd.ntstatus import NtError, NtStatus
from smbd.records import DamagedError, Record, Records
from smbd.service import Service
from smbd.share import Share
from smbd.state.persistent import restore
from smbd.vfs import File
from smbd.wall import wall

_log = logging.getLogger("smbd")


async def restore_handles(service: Service) -> None:
    """Take the folder of the records, and park what they say; nothing here keeps a server down.

    A record that cannot be read, or whose file is not there any more, costs its handle.
    """
    config = service.config
    directory = config.server.state_directory
    if directory is None or not any(share.continuous for share in config.shares):
        return
    records = Records(directory)
    try:
        await service.blocking(records.open)
    except OSError as error:
        why = "another server uses it" if isinstance(error, BlockingIOError) else error.strerror
        text, extra = "%s: no handle will outlive a restart: %s", about("restore failed")
        _log.error(text, directory, why, extra=extra)
        return
    service.records = records
    with wall("the restoring of handles"):
        found = await service.blocking(_load, records, config.server.limits.parked)
        opens = Counter((one.share, one.device, one.inode) for one in found)
        restored = 0
        for record in found:
            alone = opens[record.share, record.device, record.inode] == 1
            with wall(f"the restoring of {record.share}: {record.path}"):
                restored += await _restore(service, records, record, alone=alone)
        if restored:
            text, extra = "handles of before that wait for their clients: %d", about("restored")
            _log.info(text, restored, extra=extra)


def _load(records: Records, limit: int) -> list[Record]:
    """The records; of what is damaged, or more than there is room for, nothing is kept.  Blocks."""
    found, loaded = [], records.load()
    for path, record in islice(loaded, limit):
        if isinstance(record, DamagedError):
            text, extra = "%s: a handle is lost: %s", about("restore failed")
            _log.error(text, path, record, extra=extra)
            path.unlink(missing_ok=True)
        else:
            found.append(record)
    more = 0
    for path, _ in loaded:
        path.unlink(missing_ok=True)
        more += 1
    if more:
        text, extra = "%d handles are lost: more than server.limits.parked", about("restore failed")
        _log.error(text, more, extra=extra)
    return found


async def _restore(service: Service, records: Records, record: Record, *, alone: bool) -> bool:
    share = service.shares.get(record.share.lower())
    try:
        user = _user(service, share, record.user)
        if share is None or user is None:
            raise NtError(NtStatus.ACCESS_DENIED)
        file = await share.workers.run_for("restoring", _open, share, user, record)
        try:
            now = service.clock()
            open_ = restore(service.tables, record, share, file, now, alone=alone)
        except BaseException:
            file.close()
            raise
    except (NtError, OSError) as error:
        why = error.strerror if isinstance(error, OSError) else error
        text, extra = "%s: a handle of %s is lost: %s", about("restore failed", share=record.share)
        _log.error(text, f"{record.share}: {record.path}", record.user, why, extra=extra)
        await service.blocking(records.forget, record.persistent_id)
        return False
    assert open_.durable is not None, "it is persistent"
    open_.durable.forget = partial(records.forget, record.persistent_id)
    return True


def _user(service: Service, share: Share | None, name: str) -> str | None:
    """The user of a handle by the name of today; None if it may have no persistent handle there."""
    known = {one.name.casefold(): one.name for one in service.config.users}
    user = known.get(name.casefold())
    may_have = share is not None and share.config.continuous and share.config.allows(name)
    return user if may_have else None


def _open(share: Share, user: str, record: Record) -> File:
    """The file that a handle was of.  Blocks; NtError, OSError if it is not there any more."""
    file = share.find_root(user).open(record.path, record.read, record.write)
    if file.identity != (record.device, record.inode):
        file.close()
        raise NtError(NtStatus.OBJECT_NAME_NOT_FOUND)
    return file
