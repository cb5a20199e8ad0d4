"""A folder filled from a tree."""

import errno
import os
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from smbd import vfs
from smbd.content.details import in_bytes, in_nanoseconds
from smbd.content.kinds import Entry, File, Folder, Symlink, Tree
from smbd.ntstatus import NtError, NtStatus
from smbd.vfs.names import DOTS, MAXIMUM_COMPONENT, is_store
from smbd.vfs.volume import has_user_attributes
from smbd.wire.filetime import filetime_from_unix
from smbd.wire.fscc import ExtendedAttribute

# Kept in extended attributes of the disk, which some file systems lack.
_KEPT_BESIDE = frozenset(("created", "attributes", "eas", "streams"))
_ERRNO = {
    NtStatus.DISK_FULL: errno.ENOSPC,
    NtStatus.EA_TOO_LARGE: errno.E2BIG,
    NtStatus.INSUFFICIENT_RESOURCES: errno.E2BIG,
    NtStatus.NOT_SUPPORTED: errno.EOPNOTSUPP,
    NtStatus.OBJECT_NAME_COLLISION: errno.EEXIST,
    NtStatus.OBJECT_NAME_NOT_FOUND: errno.ENOENT,
    NtStatus.OBJECT_PATH_NOT_FOUND: errno.ENOENT,
    NtStatus.ACCESS_DENIED: errno.EACCES,
}


def make(directory: str | Path, tree: Tree) -> None:
    """Make all that is in `tree` in a folder.  Blocks.

    A folder that is there already takes the new entries; anything else that has one of the names
    stays, and is FileExistsError.  Raises TypeError or ValueError, before anything is made, for
    what cannot be; OSError, whose filename is the path in the tree.
    """
    every = list(_walk(tree))
    detailed = [(path, details) for path, entry in every if (details := details_of(entry))]
    if any(_KEPT_BESIDE & details.keys() for _, details in detailed):
        _check_attributes(directory)
    for path, entry in every:
        with said(path):
            _make(os.path.join(directory, path), entry)  # noqa: PTH118 -- a tenth of a Path's time
    if detailed:
        with vfs.Root(directory) as root:
            # The last first: the entries of a folder are made, and described, before its time and
            # its mode count.
            for path, details in reversed(detailed):
                with said(path):
                    describe(root, path, details)


def check(tree: Tree) -> None:
    """Raise TypeError or ValueError for what cannot be; nothing is made."""
    for _ in _walk(tree):
        pass


def put(directory: str | Path, path: str, entry: Entry, stream: str | None = None) -> None:
    """Have a path in a folder hold `entry`; the folders above it are made.  Blocks.

    A file that is there is written anew, and keeps what `entry` does not say; with `stream` it is
    that named stream alone.  Errors as of `make`.
    """
    above, _, name = path.rpartition("/")
    inside = Path(directory, *map(_checked, above.split("/") if above else ()))
    _checked(name)
    with said(path):
        inside.mkdir(parents=True, exist_ok=True)
    if isinstance(entry, str | bytes):
        entry = File(entry)
    if isinstance(entry, File):
        with said(path), vfs.Root(directory) as root:
            if stream is not None:
                _put_stream(root, path, stream, entry.start)
                return
            flags = os.O_CREAT | os.O_TRUNC | os.O_WRONLY | os.O_CLOEXEC
            write(os.open(inside / name, flags, 0o666), entry.start, entry.size)
            describe(root, path, entry.details)
        return
    try:
        make(inside, {name: entry})
    except OSError as error:
        raise OSError(error.errno, error.strerror, path) from error


@contextmanager
def said(path: str) -> Iterator[None]:
    """Have errors say the path in the tree, and OSError all that SMB has a status for."""
    try:
        yield
    except OSError as error:
        raise OSError(error.errno, error.strerror, path) from error
    except NtError as error:
        number = _ERRNO.get(error.status, errno.EINVAL)
        raise OSError(number, os.strerror(number), path) from error


def details_of(entry: Entry) -> dict[str, Any]:
    """What is said of it beside its content."""
    return entry.details if isinstance(entry, File | Folder) else {}


def _walk(tree: Tree) -> Iterator[tuple[str, Entry]]:
    """All entries with their paths, a folder before what is in it; TypeError, ValueError."""
    waiting: list[tuple[str, object]] = [("", tree)]
    while waiting:
        path, entry = waiting.pop()
        if isinstance(entry, Mapping):
            yield path, entry
            waiting.extend((_joined(path, name), its) for name, its in entry.items())
        elif path and isinstance(entry, str | bytes | File | Symlink):
            _check_text(path, entry)
            yield path, entry
        else:
            kind = f"not {type(entry).__name__}"
            place = f"{path}: an entry must be text, bytes, a dict, File, Folder or Symlink"
            raise TypeError(f"{place}, {kind}" if path else f"a tree must be a dict, {kind}")


def _joined(path: str, name: object) -> str:
    where = f" in {path}" if path else ""
    return f"{path}/{_checked(name, where)}" if path else _checked(name)


def _checked(name: object, where: str = "") -> str:
    if not isinstance(name, str):
        raise TypeError(f"{name!r}{where}: a name must be a string")
    if "/" in name:
        raise ValueError(f"{name!r}{where}: a name has no slash; a dict in the dict is a folder")
    if not name or name in DOTS or "\0" in name or is_store(name):
        raise ValueError(f"{name!r}{where}: no file can have this name")
    try:
        length = len(os.fsencode(name))
    except UnicodeEncodeError:
        raise ValueError(f"{name!r}{where}: a name must be Unicode") from None
    if length > MAXIMUM_COMPONENT:
        raise ValueError(f"{name!r}{where}: longer than the {MAXIMUM_COMPONENT} bytes of a name")
    return name


def _check_text(path: str, entry: object) -> None:
    try:
        if isinstance(entry, str):
            entry.encode()
        elif isinstance(entry, Symlink):
            os.fsencode(entry.target)
    except UnicodeEncodeError as error:
        raise ValueError(f"{path}: {error.reason}") from None


def _check_attributes(directory: str | Path) -> None:
    if not has_user_attributes(str(directory)):
        kept = ", ".join(sorted(_KEPT_BESIDE))
        message = f"{kept} need a file system with extended attributes"
        raise OSError(errno.EOPNOTSUPP, message, str(directory))


def _make(path: str, entry: Entry) -> None:
    if isinstance(entry, Mapping):
        try:
            os.mkdir(path)  # noqa: PTH102
        except FileExistsError:
            if not stat.S_ISDIR(os.lstat(path).st_mode):
                raise
    elif isinstance(entry, Symlink):
        os.symlink(entry.target, path)  # noqa: PTH211
    elif isinstance(entry, File):
        _make_file(path, entry.start, entry.size)
    else:
        data = in_bytes(entry)
        _make_file(path, data, len(data))


def _make_file(path: str, data: bytes, size: int) -> None:
    flags = os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC
    write(os.open(path, flags, 0o666), data, size)


def write(fd: int, data: bytes, size: int) -> None:
    """Have an empty file hold `data`, and a hole behind it; the descriptor is closed here."""
    try:
        view = memoryview(data)
        while view:
            view = view[os.write(fd, view) :]
        if size > len(data):
            os.ftruncate(fd, size)
    finally:
        os.close(fd)


def describe(root: vfs.Root, path: str, details: Mapping[str, Any]) -> None:
    """Give a file or folder what is said of it.  NtError, OSError."""
    with root.open(path, read=False, write=False) as file:
        for stream, data in details.get("streams", {}).items():
            _put_stream(root, path, stream, in_bytes(data))
        if "eas" in details:
            eas = details["eas"].items()
            vfs.set_eas(
                file, [ExtendedAttribute(os.fsencode(ea), in_bytes(its)) for ea, its in eas]
            )
        if "attributes" in details:
            vfs.set_attributes(file, details["attributes"])
        if "created" in details:
            created = filetime_from_unix(in_nanoseconds(details["created"]))
            vfs.set_times(file, created, None, None, None)
        if "mode" in details:
            os.chmod(file.target, details["mode"])  # noqa: PTH101 -- a descriptor, or its name
        if "mtime" in details:
            written = filetime_from_unix(in_nanoseconds(details["mtime"]))
            vfs.set_times(file, None, None, written, None)


def _put_stream(root: vfs.Root, path: str, stream: str, data: bytes) -> None:
    """Have a named stream hold this alone; the stream's own file is made if it is not there."""
    if vfs.parse_stream([stream]) is None:
        raise OSError(errno.EINVAL, f"no stream can have the name {stream!r}")
    with root.open(path, read=True, write=False) as file:
        if not vfs.has_stream(file, stream):
            vfs.create_stream(file, stream, vfs.Unheard())
    # The stream owns the file that it was opened of.
    file = root.open(path, read=True, write=False)
    with vfs.open_stream(file, stream, read=True, write=True) as opened:
        vfs.set_end_of_file(opened, 0)
        view, at = memoryview(data), 0
        while at < len(data):
            at += os.pwrite(opened.fd, view[at:], at)
        opened.settle()
