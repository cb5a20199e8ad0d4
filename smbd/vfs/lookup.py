"""Names found beneath a share's root: as spelled, or else in any other spelling."""

import contextlib
import errno
import fcntl
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from aio.mounted import Look
from smbd.ntstatus import NtError, NtStatus
from smbd.vfs import confine
from smbd.vfs.index import Index
from smbd.vfs.names import is_store
from smbd.vfs.visibility import Names

PROC_FDS = "/proc/self/fd"
_INDEX = Index()


def join(parent: str, name: str) -> str:
    """The path of an entry of the directory `parent`."""
    return f"{parent}/{name}" if parent else name


def absolute_path_of(fd: int) -> str:
    """The absolute path by which the kernel knows an open file now; "" without /proc.

    It is the name by which the file was opened: of several hard links, that one, wherever it was
    moved since.  Asks no disk; 2 us (measured).
    """
    try:
        return os.readlink(f"{PROC_FDS}/{fd}")  # noqa: PTH115 -- a Path costs twice as much
    except OSError:
        return ""


def closed_after(fd: int) -> contextlib.AbstractContextManager[int]:
    """A descriptor for the length of a block."""
    return _Closing(fd)


def closed_on_error(fd: int) -> contextlib.AbstractContextManager[int]:
    """A descriptor that stays open if the block succeeds."""
    return _ClosingOnError(fd)


def _can_find_cached(root: int) -> bool:
    found = confine.find_cached(root, "")
    if found is None:
        return False
    os.close(found[0])
    return True


class _Closing:
    """As contextlib.closing, at a quarter of a generator's cost; a lookup needs two or three."""

    __slots__ = ("_fd",)

    def __init__(self, fd: int) -> None:
        self._fd = fd

    def __enter__(self) -> int:
        return self._fd

    def __exit__(self, *_exc_info: object) -> None:
        os.close(self._fd)


class _ClosingOnError(_Closing):
    __slots__ = ()

    def __exit__(self, *exc_info: object) -> None:
        if exc_info[0] is not None:
            os.close(self._fd)


class Found(NamedTuple):
    """The file or directory at a path; the caller closes the descriptor."""

    fd: int  # O_PATH
    path: str  # as it is spelled on disk
    crossed: bool  # whether a symbolic link was on the way, or the path names one


class Lookup:
    """The way from paths to descriptors in one share.

    Raises OSError if there is no directory `path`.  `veto` has the names that nothing leads to.
    openat2=False forces the walk that stands in for openat2 where the kernel lacks it.
    """

    def __init__(
        self, path: str | Path, *, veto: Names | None = None, openat2: bool = True
    ) -> None:
        self.veto = veto
        self.fd = os.open(path, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        self.uses_openat2 = openat2 and confine.openat2_works(self.fd)
        self._finder = confine.find_by_openat2 if self.uses_openat2 else confine.find_by_walking
        # RESOLVE_CACHED is younger than openat2 (Linux 5.12): the root itself is always cached.
        self.has_cache = self.uses_openat2 and _can_find_cached(self.fd)
        # Without /proc (a bare chroot) an O_PATH descriptor cannot be reopened: see `reopen`.
        self.has_proc = os.access(PROC_FDS, os.X_OK)
        self.index = _INDEX.join()

    def close(self) -> None:
        """Close the root's descriptor; a second call does nothing."""
        fd, self.fd = self.fd, -1
        if fd >= 0:
            os.close(fd)
            self.index.leave()

    def exact(self, path: str) -> int:
        """The O_PATH descriptor (the caller closes it) of a path that is spelled just so.

        Raises NtError(ACCESS_DENIED) for a way out of the share and for links without end, which
        is not "not found": the name is taken, and a client told that it is free would try to
        create it, only to be told that it is not.  What is vetoed is not there: OSError, as for the
        rest.
        """
        return self._exact(path)[0]

    def _exact(self, path: str) -> confine.Finding:
        if self.veto is not None and self.veto.mean_any(path):
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)
        try:
            found = self._finder(self.fd, path)
        except OSError as error:
            if error.errno in {errno.EXDEV, errno.ELOOP}:
                raise NtError(NtStatus.ACCESS_DENIED) from error
            raise
        if found[1] and self._is_kept_back(found[0]):
            os.close(found[0])
            raise NtError(NtStatus.ACCESS_DENIED)
        return found

    def _is_kept_back(self, fd: int) -> bool:
        """Whether a symbolic link leads to what is vetoed, or to the streams of files, which no
        list of theirs guards.
        """
        path = self.current_path(fd)
        if self.veto is not None and (not self.has_proc or self.veto.mean_any(path)):
            return True  # without /proc nobody can tell
        return any(map(is_store, path.split("/")))

    def cached(self, path: str) -> Found | None:
        """As `find`, for a name as spelled, if that waits for nothing; None if it might."""
        if self.veto is not None and self.veto.mean_any(path):
            return None  # `find` says that it is not there
        found = confine.find_cached(self.fd, path) if self.has_cache else None
        if found is None:
            return None
        fd, crossed = found
        if crossed and self._is_kept_back(fd):
            os.close(fd)
            return None  # `find` refuses it
        return Found(fd, path, crossed)

    def symlink(self, path: str) -> str:
        """Where the symbolic link lies that `path` itself names, as `real_path`; OSError.

        "" if it names none.
        """
        parent, _, name = path.rpartition("/")
        with closed_after(self.exact(parent)) as fd:
            if not stat.S_ISLNK(os.stat(name, dir_fd=fd, follow_symlinks=False).st_mode):
                return ""
            return join(self.real_path(fd, parent), name)

    def real_path(self, fd: int, path: str) -> str:
        """The path of an open directory of the share, behind all symbolic links.

        `path` led to it, and stands in where the kernel does not tell.
        """
        return self.current_path(fd) if self.has_proc else path

    def find(self, path: str) -> Found:
        """Find `path`, in this spelling or else in another.

        Raises NtError: OBJECT_NAME_NOT_FOUND, OBJECT_PATH_NOT_FOUND, ACCESS_DENIED; OSError.
        """
        try:
            return self._found(path)
        except (FileNotFoundError, NotADirectoryError):
            parent, _, name = path.rpartition("/")
        found = self._find_component(self.find_directory(parent), name)
        if found is None:
            raise NtError(NtStatus.OBJECT_NAME_NOT_FOUND)
        return found

    @contextlib.contextmanager
    def directory(self, path: str) -> Iterator[Found]:
        """`find_directory` for the length of a block."""
        found = self.find_directory(path)
        with closed_after(found.fd):
            yield found

    def _found(self, path: str) -> Found:
        fd, crossed = self._exact(path)
        return Found(fd, path, crossed)

    def find_directory(self, path: str) -> Found:
        """As `find`, for a parent: OBJECT_PATH_NOT_FOUND if there is no such directory.

        From the deepest part that is there as spelled, down by the directories' indexes.
        """
        found, missing = self._deepest(path)
        while True:
            if not stat.S_ISDIR(os.fstat(found.fd).st_mode):
                os.close(found.fd)
                raise NtError(NtStatus.OBJECT_PATH_NOT_FOUND)
            if not missing:
                return found
            below = self._find_component(found, missing.pop())
            if below is None:
                raise NtError(NtStatus.OBJECT_PATH_NOT_FOUND)
            found = below

    def _deepest(self, path: str) -> tuple[Found, list[str]]:
        """The deepest part of a path that is there as spelled, and the names behind it, last first.

        The range in doubt is halved each time: 2,000 missing names took 25 ms one by one.
        """
        try:
            return self._found(path), []
        except (FileNotFoundError, NotADirectoryError):
            names = path.split("/")
        found, there, gone = self._found(""), 0, len(names)
        with contextlib.ExitStack() as closing:
            closing.callback(lambda: os.close(found.fd))
            while gone - there > 1:
                middle = (there + gone) // 2
                try:
                    deeper = self._found("/".join(names[:middle]))
                except (FileNotFoundError, NotADirectoryError):
                    gone = middle
                else:
                    os.close(found.fd)
                    found, there = deeper, middle
            closing.pop_all()
        return found, names[there:][::-1]

    def _find_component(self, parent: Found, name: str) -> Found | None:
        """As `find`, for an entry of a directory (closed here); None if it has none such."""
        with closed_after(parent.fd), self.index.of(parent.fd) as names:
            on_disk = names.find(name)
        if on_disk is None:
            return None
        try:
            return self._found(join(parent.path, on_disk))
        except (FileNotFoundError, NotADirectoryError):  # a dangling symlink, or gone meanwhile
            return None

    def reopen(self, fd: int, path: str, flags: int, look: Look, *, wait: bool) -> int:
        """A descriptor with `flags` of the very inode that `fd` (O_PATH) and `look` are.

        Without `wait` BlockingIOError says that another program (Samba with kernel oplocks, knfsd)
        holds a lease on it: it was told, and has 45 s (fs.lease-break-time) to give way.
        """
        flags |= os.O_CLOEXEC | os.O_NOCTTY
        if stat.S_ISDIR(look.st_mode):
            return os.open(".", flags | os.O_DIRECTORY, dir_fd=fd)
        if not self.has_proc:
            return self._reopen_by_name(path, flags, look)
        if wait:
            return os.open(f"{PROC_FDS}/{fd}", flags)
        opened = os.open(f"{PROC_FDS}/{fd}", flags | os.O_NONBLOCK)
        # With the flag io_uring would refuse to wait for a disk where RWF_NOWAIT is not known.
        fcntl.fcntl(opened, fcntl.F_SETFL, flags)
        return opened

    def _reopen_by_name(self, path: str, flags: int, look: Look) -> int:
        """A FIFO could have taken the file's place: O_NONBLOCK, and compare."""
        found, plain_path = confine.walk(self.fd, path)
        os.close(found)
        parent, _, name = plain_path.rpartition("/")
        with closed_after(self.exact(parent)) as parent_fd:
            opened = os.open(name, flags | os.O_NONBLOCK | os.O_NOFOLLOW, dir_fd=parent_fd)
        status = os.fstat(opened)
        if (status.st_dev, status.st_ino) != (look.st_dev, look.st_ino):
            os.close(opened)
            raise NtError(NtStatus.OBJECT_NAME_NOT_FOUND)
        return opened

    def current_path(self, fd: int) -> str:
        """Where the kernel knows an open file to be now; "" if not beneath the root.

        For when a directory above it was renamed, maybe by another process.  Only a hint: the
        caller compares what is found there with the file before anything is done.
        """
        root, path = absolute_path_of(self.fd), absolute_path_of(fd)
        prefix = root.rstrip("/") + "/"
        return path.removeprefix(prefix) if path.startswith(prefix) else ""
