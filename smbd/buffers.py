"""Large reply buffers, kept for the next reply.

A new 1 MiB bytearray costs 0.6 ms here: the kernel maps and zeroes 256 pages, Python zeroes them
again, and freeing gives them back.  Reading 1 MiB from the page cache costs 0.17 ms (measured).
"""

from collections import deque

# Below it malloc answers from its own store, without the kernel.
LARGE = 65536
_HEADER = 512


class SpareBuffers:
    """Buffers by classes of size, eight for each power of two: one is found again by a request of
    nearly its size, and keeps an eighth of it unused at most.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit  # bytes kept, for the whole server
        self.kept = 0  # bytes
        self._spares: dict[int, _Spares] = {}

    def take(self, size: int) -> bytearray:
        """A buffer of `size` bytes; its content is whatever it was."""
        room = _class_of(size)
        spares = self._spares.get(room)
        if spares is None or not spares.buffers:
            buffer = bytearray(room)
        else:
            buffer = spares.buffers.pop()
            spares.fewest = min(spares.fewest, len(spares.buffers))
            self.kept -= room
        if len(buffer) > size:
            del buffer[size:]  # moves nothing: it keeps its memory down to half of it
        elif len(buffer) < size:
            buffer += bytes(size - len(buffer))
        return buffer

    def give(self, buffer: bytearray) -> None:
        """Keep a buffer that nobody uses any more, unless `take` would never find it again."""
        room = buffer.__alloc__() - 1  # bytes and a NUL
        if not LARGE <= room <= self._limit or _class_of(room) != room:
            return
        while self.kept + room > self._limit:
            self._drop()
        self._spares.setdefault(room, _Spares()).buffers.append(buffer)
        self.kept += room

    def settle(self) -> None:
        """Let those go that nobody has needed since the last call."""
        for room, spares in list(self._spares.items()):
            for _ in range(spares.fewest):
                spares.buffers.popleft()
                self.kept -= room
            spares.fewest = len(spares.buffers)
            if not spares.buffers:
                del self._spares[room]

    def _drop(self) -> None:
        """Let one go, of the size that was first asked for: sizes come and go with clients."""
        room, spares = next(iter(self._spares.items()))
        if spares.buffers:
            spares.buffers.popleft()
            self.kept -= room
        spares.fewest = min(spares.fewest, len(spares.buffers))
        if not spares.buffers:
            del self._spares[room]


class _Spares:
    """Those of one class, and how few there were at one time since the last `settle`."""

    __slots__ = ("buffers", "fewest")

    def __init__(self) -> None:
        self.buffers: deque[bytearray] = deque()
        self.fewest = 0


def _class_of(size: int) -> int:
    """The bytes that a buffer of `size` bytes is made with.

    Payloads are powers of two, and have a header before them.
    """
    payload = max(size - _HEADER, 1)
    step = 1 << max(payload.bit_length() - 4, 0)
    return -(-payload // step) * step + _HEADER
