"""The study's files in a folder: made, brought into the page cache or out of it, and removed."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from mmap import PAGESIZE
from pathlib import Path
from random import Random
from typing import Self

from aio.compare.study import CannotRun
from aio.compare.workloads import KIB, MIB, Load, Workload
from aio.file_systems import FileSystem
from aio.kernel import PageVector, file_system_type, map_pages, mincore, unmap_pages

_PIECE = MIB
# Between blocks that are read at random there is always a page that no load asks for: the kernel
# takes a read behind pages that were just read for a stream, and reads ahead.
_STRIDE = 16 * KIB
# Of a write that covers a part of a page: neither the page's first byte nor its last.
_INSET = 512
# A page that the kernel is looking at stays; the next time it goes.
_TRIES = 10


class Files:
    """Three files in a folder of their own, for as long as the block lasts.

    OSError: they cannot be made (ENOSPC); then nothing of them is left.
    """

    def __init__(
        self,
        folder: Path,
        *,
        cached_size: int = 32 * MIB,
        evicted_size: int = 256 * MIB,
        dirty_size: int = 128 * MIB,
    ) -> None:
        self._within = folder
        self._sizes = {"cached": cached_size, "evicted": evicted_size, "dirty": dirty_size}
        # The same in every run and for every form.
        self._random = Random(1)  # noqa: S311 - no secret

    def __enter__(self) -> Self:
        self._made = tempfile.TemporaryDirectory(prefix="smbd-compare-", dir=self._within)
        self.folder = Path(self._made.name)
        self.cached, self.evicted, self.dirty = (self.folder / name for name in self._sizes)
        try:
            _fill(self.cached, self._sizes["cached"])
            _fill(self.evicted, self._sizes["evicted"])
            _fill(self.dirty, 0)
        except BaseException:
            self._made.cleanup()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._made.cleanup()

    def path(self, load: Load) -> Path:
        """The file that a load goes to."""
        return self.folder / load.data

    def prepare(self, workload: Workload) -> None:
        """Bring each file into the page cache, or out of it, as the workload's loads want.

        All data of earlier runs is on the disk afterwards: its writing back does not disturb this
        one.  CannotRun: nothing can be evicted here.
        """
        loads = [load for load in (workload.load, workload.beside) if load is not None]
        os.truncate(self.dirty, 0)
        for path in (self.cached, self.evicted):
            with _opened(path) as fd:
                os.fsync(fd)
        if any(load.data == "evicted" for load in loads):
            self.need_evicted()
        if any(load.data == "cached" for load in loads):
            self.warm()

    def warm(self) -> None:
        """Every page of `cached` is in the page cache afterwards, and clean."""
        into = bytearray(_PIECE)
        with _opened(self.cached) as fd:
            os.fsync(fd)
            for offset in range(0, self._sizes["cached"], _PIECE):
                os.preadv(fd, (into,), offset)

    def evict(self) -> bool:
        """No page of `evicted` is in the page cache afterwards; False: they stay."""
        with _opened(self.evicted) as fd:
            os.fsync(fd)
            for _ in range(_TRIES):
                os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
                if not _resident_pages(fd, self._sizes["evicted"]):
                    return True
        return False

    def need_evicted(self) -> None:
        """As `evict`, but CannotRun if they stay."""
        if self.evict():
            return
        with _opened(self.evicted) as fd:
            file_system = FileSystem(file_system_type(fd))
        reason = f"{file_system.name} keeps its pages in spite of POSIX_FADV_DONTNEED"
        if file_system.is_memory:
            reason = f"{file_system.name} is nothing but memory: no read ever waits for a disk"
        raise CannotRun(reason, any_form=True)

    def blocks(self, load: Load) -> list[int]:
        """The offsets that a load goes through, in their order.

        After the last one the load begins again, with evicted data after evicting it again: so no
        block was read before, and none is beside one that was.
        """
        size = self._sizes[load.data]
        stride, inset = load.size, 0
        if load.data == "evicted" and load.order == "random":
            stride = (load.size // _STRIDE + 1) * _STRIDE
            inset = _INSET if load.operation == "write" and load.size < PAGESIZE else 0
        found = [offset + inset for offset in range(0, size - load.size - inset + 1, stride)]
        if not found:
            raise ValueError(f"{size} bytes are too few for requests of {load.size}")
        if load.order == "random":
            self._random.shuffle(found)
        return found


@contextmanager
def _opened(path: Path) -> Iterator[int]:
    fd = os.open(path, os.O_RDWR)
    try:
        yield fd
    finally:
        os.close(fd)


def _fill(path: Path, size: int) -> None:
    """Fill it with data that no file system can compress; all is on the disk when this returns."""
    piece = os.urandom(_PIECE)
    with path.open("wb") as file:
        for offset in range(0, size, _PIECE):
            file.write(piece[: size - offset])
        file.flush()
        os.fsync(file.fileno())


def _resident_pages(fd: int, length: int) -> int:
    pages = -(-length // PAGESIZE)
    vector = PageVector(pages)
    address = map_pages(fd, 0, length)
    try:
        mincore(address, length, vector)
    finally:
        unmap_pages(address, length)
    return vector.pages.count(1)
