"""At the end, what clients were told is written goes to the disk."""

import logging

import trio

from smbd.commands.closing import in_use
from smbd.service import Service
from smbd.state import Open
from smbd.wall import behind_wall

_log = logging.getLogger("smbd")


async def flush(service: Service) -> None:
    """Fsync every file that somebody has open for writing, each once, in the engines' workers."""
    files: dict[tuple[int, int], Open] = {}
    for open_ in service.opens:
        if open_.file.writable:
            files.setdefault(open_.file.identity, open_)
    async with trio.open_nursery() as nursery:
        for open_ in files.values():
            what = f"{open_.share.name}: the flush of {open_.file.path}"
            nursery.start_soon(behind_wall, what, _sync, open_)


async def _sync(open_: Open) -> None:
    if open_.closed:
        return  # its client has hung up since
    async with in_use(open_):
        try:
            await open_.share.engine.fsync(open_.file.fd)
        except OSError as error:
            # Nobody is left to be told, but whoever runs the server must know.
            _log.error("%s: %s: %s", open_.share.name, open_.file.path, error.strerror)
