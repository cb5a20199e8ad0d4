"""A server inside a test: in process, on a free port, gone at the end of the block.

async with smbd.testing.serve(tmp_path) as server:          # in trio
    ...
with smbd.testing.serve_in_thread(tmp_path) as server:      # anywhere else, asyncio too
    client.connect(server.host, server.port, server.share, server.user, server.password)

An `async def test_...` in trio needs the pytest plugin pytest-trio (`trio_mode = true`).  In
asyncio it is `serve_in_thread`, whose `with` takes some 50 ms of the loop:

async def test_upload(tmp_path):                            # pytest-asyncio or anyio
    with smbd.testing.serve_in_thread(tmp_path) as server:
        await upload(server.host, server.port)
"""

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import trio

from smbd.config import (
    DIALECTS,
    Address,
    Config,
    Limits,
    ServerConfig,
    ShareConfig,
    UserConfig,
    check_made,
)
from smbd.server import Server, serving


@dataclass(frozen=True, slots=True)
class TestServer:
    """A server's address and share, and a login for it."""

    __test__ = False  # for pytest, which would collect it by its name

    host: str
    port: int
    share: str
    user: str
    password: str
    server: Server  # for a look inside: `server.document()` is what `tsmbd status` shows


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """The settings that a test may want to be different.

    `shares` adds shares to the one of `path`; `limits` and `engine_options` take the fields of
    [server.limits] and of the engine's table in shares.toml.
    """

    share: str = "share"
    user: str = "test"
    password: str = "test"  # noqa: S105 - a test's
    read_only: bool = False
    guest: bool = False
    streams: bool = True
    engine: str = "nowait"
    engine_options: Mapping[str, int] | None = None
    signing: Literal["required", "enabled"] = "required"
    encryption: Literal["off", "desired", "required"] = "off"
    leases: bool = True  # and oplocks
    continuous: bool = False  # with state_directory: handles outlive the server
    state_directory: Path | None = None
    min_dialect: str = "2.0.2"
    max_dialect: str = "3.1.1"
    multichannel: bool = True
    interfaces: Sequence[str] | None = None
    port: int = 0
    shares: Sequence[ShareConfig] = ()
    users: Sequence[UserConfig] = ()
    watch: bool = False
    limits: Limits = field(default_factory=Limits)
    status_socket: Path | None = None

    def config(self, path: Path) -> Config:
        """The configuration that shares `path` so; ValueError if it is none."""
        if not 0 <= self.port <= 65535:
            raise ValueError(f"port: must be a number from 0 to 65535, not {self.port}")
        server = ServerConfig(
            listen=(Address("127.0.0.1", self.port),),
            signing=self.signing,
            encryption=self.encryption,
            leases=self.leases,
            min_dialect=_dialect("min_dialect", self.min_dialect),
            max_dialect=_dialect("max_dialect", self.max_dialect),
            multichannel=self.multichannel,
            interfaces=None if self.interfaces is None else tuple(self.interfaces),
            limits=self.limits,
            state_directory=self.state_directory,
            status_socket=self.status_socket,
        )
        share = ShareConfig(
            name=self.share,
            path=path.absolute(),
            read_only=self.read_only,
            guest=self.guest,
            streams=self.streams,
            encryption=self.encryption,
            leases=self.leases,
            watch=self.watch,
            continuous=self.continuous,
            engine=self.engine,
            engine_options=self.engine_options or {},
        )
        user = UserConfig(name=self.user, password=self.password)
        config = Config(server=server, users=(user, *self.users), shares=(share, *self.shares))
        check_made(config)
        return config


def _dialect(option: str, written: str) -> int:
    if written not in DIALECTS:
        raise ValueError(f"{option}: must be one of {', '.join(DIALECTS)}, not {written!r}")
    return DIALECTS[written]


@asynccontextmanager
async def serve(path: str | Path, **options: Any) -> AsyncIterator[TestServer]:
    """Serve a directory for as long as the block lasts; `options` are the fields of Options.

    Raises TypeError for an option that there is not, ValueError for a value that shares.toml could
    not have, OSError if the directory cannot be served.
    """
    chosen = Options(**options)
    running = serving(chosen.config(Path(path)))
    server = await running.__aenter__()
    try:
        address = server.addresses[0]
        yield TestServer(
            address.host, address.port, chosen.share, chosen.user, chosen.password, server
        )
    finally:
        # The server does not hear of the block's exception: its nurseries would wrap that into
        # an ExceptionGroup, and a test that fails should fail with its own AssertionError.
        await running.__aexit__(None, None, None)


@contextmanager
def serve_in_thread(path: str | Path, **options: Any) -> Iterator[TestServer]:
    """The same without trio: the server runs in a thread of its own."""
    # A Future carries the server out, or the exception that kept it from starting.
    started: Future[tuple[TestServer, trio.lowlevel.TrioToken, trio.Event]] = Future()

    async def main() -> None:
        async with serve(path, **options) as server:
            done = trio.Event()
            started.set_result((server, trio.lowlevel.current_trio_token(), done))
            await done.wait()

    with ThreadPoolExecutor(1, thread_name_prefix="smbd.testing") as executor:
        running = executor.submit(trio.run, main)
        either: tuple[Future[Any], ...] = (running, started)
        wait(either, return_when=FIRST_COMPLETED)
        if not started.done():
            running.result()  # raises the server's exception, if there was one
        server, token, done = started.result()
        try:
            yield server
        finally:
            token.run_sync_soon(done.set)
            running.result()
