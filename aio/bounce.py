"""Aligned memory for O_DIRECT, kept for the next request: fresh pages cost 0.1 us a KiB."""

from collections.abc import Iterator
from contextlib import contextmanager
from mmap import MAP_ANONYMOUS, MAP_PRIVATE, mmap

from aio.kernel import Address, address_of

_SMALLEST = 64 << 10
_KEPT = 16 << 20


class BounceBuffers:
    """Pieces of a power of two of bytes, up to 16 MiB of them while nobody uses them."""

    def __init__(self) -> None:
        self._pieces: dict[int, list[Address]] = {}
        self._kept = 0

    @contextmanager
    def take(self, length: int) -> Iterator[Address]:
        """A piece of at least `length` bytes, as a memoryview; others have been in it before."""
        size = max(1 << (length - 1).bit_length(), _SMALLEST)
        pieces = self._pieces.setdefault(size, [])
        if pieces:
            piece = pieces.pop()
            self._kept -= size
        else:
            memory = mmap(-1, size, flags=MAP_PRIVATE | MAP_ANONYMOUS)
            piece = Address(address_of(memory).value, memoryview(memory))
        try:
            yield piece
        finally:
            if self._kept + size <= _KEPT:
                pieces.append(piece)
                self._kept += size
