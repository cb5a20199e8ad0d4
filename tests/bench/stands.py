"""Servers that stand side by side for a benchmark, on a file system of one kind."""

import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Literal

from aio.compare.volumes import VolumeError, made_volume
from smbd.load import Target
from tests.conformance.servers import (
    CHECKOUT,
    PASSWORD,
    SHARE,
    USER,
    CannotStartError,
    Server,
    ours,
    samba,
)

from .files import written
from .floor import floor

FILE, FILE_SIZE = "load.bin", 64 << 20
_FILES_IN = Path("/var/tmp")  # not /tmp, which may be a tmpfs
_MEMORY = Path("/dev/shm")
_VOLUME = 768 << 20
_READS_PER_SECOND = 2000
Limits = Mapping[str, int]
# One address has all connections here.
_LIMITS: Limits = {"connections": 4000, "connections_per_address": 4000, "half_open_logins": 4000}

# folder: of /var/tmp.  disk: ext4 on a loop device over memory, whose reads take about 25 us.
# slow: the same with reads rationed.  fresh, kernel: a folder, and servers that have done nothing
# yet, for the client of this process or for a Linux guest.
Place = Literal["folder", "disk", "slow", "fresh", "kernel"]


@dataclass
class Stand:
    """A running server with the file that all rows read and write."""

    name: str
    server: Server
    target: Target

    @property
    def folder(self) -> Path:
        """What it shares."""
        return self.server.folder

    @property
    def pid(self) -> int:
        """Its process."""
        return self.server.pid


Maker = Callable[[Path, Limits], Server]


def _ours(engine: str = "nowait", checkout: Path = CHECKOUT) -> Maker:
    return lambda work, limits: ours(
        work, engine=engine, checkout=checkout, limits={**_LIMITS, **limits}
    )


_KINDS: dict[str, Maker] = {
    "smbd": _ours(),
    "smbd-sync": _ours("sync"),
    "smbd-threads": _ours("threads"),
    "samba": lambda work, _limits: samba(work),
    "floor": lambda work, _limits: floor(work, FILE_SIZE),
}
NAMES = ", ".join(_KINDS)


def maker(name: str) -> Maker:
    """What makes the server of this name: one of NAMES, or smbd@CHECKOUT.  ValueError: none."""
    kind, _, checkout = name.partition("@")
    if kind not in _KINDS or (checkout and kind != "smbd"):
        raise ValueError(f"{name!r} is none of {NAMES}, smbd@CHECKOUT")
    if not checkout:
        return _KINDS[kind]
    tree = Path(checkout).resolve()
    if not (tree / ".venv/bin/python").exists():
        raise ValueError(f"{tree} has no .venv: run its tests/run once")
    return _ours(checkout=tree)


@contextmanager
def standing(
    place: Place,
    names: Sequence[str],
    cannot: Callable[[str, str], None],
    limits: Limits = MappingProxyType({}),
) -> Iterator[list[Stand]]:
    """The servers of these names, started; `cannot(name, why)` is told which could not be.

    `limits`: more of smbd's, or others.
    VolumeError: this machine cannot make the place.
    """
    with ExitStack() as stack:
        if place in {"disk", "slow"}:
            rationed = _READS_PER_SECOND if place == "slow" else None
            home = _MEMORY if _MEMORY.is_dir() else _FILES_IN
            volume = stack.enter_context(
                made_volume("ext4", home, size=_VOLUME, reads_per_second=rationed)
            )
            stack.enter_context(volume.throttled())
            root = volume.folder
        else:
            made = tempfile.TemporaryDirectory(prefix="smbd-bench-", dir=_FILES_IN)
            root = Path(stack.enter_context(made))
        stands = []
        for number, name in enumerate(names):
            work = root / str(number)
            work.mkdir()
            try:
                server = maker(name)(work, limits)
                written(server.folder / FILE, FILE_SIZE)
                stack.enter_context(server)
            except (CannotStartError, OSError) as error:
                cannot(name, str(error))
                continue
            target = Target(server.port, SHARE, USER, PASSWORD, logs_in=name != "floor")
            stands.append(Stand(name, server, target))
        yield stands


__all__ = ["FILE", "FILE_SIZE", "NAMES", "Place", "Stand", "VolumeError", "maker", "standing"]
