"""A handle that keeps its LastWriteTime shows that time to its client."""

from smbd.fsa import write_time
from smbd.request import Request
from smbd.state import Open


async def restore(request: Request, open_: Open) -> None:
    """Put back the time that this handle keeps, if something has changed it."""
    kept = write_time.kept(request.tables.files, open_)
    if kept is not None and write_time.is_to_put_back(open_.file, kept):
        await request.blocking(write_time.put_back, open_.file, kept)
