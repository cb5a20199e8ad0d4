"""A server in a thread of its own: for tests without a loop, and for those of any loop."""

import threading
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Unpack

import trio

from smbd.testing.options import Options, ServerOptions
from smbd.testing.server import TestServer
from smbd.testing.setting import Setting
from smbd.testing.trio_ import serving_test


class ServerThread:
    """The thread of one server.  `started` and `ended` come from there, or its exception does."""

    def __init__(self, setting: Setting) -> None:
        self.started: Future[TestServer] = Future()
        self.ended: Future[None] = Future()
        self._setting = setting
        self._closing: tuple[trio.lowlevel.TrioToken, trio.Event] | None = None
        # A daemon: a test run that is killed in the middle ends.
        self._thread = threading.Thread(target=self._run, name="smbd.testing", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            trio.run(self._main)
        except BaseException as error:  # noqa: BLE001 -- raised in the test's thread
            if not self.started.done():
                self.started.set_exception(error)
            self.ended.set_exception(error)
        else:
            self.ended.set_result(None)

    async def _main(self) -> None:
        async with serving_test(self._setting) as server:
            closing = trio.Event()
            self._closing = trio.lowlevel.current_trio_token(), closing
            self.started.set_result(server)
            await closing.wait()

    def close(self) -> None:
        """Begin its end, as soon as it has started: `ended` says when that has come."""
        self.started.add_done_callback(self._close)

    def _close(self, _started: object) -> None:
        if self._closing is not None:
            token, event = self._closing
            with suppress(trio.RunFinishedError):  # `ended` says why
                token.run_sync_soon(event.set)

    def join(self) -> None:
        """Wait for the end; the server's exception is raised, if it had one."""
        self._thread.join()
        self.ended.result()


@contextmanager
def serve_in_thread(
    path: str | Path | None = None, **options: Unpack[ServerOptions]
) -> Iterator[TestServer]:
    """`serve` without trio: the server runs in a thread of its own."""
    with Setting(path, Options.of(**options)) as setting:
        thread = ServerThread(setting)
        try:
            yield thread.started.result()
        finally:
            thread.close()
            thread.join()
