"""What answers behind the pipes of IPC$: smbd.rpc, and what it may tell a client of this server.

Imported when a client opens the first pipe; `smbd.server.run` has smbd.rpc imported before.
"""

import time
from collections.abc import Mapping
from functools import lru_cache

from smbd import rpc
from smbd.config import UserConfig
from smbd.rpc import Pipe, ServerView, ShareView, is_pipe
from smbd.service import Service
from smbd.session import Session
from smbd.vfs import acl

__all__ = ["is_pipe", "open_pipe"]

# What Explorer and `net view` may see as the server's version: that of Windows 10 and 11.
_VERSION = (10, 0)


def open_pipe(name: str, service: Service, session: Session) -> Pipe | None:
    """A new instance of a pipe for this caller; None if there is none of that name."""
    return rpc.open_pipe(name, lambda: _view(service, session))


def _view(service: Service, session: Session) -> ServerView:
    """What this caller may hear of the server, at this moment."""
    server, identity = service.config.server, session.identity
    assert identity is not None
    shares = tuple(
        ShareView(
            share.name,
            share.config.comment,
            f"C:\\{share.name}",  # clients need not know where it really is
            hidden=share.config.hidden,
            current_uses=share.trees,
        )
        for share in service.shares.values()
    )
    return ServerView(
        server.name,
        server.workgroup,
        "smbd",
        _VERSION,
        shares,
        now=time.time(),
        uptime=service.uptime,
        sessions=len(service.sessions),
        guest=not identity.is_account,
        user=identity.user,
        # Guests are told no user's name: they could try each one's password.
        accounts=_accounts(service.config.users) if identity.is_account else {},
        unix_names=acl.UNIX_NAMES if identity.is_account else {},
    )


@lru_cache(1)  # one server's users, until it reads shares.toml again
def _accounts(users: tuple[UserConfig, ...]) -> Mapping[str, str]:
    """The users' names by the SIDs of their accounts."""
    return {acl.account_sid(user.name): user.name for user in users}
