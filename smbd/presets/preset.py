"""A server that is odd in one way, by name."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from smbd.config import DIALECTS, Config, ServerConfig, ShareConfig
from smbd.content import Tree


@dataclass(frozen=True, slots=True)
class Preset:
    """Its settings, what is in its folder, and how it fails.

    `server`, `limits` and `share` have keys of shares.toml with their values.  `tree` makes the
    content, so much that it is in memory where nobody names a folder if it is `large`.  `shares`
    are folders of that, each of which is a share of its own.  `memory` is the size of the folder in
    memory that it needs, of which nothing is left with `fills`.  `faults` are rules as `tsmbd serve
    --fault` takes them.
    """

    name: str
    line: str  # what a client meets
    server: Mapping[str, Any] = field(default_factory=dict)
    limits: Mapping[str, int] = field(default_factory=dict)
    share: Mapping[str, Any] = field(default_factory=dict)
    tree: Callable[[], Tree] | None = None
    large: bool = False
    shares: tuple[str, ...] = ()
    memory: int | None = None
    fills: bool = False
    faults: tuple[str, ...] = ()

    @property
    def is_in_memory(self) -> bool:
        """Whether its folder is in memory where nobody names one."""
        return self.large or self.memory is not None

    def applied(self, config: Config, given: Collection[str] = ()) -> Config:
        """A configuration with these settings, but for keys that are `given` otherwise."""
        server = replace(config.server, **_server(self.server, given))
        if "limits" not in given:
            server = replace(server, limits=replace(server.limits, **self.limits))
        first, *others = config.shares
        own = {key: value for key, value in self.share.items() if key not in given}
        shares = [_share(replace(first, **own), config.server, server)]
        for name in self.shares:
            share = replace(
                shares[0], name=name, path=Path(first.path, name), comment=f"{name} of many"
            )
            shares.append(share)
        shares += [_share(share, config.server, server) for share in others]
        return replace(config, server=server, shares=tuple(shares))


def _server(settings: Mapping[str, Any], given: Collection[str]) -> dict[str, Any]:
    values = {key: value for key, value in settings.items() if key not in given}
    for key in ("min_dialect", "max_dialect"):
        if key in values:
            values[key] = DIALECTS[values[key]]
    return values


def _share(share: ShareConfig, before: ServerConfig, now: ServerConfig) -> ShareConfig:
    """A share has the server's policy in it (ShareConfig): the one of now."""
    if share.encryption == before.encryption:
        share = replace(share, encryption=now.encryption)
    return replace(share, leases=share.leases and now.leases)
