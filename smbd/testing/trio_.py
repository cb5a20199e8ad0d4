"""A server in the caller's trio loop."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Unpack

import trio

from smbd.testing.loop import Loop, in_trio
from smbd.testing.options import Options, ServerOptions
from smbd.testing.server import TestServer
from smbd.testing.setting import Setting


@asynccontextmanager
async def serve(
    path: str | Path | None = None, **options: Unpack[ServerOptions]
) -> AsyncIterator[TestServer]:
    """Serve a folder for as long as the block lasts; `options` are the fields of Options.

    Without a path the folder is a new one, which is gone after the block.  Raises TypeError for an
    option that there is not, ValueError for a value that shares.toml could not have, OSError if
    the folder cannot be served, RuntimeError where the loop is not trio's.
    """
    if not in_trio():
        raise RuntimeError(
            "smbd.testing.serve() runs in trio's loop, and this one is asyncio's: use "
            "`async with serve_asyncio(...)`, or `with serve_in_thread(...)`"
        )
    with await _made(path, Options.of(**options)) as setting:
        async with serving_test(setting) as server:
            yield server


async def _made(path: str | Path | None, options: Options) -> Setting:
    """A setting, by a thread if it may take long; that is not abandoned by a cancellation."""
    if options.has_content:
        return await trio.to_thread.run_sync(Setting, path, options)
    return Setting(path, options)


@asynccontextmanager
async def serving_test(setting: Setting) -> AsyncIterator[TestServer]:
    """Serve a setting in this trio loop."""
    # The nursery does not hear of the block's exception: it would wrap it into an ExceptionGroup,
    # and a test that fails should fail with its own AssertionError.
    raised: BaseException | None = None
    async with trio.open_nursery() as nursery:
        loop = Loop(nursery)
        try:
            server = TestServer(setting, loop)
            await server.astart()
            try:
                yield server
            finally:
                with trio.CancelScope(shield=True):
                    await server.astop()
        except BaseException as error:  # noqa: BLE001 -- raised again below
            raised = error
        loop.is_over = True
        nursery.cancel_scope.cancel()
    if raised is not None:
        try:
            raise raised
        finally:
            raised = None  # it knows this frame by its traceback
