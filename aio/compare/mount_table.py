"""/proc/self/mountinfo: all mounts, as this process sees them."""

import os
import re
from pathlib import Path
from typing import NamedTuple

from aio.kernel import STATX_MNT_ID, statx

_ESCAPED = re.compile(r"\\([0-7]{3})")


class Mount(NamedTuple):
    """One line of it."""

    number: int
    device: str  # MAJOR:MINOR
    root: str  # the folder of the file system that is seen at `point`
    point: str
    kind: str
    source: str
    options: tuple[str, ...]  # the file system's own

    def option(self, name: str) -> str | None:
        """The value of name=value."""
        found = (each.partition("=")[2] for each in self.options if each.startswith(f"{name}="))
        return next(found, None)


def parse_mounts(text: str) -> list[Mount]:
    """All of /proc/self/mountinfo (proc_pid_mountinfo(5))."""
    return [_mount(line) for line in text.splitlines()]


def mount_of(path: Path) -> Mount | None:
    """The mount that a file or folder is on; None where the kernel (before 5.8) does not tell."""
    status = statx(os.fsencode(path), mask=STATX_MNT_ID)
    if not status.mask & STATX_MNT_ID:
        return None
    table = parse_mounts(Path("/proc/self/mountinfo").read_text())
    return next((each for each in table if each.number == status.mnt_id), None)


def _mount(line: str) -> Mount:
    before, _, after = line.partition(" - ")
    number, _, device, root, point = before.split(" ")[:5]
    kind, source, options = after.split(" ")
    return Mount(
        int(number),
        device,
        _plain(root),
        _plain(point),
        kind,
        _plain(source),
        tuple(map(_plain, options.split(","))),
    )


def _plain(name: str) -> str:
    return _ESCAPED.sub(lambda found: chr(int(found[1], 8)), name)
