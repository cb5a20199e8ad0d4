"""SIGHUP: shares.toml again.  New shares appear, removed ones go, and nobody's files close.

A wrong file changes nothing.  The change is made without an await, so that no client ever sees half
of it.
"""

import logging
from collections.abc import Callable, Mapping
from dataclasses import replace

from smbd.auth import Authenticator
from smbd.config import Config, ConfigError, ServerConfig
from smbd.events import about
from smbd.server.building import authenticator, bound_parked, open_shares
from smbd.server.descriptors import most_opens
from smbd.service import Service
from smbd.share import Share

_log = logging.getLogger("smbd")

# Settings that are set up once, at the start.
_FIXED = (
    "listen",
    "state_directory",
    "status_socket",
    "log_format",
    "metrics",
    "mdns",
    "ws_discovery",
)


async def reload(service: Service, reread: Callable[[], Config]) -> bool:
    """Serve the configuration of `reread`, which runs in a worker; False if that cannot be.

    `reread` may raise ConfigError.  Sessions stay, with their tree connects and opens; users and
    passwords count for the next login, and a share's rights for the next tree connect.
    """
    try:
        config = await service.blocking(reread)
        users = authenticator(config)
        shares = await open_shares(config.shares, service.shares)
    except ConfigError as error:
        for problem in error.problems:
            _log.error("%s", problem, extra=about("reload failed", share=problem.share))
    except OSError as error:
        share = _share_at(config, error.filename)
        extra = about("reload failed", share=share)
        _log.error("%s: %s", error.filename, error.strerror, extra=extra)
    else:
        for warning in config.warnings:
            _log.warning("%s", warning, extra=about("warning", share=warning.share))
        changes = _changes(service.shares, shares)
        _log.info("shares.toml was read again: %s", changes, extra=about("reloaded"))
        _apply(service, config, users, shares)
        return True
    text = "shares.toml was read again, and nothing was changed"
    _log.error(text, extra=about("reload failed"))
    return False


def _share_at(config: Config, path: str) -> str:
    """The name of the share that has a path; '' if none has."""
    return next((share.name for share in config.shares if str(share.folder) == path), "")


def _apply(
    service: Service, config: Config, users: Authenticator, shares: dict[str, Share]
) -> None:
    """Serve the new configuration; nothing here fails, so that no half of it is ever served."""
    running = service.config.server
    for key in _FIXED:
        if getattr(config.server, key) != getattr(running, key):
            text = "server.%s: a change counts from the next start on"
            _log.warning(text, key, extra=about("restart needed"))
    continuous = [share.name for share in config.shares if share.continuous]
    if continuous and not any(share.continuous for share in service.config.shares):
        share, text = continuous[0], "shares.%s.continuous: a change counts from the next start on"
        _log.warning(text, share, extra=about("restart needed", share=share))
    service.config = replace(config, server=_with_fixed(config.server, running))
    service.authenticator = users
    service.tables.opens.limit = most_opens(config)
    bound_parked(service.tables, config)
    for wanted in config.shares:
        shares[wanted.name.lower()].config = wanted
    gone = [share for key, share in service.shares.items() if shares.get(key) is not share]
    service.shares = shares
    service.retire(gone)


def _with_fixed(server: ServerConfig, running: ServerConfig) -> ServerConfig:
    return replace(server, **{key: getattr(running, key) for key in _FIXED})


def _changes(old: Mapping[str, Share], new: Mapping[str, Share]) -> str:
    """The changes of the shares, for the log."""
    told = {
        "new": [share.name for key, share in new.items() if key not in old],
        "gone": [share.name for key, share in old.items() if key not in new],
        "moved": [share.name for key, share in new.items() if old.get(key, share) is not share],
    }
    words = [f"{what}: {', '.join(names)}" for what, names in told.items() if names]
    return "; ".join(words) or "the same shares"
