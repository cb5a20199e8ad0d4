"""A server beside asyncio's loop, which goes on while the server starts and ends."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Unpack

from smbd.testing.loop import in_trio
from smbd.testing.options import Options, ServerOptions
from smbd.testing.server import TestServer
from smbd.testing.setting import Setting
from smbd.testing.threads import ServerThread


@asynccontextmanager
async def serve_asyncio(
    path: str | Path | None = None, **options: Unpack[ServerOptions]
) -> AsyncIterator[TestServer]:
    """`serve` for asyncio: the server runs in a thread of its own, and no call here waits for it.

    RuntimeError where the loop is trio's.
    """
    if in_trio():
        raise RuntimeError(
            "smbd.testing.serve_asyncio() is for asyncio, and this loop is trio's: use "
            "`async with serve(...)`"
        )
    import asyncio  # noqa: PLC0415 -- who is here has it already; others pay nothing

    with await _made(path, Options.of(**options)) as setting:
        thread = ServerThread(setting)
        try:
            # Not cancelled with its waiter: a server that has begun is ended below.
            yield await asyncio.shield(asyncio.wrap_future(thread.started))
        finally:
            await _end(thread)


async def _made(path: str | Path | None, options: Options) -> Setting:
    """A setting, by a thread if it may take long; a cancellation ends it, and is raised then."""
    if not options.has_content:
        return Setting(path, options)
    import asyncio  # noqa: PLC0415 -- as above

    making = asyncio.ensure_future(asyncio.to_thread(Setting, path, options))
    try:
        return await asyncio.shield(making)
    except asyncio.CancelledError:
        await asyncio.wait([making])
        if not making.cancelled() and making.exception() is None:
            making.result().__exit__()
        raise


async def _end(thread: ServerThread) -> None:
    """Wait for the server's end, even when cancelled: then that is raised after it."""
    import asyncio  # noqa: PLC0415 -- as above

    thread.close()
    ended = asyncio.wrap_future(thread.ended)
    cancelled: asyncio.CancelledError | None = None
    while not ended.done():
        try:
            await asyncio.wait([ended])
        except asyncio.CancelledError as error:
            cancelled = error
    thread.join()
    if cancelled is not None:
        raise cancelled
