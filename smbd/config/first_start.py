"""The first start makes directories (create = true) and passwords (generate = true).

Nothing else is ever written.
"""

import os
import pwd
import secrets
import shlex
import stat
from dataclasses import dataclass, replace
from pathlib import Path

from smbd.config import environment
from smbd.config.document import share_of
from smbd.config.lines import find_lines
from smbd.config.model import Config, ConfigError, Problem, ShareConfig, UserConfig

# Letters and digits that nobody confuses when typing them in another machine's login window.
_ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"
_LENGTH = 16  # of 31 letters: 79 bits


@dataclass(frozen=True, slots=True)
class Prepared:
    """A configuration that can be served, and notes of what was made (for the terminal only)."""

    config: Config
    notes: tuple[str, ...]
    unwritable: frozenset[str] = frozenset()  # shares that only the file system makes read only


def new_password() -> str:
    """Return a random password in groups of four, easy to type."""
    letters = "".join(secrets.choice(_ALPHABET) for _ in range(_LENGTH))
    return "-".join(letters[at : at + 4] for at in range(0, _LENGTH, 4))


def directory_problem(share: ShareConfig) -> str | None:
    """Say why a directory cannot be served, or None. One that `create` will make is fine."""
    folder = share.folder
    try:
        if not folder.exists():
            if share.create:
                return None
            return f"{folder}: there is no such folder; make it, or add create = true"
        if not folder.is_dir():
            return f"{folder}: is not a folder"
    except OSError as error:
        return f"{folder}: {error.strerror}"
    if not os.access(folder, os.R_OK | os.X_OK):
        return f"{folder}: this user may not read it"
    return None


def directory_warning(share: ShareConfig) -> str | None:
    """Say why nothing can be written to a share that is not read_only, and what helps, or None.

    Blocks.  The kernel is asked, for it alone knows of capabilities, ACLs and an NFS server's mind.
    """
    path = share.folder
    if share.has_homes and not share.create:
        return None  # nothing is written to the folder that holds them
    if share.read_only or os.access(path, os.W_OK | os.X_OK, effective_ids=True):
        return None
    told = f"{path}: nobody can write to this share"
    try:
        if os.statvfs(path).f_flag & os.ST_RDONLY:
            return (
                f"{told}: its file system is mounted read-only; set read_only = true (--read-only)"
            )
        found = path.stat()
    except OSError as error:
        return f"{told}: {error.strerror}"
    uid = os.geteuid()
    # Nobody is told to run a server as root.
    other = (
        f"run the server as user {found.st_uid} (in a container: --user {found.st_uid}:"
        f"{found.st_gid}); or "
    )
    return (
        f"{told}: the server runs as {system_user(uid)}, and the folder is that of "
        f"{system_user(found.st_uid)}, mode {stat.S_IMODE(found.st_mode):04o}. Either: chown -R "
        f"{uid} {shlex.quote(str(path))}; or {other if found.st_uid else ''}set read_only = true "
        "(--read-only)"
    )


def system_user(uid: int) -> str:
    """Name a user of the system: "ann (uid 1000)", or "uid 1000" where it has no name."""
    try:
        return f"{pwd.getpwuid(uid).pw_name} (uid {uid})"
    except KeyError:
        return f"uid {uid}"


def prepare(config: Config) -> Prepared:
    """Make missing directories and passwords; ConfigError if one cannot be had."""
    problems: list[tuple[tuple[str, ...], str]] = []
    notes: list[str] = []
    for share in config.shares:
        try:
            if share.create and not share.folder.exists():
                share.folder.mkdir(parents=True)
                notes.append(f"made the folder {share.folder} for the share {share.name}")
            wrong = directory_problem(share)
        except OSError as error:
            wrong = f"cannot make {error.filename}: {error.strerror}"
        if wrong:
            problems.append((("shares", share.name, "path"), wrong))
    refused = {} if problems else _refused(config)
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
    warnings = [_problem(config.source, ("shares", *one), text) for one, text in refused.items()]
    served = replace(config, users=tuple(users), warnings=(*config.warnings, *warnings))
    return Prepared(served, tuple(notes), frozenset(name for name, _ in refused))


def _refused(config: Config) -> dict[tuple[str, str], str]:
    """Why nothing can be written to a share, by its name and the key that says where it is."""
    told = ((share.name, directory_warning(share)) for share in config.shares)
    return {(name, "path"): text for name, text in told if text is not None}


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


def _problem(source: Path | None, key_path: tuple[str, ...], message: str) -> Problem:
    key = ".".join(key_path)
    if source is None:
        return Problem("", None, "", message)
    name, text = environment.text_of(source)
    line = find_lines(text.decode("utf-8-sig")).get(key_path)
    return Problem(name, line, key, message, share_of(key_path))
