"""A server for a test: what it is asked, and how it goes away and comes back."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from ipaddress import ip_address
from typing import TypeVar, TypeVarTuple

import trio

from smbd.config import Address, Config, ShareConfig, UserConfig
from smbd.mount import login_name
from smbd.server import Server, serving
from smbd.testing.contents import Contents
from smbd.testing.faults import HasFaults
from smbd.testing.journaled import Journaled
from smbd.testing.login import Login
from smbd.testing.loop import Loop
from smbd.testing.setting import Setting

N = TypeVar("N", UserConfig, ShareConfig)
R = TypeVar("R")
Args = TypeVarTuple("Args")

_listeners: list[Callable[["TestServer"], None]] = []


@contextmanager
def for_each_server(listener: Callable[["TestServer"], None]) -> Iterator[None]:
    """Show `listener` each server of this process that is made in the block, before its start."""
    _listeners.append(listener)
    try:
        yield
    finally:
        _listeners.remove(listener)


class TestServer(Login, Contents, Journaled, HasFaults):
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
        address = _to_connect(self.config.server.listen[0])
        share, user = self.config.shares[0], self.config.users[0]
        super().__init__(self.config.server, share, address, user)
        self._loop = loop
        self._server: Server | None = None
        self._ending = trio.Event()
        self._ended = trio.Event()
        self._changing = trio.Lock()
        self._hooks: list[Callable[[Server], None]] = []
        Contents.__init__(self, self)
        Journaled.__init__(self, self.options.journal, loop)
        self._hooks.append(self._observe)
        for listener in _listeners:
            listener(self)
        odd = self.options.odd
        HasFaults.__init__(self, self, () if odd is None else odd.faults)

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
    def _running(self) -> Server | None:
        return self._server

    @property
    def is_running(self) -> bool:
        """Whether it takes connections."""
        return self._server is not None

    @property
    def is_over(self) -> bool:
        """Whether its block or its fixture has ended: it cannot be started again."""
        return self._loop.is_over

    # --- other ways to come to it ---

    def login(
        self, user: str | None = None, share: str | None = None, *, host: str | None = None
    ) -> Login:
        """Another user's way, or to another share; by default the first that fits.

        `host` is the name that a client knows this machine by: in a container, say.  The user ""
        is a guest.  ValueError for a user or a share that there is not.
        """
        shares, users = self.config.shares, self.config.users
        chosen = shares[0] if share is None else _named("share", share, shares)
        if user is None:
            user = login_name(self.config, chosen) or ""
        known = _named("user", user, users) if user else None
        address = self._address if host is None else replace(self._address, host=host)
        return Login(self.config.server, chosen, address, known)

    # --- it goes, and comes back ---

    def stop(self) -> None:
        """End it in order, as SIGTERM does; its port refuses connections from then on.

        Returns when it has ended; one that is stopped stays so.
        """
        self._loop.run(self._stop)

    def start(self) -> None:
        """Start it again, on the same port; one that runs goes on.

        Persistent handles, which `continuous=True` grants, are there again.  OSError if its folder
        is not there any more.
        """
        self._loop.run(self._start)

    def restart(self, *, keep_handles: bool = False) -> None:
        """Stop it, and start it on the same port.

        With `keep_handles` the persistent handles that clients have are there again, which
        `continuous=True` grants; else they are forgotten.  Durable ones end with any server.
        ValueError if there can be none.
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
                    # A test's files need not outlive a loss of power: 10 to 40 ms for each.
                    with trio.CancelScope(shield=True):
                        await server.drain(to_disk=False)
        finally:
            self._ended.set()


def _to_connect(address: Address) -> Address:
    """Where this machine reaches what listens on every address."""
    try:
        ip = ip_address(address.host)
    except ValueError:
        return address
    if not ip.is_unspecified:
        return address
    return replace(address, host="127.0.0.1" if ip.version == 4 else "::1")


def _named(kind: str, name: str, known: Sequence[N]) -> N:
    for one in known:
        if one.name.casefold() == name.casefold():
            return one
    there_are = ", ".join(one.name for one in known)
    raise ValueError(f'{kind}: there is no {kind} "{name}"; there are {there_are}')
