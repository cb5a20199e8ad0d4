"""From the options of a test to a configuration, with the checks of shares.toml."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from ipaddress import ip_address
from itertools import combinations
from pathlib import Path
from secrets import token_urlsafe
from typing import Any

from smbd.config import (
    DIALECTS,
    Address,
    Config,
    Limits,
    ServerConfig,
    ShareConfig,
    UserConfig,
    check_made,
    schema,
)
from smbd.testing.options import Options

_PASSWORD = "test"  # noqa: S105 -- no secret: this machine alone can use it


_MOST_KEPT = 10_000_000  # entries of a journal


def make_config(path: Path, options: Options, spare: Callable[[], Path]) -> Config:
    """The configuration that serves `path` so; ValueError has a line for each thing that is wrong.

    `spare` gives a folder for the folders that nobody has named; the shares' are yet to make.
    """
    made = _Making(options, spare)
    config = Config(server=made.server(), users=made.users(), shares=made.shares(path))
    if made.problems:
        raise ValueError("\n".join(made.problems))
    if options.odd is not None:
        config = options.odd.applied(config, options.given)
    check_made(config)
    return config


class _Making:
    def __init__(self, options: Options, spare: Callable[[], Path]) -> None:
        self.problems: list[str] = []
        self._options, self._spare = options, spare
        self._listen = self._addresses()
        if not isinstance(options.journal, bool):
            self._take("journal", schema.integer(0, _MOST_KEPT), options.journal, 0)

    # --- the server ---

    def server(self) -> ServerConfig:
        options = self._options
        return ServerConfig(
            listen=self._listen,
            signing=options.signing,
            encryption=options.encryption,
            leases=options.leases,
            min_dialect=self._dialect("min_dialect"),
            max_dialect=self._dialect("max_dialect"),
            multichannel=options.multichannel,
            interfaces=self._interfaces(),
            limits=self._limits(),
            state_directory=self._state_directory(),
            status_socket=self._path("status_socket"),
        )

    def _addresses(self) -> tuple[Address, ...]:
        port = self._take("port", schema.integer(0, 65535), self._options.port, 0)
        listen = self._options.listen
        written = [listen] if isinstance(listen, str) else self._strings("listen", listen)
        if not written:
            self._problem("listen", 'must have an address, as in "127.0.0.1"')
        read = [self._take("listen", _address(port), text, None) for text in written]
        addresses = tuple(address for address in read if address is not None)
        for one, other in combinations(addresses, 2):
            # All that have no port get the same one: any number stands for that.
            same = one.port == other.port
            if same and replace(one, port=1).collides_with(replace(other, port=1)):
                self._problem("listen", f"{one.host} and {other.host} are one port twice")
        return addresses

    def _dialect(self, option: str) -> int:
        written: object = getattr(self._options, option)
        if not isinstance(written, str) or written not in DIALECTS:
            self._problem(option, f"must be one of {', '.join(DIALECTS)}, not {written!r}")
            return DIALECTS["3.1.1"]
        return DIALECTS[written]

    def _interfaces(self) -> tuple[str, ...] | None:
        given = self._options.interfaces
        return None if given is None else tuple(self._strings("interfaces", given))

    def _limits(self) -> Limits:
        given: object = self._options.limits
        if given is None:
            return Limits()
        if isinstance(given, Limits):
            return given
        return Limits(**self._table("limits", given, schema.LIMITS))

    def _state_directory(self) -> Path | None:
        options = self._options
        shares = options.shares.values() if isinstance(options.shares, Mapping) else ()
        more = any(isinstance(one, Mapping) and one.get("continuous") for one in shares)
        if options.state_directory is None and (options.continuous or more):
            return self._spare() / "state"
        return self._path("state_directory")

    # --- users and shares ---

    def users(self) -> tuple[UserConfig, ...]:
        options = self._options
        password = options.password
        if password is None:
            password = _PASSWORD if all(map(_is_local, self._listen)) else token_urlsafe(12)
        self._take("user", schema.string, options.user, "")
        self._take("password", schema.string, password, "")
        first = UserConfig(name=options.user, password=password)
        given: object = options.users
        if isinstance(given, Mapping):
            more = [
                UserConfig(
                    name=self._take(f"users.{name}", schema.string, name, ""),
                    password=self._take(f"users.{name}", schema.string, password, "?"),
                )
                for name, password in given.items()
            ]
        else:
            more = self._made("users", given, UserConfig, "names to passwords")
        return (first, *more)

    def shares(self, path: Path) -> tuple[ShareConfig, ...]:
        options = self._options
        name = self._take("share", schema.string, options.share, "")
        keys = self._keys_of_first() | {"path": path.absolute()}
        given: object = options.shares
        if not isinstance(given, Mapping):
            more = self._made("shares", given, ShareConfig, "names to paths or options")
            return (ShareConfig(name, **keys), *more)
        shares = {one: self._share(one, of_it) for one, of_it in given.items()}
        first = ShareConfig(name, **(keys | shares.pop(name, {})))
        return (first, *(self._further(one, keys) for one, keys in shares.items()))

    def _keys_of_first(self) -> dict[str, Any]:
        """The options that are keys of a share, by the same names."""
        keys = {}
        for key, check in schema.SHARE.items():
            value = getattr(self._options, key, None)
            if value is None or key == "users":  # `users` are those of the server
                continue
            if isinstance(check, schema.ArrayOf):
                value = tuple(self._list(key, value, check.element))
            keys[key] = value
        return keys

    def _share(self, name: object, given: object) -> dict[str, Any]:
        """The keys of one share that a mapping has."""
        keys = f"shares.{self._take('shares', schema.string, name, '')}"
        if isinstance(given, str | Path):
            given = {"path": given}
        table = given
        if isinstance(given, Mapping) and isinstance(given.get("path"), Path):
            table = {**given, "path": str(given["path"])}
        found = self._table(keys, table, schema.SHARE)
        if "path" in found:
            found["path"] = Path(found["path"]).absolute()
        return found

    def _further(self, name: str, keys: dict[str, Any]) -> ShareConfig:
        """A share beside the served one: what it does not say itself, the server says."""
        options = self._options
        keys.setdefault("path", self._spare() / "shares" / name)
        keys.setdefault("encryption", options.encryption)
        keys["leases"] = keys.get("leases", True) and options.leases
        return ShareConfig(name, **keys)

    # --- values ---

    def _problem(self, option: str, text: str) -> None:
        self.problems.append(f"{option}: {text}")

    def _take(self, option: str, check: schema.Check, value: object, instead: Any) -> Any:
        """The value as its check makes it; `instead` where that finds a problem."""
        try:
            return check(value)
        except ValueError as error:
            self._problem(option, str(error))
            return instead

    def _path(self, option: str) -> Path | None:
        given: object = getattr(self._options, option)
        if given is None or isinstance(given, str | Path):
            return None if given is None else Path(given).absolute()
        self._problem(option, f"must be a path, not {schema.kind(given)}")
        return None

    def _strings(self, option: str, given: object) -> list[str]:
        return self._list(option, given, schema.string)

    def _list(self, option: str, given: object, check: schema.Check) -> list[Any]:
        if isinstance(given, str) or not isinstance(given, Sequence):
            self._problem(option, f"must be a list of strings, not {schema.kind(given)}")
            return []
        return [self._take(option, check, one, "") for one in given]

    def _table(self, option: str, given: object, checks: schema.Keys) -> dict[str, Any]:
        """A mapping by the checks of a table of shares.toml."""
        if not isinstance(given, Mapping):
            self._problem(option, f"must be a mapping, not {schema.kind(given)}")
            return {}
        found = {}
        for key, value in given.items():
            check = checks.get(key)
            if check is None:
                self._problem(f"{option}.{key}", f"unknown key{schema.nearest(str(key), checks)}")
            elif isinstance(check, schema.ArrayOf):
                found[key] = tuple(self._list(f"{option}.{key}", value, check.element))
            else:
                found[key] = self._take(f"{option}.{key}", check, value, None)
        return found

    def _made(self, option: str, given: object, kind: type, mapping: str) -> list[Any]:
        """A sequence of configurations that the test has made itself."""
        if isinstance(given, Sequence) and all(isinstance(one, kind) for one in given):
            return [*given]
        self._problem(option, f"must be a mapping of {mapping}, or a list of {kind.__name__}")
        return []


def _address(port: int) -> Callable[[object], Address]:
    """A check that takes "0.0.0.0", "::1", "0.0.0.0:4450" or "[::1]:4450"."""

    def check(value: object) -> Address:
        text = schema.string(value)
        if not text:
            raise ValueError('must be an address, as in "127.0.0.1", "::1" or "0.0.0.0:4450"')
        if text.startswith("[") and text.endswith("]"):
            return Address(text[1:-1], port)
        if text.count(":") == 1 or text.startswith("["):
            return Address.parse(text)
        return Address(text, port)

    return check


def _is_local(address: Address) -> bool:
    """Whether no other machine can connect there."""
    try:
        return ip_address(address.host).is_loopback
    except ValueError:
        return address.host == "localhost"
