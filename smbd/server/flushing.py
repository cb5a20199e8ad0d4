"""At the end, the data of answered WRITEs goes to the disk."""

import logging
from collections import defaultdict
from collections.abc import Iterator

import trio

from smbd.closing import in_use
from smbd.events import about
from smbd.service import Service
from smbd.share import Share
from smbd.state import Open
from smbd.vfs import Key
from smbd.wall import wall

_log = logging.getLogger("smbd")

# More than an engine has workers: none of them waits for us.  A task for each of half a million
# files would take 2 GB.
_AT_ONCE = 64


async def flush(service: Service) -> None:
    """Fsync every file that somebody has open for writing, each once, in the engines' workers.

    A share whose disk hangs holds up no other.
    """
    files: dict[Share, dict[Key, Open]] = defaultdict(dict)
    for open_ in service.tables.opens:
        if open_.file.writable:
            files[open_.share].setdefault(open_.file.key, open_)
    async with trio.open_nursery() as nursery:
        for of_share in files.values():
            left = iter(of_share.values())
            for _ in range(min(_AT_ONCE, len(of_share))):
                nursery.start_soon(_sync_each, left)


async def _sync_each(left: Iterator[Open]) -> None:
    """Flush files that no task beside this one has taken."""
    for open_ in left:
        if open_.closed:
            continue  # its client has hung up since
        with wall(f"{open_.share.name}: the flush of {open_.file.path}"):
            await _sync(open_)


async def _sync(open_: Open) -> None:
    async with in_use(open_):
        try:
            if open_.file.stream is not None:
                await open_.share.workers.run_long(None, open_.file.flush)
            else:
                await open_.share.engine.fsync(open_.file.fd)
        except OSError as error:
            # No client is left to be told, but the operator must know.
            share, extra = open_.share.name, about("flush failed", share=open_.share.name)
            _log.error("%s: %s: %s", share, open_.file.path, error.strerror, extra=extra)
