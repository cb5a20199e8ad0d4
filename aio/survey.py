"""The engines that this machine offers, and the way of a folder's files: always by trying it."""

import errno
import os
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from mmap import PAGESIZE
from pathlib import Path

from aio.catalog import ENGINES, PROBE, Row, Spec, check_options, parse_spec
from aio.direct import try_direct
from aio.dontcache import try_dontcache
from aio.file_systems import FileSystem
from aio.kernel import RESOLVE_BENEATH, cachestat, file_system_type, openat2
from aio.opening import unavailable
from aio.residency import Beliefs, Residency, vector_for
from aio.storage import MEMORY, NOWAIT, RESIDENCY, OpenFile, Storage


@dataclass(frozen=True, slots=True)
class Offer:
    """An engine or a feature of the kernel: whether this process can use it, and why (not)."""

    name: str
    available: bool
    reason: str


@dataclass(frozen=True, slots=True)
class Description:
    """Which way requests for one folder will go."""

    engine: str
    file_system: str
    reads: str
    writes: str
    notes: tuple[str, ...] = ()  # of engines that the spec names before this one: why none is here

    def __str__(self) -> str:
        parts = (f"reads {self.reads}", f"writes {self.writes}", *self.notes)
        return f"{self.file_system}: {'; '.join(parts)}"


def offers() -> list[Offer]:
    """Engines, then the kernel's features, each tried on a file of our own."""
    fd = os.memfd_create("aio-survey")
    try:
        return [
            *(_engine_offer(name) for name in ENGINES),
            Offer(PROBE, available=True, reason="always; files without it go to the engine"),
            _offer("RWF_NOWAIT", "where the file system has it", _try_nowait),
            _offer("mincore", "for files one owns or may write", lambda: _try_mincore(fd)),
            _offer("cachestat", "for files one owns or may write", lambda: cachestat(fd, 0, 1)),
            _offer("openat2", "lookups are confined by the kernel", _try_openat2),
        ]
    finally:
        os.close(fd)


def _engine_offer(name: str) -> Offer:
    reason = unavailable(name)
    if reason is None:
        return Offer(name, available=True, reason=ENGINES[name].offered)
    return Offer(name, available=False, reason=reason.partition(": ")[2])


def _offer(name: str, reason: str, attempt: Callable[[], object]) -> Offer:
    try:
        attempt()
    except OSError as error:
        return Offer(name, available=False, reason=error.strerror or str(error))
    return Offer(name, available=True, reason=reason)


def _try_nowait() -> None:
    # On this very file: one in memory would be refused by tmpfs, whatever the kernel knows.
    fd = os.open(__file__, os.O_RDONLY)
    try:
        file = OpenFile(fd)
        Storage(PAGESIZE).learn(file)
        file.close()
    finally:
        os.close(fd)
    if file.reads_by != NOWAIT:
        raise OSError(errno.EOPNOTSUPP, f"not on {file.file_system.name}, where aio is installed")


def _try_mincore(fd: int) -> None:
    residency = Residency(fd, vector_for(0), Beliefs())
    if not residency.trusted:
        raise OSError(errno.EPERM, "it says that pages are cached which are not there")


def _try_openat2() -> None:
    root = os.open("/", os.O_PATH | os.O_DIRECTORY)
    try:
        os.close(openat2(".", os.O_PATH, resolve=RESOLVE_BENEATH, dir_fd=root))
    finally:
        os.close(root)


def describe(folder: str | os.PathLike[str], spec: str, **options: int) -> Description:
    """Which way requests for the files of a folder will go with this engine, and why.

    Tried on a temporary file there; where none can be made, on a file that is there already.
    OSError: the folder cannot be opened, or this machine has none of the spec's engines.
    """
    parsed = parse_spec(spec)
    values = check_options(parsed, options)
    file_system = _file_system(folder)
    name, notes = _first_available(parsed.engines)
    row = ENGINES[name]
    choice = _Choice(
        row,
        parsed.probe,
        direct=bool(values.get("direct")) and row.takes("direct"),
        dontcache=values.get("dontcache", 0) if row.takes("dontcache") else 0,
    )
    reads, writes = choice.ways(folder)
    return Description(str(Spec((name,), parsed.probe)), file_system.name, reads, writes, notes)


@dataclass(frozen=True, slots=True)
class _Choice:
    """The engine and options that were chosen."""

    row: Row
    probe: bool
    direct: bool
    dontcache: int

    def ways(self, folder: str | os.PathLike[str]) -> tuple[str, str]:
        """The way of reads, and that of writes."""
        if not (self.probe or self.direct or self.dontcache):
            way = f"all {self.row.requests}"
            return way, way
        fd = _temporary_file(folder)
        ours = fd is not None
        if fd is None:
            fd = _existing_file(folder)
        if fd is None:
            unknown = "not known before the first open: no file here can be made or read"
            return unknown, unknown
        try:
            return self._tried(fd, ours=ours)
        finally:
            os.close(fd)

    def _tried(self, fd: int, *, ours: bool) -> tuple[str, str]:
        if self.direct:
            return _direct(fd, self.row)
        behind = self.row.requests
        reads, writes = _probed(fd, behind, ours=ours) if self.probe else (f"all {behind}",) * 2
        if not self.dontcache:
            return reads, writes
        where = f" {behind}" if self.probe else ""
        large = f"those of {self.dontcache} bytes and more{where} with RWF_DONTCACHE"
        reads += f"; {_uncached(fd, large, writing=False)}"
        return reads, f"{writes}; {_uncached(fd, large, writing=True)}" if ours else writes


def _first_available(names: tuple[str, ...]) -> tuple[str, tuple[str, ...]]:
    """The engine that `open_engine` would take, and why none of those before it."""
    reasons: list[str] = []
    for name in names:
        reason = unavailable(name)
        if reason is None:
            return name, tuple(reasons)
        reasons.append(reason)
    raise OSError(errno.EOPNOTSUPP, "; ".join(reasons))


def _direct(fd: int, row: Row) -> tuple[str, str]:
    other = row.beside_direct
    try:
        needs = try_direct(fd)
    except OSError as error:
        way = f"all {other} and the page cache, since O_DIRECT is not to be had: {error.strerror}"
        return way, way
    by = f"by O_DIRECT and {row.name} in blocks of"
    return (
        f"{by} {needs.offset} bytes; what is not aligned to them is copied",
        f"{by} {max(needs.offset, PAGESIZE)} bytes; parts of them {other} and the page cache",
    )


def _uncached(fd: int, large: str, *, writing: bool) -> str:
    try:
        try_dontcache(fd, writing=writing)
    except OSError as error:
        return f"RWF_DONTCACHE is not to be had: {error.strerror}"
    return large


def _probed(fd: int, behind: str, *, ours: bool) -> tuple[str, str]:
    file = OpenFile(fd)
    try:
        if ours:
            os.pwrite(fd, bytes(PAGESIZE), 0)
        storage = Storage(PAGESIZE)
        storage.learn(file)
        nowait = ours and storage.write_nowait(file, bytes(PAGESIZE), 0) == PAGESIZE
        writes = _writes(file, behind, nowait=nowait) if ours else "not tried: nothing can be made"
        return _reads(file, behind), writes
    finally:
        file.close()


def _reads(file: OpenFile, behind: str) -> str:
    if file.reads_by == NOWAIT:
        return f"by RWF_NOWAIT; misses {behind}"
    if file.reads_by == MEMORY:
        return "inline: the data is in memory, and nothing swaps"
    if file.reads_by == RESIDENCY:
        return (
            "by page residency (mincore) for files that this user owns or may write; "
            f"misses and other files' reads {behind}"
        )
    return f"all {behind}, since {_why_unknown(file)}"


def _why_unknown(file: OpenFile) -> str:
    if file.file_system.asks_others:
        return f"{file.file_system.name} may ask others even for what is cached"
    return "RWF_NOWAIT is refused and mincore cannot be trusted for a file that one may not write"


def _writes(file: OpenFile, behind: str, *, nowait: bool) -> str:
    if not file.writes_inline:
        return f"all {behind}, since {_why_unknown(file)}"
    if file.file_system.in_memory:
        return "inline: the data is in memory, and nothing swaps"
    first = "by RWF_NOWAIT, and " if nowait else ""
    return (
        f"{first}inline if page-aligned, extending or onto resident pages; "
        f"others, and all after a stall, {behind}"
    )


def _file_system(folder: str | os.PathLike[str]) -> FileSystem:
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        return FileSystem(file_system_type(fd))
    finally:
        os.close(fd)


def _temporary_file(folder: str | os.PathLike[str]) -> int | None:
    """A nameless file open for reading and writing, or None where none can be made."""
    try:
        return os.open(folder, os.O_TMPFILE | os.O_RDWR, 0o600)
    except OSError:  # EOPNOTSUPP and its like: not on every file system
        pass
    try:
        fd, name = tempfile.mkstemp(prefix=".aio-survey-", dir=folder)
    except OSError:
        return None
    Path(name).unlink()
    return fd


def _existing_file(folder: str | os.PathLike[str]) -> int | None:
    """Some regular file of the folder, open for reading, or None."""
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_file(follow_symlinks=False):
                try:
                    return os.open(entry.path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
                except OSError:
                    continue
    return None
