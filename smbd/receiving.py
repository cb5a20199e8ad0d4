"""The bytes of a connection that are not handled yet, and the memory that they lie in.

The memory grows with the bytes that came, not with the length that a client announces: a frame may
be announced with 8 MiB and never come.
"""

from aio.kernel.libc import address_of

# Until more came at once: a burst of sixteen READs fits, and so does a login.
SMALL = 4096
# While nothing comes: thousands of clients may be idle, and to grow again costs 1 us.
IDLE = 256
# Sixteen 4 KiB WRITEs fit: measured, larger makes no burst cheaper.
USUAL = 128 * 1024
_GROWTH = 4  # times as much when a buffer is full: 1 MiB comes in two steps
# Storage of so many bytes that a request was left with is used again, up to two of it.  A new one
# costs 0.2 ms a MiB: the kernel maps and zeroes its pages, Python zeroes them again (measured).
_KEPT, _MOST_KEPT = 1 << 20, 2
# Frames grow by a little from one to the next: the same storage shall do.
_STEP = 65536


class ReceiveBuffer:
    """Where a socket's bytes go, and where the frames that are handled lie.

    It grows only when it is full, or for a frame no longer than one that came whole a moment ago.
    A request that keeps its frame beyond the burst keeps the storage that it lies in, and the
    buffer gets another one.
    """

    __slots__ = (
        "_address",
        "_left",
        "_reuses",
        "_trusted",
        "_view",
        "have",
        "most",
        "size",
        "usual",
    )

    def __init__(self) -> None:
        self.usual = SMALL  # bytes, for frames that are no larger
        self.have = 0  # bytes that came and are not handled
        self._trusted = 0  # bytes of the largest storage that was ever full, until `settle`
        self._view = memoryview(bytearray(SMALL))
        self.size = SMALL  # bytes of memory that it takes
        # Up to where it takes bytes.  Of a long frame no more than that: where the next one begins
        # in the socket, that may go past the buffer (smbd.large), and none of it is moved.
        self.most = SMALL
        self._address = 0  # of the storage; 0: nobody has asked
        self._left: list[bytearray] = []  # large storage that requests were left with
        self._reuses = False  # some of it was used again since `forget`

    @property
    def left(self) -> int:
        """Bytes of storage that requests were left with, and that may be used again."""
        return sum(map(len, self._left))

    @property
    def free(self) -> memoryview:
        """Where the next bytes go; never empty."""
        return self._view[self.have : self.most]

    @property
    def address(self) -> int:
        """Where in memory `received` begins."""
        if not self._address:
            self._address = address_of(self._view).value
        return self._address

    @property
    def received(self) -> memoryview:
        """The bytes that came and are not handled."""
        return self._view[: self.have]

    def keep(self, at: int, frame: int, *, pinned: bool) -> None:
        """Forget the bytes before `at`: they are handled.

        The frame that begins there has `frame` bytes (0: unknown).  `pinned`: somebody still uses
        the storage.  Where nothing is left and nobody does, and the storage is not full, `have = 0`
        is all that there is to do.
        """
        rest = self.have - at
        size = min(self.size, self.usual) if pinned else self.size
        if frame > size or self.have == size:
            size = max(size, self.usual)
        if frame > size and (rest >= size or frame <= self._trusted):
            size = self._larger(size, frame)
        if pinned and self.size >= _KEPT:
            self._leave()
        if pinned or size != self.size:
            self._move(at, size)
        elif at and rest:
            self._view[:rest] = self._view[at : self.have]
        self.have = rest
        self.most = frame if USUAL < frame <= self.size else self.size

    def forget(self) -> None:
        """Do not keep what requests were left with, unless some was used again since last time."""
        if not self._reuses:
            self._left.clear()
        self._reuses = False

    def settle(self) -> None:
        """Take no more memory than the bytes that came need: nothing more has come for a while."""
        self._trusted = 0
        self._left.clear()
        size = IDLE
        while self.have >= size:
            size *= 2
        if size < self.size:
            self._move(0, size)

    def _larger(self, size: int, frame: int) -> int:
        """The storage that a frame gets which is longer than `size`."""
        if frame <= USUAL:
            return frame
        whole = -(-frame // _STEP) * _STEP
        if frame <= self._trusted or whole <= size * _GROWTH:
            self._trusted = max(self._trusted, whole)
            return whole
        return size * _GROWTH

    def _leave(self) -> None:
        """A request keeps the storage, for a while."""
        storage = self._view.obj
        assert isinstance(storage, bytearray)
        self._left.append(storage)
        del self._left[:-_MOST_KEPT]

    def _storage(self, size: int) -> bytearray:
        """What a request was left with before, if it is done, or new."""
        for number, storage in enumerate(self._left):
            if len(storage) == size and _is_free(storage):
                self._reuses = True
                return self._left.pop(number)
        return bytearray(size)

    def _move(self, at: int, size: int) -> None:
        """Go on in other storage."""
        # Not a new mapping: to fault in 1 MiB takes
        # 1 to 2 ms on this machine, each time anew, where malloc has it from the frame before.
        view = memoryview(self._storage(size))
        view[: self.have - at] = self._view[at : self.have]
        self._view, self.size, self._address = view, size, 0
        self.most = size


def _is_free(storage: bytearray) -> bool:
    """Whether nobody has a view of it: else it cannot change its size."""
    try:
        storage.append(storage.pop())
    except BufferError:
        return False
    return True
