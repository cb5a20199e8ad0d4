"""A Config that was made in code, not read from a file, is checked as a file's is."""

from collections.abc import Iterable, Mapping
from dataclasses import fields

from smbd.config import engines, homes, rights, schema
from smbd.config.lines import KeyPath
from smbd.config.model import Config, Limits, ServerConfig, ShareConfig, UserConfig
from smbd.config.names import share_name_problem, user_name_problem
from smbd.config.rules import (
    check_continuous,
    check_credits,
    check_dialects,
    check_encryption,
    check_recycle,
)

_BOOLEANS = ("read_only", "guest", "hidden", "streams", "create", "leases", "continuous", "watch")
_OF_SERVER = (
    "signing",
    "encryption",
    "log_format",
    "name",
    "workgroup",
    "mdns",
    "ws_discovery",
    "multichannel",
    "watch",
)


class _Findings:
    """Takes problems and warnings as a Document does."""

    def __init__(self) -> None:
        self.problems: list[str] = []

    def problem(self, key_path: KeyPath, message: str) -> None:
        self.problems.append(f"{'.'.join(map(str, key_path))}: {message}")

    def take(self, key_path: KeyPath, check: schema.Check, value: object) -> None:
        try:
            check(value)
        except ValueError as error:
            self.problem(key_path, str(error))


def check_made(config: Config) -> None:
    """Raise ValueError with a line for each thing that is wrong."""
    found = _Findings()
    _server(found, config.server)
    _names(found, "users", [user.name for user in config.users])
    _names(found, "shares", [share.name for share in config.shares])
    for user in config.users:
        _user(found, user)
    known = {user.name.casefold() for user in config.users}
    for share in config.shares:
        _share(found, share, config.server, known)
    if found.problems:
        raise ValueError("\n".join(found.problems))


def _server(found: _Findings, server: ServerConfig) -> None:
    for key in _OF_SERVER:
        _value(found, ("server", key), schema.SERVER, getattr(server, key))
    check_dialects(found, server)
    limits: object = server.limits  # which no type checker may have looked at
    if not isinstance(limits, Limits):
        found.problem(("server", "limits"), "must be a smbd.config.Limits")
        return
    for field in fields(Limits):
        key_path = ("server", "limits", field.name)
        _value(found, key_path, schema.LIMITS, getattr(limits, field.name))
    if not found.problems:
        check_credits(found, ("server", "limits"), limits)


def _value(found: _Findings, key_path: KeyPath, table: schema.Keys, value: object) -> None:
    check = table[str(key_path[-1])]
    assert not isinstance(check, schema.ArrayOf)
    found.take(key_path, check, value)


def _names(found: _Findings, table: str, names: Iterable[str]) -> None:
    seen: set[str] = set()
    for name in names:
        if name.casefold() in seen:
            found.problem((table, name), "is there twice: case does not count")
        seen.add(name.casefold())


def _user(found: _Findings, user: UserConfig) -> None:
    wrong = user_name_problem(user.name)
    if wrong:
        found.problem(("users", user.name), wrong)
    if user.nt_hash is None and user.password_file is None and not user.password:
        found.problem(("users", user.name, "password"), "must be a string that is not empty")


def _share(
    found: _Findings, share: ShareConfig, server: ServerConfig, known: Iterable[str]
) -> None:
    key_path = ("shares", share.name)
    wrong = share_name_problem(share.name)
    if wrong:
        found.problem(key_path, wrong)
    for key in (*_BOOLEANS, "recycle", "recycle_days", "encryption", "engine"):
        _value(found, (*key_path, key), schema.SHARE, getattr(share, key))
    engine: object = share.engine
    options: object = share.engine_options
    if isinstance(options, Mapping) and isinstance(engine, str):
        engines.check(found, key_path, share)
    else:
        found.problem((*key_path, "engine_options"), "must be a mapping")
    for key in ("hide", "veto", "recycle_except"):
        for pattern in getattr(share, key):
            found.take((*key_path, key), schema.name_pattern, pattern)
    for key in rights.NAMES_USERS:
        for name in getattr(share, key) or ():
            if name.casefold() not in known:
                found.problem((*key_path, key), f'there is no user "{name}"')
    rights.check(found, key_path, share)
    homes.check(found, key_path, share, known)
    if share.encryption in {"off", "desired", "required"}:
        check_encryption(found, key_path, share, server)
    check_recycle(found, key_path, share)
    check_continuous(found, key_path, share, server)
