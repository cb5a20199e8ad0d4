"""What is in a folder, as a tree that says everything."""

import errno
import os
import stat
from pathlib import Path
from typing import Any

from smbd import vfs
from smbd.content.kinds import Entry, File, Folder, Symlink
from smbd.content.making import said
from smbd.vfs.names import is_store
from smbd.wire.filetime import unix_from_filetime

MOST = 256 << 20  # bytes of data in one tree: holes take none
_MOST_EAS = 1 << 20  # bytes of one file's: beyond it EAs are left out
_AT_ONCE = 1 << 20


def read(directory: str | Path, path: str, stream: str | None = None) -> bytes:
    """The data of one file, or of a named stream, in a folder.  Blocks.

    The name may be spelled in any case, as a client's, and a symbolic link is followed inside the
    folder.  Raises OSError; ValueError for more than 256 MiB.
    """
    with vfs.Root(directory) as root, said(path):
        file = root.open(path, read=True, write=False)
        try:
            if stream is not None:
                file = vfs.open_stream(file, stream, read=True, write=False)
            if file.is_directory:
                raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
            size = vfs.end_of_file(file)
            if size > MOST:
                raise ValueError(_too_much(path))
            start = _Reader().start_of(file.fd, size, path)
        finally:
            file.close()
    return start.ljust(size, b"\0")


def read_tree(directory: str | Path, path: str = "") -> Folder:
    """All that is in a folder, or in a folder `path` below it.  Blocks.

    Left out are the server's own .smbd-streams and what clients cannot open (pipes, devices).
    Raises OSError, whose filename is the path in the tree; ValueError for more than 256 MiB of
    data.
    """
    with vfs.Root(directory) as root:
        reader = _Reader()
        top = Folder()
        waiting = [(path, top)]
        while waiting:
            path, folder = waiting.pop()
            with said(path):
                waiting += reader.fill(folder, root, path)
    return top


class _Reader:
    """Reads files until all together have too much data."""

    def __init__(self) -> None:
        self._left = MOST

    def fill(self, folder: Folder, root: vfs.Root, path: str) -> list[tuple[str, Folder]]:
        """Have a Folder hold what is in that of a path; those within, which are empty yet.

        NtError, OSError.
        """
        below = []
        with root.open(path, read=True, write=False) as file:
            if not file.is_directory:
                raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
            folder.become(self._details(file))
            for name in _names(file.fd):
                its = f"{path}/{name}" if path else name
                with said(its):
                    entry = self._entry(root, its, file.fd, name)
                if entry is not None:
                    folder[name] = entry
                if isinstance(entry, Folder):
                    below.append((its, entry))
        return below

    def _entry(self, root: vfs.Root, path: str, parent: int, name: str) -> Entry | None:
        mode = os.stat(name, dir_fd=parent, follow_symlinks=False).st_mode
        if stat.S_ISDIR(mode):
            return Folder()
        if stat.S_ISLNK(mode):
            return Symlink(os.readlink(name, dir_fd=parent))
        if not stat.S_ISREG(mode):
            return None
        with root.open(path, read=True, write=False) as file:
            size = vfs.end_of_file(file)
            return File.found(self.start_of(file.fd, size, path), size, self._details(file))

    def _details(self, file: vfs.File) -> dict[str, Any]:
        known = vfs.information(file)
        eas = vfs.list_eas(file, _MOST_EAS)
        return {
            "mtime": unix_from_filetime(known.last_write_time) / 1e9,
            "created": unix_from_filetime(known.creation_time) / 1e9,
            "attributes": known.attributes & vfs.SETTABLE_ATTRIBUTES,
            "mode": stat.S_IMODE(vfs.ownership(file).mode),
            "eas": {os.fsdecode(ea.name): ea.value for ea in eas},
            "streams": {its.name: self._stream(file, its.name) for its in vfs.list_streams(file)},
        }

    def _stream(self, file: vfs.File, name: str) -> bytes:
        # The stream owns the file that it was opened of.
        own = file.root.open(file.path, read=True, write=False)
        with vfs.open_stream(own, name, read=True, write=False) as stream:
            size = vfs.end_of_file(stream)
            return self.start_of(stream.fd, size, f"{file.path}:{name}").ljust(size, b"\0")

    def start_of(self, fd: int, size: int, path: str) -> bytes:
        """The data of a file as far as it is not zeros alone; ValueError if that is too much."""
        end = _end_of_data(fd, size)
        self._left -= end
        if self._left < 0:
            raise ValueError(_too_much(path))
        parts: list[bytes] = []
        at = 0
        while at < end:
            part = os.pread(fd, min(end - at, _AT_ONCE), at)
            if not part:
                break
            parts.append(part)
            at += len(part)
        return b"".join(parts)


def _too_much(path: str) -> str:
    return f"{path}: more than {MOST >> 20} MiB of data; a folder below may have less"


def _names(directory: int) -> list[str]:
    with os.scandir(directory) as found:
        return sorted(entry.name for entry in found if not is_store(entry.name))


def _end_of_data(fd: int, size: int) -> int:
    """Where the hole at the end of a file begins; where there is none its size."""
    if size <= _AT_ONCE:
        return size
    end = 0
    while end < size:
        try:
            start = os.lseek(fd, end, os.SEEK_DATA)
        except OSError as error:
            return end if error.errno == errno.ENXIO else size  # EINVAL: it is not known here
        end = min(os.lseek(fd, start, os.SEEK_HOLE), size)
    return end
