"""Control groups, as far as block I/O goes: which hierarchy has it, and a group for this process.

They are found in /proc/self, not by fixed paths.  Ours is made at the top: in version 2 a group
with processes may have none below, and only the true root is exempt from that.
"""

import errno
import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from aio.compare.mount_table import Mount, parse_mounts
from aio.compare.volumes.failure import VolumeError
from aio.compare.volumes.leftovers import folder_of_ours

# Once is enough unless a process forks meanwhile; then its child is in the next look.
_LOOKS = 100
_REFUSALS = {
    errno.EROFS: "they are read-only here (a container needs --privileged)",
    errno.EBUSY: (
        "the uppermost that is visible has processes, and so may have none below "
        "(a container needs --cgroupns=host)"
    ),
}


@dataclass(frozen=True, slots=True)
class Hierarchy:
    """The control groups of the block-I/O controller."""

    version: int  # of control groups: 1 or 2
    top: Path  # the uppermost group that is visible here
    own: Path  # the group that this process is in


def current_hierarchy() -> Hierarchy:
    """This process's; VolumeError if there is none."""
    proc = Path("/proc/self")
    return find_hierarchy((proc / "mountinfo").read_text(), (proc / "cgroup").read_text())


def find_hierarchy(mountinfo: str, groups: str) -> Hierarchy:
    """From the texts of /proc/self/mountinfo and /proc/self/cgroup (cgroups(7))."""
    mounts = parse_mounts(mountinfo)
    lines = (line.split(":", 2) for line in groups.splitlines())
    paths = {names: path for _, names, path in lines}
    for mount in mounts:  # where version 1 has the controller, version 2 has not
        if mount.kind == "cgroup" and "blkio" in mount.options:
            path = next(path for names, path in paths.items() if "blkio" in names.split(","))
            return Hierarchy(1, Path(mount.point), _visible(mount, path))
    for mount in mounts:
        if mount.kind == "cgroup2":
            return Hierarchy(2, Path(mount.point), _visible(mount, paths[""]))
    raise VolumeError("a slow disk needs control groups with block I/O, and none are mounted here")


def _visible(mount: Mount, path: str) -> Path:
    try:
        return Path(mount.point) / PurePosixPath(path).relative_to(mount.root)
    except ValueError:
        raise VolumeError(
            f"a slow disk needs this process's own control group, {path}, which is not visible here"
        ) from None


@contextmanager
def group_of_ours(hierarchy: Hierarchy) -> Iterator[Path]:
    """A new group with this process and its descendants in it.

    At the end all its processes move to the group that this process was in, and it is removed.
    """
    with ExitStack() as stack:
        try:
            stack.enter_context(_io_offered(hierarchy))
            group = stack.enter_context(folder_of_ours(hierarchy.top))
        except OSError as error:
            reason = _REFUSALS.get(error.errno or 0, error.strerror)
            raise VolumeError(f"a slow disk needs a control group of its own: {reason}") from error
        stack.callback(_empty, group, hierarchy.own)
        _move(_family(_processes(hierarchy.own)), group)
        yield group


@contextmanager
def _io_offered(hierarchy: Hierarchy) -> Iterator[None]:
    """Version 2 gives a group the controllers that the one above offers."""
    if hierarchy.version == 1:
        yield
        return
    if "io" not in (hierarchy.top / "cgroup.controllers").read_text().split():
        raise VolumeError("a slow disk needs the io controller, which control groups here have not")
    offered = hierarchy.top / "cgroup.subtree_control"
    if "io" in offered.read_text().split():
        yield
        return
    offered.write_text("+io")
    try:
        yield
    finally:
        with suppress(OSError):  # EBUSY: others use it by now
            offered.write_text("-io")


def _empty(group: Path, other: Path) -> None:
    for _ in range(_LOOKS):
        inside = _processes(group)
        if not inside:
            return
        _move(inside, other)


def _move(processes: Sequence[int], group: Path) -> None:
    """With all their threads."""
    for process in processes:
        with suppress(ProcessLookupError):  # it has ended
            (group / "cgroup.procs").write_text(str(process))


def _processes(group: Path) -> list[int]:
    return [int(line) for line in (group / "cgroup.procs").read_text().split()]


def _family(processes: Sequence[int]) -> list[int]:
    """This process, and those of the others that descend from it."""
    parents = {process: _parent(process) for process in processes}
    ours = os.getpid()

    def descends(process: int) -> bool:
        while process not in {0, ours}:
            process = parents.get(process, 0)
        return process == ours

    return [process for process in processes if descends(process)]


def _parent(process: int) -> int:
    try:
        text = Path(f"/proc/{process}/stat").read_text()
    except OSError:  # it has ended
        return 0
    return int(text.rpartition(")")[2].split()[1])
