"""shares.toml -> Config: checks each key, then the keys against one another. Never writes."""

from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

from smbd.config import engines, environment, homes, rights, schema
from smbd.config.document import Document
from smbd.config.first_start import directory_problem
from smbd.config.lines import KeyPath
from smbd.config.model import (
    Config,
    ConfigError,
    Limits,
    ServerConfig,
    ShareConfig,
    UserConfig,
)
from smbd.config.names import share_name_problem, user_name_problem
from smbd.config.passwords import exposed_problem, read_password
from smbd.config.rids import relative_id
from smbd.config.rules import (
    NEEDS_SMB3,
    check_continuous,
    check_credits,
    check_dialects,
    check_encryption,
    check_recycle,
    largest_transfer,
)
from smbd.config.runtime import default_status_socket


def load(path: Path | str) -> Config:
    """Read a shares.toml; ConfigError holds everything that is wrong with it."""
    document = Document(Path(path))
    document.table((), schema.TOP)
    server = _server(document)
    users = _users(document)
    shares = _shares(document, server, users)
    if document.problems:
        _check_folders(document, shares)
        raise ConfigError(tuple(sorted(document.problems, key=lambda one: one.line or 0)))
    return Config(server, users, shares, document.path, tuple(document.warnings))


def _check_folders(document: Document, shares: tuple[ShareConfig, ...]) -> None:
    """The start would find these too, but only once all else is right."""
    for share in shares:
        wrong = None if share.path == document.path else directory_problem(share)
        if wrong:
            document.problem(("shares", share.name, "path"), wrong)


def _server(document: Document) -> ServerConfig:
    key_path = ("server",)
    values = document.table(key_path, schema.SERVER)
    values["limits"] = _limits(document)
    if "state_directory" in values:
        where = (*key_path, "state_directory")
        values["state_directory"] = _path(document, where, values["state_directory"])
    values["status_socket"] = _status_socket(document, values.get("status_socket"))
    server = ServerConfig(**values)
    if not server.listen:
        document.problem((*key_path, "listen"), "must have at least one address")
    _check_addresses(document, key_path, server)
    check_dialects(document, server)
    if server.encryption == "required" and server.max_dialect < 0x0300:
        document.problem((*key_path, "encryption"), NEEDS_SMB3)
    if server.mdns and find_spec("zeroconf") is None:
        document.problem(
            (*key_path, "mdns"), "needs the Python package zeroconf: pip install 'smbd[mdns]'"
        )
    return server


def _check_addresses(document: Document, key_path: KeyPath, server: ServerConfig) -> None:
    """The start would find out too, but only one at a time, and SIGHUP never."""
    key_paths: list[KeyPath] = [(*key_path, "listen", index) for index in range(len(server.listen))]
    addresses = [*server.listen]
    if server.metrics is not None:
        key_paths.append((*key_path, "metrics"))
        addresses.append(server.metrics)
    for index, address in enumerate(addresses):
        for before in addresses[:index]:
            if address == before and address.port:
                document.problem(key_paths[index], f"{address} is there twice")
            elif address.collides_with(before):
                document.problem(key_paths[index], f"{address} and {before} are one port twice")


def _status_socket(document: Document, written: str | None) -> Path | None:
    if written is None:
        return default_status_socket()
    if not written:
        return None
    return _path(document, ("server", "status_socket"), written)


def _limits(document: Document) -> Limits:
    key_path = ("server", "limits")
    limits = Limits(**document.table(key_path, schema.LIMITS))
    largest = largest_transfer(limits)
    if limits.memory < 2 * largest:
        document.problem(
            (*key_path, "memory"),
            f'must be at least "{schema.in_units(2 * largest)}": '
            "one largest request and its reply, twice over",
        )
    check_credits(document, key_path, limits)
    return limits


def _users(document: Document) -> tuple[UserConfig, ...]:
    names = document.names("users")
    _check_names_differ(document, "users", names)
    _check_numbers_differ(document, names)
    return tuple(_user(document, name) for name in names)


def _check_names_differ(document: Document, table: str, names: list[str]) -> None:
    """SMB knows no case in the names of users and shares."""
    seen: dict[str, str] = {}
    for name in names:
        twin = seen.setdefault(name.casefold(), name)
        if twin != name:
            document.problem((table, name), f'is the same name as "{twin}": case does not count')


def _check_numbers_differ(document: Document, names: list[str]) -> None:
    """Two users with one number would be one and the same in access lists."""
    seen: dict[int, str] = {}
    for name in names:
        twin = seen.setdefault(relative_id(name), name)
        if twin.casefold() != name.casefold():
            document.problem(
                ("users", name),
                f'has the same number in access lists as "{twin}": give one of them another name',
            )


def _user(document: Document, name: str) -> UserConfig:
    key_path = ("users", name)
    wrong = user_name_problem(name)
    if wrong:
        document.problem(key_path, wrong)
    before = len(document.problems)
    values = document.table(key_path, schema.USER)
    if len(document.problems) > before:
        return UserConfig(name)
    given = [key for key in ("password", "password_file", "nt_hash") if key in values]
    if len(given) != 1:
        found = " and ".join(given) or "none"
        document.problem(
            key_path, f"must have exactly one of password, password_file and nt_hash, not {found}"
        )
        return UserConfig(name)
    if values.get("generate") and "password_file" not in values:
        document.problem((*key_path, "generate"), "needs a password_file to write the password to")
    if "password_file" in values:
        values["password_file"] = _path(document, (*key_path, given[0]), values["password_file"])
        return _with_password(document, UserConfig(name, **values))
    if values.get("password") == "":
        document.problem(
            (*key_path, "password"), "must not be empty; a share with guest needs none"
        )
    _warn_if_readable(document, key_path, document.path)
    return UserConfig(name, **values)


def _with_password(document: Document, user: UserConfig) -> UserConfig:
    """Read the password from its file, unless the first start is yet to write it."""
    key_path = ("users", user.name, "password_file")
    assert user.password_file is not None
    try:
        if user.generate and not user.password_file.exists():
            return user
        password = read_password(user.password_file)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        document.problem(key_path, f"{user.password_file}: {reason}")
        return user
    _warn_if_readable(document, key_path, user.password_file)
    return replace(user, password=password)


def _warn_if_readable(document: Document, key_path: KeyPath, file: Path) -> None:
    if file == document.path and environment.stands_in(file):
        return
    exposed = exposed_problem(file)
    if exposed:
        document.warn(key_path, exposed)


def _shares(
    document: Document, server: ServerConfig, users: tuple[UserConfig, ...]
) -> tuple[ShareConfig, ...]:
    names = document.names("shares")
    if not names:
        document.problem(("shares",), 'there is nothing to serve: add [shares.NAME] with path = ""')
    _check_names_differ(document, "shares", names)
    return tuple(_share(document, name, server, users) for name in names)


def _share(
    document: Document, name: str, server: ServerConfig, users: tuple[UserConfig, ...]
) -> ShareConfig:
    key_path = ("shares", name)
    wrong = share_name_problem(name)
    if wrong:
        document.problem(key_path, wrong)
    before = len(document.problems)
    values = document.table(key_path, schema.SHARE)
    if "path" in values:
        values["path"] = _path(document, (*key_path, "path"), values["path"])
    elif len(document.problems) == before:
        document.problem((*key_path, "path"), "is missing: the folder to serve")
    for key in rights.NAMES_USERS:
        if key in values:
            values[key] = _spelled(document, (*key_path, key), values[key], users)
    values.setdefault("encryption", server.encryption)
    values["leases"] = values.get("leases", True) and server.leases
    values.setdefault("watch", server.watch)
    share = ShareConfig(name, **{"path": document.path, **values})
    engines.check(document, key_path, share)
    rights.check(document, key_path, share)
    homes.check(document, key_path, share, [user.name for user in users])
    if not (users or share.guest):
        document.problem(
            key_path, "nobody can log in: add [users.NAME], or guest = true to this share"
        )
    check_encryption(document, key_path, share, server)
    check_recycle(document, key_path, share)
    check_continuous(document, key_path, share, server)
    return share


def _spelled(
    document: Document, key_path: KeyPath, names: tuple[str, ...], users: tuple[UserConfig, ...]
) -> tuple[str, ...]:
    """Spell each user of a list as [users.NAME] does."""
    if not names:
        instead = rights.NAMES_USERS[str(key_path[-1])]
        document.problem(key_path, f"must name a user; {instead}")
    known = {user.name.casefold(): user.name for user in users}
    spelled = []
    for index, name in enumerate(names):
        if name.casefold() in known:
            spelled.append(known[name.casefold()])
        else:
            advice = schema.nearest(name, known.values()) or f"; add [users.{name}]"
            document.problem((*key_path, index), f'there is no user "{name}"{advice}')
    return tuple(spelled)


def _path(document: Document, key_path: KeyPath, written: str) -> Path:
    """Make a path absolute: ~ is the home directory, all else starts at the file's directory."""
    try:
        return document.path.parent / Path(written).expanduser()
    except RuntimeError as error:
        document.problem(key_path, f"{written}: {error}")
        return Path(written)
