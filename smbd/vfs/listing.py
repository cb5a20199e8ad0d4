"""The names in a directory, and the metadata of each: what a listing shows."""

import itertools
import os
import stat
from collections.abc import Iterator

from aio.entries import Entry, read_entries
from smbd.ntstatus import NtError, NtStatus
from smbd.vfs.file import File
from smbd.vfs.information import WANTED, information, information_at
from smbd.vfs.lookup import PROC_FDS, closed_after, join
from smbd.vfs.names import DOTS, MAXIMUM_COMPONENT, STREAM_STORE, is_store, to_disk
from smbd.wire.fscc import FileInformation

_LINKS_OF_EMPTY = 2  # of a directory: its own name, and "." in it
_READ_AT_ONCE = 1024


def list_names(directory: File) -> Iterator[list[str]]:
    """The names on disk in a directory, "." and ".." left out, in the file system's order; OSError.

    Nor are there those that are vetoed.  Some at a time: a million of them in one list take 100 MB.
    A snapshot as far as readdir(3) is one: `entry` finds out about later changes.
    """
    veto = directory.root.lookup.veto
    with closed_after(_read_directory(directory)) as fd, os.scandir(fd) as found:
        while some := [one.name for one in itertools.islice(found, _READ_AT_ONCE)]:
            if STREAM_STORE in some:
                some.remove(STREAM_STORE)
            yield some if veto is None else [name for name in some if not veto.mean(name)]


def find_name(directory: File, name: str) -> str | None:
    """The name on disk of the entry that a client means by `name` (one component); None if none.

    As spelled, or else in any other spelling, as when it is opened.  OSError.
    """
    if "/" in name or "\0" in name:
        return None
    on_disk = to_disk(name)
    if len(os.fsencode(on_disk)) > MAXIMUM_COMPONENT or is_store(on_disk):
        return None
    veto = directory.root.lookup.veto
    if veto is not None and veto.mean(on_disk):
        return None
    try:
        os.stat(on_disk, dir_fd=directory.fd, follow_symlinks=False)
    except FileNotFoundError:
        with directory.root.lookup.index.of(directory.fd) as names:
            found = names.find(on_disk)
        return None if found and veto is not None and veto.mean(found) else found
    return on_disk


def is_empty(directory: File) -> bool:
    """Whether a directory could be removed: entries that SMB is not shown count; OSError.

    Of one that may not be read it is only known whether it has subdirectories (where they are links
    of it): its removal will tell, which takes no right to read it.
    """
    try:
        reading = _read_directory(directory)
    except PermissionError:
        return os.fstat(directory.fd).st_nlink <= _LINKS_OF_EMPTY
    with closed_after(reading) as fd, os.scandir(fd) as entries_:
        return next(entries_, None) is None


def _read_directory(directory: File) -> int:
    """A descriptor of our own: two listings through one would share its position."""
    if not directory.is_directory:
        raise NtError(NtStatus.INVALID_PARAMETER)
    return os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=directory.fd)


def entries(directory: File, names: list[str]) -> list[FileInformation | None]:
    """The metadata of entries of a directory, by their names on disk, or "." or "..".

    None for one that is gone, or is nothing that SMB can serve: a FIFO, socket or device, a symlink
    that dangles or leads out of the share.  A symlink that stays inside is shown as its target.
    """
    if not directory.root.lookup.has_proc:
        return [_opened_entry(directory, name) for name in names]
    found = read_entries(directory.fd, names, WANTED)
    return [
        None if entry is None else _entry(directory, name, entry)
        for name, entry in zip(names, found, strict=True)
    ]


def _entry(directory: File, name: str, entry: Entry) -> FileInformation | None:
    status, has_attributes = entry
    kind = stat.S_IFMT(status.mode)
    if kind == stat.S_IFLNK or name in DOTS:
        return _opened_entry(directory, name)
    if kind not in (stat.S_IFREG, stat.S_IFDIR):
        return None
    known = directory.root.file_systems.known(status.dev, status.mnt_id)
    if known is None:
        return _opened_entry(directory, name)
    target = f"{PROC_FDS}/{directory.fd}/{name}" if has_attributes else None
    return information_at(status, target, name, known)


def _opened_entry(directory: File, name: str) -> FileInformation | None:
    if name in DOTS:
        return _dot_entry(directory, name)
    try:
        with directory.root.open(join(directory.path, name), read=False, write=False) as file:
            return information(file)
    except (OSError, NtError):
        return None


def _dot_entry(directory: File, name: str) -> FileInformation | None:
    """The root's parent is the root itself: clients see nothing above a share."""
    if name == "." or not directory.path:
        return information(directory)
    parent, _, _ = directory.path.rpartition("/")
    try:
        with directory.root.open(parent, read=False, write=False) as file:
            return information(file)
    except (OSError, NtError):
        return None
