"""From a configuration to the objects that connections share: users, shares, limits."""

import logging
from collections.abc import Callable, Iterable, Mapping
from math import inf
from typing import TypeVar, TypeVarTuple

import trio

from aio import WorkerPool, open_engine
from smbd.auth import Account, Authenticator, nt_hash
from smbd.config import Config, ShareConfig, UserConfig
from smbd.events import about
from smbd.server.descriptors import most_opens
from smbd.service import Blocking, Service
from smbd.share import Share
from smbd.state import OpenTable, Tables
from smbd.wall import wall

R = TypeVar("R")
Args = TypeVarTuple("Args")

_log = logging.getLogger("smbd")

# A share's, for calls that go to the file system's metadata; its engine has its own.  A share may
# hold several file systems: where one of them hangs, a single connection must not use up all.
_SHARE_WORKERS = 16
_OF_ONE_CONNECTION = 12
# Seconds for calls in flight when the server ends; only a disk that hangs takes longer.
_CLOSE_SECONDS = 2.0
# A disk that spins up takes ten.
_ANSWER_SECONDS = 15.0


async def build_service(config: Config, blocking: Blocking) -> Service:
    """Open every share; OSError if a directory cannot be."""
    shares = await open_shares(config.shares, {})
    tables = Tables(OpenTable(most_opens(config)))
    bound_parked(tables, config)
    clock = trio.lowlevel.current_clock().current_time
    return Service(config, authenticator(config), shares, blocking, tables, clock)


def bound_parked(tables: Tables, config: Config) -> None:
    """The limits of what is kept for clients that have lost their connection."""
    limits = config.server.limits
    tables.durable.limit = limits.parked
    tables.durable.account.open(limits.memory)


def authenticator(config: Config) -> Authenticator:
    """The users of a configuration."""
    return Authenticator(
        [_account(user) for user in config.users],
        server_name=config.server.name,
        domain=config.server.workgroup,
        guest=config.guest,
        unknown_is_guest=config.unknown_is_guest,
    )


async def open_shares(
    wanted: Iterable[ShareConfig], running: Mapping[str, Share]
) -> dict[str, Share]:
    """The shares by name in lower case: those that run as wanted already, and new ones.

    OSError if a directory cannot be opened; then nothing is left open.
    """
    shares: dict[str, Share] = {}
    opened: list[Share] = []
    try:
        for config in wanted:
            share = running.get(config.name.lower())
            if share is None or not await _is_same(share, config):
                # At the start nobody waits for another share.
                share = await _open_share(config, _ANSWER_SECONDS if running else inf)
                opened.append(share)
            shares[config.name.lower()] = share
    except BaseException:
        for share in opened:
            with wall(f"the end of share {share.name}"):
                await close_share(share)
        raise
    return shares


async def close_share(share: Share) -> None:
    """End a share of a server that has ended; it cannot be cancelled."""
    with trio.CancelScope(shield=True):
        await share.engine.aclose()
        hanging = await share.workers.aclose(_CLOSE_SECONDS)
    if hanging:
        text, extra = "%s: %d calls still wait for its disk", about("disk hangs", share=share.name)
        _log.error(text, share.name, hanging, extra=extra)
    else:
        for root in share.roots:
            root.close()


async def retire_share(share: Share) -> None:
    """End a share that no tree connect and no open uses any more, while the server goes on."""
    share.workers.release()
    with trio.CancelScope(shield=True):
        await share.engine.aclose()


async def _open_share(config: ShareConfig, patience: float) -> Share:
    workers = WorkerPool(_SHARE_WORKERS, f"smbd-{config.name}", each=_OF_ONE_CONNECTION)
    try:
        share = Share(config, open_engine(config.engine, **config.engine_options), workers)
        try:
            await _answer(share, patience, share.check_folder)
        except BaseException:
            await share.engine.aclose()
            raise
    except BaseException:
        await workers.aclose(_CLOSE_SECONDS)
        raise
    return share


async def _is_same(share: Share, wanted: ShareConfig) -> bool:
    """`_same_storage`; a disk that does not answer is no reason to end a share."""
    try:
        return await _answer(share, _ANSWER_SECONDS, _same_storage, share, wanted)
    except TimeoutError:
        extra = about("disk hangs", share=share.name)
        _log.warning("%s: its disk does not answer", share.name, extra=extra)
        return _configured_alike(share.config, wanted)


async def _answer(share: Share, patience: float, function: Callable[[*Args], R], *args: *Args) -> R:
    """The result of a call to a share's disk.  OSError has the path; TimeoutError if it hangs."""
    try:
        return await share.workers.ask(patience, function, *args)
    except TimeoutError as error:
        path = str(share.config.folder)
        raise TimeoutError(error.errno, error.strerror, path) from error


def _configured_alike(one: ShareConfig, other: ShareConfig) -> bool:
    keys = (
        *("path", "read_only", "hide", "veto", "recycle", "recycle_except", "streams"),
        *("engine", "engine_options"),
    )
    return all(getattr(one, key) == getattr(other, key) for key in keys)


def _same_storage(share: Share, wanted: ShareConfig) -> bool:
    """Whether a share reads and writes the files that it should, in the way that it should.

    All else (who may connect, the comment ...) needs no other share.  Blocks; OSError if there is
    no such directory.
    """
    wanted.folder.stat()
    return _configured_alike(share.config, wanted)


def _account(user: UserConfig) -> Account:
    if user.nt_hash is not None:
        return Account(user.name, user.nt_hash)
    assert user.password is not None, "prepare() sees to it"
    return Account(user.name, nt_hash(user.password))
