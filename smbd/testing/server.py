"""A server for a test: what it is asked, and how it goes away and comes back."""

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Self, TypeVar, TypeVarTuple

import trio

from smbd.config import Config
from smbd.server import Server, serving
from smbd.testing.contents import Contents
from smbd.testing.folder import folders
from smbd.testing.login import Login
from smbd.testing.loop import Loop
from smbd.testing.options import Options
from smbd.testing.ports import Ports

R = TypeVar("R")
Args = TypeVarTuple("Args")


class Setting:
    """All that a server stands on: it is there before the first start, and goes after the last."""

    def __init__(self, path: str | Path | None, options: Options) -> None:
        """ValueError for a wrong option, OSError for a folder or a port that cannot be had."""
        with ExitStack() as stack:
            folder, self.options = stack.enter_context(folders(path, options))
            config = self.options.config(folder)
            ports = Ports(config.server.listen)
            stack.callback(ports.release)
            listen = tuple(ports.addresses)
            self.config = replace(config, server=replace(config.server, listen=listen))
            self._stack = stack.pop_all()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()


class TestServer(Login, Contents):
    """A server, the login of its first user for its first share, and all that a test does with it.

    Its methods may be called from the test's thread, from any other, and from trio and asyncio:
    `in_loop` is the way into the loop that it lives in.

    What else a server has for tests is an object or a mixin of its own room, and it is named here:
    `at_each_start` gives it the running server, before a client can connect.
    """

    __test__ = False  # for pytest, which would collect it by its name

    def __init__(self, setting: Setting, loop: Loop) -> None:
        self.config: Config = setting.config
        self.options = setting.options
        share, user = self.config.shares[0], self.config.users[0]
        address = self.config.server.listen[0]
        super().__init__(self.config.server, share, address, user.name, user.password or "")
        self._loop = loop
        self._server: Server | None = None
        self._ending = trio.Event()
        self._ended = trio.Event()
        self._changing = trio.Lock()
        self._hooks: list[Callable[[Server], None]] = []

    # --- the way in ---

    def in_loop(self, function: Callable[[*Args], R], *args: *Args) -> R:
        """Call a synchronous function in the server's trio loop, and return what it returns.

        From any thread.  What the server has in memory is for this loop alone.
        """
        return self._loop.call(function, *args)

    def at_each_start(self, hook: Callable[[Server], None]) -> None:
        """Call `hook` in the loop: now, if the server runs, and whenever it starts.

        At a start that is before a client can connect.
        """
        self.in_loop(self._add_hook, hook)

    def _add_hook(self, hook: Callable[[Server], None]) -> None:
        self._hooks.append(hook)
        if self._server is not None:
            hook(self._server)

    @property
    def server(self) -> Server:
        """The running server, for a look inside: `server.document()` is what `tsmbd status` shows.

        RuntimeError while it is stopped.
        """
        if self._server is None:
            raise RuntimeError("the server is stopped: start() it first")
        return self._server

    @property
    def is_running(self) -> bool:
        """Whether it takes connections."""
        return self._server is not None

    # --- it goes, and comes back ---

    def stop(self) -> None:
        """End it in order, as SIGTERM does; its port refuses connections from then on.

        Returns when it has ended; one that is stopped stays so.
        """
        self._loop.run(self._stop)

    def start(self) -> None:
        """Start it again, on the same port; one that runs goes on.

        OSError if its folder is not there any more.
        """
        self._loop.run(self._start)

    def restart(self, *, keep_handles: bool = False) -> None:
        """Stop it, and start it on the same port.

        With `keep_handles` the persistent handles that clients have are there again, which
        `continuous = True` grants; else they are forgotten.  ValueError if there can be none.
        """
        self._loop.run(self._restart, keep_handles)

    async def astop(self) -> None:
        """`stop` for trio and asyncio: their loops go on meanwhile."""
        await self._loop.arun(self._stop)

    async def astart(self) -> None:
        """`start` for trio and asyncio."""
        await self._loop.arun(self._start)

    async def arestart(self, *, keep_handles: bool = False) -> None:
        """`restart` for trio and asyncio."""
        await self._loop.arun(self._restart, keep_handles)

    async def _restart(self, keep_handles: bool) -> None:
        if keep_handles and not any(share.continuous for share in self.config.shares):
            raise ValueError("keep_handles: needs a server that was made with continuous=True")
        await self._stop()
        if not keep_handles:
            self._forget_handles()
        await self._start()

    def _forget_handles(self) -> None:
        directory = self.config.server.state_directory
        for record in directory.glob("*.handle") if directory is not None else ():
            record.unlink(missing_ok=True)

    async def _start(self) -> None:
        async with self._changing:
            if self._server is None:
                self._ending, self._ended = trio.Event(), trio.Event()
                await self._loop.nursery.start(self._serve)

    async def _stop(self) -> None:
        async with self._changing:
            if self._server is not None:
                self._ending.set()
                await self._ended.wait()

    async def _serve(self, task_status: trio.TaskStatus[None]) -> None:
        try:
            async with serving(self.config) as server:
                # Nothing is awaited up to `started`: no client is there before the hooks.
                for hook in self._hooks:
                    hook(server)
                self._server = server
                try:
                    task_status.started()
                    await self._ending.wait()
                finally:
                    self._server = None
        finally:
            self._ended.set()
