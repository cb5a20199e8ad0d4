"""From a configuration to the service that connections share."""

from aio import open_engine
from smbd.auth import Account, Authenticator, nt_hash
from smbd.config import Config, ShareConfig, UserConfig
from smbd.service import Blocking, Service
from smbd.share import Share
from smbd.state import OpenTable
from smbd.vfs import Root


def build_service(config: Config, blocking: Blocking) -> Service:
    """Open every share; OSError if a folder cannot be."""
    shares = {share.name.lower(): _open_share(share) for share in config.shares}
    authenticator = Authenticator(
        [_account(user) for user in config.users],
        server_name=config.server.name,
        domain=config.server.workgroup,
        guest=config.guest,
    )
    limits = config.server.limits
    return Service(
        config,
        authenticator,
        shares,
        blocking,
        OpenTable(limits.opens * limits.connections),
    )


def _open_share(share: ShareConfig) -> Share:
    root = Root(share.path, read_only=share.read_only)
    return Share(share, root, open_engine(share.engine, **share.engine_options))


def _account(user: UserConfig) -> Account:
    if user.nt_hash is not None:
        return Account(user.name, user.nt_hash)
    assert user.password is not None, "prepare() sees to it"
    return Account(user.name, nt_hash(user.password))
