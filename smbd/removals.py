"""The folder in which C may remove names during one call of it (native/removes.c).

It is taken as for a removal in Python (vfs.Place): the loop alone changes its names, and learns
behind the call which of them have gone.  C removes small files of which nothing but their status
says anything.  What a removal asks beside the file is asked here, once for all in the call.
"""

from time import monotonic
from typing import Any

from aio import kernel
from aio.mounted import look_of
from smbd import vfs
from smbd.native import MOST_PREFIX, Core
from smbd.ntstatus import NtError
from smbd.request import Request
from smbd.vfs import File, Place, Root, parse_name
from smbd.vfs.closes import SMALL
from smbd.vfs.information import raw_status
from smbd.vfs.lookup import join
from smbd.wire.bounds import encode, text

_PLACE = slice(136, 152)  # device and mount in a struct statx
# So many in a row that C has left to Python: then of so many only one is tried.
_MOST_VAIN, _TRIED = 4, 64
# Seconds that a conversation may have a folder: its names are what others' workers may wait for.
_LONGEST = 0.01


class Removals:
    """The folder that is taken in one call of C, of all connections of a server."""

    def __init__(self, core: Core, visits: Any) -> None:
        self._ffi, self._taken = core.ffi, visits.taken
        self._taken.fd, visits.small = -1, SMALL
        self._names: Any = core.ffi.buffer(visits.taken.names)
        self._place: Place | None = None
        self._root: Root | None = None
        self._prefix = b""
        self._vain = 0
        self.hopeful = True  # the next one may be C's

    def take(self, request: Request, root: Root, name: memoryview, *, alone: bool) -> bool:
        """Let C remove files of the folder that a CREATE's name is in; False: not now.

        `alone`: their CREATEs are answered before, and promise that they can be removed.
        """
        if not self.hopeful:
            return False
        try:
            said = text(name)
            above, backslash, _ = said.rpartition("\\")
            prefix = encode(above + backslash)
            if self._place is not None:
                is_it = root is self._root and prefix == self._prefix
                return is_it and not (alone and not vfs.may_remove_from(self._place.directory))
            path, stream = parse_name(said)
            if stream is not None or len(prefix) > MOST_PREFIX or not _is_free(request, root):
                return False
            place = root.place_at_once(path)
        except (NtError, OSError):
            return False
        if place is None:
            return False
        folder = place.directory
        if (
            request.tables.are_heard(folder)
            or (alone and not vfs.may_remove_from(folder))
            or not self._give(root, folder, prefix)
        ):
            place.leave()
            return False
        self._place, self._root, self._prefix = place, root, prefix
        return True

    def missed(self) -> None:
        """Python has removed a file that might have been C's."""
        self._vain += 1
        self.hopeful = self._vain < _MOST_VAIN or not self._vain % _TRIED

    def _give(self, root: Root, folder: File, prefix: bytes) -> bool:
        taken = self._taken
        system = root.file_systems.known(folder.device, folder.look.mount)
        if folder.crossed or folder.asks_others or system is None:
            return False
        self._ffi.memmove(taken.prefix, prefix, len(prefix))
        self._ffi.memmove(taken.place, raw_status(folder.fd)[_PLACE], 16)
        taken.root, taken.prefix_size, taken.size = root.number, len(prefix), 0
        taken.mask, taken.volume_id = system.mask, system.volume_id
        taken.until, taken.idle, taken.fd = monotonic() + _LONGEST, 0.0, folder.fd
        return True

    def open(self, doomed: Any) -> File:
        """The file that C has opened in the folder that is taken; its descriptor is this one's."""
        place, root = self._place, self._root
        assert place is not None, "C has taken it"
        assert root is not None, "C has taken it"
        raw, fd = bytes(self._ffi.buffer(doomed.status)), doomed.fd
        name = self._ffi.string(doomed.name).decode("ascii")
        doomed.fd = -1
        look = look_of(kernel.statx_of(raw))
        return File(root, join(place.directory.path, name), fd, look, read=False, write=False)

    def settle(self) -> bool:
        """C has returned; whether it has removed something."""
        place, self._place, self._root = self._place, None, None
        if place is None:
            return False
        self._taken.fd, size = -1, self._taken.size
        names = bytes(self._names[:size]).decode("ascii").split("\0")[:-1]
        with place:
            place.removed_beside(names, self._taken.idle)
        if names:
            self._vain, self.hopeful = 0, True
        return bool(names)


def _is_free(request: Request, root: Root) -> bool:
    """Whether what goes is of no concern to a rule of the share, nor to CREATEs at work."""
    return not (
        root.recycle is not None
        or root.read_only
        or root.hide is not None
        or request.tables.files.changes.flights
    )
