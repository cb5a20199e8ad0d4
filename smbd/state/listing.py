"""The names that a directory handle has yet to tell of, in little memory.

A million names as Python strings take 70 MB and more; joined by the thousand, what their letters
take.
"""

from collections.abc import Callable, Iterable
from itertools import islice
from sys import getsizeof

_TOGETHER = 1024
_SEPARATOR = "/"  # in no name


class Listing:
    """Names by their number, from the first that the client has not been told of yet."""

    __slots__ = ("_at", "_chunks", "_count", "_last", "size")

    def __init__(self, names: Iterable[str], pause: Callable[[], object] = lambda: None) -> None:
        """`pause` is called now and then: a million names take 0.1 s."""
        self._count = 0
        self._chunks: list[str] = []
        coming = iter(names)
        while chunk := list(islice(coming, _TOGETHER)):
            self._count += len(chunk)
            self._chunks.append(_SEPARATOR.join(chunk))
            pause()
        self.size = sum(map(getsizeof, self._chunks))  # bytes
        self._at = -1  # which chunk is in _last
        self._last: list[str] = []

    def __len__(self) -> int:
        return self._count

    def some(self, start: int, most: int) -> list[str]:
        """At least one and at most so many names from number `start` on; none behind the end."""
        at, first = divmod(start, _TOGETHER)
        if at >= len(self._chunks):
            return []
        if at != self._at:
            self._at, self._last = at, self._chunks[at].split(_SEPARATOR)
        return self._last[first : first + most]

    def forget(self, end: int) -> None:
        """No name before number `end` is asked for again, and the others not soon."""
        self._at, self._last = -1, []
        whole = end // _TOGETHER if end < self._count else len(self._chunks)
        for at in range(whole - 1, -1, -1):
            if not self._chunks[at]:
                break
            self.size -= getsizeof(self._chunks[at]) - getsizeof("")
            self._chunks[at] = ""
