"""From a path to an O_PATH descriptor, never leaving the share's root.

`find_by_openat2` lets the kernel confine; `find_by_walking` gives the same answers component by
component where openat2 is missing (Linux before 5.6, some seccomp profiles).  Both follow symlinks
that stay inside and say OSError(EXDEV) for a way out: an absolute link, or ".." above the root.
"""

import errno
import os
import stat

from aio import kernel

# A descriptor, and whether a symbolic link was on the way to it.
Finding = tuple[int, bool]

_CONFINED = kernel.RESOLVE_BENEATH | kernel.RESOLVE_NO_MAGICLINKS
_PLAIN = _CONFINED | kernel.RESOLVE_NO_SYMLINKS
CACHED = _PLAIN | kernel.RESOLVE_CACHED
# EAGAIN says that something, anywhere on the machine, was renamed while the kernel stepped through
# "..".  A program that renames in a loop can keep that up; walking always gets an answer.
_ATTEMPTS = 32
_MAXIMUM_LINKS = 40  # the kernel's own limit (MAXSYMLINKS)


def find_by_openat2(root: int, path: str) -> Finding:
    """The O_PATH descriptor of `path` beneath the directory `root`; OSError as open(2)."""
    for _ in range(_ATTEMPTS):
        try:
            return _open_path(root, path, 0)
        except BlockingIOError:
            continue
    return find_by_walking(root, path)


def find_cached(root: int, path: str) -> Finding | None:
    """As `find_by_openat2`, by what the kernel holds in its dentry cache: never waits for a disk.

    None for every other outcome: `find` tells it, with all the time that it takes.
    """
    try:
        return kernel.openat2(path or ".", os.O_PATH, resolve=CACHED, dir_fd=root), False
    except OSError as error:
        if error.errno != errno.ELOOP:
            return None
    try:
        return _open_path(root, path, kernel.RESOLVE_CACHED)
    except OSError:
        return None


def _open_path(root: int, path: str, flags: int) -> Finding:
    """Without symbolic links first: that there was none on the way costs nothing to know so."""
    path = path or "."
    try:
        return kernel.openat2(path, os.O_PATH, resolve=_PLAIN | flags, dir_fd=root), False
    except OSError as error:
        if error.errno != errno.ELOOP:
            raise
    return kernel.openat2(path, os.O_PATH, resolve=_CONFINED | flags, dir_fd=root), True


def find_cached_anywhere(path: str | os.PathLike[str]) -> int | None:
    """The O_PATH descriptor of a path of the machine, if the kernel has all of it in its caches."""
    try:
        return kernel.openat2(os.fspath(path), os.O_PATH, resolve=kernel.RESOLVE_CACHED)
    except OSError:
        return None


def openat2_works(root: int) -> bool:
    """Whether openat2 can be used here, found by using it: ENOSYS (EPERM from seccomp) if not."""
    try:
        os.close(kernel.openat2(".", os.O_PATH, resolve=_CONFINED, dir_fd=root))
    except OSError:
        return False
    return True


def find_by_walking(root: int, path: str) -> Finding:
    """As `find_by_openat2`, by one O_NOFOLLOW open for each component."""
    fd, plain_path = walk(root, path)
    return fd, plain_path != path


def walk(root: int, path: str) -> tuple[int, str]:
    """The O_PATH descriptor of `path` beneath `root`, and its path without symlinks.

    Only one directory is held open at a time.  After ".." (which only a symlink's text can say) the
    walk begins anew at the root with the parents that it knows: asking the kernel for ".." would
    follow a directory that was moved out of the share meanwhile.
    """
    current = os.open(".", os.O_PATH | os.O_CLOEXEC, dir_fd=root)
    try:
        passed: list[str] = []
        pending = _reversed_components(path)
        links = 0
        while pending:
            component = pending.pop()
            if component == "..":
                pending.extend(reversed(_without_last(passed)))
                passed.clear()
                current = _replace(current, os.open(".", os.O_PATH | os.O_CLOEXEC, dir_fd=root))
                continue
            below = os.open(component, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=current)
            if not stat.S_ISLNK(os.fstat(below).st_mode):
                current = _replace(current, below)
                passed.append(component)
                continue
            links += 1
            pending.extend(_link_components(below, links))
    except BaseException:
        os.close(current)
        raise
    return current, "/".join(passed)


def _without_last(components: list[str]) -> list[str]:
    if not components:
        raise OSError(errno.EXDEV, os.strerror(errno.EXDEV), "..")
    return components[:-1]


def _replace(current: int, following: int) -> int:
    os.close(current)
    return following


def _link_components(link: int, count: int) -> list[str]:
    """The components of a symlink's target, last first; the symlink is closed here."""
    try:
        target = os.readlink("", dir_fd=link)
    finally:
        os.close(link)
    if count > _MAXIMUM_LINKS:
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), target)
    if target.startswith("/"):
        raise OSError(errno.EXDEV, os.strerror(errno.EXDEV), target)
    return _reversed_components(target)


def _reversed_components(path: str) -> list[str]:
    return [component for component in reversed(path.split("/")) if component not in {"", "."}]
