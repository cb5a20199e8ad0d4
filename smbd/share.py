"""A share as it is served: its configuration, its folder, its I/O engine and its workers."""

import contextlib
import errno
import logging
import os
import threading
import weakref
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, TypeVar, TypeVarTuple

from aio import Engine
from smbd.config import ShareConfig
from smbd.events import about
from smbd.vfs import Names, Recycle, Root, Rules, know_share
from smbd.vfs.lookup import absolute_path_of

_log = logging.getLogger("smbd")

R = TypeVar("R")
Args = TypeVarTuple("Args")


class Workers(Protocol):
    """Threads for calls that may block (aio.WorkerPool)."""

    def run_for(
        self, flow: object, function: Callable[[*Args], R], /, *args: *Args
    ) -> Awaitable[R]:
        """Await `function(*args)`; calls of different `flow`s take turns.

        Cancelled means that the call never began; one that began gives its result, also to a
        cancelled caller.
        """

    def run_long(
        self, flow: object, function: Callable[[*Args], R], /, *args: *Args
    ) -> Awaitable[R]:
        """The same for a call that may take long by its nature: these get half of the workers."""

    def ask(self, patience: float, function: Callable[[*Args], R], /, *args: *Args) -> Awaitable[R]:
        """Await a call that changes nothing, for `patience` seconds at most; then TimeoutError."""

    async def aclose(self, patience: float) -> int:
        """Wait for the calls in flight, then end the threads; how many calls hang even then."""

    def release(self) -> None:
        """Keep no idle thread for long any more; calls still get one."""


@dataclass(slots=True, eq=False)
class Share:
    """A directory that clients connect to by name.

    Tree connects keep the directory open, and nothing else does: an idle share does not keep its
    disk from being unmounted, and the next tree connect gets the directory that its path names
    then.
    """

    config: ShareConfig
    engine: Engine
    workers: Workers  # for all but READ, WRITE and FLUSH: a share whose disk hangs holds no other
    trees: int = 0  # tree connects to it
    opens: int = 0  # in the table of opens
    refusals_told: set[int] = field(default_factory=set)  # errno of refused writes, in the log
    deletions_told: set[int] = field(default_factory=set)  # those of deletions that did not happen
    _roots: "dict[Path, weakref.ref[Root]]" = field(default_factory=dict)
    _opening: threading.Lock = field(default_factory=threading.Lock)

    @property
    def name(self) -> str:
        """The name as configured; clients may spell it in any case."""
        return self.config.name

    def open_root(self, user: str = "") -> Root:
        """The folder that the share's path names now; it closes with the last use of it.

        Of a share of homes that of a user, by its name in shares.toml; it is made if the share has
        such made.  Blocks; OSError if there is none.
        """
        return self._open_root(user, make=True)

    def find_root(self, user: str = "") -> Root:
        """The same for the server itself: no home is made.  Blocks; OSError."""
        return self._open_root(user, make=False)

    def _open_root(self, user: str, *, make: bool) -> Root:
        config = self.config
        path = config.home_of(user)
        with self._opening:
            self._roots = {known: root for known, root in self._roots.items() if root() is not None}
            if make and config.has_homes and config.create:
                self._make(path)
            root = self._roots[path]() if path in self._roots else None
            if root is None or not root.is_at_path():
                root = self._open(user, _rules(config))
                know_share(root.absolute_path)
                self._roots[path] = weakref.ref(root)
            return root

    def open_whole(self, user: str = "") -> Root:
        """The same with nothing vetoed.  Blocks; OSError."""
        config = self.config
        if not config.veto:
            return self.find_root(user)
        return self._open(user, Rules())

    def _open(self, user: str, rules: Rules) -> Root:
        config = self.config
        path, streams = config.home_of(user), config.streams
        root = Root(path, config.read_only, config.name, streams=streams, rules=rules)
        # Not by hand: a worker may still look for a name in it, for a client that has left
        # meanwhile, and would begin in the next file that gets the descriptor's number.
        weakref.finalize(root, root.lookup.close)
        if config.has_homes:
            # Behind the first folder that is a user's own, it may have put symbolic links.
            own = config.holder_of(user).resolve()
            found = Path(absolute_path_of(root.lookup.fd) or path.resolve())
            if own not in (found, *found.parents):
                raise OSError(errno.EXDEV, "leads out of the user's own folder", str(path))
        return root

    def check_folder(self) -> None:
        """See that there is something to serve, whoever connects.  Blocks; OSError if not."""
        if self.config.has_homes:
            os.close(os.open(self.config.folder, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC))
        else:
            self.open_root()

    def _make(self, home: Path) -> None:
        """Make a home that is missing, for the server's user alone."""
        with contextlib.suppress(FileExistsError):
            home.mkdir(mode=0o700)
            extra = about("home made", share=self.name)
            _log.info("%s: made the folder %s", self.name, home, extra=extra)

    @property
    def roots(self) -> list[Root]:
        """The folders that somebody still uses, as they were opened last."""
        found = (root() for root in list(self._roots.values()))
        return [root for root in found if root is not None]


def _rules(config: ShareConfig) -> Rules:
    recycle = None
    if config.recycle:
        recycle = Recycle(config.recycle, Names.of(config.recycle_except))
    return Rules(Names.of(config.veto), Names.of(config.hide), recycle)
