"""Directories that two mounts show (bind mounts): one path for both, as a symbolic link's has.

What is held by clients is compared by absolute paths, where a name and all below it are meant: the
leases of directories, watchers, what is open below a directory.  The kernel's path of an open file
is that of the mount it was opened through.
"""

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

_ESCAPED = re.compile(rb"\\([0-7]{3})")  # blanks and backslashes


class Mount(NamedTuple):
    """A line of /proc/self/mountinfo."""

    number: str
    device: str  # major:minor
    root: str  # the directory of the file system that is shown, by its path there
    point: str  # where


# (mount point, the path that stands for it): most machines have none.
_twice: tuple[tuple[str, str], ...] = ()


def learn_mounts() -> None:
    """Learn what is mounted where now."""
    global _twice  # noqa: PLW0603 -- one process has one table of mounts
    _twice = tuple(shown_twice(mounts()))


def one_path(path: str) -> str:
    """The path that stands for an absolute path, and for all others of the same place."""
    for point, other in _twice:
        if path.startswith(point) and path[len(point) : len(point) + 1] in {"", "/"}:
            return other + path[len(point) :]
    return path


def mounts() -> list[Mount]:
    """What is mounted, the first first; nothing without /proc."""
    try:
        lines = Path("/proc/self/mountinfo").read_bytes().splitlines()
    except OSError:
        return []
    return [_parse(line) for line in lines]


def _parse(line: bytes) -> Mount:
    number, _, device, *paths = line.split(b" ")[:5]
    root, point = (
        os.fsdecode(_ESCAPED.sub(lambda match: bytes([int(match[1], 8)]), one)) for one in paths
    )
    return Mount(number.decode(), device.decode(), root, point)


def shown_twice(mounts: list[Mount]) -> Iterator[tuple[str, str]]:
    """The mount points whose directory another mount shows as well, and the path by that one.

    Not where something else is mounted below: there the two do not show the same.
    """
    seen = {one.point: one for one in mounts}  # of several at one point only the last can be seen
    alike: dict[str, list[Mount]] = {}
    for one in sorted(seen.values(), key=_order):
        for other in alike.setdefault(one.device, []):
            path = _shown_by(other, one)
            if path and _mount_of(seen, path) is other and not _hold_others(seen, path, one.point):
                yield one.point, path
                break
        alike[one.device].append(one)


def _order(mount: Mount) -> tuple[int, int, str]:
    """The one that shows most stands for the others."""
    return len(_below(mount.root)), len(mount.point), mount.point


def _shown_by(mount: Mount, one: Mount) -> str:
    """By what path a mount shows the directory that another one is of; "" if it does not."""
    above = _below(mount.root)
    if not (_below(one.root) + "/").startswith(above + "/"):
        return ""
    return _below(mount.point) + _below(one.root)[len(above) :]


def _below(directory: str) -> str:
    """What the paths of a directory's entries begin with, before the slash."""
    return "" if directory == "/" else directory


def _hold_others(seen: dict[str, Mount], *paths: str) -> bool:
    below = tuple(path + "/" for path in paths)
    return any(point.startswith(below) for point in seen)


def _mount_of(seen: dict[str, Mount], path: str) -> Mount | None:
    while path:
        if path in seen:
            return seen[path]
        path = path.rpartition("/")[0]
    return seen.get("/")
