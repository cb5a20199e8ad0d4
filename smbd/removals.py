"""The folder in which C may remove names during one call of it (native/removes.c).

It is taken as for a removal in Python (vfs.Place): the loop alone changes its names, and learns
behind the call which of them have gone.  C removes small files of which nothing but their status
says anything.  What a removal asks beside the file is asked here, once for all in the call.
"""

from typing import Any

from smbd.native import MOST_PREFIX, Core
from smbd.ntstatus import NtError
from smbd.request import Request
from smbd.vfs import File, Place, Root, parse_name
from smbd.vfs.closes import SMALL
from smbd.vfs.information import raw_status
from smbd.wire.bounds import encode, text

_PLACE = slice(136, 152)  # device and mount in a struct statx
# So many in a row that C has left to Python: then of so many only one is tried.
_MOST_VAIN, _TRIED = 4, 64


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

    def take(self, request: Request, root: Root, name: memoryview) -> bool:
        """Let C remove files of the folder that a CREATE's name is in; False: not now."""
        if not self.hopeful:
            return False
        try:
            said = text(name)
            folder, backslash, _ = said.rpartition("\\")
            prefix = encode(folder + backslash)
            if self._place is not None:
                return root is self._root and prefix == self._prefix
            path, stream = parse_name(said)
            if stream is not None or len(prefix) > MOST_PREFIX or not _is_free(request, root):
                return False
            place = root.place_at_once(path)
        except (NtError, OSError):
            return False
        if place is None:
            return False
        if not self._give(root, place.directory, prefix):
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
        taken.fd = folder.fd
        return True

    def settle(self) -> bool:
        """C has returned; whether it has removed something."""
        place, self._place, self._root = self._place, None, None
        if place is None:
            return False
        self._taken.fd, size = -1, self._taken.size
        with place:
            if size:
                self._vain, self.hopeful = 0, True
                place.removed(bytes(self._names[: size - 1]).decode("ascii").split("\0"))
        return bool(size)


def _is_free(request: Request, root: Root) -> bool:
    """Whether what goes from a share is of no concern to anybody, nor to a rule of the share."""
    tables = request.tables
    return not (
        root.recycle is not None
        or root.read_only
        or root.hide is not None
        or tables.are_heard
        or tables.files.changes.flights
    )
