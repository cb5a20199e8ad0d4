"""Written data reaches the disk: by FLUSH, and by a WRITE that is written through."""

from smbd.request import Request
from smbd.state import Open


async def sync(request: Request, open_: Open) -> None:
    """Have the engine wait for the disk; the content of a stream is put back first."""
    if open_.file.stream is None:
        await open_.share.engine.fsync(open_.file.fd)
    else:
        await request.blocking_long(open_.file.flush)
