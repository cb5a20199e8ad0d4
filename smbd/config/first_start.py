"""What the first start makes: folders with create = true, passwords with generate = true.

Nothing else is ever written.
"""

import os
import secrets
from dataclasses import dataclass, replace
from pathlib import Path

from smbd.config.lines import find_lines
from smbd.config.model import Config, ConfigError, Problem, ShareConfig, UserConfig

# Letters and digits that nobody confuses when typing them in another machine's login window.
_ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"
_LENGTH = 16  # of 31 letters: 79 bits


@dataclass(frozen=True, slots=True)
class Prepared:
    """A configuration that can be served, and what was made for it (for the terminal only)."""

    config: Config
    notes: tuple[str, ...]


def new_password() -> str:
    """Return a random password in groups of four, easy to type."""
    letters = "".join(secrets.choice(_ALPHABET) for _ in range(_LENGTH))
    return "-".join(letters[at : at + 4] for at in range(0, _LENGTH, 4))


def folder_problem(share: ShareConfig) -> str | None:
    """Say why a folder cannot be served, or None. One that `create` will make is fine."""
    try:
        if not share.path.exists():
            if share.create:
                return None
            return f"{share.path}: there is no such folder; make it, or add create = true"
        if not share.path.is_dir():
            return f"{share.path}: is not a folder"
    except OSError as error:
        return f"{share.path}: {error.strerror}"
    if not os.access(share.path, os.R_OK | os.X_OK):
        return f"{share.path}: this user may not read it"
    return None


def folder_warning(share: ShareConfig) -> str | None:
    """Say what a served folder will not do although the configuration allows it, or None."""
    if share.read_only or os.access(share.path, os.W_OK):
        return None
    return f"{share.path}: this user may not write in it; set read_only = true, or change its owner"


def prepare(config: Config) -> Prepared:
    """Make what is still missing; ConfigError if a share or a password cannot be had."""
    problems: list[tuple[tuple[str, ...], str]] = []
    notes: list[str] = []
    for share in config.shares:
        try:
            if share.create and not share.path.exists():
                share.path.mkdir(parents=True)
                notes.append(f"made the folder {share.path} for the share {share.name}")
            wrong = folder_problem(share)
        except OSError as error:
            wrong = f"cannot make {error.filename}: {error.strerror}"
        if wrong:
            problems.append((("shares", share.name, "path"), wrong))
    users = []
    for user in config.users:
        try:
            prepared = _with_password(user)
        except OSError as error:
            wrong = f"cannot write {error.filename}: {error.strerror}"
            problems.append((("users", user.name, "password_file"), wrong))
            continue
        if prepared is not user:
            notes.append(
                f"made a password for the user {user.name}: {prepared.password} "
                f"(kept in {user.password_file})"
            )
        users.append(prepared)
    if problems:
        raise ConfigError(tuple(_problem(config.source, *problem) for problem in problems))
    return Prepared(replace(config, users=tuple(users)), tuple(notes))


def _with_password(user: UserConfig) -> UserConfig:
    if user.password is not None or user.nt_hash is not None:
        return user
    assert user.password_file is not None, "load() leaves no other user without a password"
    password = new_password()
    user.password_file.parent.mkdir(parents=True, exist_ok=True)
    # O_EXCL: nobody else's file, and no link, is taken for ours.
    fd = os.open(user.password_file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(fd, "w") as file:
        file.write(f"{password}\n")
    return replace(user, password=password)


def _problem(source: Path | None, place: tuple[str, ...], message: str) -> Problem:
    key = ".".join(place)
    if source is None:
        return Problem("smbd", None, key, message)
    line = find_lines(source.read_text()).get(place)
    return Problem(str(source), line, key, message)
