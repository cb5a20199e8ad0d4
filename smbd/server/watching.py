"""Changes made on the machine itself: the kernel is asked to tell of them, and heard.

In a share with `watch = true`, what clients watch is marked; what comes of it goes to the state.
"""

import contextlib
import errno
import logging
import os
from collections import deque
from collections.abc import Callable, Coroutine
from functools import partial

import trio

from smbd.events import about
from smbd.service import Service
from smbd.state import Mark, Operation, Watched
from smbd.turns import Turn
from smbd.vfs import File
from smbd.vfs.watches import Key, Watches, open_watches, walk
from smbd.wall import behind_wall, kept_running, wall

_log = logging.getLogger("smbd")

# In all.  Each takes 0.6 KB here, and keeps an inode in the kernel's memory: 1 KB on ext4.
_MOST_MARKS = 65_536
# Seconds between two looks at events: the kernel puts those of one file together meanwhile, and 100
# WRITEs of 4 KiB wake the loop once.
_PAUSE = 0.01
_AT_ONCE = 256  # marks to remove
_TRIES = 5  # for a walk amid which directories move

_Found = list[tuple[str, Key, Watches, bool]]


class Watching:
    """The marks of a running server (smbd.state.marks.Marker), and the tasks that hear of them."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._local = service.tables.local
        self._watches: list[Watches] = []
        self._tops: dict[Watched, int] = {}  # an open directory, for the walks below it
        self._nursery: trio.Nursery | None = None
        self._over = False
        self._told: set[object] = set()  # refusals, in the log
        self._unwanted: deque[tuple[Mark, str]] = deque()  # marks that are to be removed
        self._removing: trio.Event | None = None  # while a worker removes some: set when it is done

    async def run(self) -> None:
        """Hear of changes until cancelled."""
        try:
            async with trio.open_nursery() as nursery:
                self._nursery = nursery
                try:
                    self.adjust()
                    await trio.sleep_forever()
                finally:
                    self._over = True  # walks end with that; the nursery waits for them
                    self._local.marker = self._local.guards.guardian = None
        finally:
            for watches in self._watches:
                watches.close()
            for fd in self._tops.values():
                os.close(fd)

    def adjust(self) -> None:
        """Do as the configuration says now, with what is watched already too."""
        if self._nursery is None or self._over:
            return
        if not self._watches and any(share.config.watch for share in self._service.shares.values()):
            self._begin()
        for one in list(self._service.tables.opens):
            entry, wanted = one.notify, one.share.config.watch
            if entry is not None and entry.is_local and not wanted:
                self._local.unwatch(entry)
            elif entry is not None and wanted and not entry.is_local:
                self._local.watch(entry, one.share.workers)
            if wanted and one.caching is not None and not self._local.guards.guard(one.file):
                one.cachings.contend(Operation.CHANGE, None, self._service.clock())

    def _begin(self) -> None:
        self._watches, reasons = open_watches()
        if not self._watches:
            text = "local changes cannot be watched: %s"
            _log.error(text, reasons, extra=about("watch failed"))
            return
        self._local.marker = self._local.guards.guardian = self
        self._local.by = ", ".join(watches.name for watches in self._watches)
        self._local.notify.on_change = self._changed
        assert self._nursery is not None, "it runs"
        for watches in self._watches:
            self._nursery.start_soon(kept_running, "hearing of changes", self._hear, watches)

    async def _hear(self, watches: Watches) -> None:
        turn = Turn(self._service.turns)
        while True:
            await trio.lowlevel.wait_readable(watches.fd)
            turn.begin()
            while self._read(watches):
                await turn.pause()
            await trio.sleep(_PAUSE)

    def _read(self, watches: Watches) -> bool:
        """Take in some events; whether there may be more."""
        events, now = watches.read(), self._service.clock()
        for seen in events:
            with wall("a change on this machine"):
                self._local.heard(seen, watches, now)
        return bool(events)

    def _changed(self, action: int, where: str) -> None:
        """The server has made a change, whose events are in the queue by now.

        What others have done before is told before.
        """
        for watches in self._watches:
            self._read(watches)
        self._local.ours(action, where)

    # --- what is marked: smbd.state.marks.Marker ---

    def begin(self, watched: Watched, directory: File) -> None:
        """Mark an open directory, and with `watched.deep` all below it."""
        if not directory.asks_others:
            try:
                self._check_room()
                self._local.put(watched.where, *self._mark(directory.fd))
            except OSError as error:
                self._tell_refusal(watched.where, error)
        # A worker that removes marks may remove this one too: then it is made again.
        if watched.deep or directory.asks_others or self._removing is not None:
            if watched not in self._tops:
                self._tops[watched] = os.dup(directory.fd)
            self._walk_soon(watched, watched.where, fresh=False)

    def look(self, watched: Watched, place: str, *, fresh: bool) -> None:
        """Mark the directory that has come to a place below `watched`, and all below that."""
        self._walk_soon(watched, place, fresh=fresh)

    def end(self, watched: Watched) -> None:
        """Nobody watches it any more."""
        fd = self._tops.pop(watched, None)
        if fd is not None:
            os.close(fd)

    def unmark(self, mark: Mark, place: str) -> None:
        """Remove a mark; one whose inode is not found there any more is left to the kernel."""
        if self._nursery is not None and not self._over:
            self._unwanted.append((mark, place))
            if len(self._unwanted) == 1 and self._removing is None:
                self._nursery.start_soon(behind_wall, "removing marks", self._remove)

    async def _remove(self) -> None:
        """Remove marks in a worker, while no walk makes any."""
        while self._unwanted:
            if self._local.walks:
                await trio.sleep(_PAUSE)
                continue
            some = [self._unwanted.popleft() for _ in range(min(_AT_ONCE, len(self._unwanted)))]
            some = [one for one in some if not self._local.is_marked(one[0].key)]
            self._removing = trio.Event()
            try:
                await self._service.blocking(_unmark_each, some)
            finally:
                self._removing.set()
                self._removing = None

    # --- what is guarded: smbd.state.Guardian ---

    def guard(self, file: File) -> Key | None:
        """Mark an open file or directory: the key of its events, None if that cannot be."""
        if self._removing is not None and file.is_directory:
            return None  # its mark may be among those that are being removed
        for watches in self._watches:
            if watches.tells_ours:
                try:
                    self._check_room()
                    return watches.mark(file.fd, directory=file.is_directory)
                except OSError as error:
                    self._tell_refusal(file.label, error)
        return None

    def _check_room(self) -> None:
        if len(self._local) + len(self._local.guards) >= _MOST_MARKS:
            raise OSError(errno.ENOSPC, f"more than {_MOST_MARKS} files and folders to watch")

    def unguard(self, mark: Key, file: File) -> None:
        """Remove the mark, while the file is open still."""
        if file.fd < 0 or self._local.is_marked(mark):
            return
        for watches in self._watches:
            if watches.tells_ours:
                with contextlib.suppress(OSError):
                    watches.unmark_open(mark, file.fd, directory=file.is_directory)

    def _mark(self, fd: int) -> tuple[Key, Watches]:
        """Mark an open directory in the best way that there is for it.  Any thread; OSError."""
        refusal = OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))
        for watches in self._watches:
            try:
                key = watches.mark(fd, directory=True)
            except OSError as error:
                refusal = error
            else:
                return key, watches
        raise refusal

    def _tell_refusal(self, where: str, error: OSError) -> None:
        if error.errno not in self._told:
            self._told.add(error.errno)
            text = "changes on this machine are not seen in %s, and maybe others: %s"
            _log.warning(text, where, error.strerror, extra=about("watch failed"))

    # --- walks ---

    def _walk_soon(self, watched: Watched, place: str, *, fresh: bool) -> None:
        top = self._tops.get(watched)
        if top is None or self._over or self._nursery is None:
            return
        self._local.walks += 1
        walking = self._walk(watched, place[len(watched.where) + 1 :], fresh=fresh)
        self._nursery.start_soon(behind_wall, "looking through a folder", walking, os.dup(top))

    def _walk(
        self, watched: Watched, below: str, *, fresh: bool
    ) -> Callable[[int], Coroutine[None, None, None]]:
        async def walking(top: int) -> None:
            unheard = True  # unless all goes well
            try:
                if self._removing is not None:
                    await self._removing.wait()
                for _ in range(_TRIES):
                    found: _Found = []
                    moves = self._local.moves
                    call = partial(self._find, watched, below, found)
                    await watched.workers.run_long(watched, call, top)
                    await self._put(watched, found)
                    if self._local.moves == moves:
                        unheard = fresh and any(filled for *_, filled in found)
                        break
            finally:
                os.close(top)
                self._local.walked(watched, unheard=unheard)

        return walking

    def _find(self, watched: Watched, below: str, found: _Found, top: int) -> None:
        """Mark the directories of a tree, in a worker."""
        most = _MOST_MARKS * 3 // 4  # a client's large tree leaves marks for what others cache
        room = most - len(self._local)

        def wanted() -> bool:
            return not self._over and watched.users > 0 and len(found) < room

        try:
            for path, (key, watches), filled in walk(top, below, self._mark, wanted):
                found.append((path, key, watches, filled))
                if not watched.deep:
                    break
            if len(found) >= room:
                raise OSError(errno.ENOSPC, f"more than {most} folders to watch")
        except OSError as error:
            self._tell_refusal(watched.where, error)

    async def _put(self, watched: Watched, found: _Found) -> None:
        turn = Turn(self._service.turns)
        turn.begin()
        for path, key, watches, _ in found:
            self._local.put(f"{watched.where}/{path}" if path else watched.where, key, watches)
            await turn.pause()


def _unmark_each(marks: list[tuple[Mark, str]]) -> None:
    for mark, place in marks:
        with contextlib.suppress(OSError):
            mark.watches.unmark(mark.key, place)
