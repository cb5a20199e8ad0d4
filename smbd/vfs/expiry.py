"""What has lain in the recycle folders of a share for long: found, and removed one at a time.

A file is as old as the last change of its inode (ctime), which being moved there is, and which
nobody can set back.  So is a folder that has become empty.  What is neither stays, and no symbolic
link or mount is followed: all that is removed lies in a recycle folder itself.
"""

import contextlib
import os
import stat
from collections.abc import Iterator
from typing import NamedTuple

from aio.mounted import look_at
from smbd.ntstatus import NtError
from smbd.vfs.lookup import absolute_path_of, closed_after, join
from smbd.vfs.mounts import mounts, one_path
from smbd.vfs.names import comparison_key
from smbd.vfs.root import Root

_FOLDER = os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


class Expired(NamedTuple):
    """A file, or a folder with nothing in it, that may go."""

    above: str  # the path of the folder that its recycle folder is in, below the share's
    folders: tuple[str, ...]  # from there, the recycle folder first, to the one that it is in
    name: str
    identity: tuple[int, int]  # (device, inode)
    place: str  # its absolute path
    is_directory: bool


def find_expired(root: Root, recycle: str, before: float) -> Iterator[Expired | None]:
    """What lies in the recycle folders of that name since a time (Unix, seconds) or longer.

    In steps, of which most find nothing (None); the listing of a folder is one.  Blocks.  What
    cannot be looked into is left out.
    """
    for above in _with_recycle_folders(root):
        name = _spelled(root, above, recycle)
        if name is not None:
            yield from _walk(root, above, name, before)


def _with_recycle_folders(root: Root) -> list[str]:
    """The folders that may have one: the share's own, and each that is mounted in it."""
    place = root.absolute_path
    points = {one_path(one.point) for one in mounts()}
    return ["", *(one[len(place) + 1 :] for one in sorted(points) if one.startswith(f"{place}/"))]


def _spelled(root: Root, above: str, recycle: str) -> str | None:
    """The name of a recycle folder as it is on the disk; None if there is none."""
    with contextlib.suppress(OSError, NtError):
        with closed_after(root.lookup.exact(above)) as fd, root.lookup.index.of(fd) as names:
            there = names.find(recycle)
        if there is not None and comparison_key(there) == comparison_key(recycle):
            return there
    return None


def _walk(root: Root, above: str, recycle: str, before: float) -> Iterator[Expired | None]:
    waiting: list[tuple[str, ...]] = [(recycle,)]
    while waiting:
        folders = waiting.pop()
        try:
            with closed_after(_open(root, above, folders)) as fd:
                reading = os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=fd)
        except (OSError, NtError):
            continue
        with closed_after(reading) as fd:
            entries = _entries(fd)
            if not entries and len(folders) > 1:
                yield _if_old(above, folders[:-1], folders[-1], os.fstat(fd), fd, before)
            for name in entries:
                try:
                    status = os.stat(name, dir_fd=fd, follow_symlinks=False)
                except FileNotFoundError:
                    continue
                if stat.S_ISDIR(status.st_mode):
                    waiting.append((*folders, name))
                    yield None
                else:
                    yield _if_old(above, folders, name, status, fd, before)


def _if_old(
    above: str,
    folders: tuple[str, ...],
    name: str,
    status: os.stat_result,
    fd: int,
    before: float,
) -> Expired | None:
    is_directory = stat.S_ISDIR(status.st_mode)
    if status.st_ctime > before or not (is_directory or stat.S_ISREG(status.st_mode)):
        return None
    place = one_path(absolute_path_of(fd))
    if not is_directory:
        place = join(place, name)
    return Expired(above, folders, name, (status.st_dev, status.st_ino), place, is_directory)


def remove_expired(root: Root, one: Expired, before: float) -> bool:
    """Remove it if it still is what was found, and as old; whether it is gone.  Blocks; OSError."""
    root.check_writable()
    try:
        opened = _open(root, one.above, one.folders)
    except (FileNotFoundError, NotADirectoryError):
        return False
    with closed_after(opened) as fd, root.lookup.index.of(fd) as names:
        try:
            status = os.stat(one.name, dir_fd=fd, follow_symlinks=False)
        except FileNotFoundError:
            return False
        if (status.st_dev, status.st_ino) != one.identity or status.st_ctime > before:
            return False
        if one.is_directory:
            os.rmdir(one.name, dir_fd=fd)
        else:
            os.unlink(one.name, dir_fd=fd)
        names.removed(one.name)
    return True


def _open(root: Root, above: str, folders: tuple[str, ...]) -> int:
    """A folder in a recycle folder, by each name on the way to it; the caller closes it.

    OSError: NotADirectoryError for a symbolic link and for what is mounted there.
    """
    fd = root.lookup.exact(above)
    for name in folders:
        with closed_after(fd):
            below = os.open(name, _FOLDER, dir_fd=fd)
            if _mount_of(below) != _mount_of(fd):
                os.close(below)
                raise NotADirectoryError(name)
        fd = below
    return fd


def _mount_of(fd: int) -> tuple[int, int]:
    look = look_at(fd)
    return look.st_dev, look.mount


def _entries(fd: int) -> list[str]:
    with os.scandir(fd) as found:
        return [one.name for one in found]
