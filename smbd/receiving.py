"""The bytes of a connection that are not handled yet, and the memory that they lie in.

It follows the bytes that came, not what a client says that it will send: a frame may be announced
with 8 MiB and never come.
"""

import mmap
from typing import TypeAlias

Storage: TypeAlias = bytearray | mmap.mmap

# Until more came at once: a burst of sixteen READs fits, and so does a login.
SMALL = 4096
# Sixteen 4 KiB WRITEs fit: measured, larger makes no burst cheaper.
USUAL = 128 * 1024
# Frames grow by a little from one to the next: the same storage shall do.
_STEP = 65536


class ReceiveBuffer:
    """Where a socket's bytes go, and where the frames that are handled lie.

    It grows only when it is full.  Whoever keeps a frame beyond its burst keeps the storage that
    it lies in, and the buffer gets another one.
    """

    __slots__ = ("_frame", "_storage", "have", "usual")

    def __init__(self) -> None:
        self.usual = SMALL  # bytes, for frames that are no larger
        self.have = 0  # bytes that came and are not handled
        self._frame = 0  # bytes of the frame that has begun, as far as that is known
        self._storage: Storage = bytearray(SMALL)

    @property
    def size(self) -> int:
        """Bytes of memory that it takes."""
        return len(self._storage)

    @property
    def free(self) -> memoryview:
        """Where the next bytes go; never empty."""
        return memoryview(self._storage)[self.have :]

    @property
    def received(self) -> memoryview:
        """What came and is not handled."""
        return memoryview(self._storage)[: self.have]

    def keep(self, at: int, frame: int, *, pinned: bool) -> None:
        """Forget the bytes before `at`: they are handled.

        `frame` bytes has what begins there (0: unknown).  `pinned`: somebody still uses the
        storage.
        """
        rest = self.have - at
        size = min(self.size, self.usual) if pinned else self.size
        if frame > size or self.have == size:
            size = max(size, self.usual)
        if frame > size and rest >= size:
            size = -(-frame // _STEP) * _STEP if frame > USUAL else frame
        self._frame = frame
        if pinned or size != self.size:
            self._move(at, size)
        elif at and rest:
            view = memoryview(self._storage)
            view[:rest] = view[at : self.have]
        self.have = rest

    def settle(self) -> None:
        """Take no more memory than what came needs: nothing more has come for a while."""
        size = SMALL
        while self.have >= size < USUAL:
            size *= 2
        if self.have >= size:
            size = self._frame
        if size < self.size or size > USUAL:
            self._move(0, size)

    def _move(self, at: int, size: int) -> None:
        """Go on in new storage."""
        # Pages of a mapping are there from when they are written to, and gone with it; of a
        # bytearray all are there at once, and malloc may keep them.
        new = bytearray(size) if size <= USUAL else mmap.mmap(-1, size, mmap.MAP_PRIVATE)
        new[: self.have - at] = memoryview(self._storage)[at : self.have]
        self._storage = new
