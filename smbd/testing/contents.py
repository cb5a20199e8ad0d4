"""What is in a server's folders, for a test to ask and to change."""

import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple, Protocol, TypeVar, TypeVarTuple

from smbd import content
from smbd.config import Config, ShareConfig
from smbd.content import Entry, Folder
from smbd.server import Server
from smbd.state import WRITTEN, Told, name_filter
from smbd.vfs import Key, Root
from smbd.wire.change_notify import FileAction

R = TypeVar("R")
Args = TypeVarTuple("Args")


class _Holder(Protocol):
    """The server of a test, as far as its content knows it."""

    config: Config

    @property
    def is_running(self) -> bool:
        """Whether it takes connections."""

    @property
    def server(self) -> Server:
        """The running server."""

    def in_loop(self, function: Callable[[*Args], R], *args: *Args) -> R:
        """Call a function in the server's loop."""


class Contents:
    """The files of a server's shares, by their paths in the share: "a/b.txt".

    `share` is a share's name; without it, the first one's.  Of homes ({user} in a share's path) it
    is that of the server's first user.  All of it is done on the disk, also while the server is
    stopped.  Blocks; ValueError for a share that there is not.
    """

    def __init__(self, holder: "_Holder") -> None:
        self._holder = holder

    def read(self, path: str, *, share: str | None = None, stream: str | None = None) -> bytes:
        """The data of a file, or of its named stream; OSError, as FileNotFoundError.

        What a client caches and has not written yet is not there.
        """
        return content.read(self._folder(share), path, stream)

    def write(
        self, path: str, entry: Entry, *, share: str | None = None, stream: str | None = None
    ) -> None:
        """Have a file hold text or bytes, or all that a File says; folders above it are made.

        A dict makes a folder.  Clients hear of it as of another client's change: what they cache of
        the file or its folder is broken, and CHANGE_NOTIFY is answered.  Nobody waits for them.
        Raises OSError; TypeError or ValueError for what cannot be.
        """
        folder = self._folder(share)
        new = [one for one in _upwards(path) if not os.path.lexists(folder / one)]
        content.put(folder, path, entry, stream)
        changes = [*_changes(folder, path, new)]
        if self._holder.is_running:
            self._holder.in_loop(self._tell, changes)

    def tree(self, path: str = "", *, share: str | None = None) -> Folder:
        """All that is in a folder, as `tree=` has it: `assert server.tree() == {"a": "text"}`.

        Equal is what has the same names and content, and all else that the other side says.
        """
        return content.read_tree(self._folder(share), path)

    def _folder(self, share: str | None) -> Path:
        config = self._holder.config
        shares: Mapping[str, ShareConfig] = {one.name: one for one in config.shares}
        if share is not None and share not in shares:
            raise ValueError(f'there is no share "{share}"; there are {", ".join(shares)}')
        chosen = config.shares[0] if share is None else shares[share]
        return chosen.home_of(config.users[0].name)

    def _tell(self, changes: list["_Change"]) -> None:
        if not self._holder.is_running:
            return
        service = self._holder.server.service
        for change in changes:
            service.tables.local.done(change.told, change.keys, service.clock())


class _Change(NamedTuple):
    """What watchers are to be told, and the files that are others by it."""

    told: Told
    keys: tuple[Key, ...]


def _upwards(path: str) -> Iterator[str]:
    while path:
        yield path
        path = path.rpartition("/")[0]


def _changes(folder: Path, path: str, new: list[str]) -> Iterator[_Change]:
    """The changes by which a path has got what it has; `new` are those that were not there."""
    with Root(folder) as root:
        top = root.absolute_path
    for one in reversed(new):
        named = name_filter(directory=(folder / one).is_dir())
        yield _Change(Told(FileAction.ADDED, f"{top}/{one}", named), (_key((folder / one).parent),))
    if path not in new:
        yield _Change(
            Told(FileAction.MODIFIED, f"{top}/{path}", WRITTEN),
            (_key(folder / path), _key((folder / path).parent)),
        )


def _key(path: Path) -> Key:
    status = path.stat()
    return status.st_dev, status.st_ino
