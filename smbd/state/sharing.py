"""Share modes: what the opens of one file do with it and let others do ([MS-FSA] 2.1.5.1.2.2)."""

from functools import cache

from smbd.wire.access import Access
from smbd.wire.create import ShareAccess

# An open for attributes alone takes part in no share mode.
_SHARED = (
    (Access.FILE_READ_DATA | Access.FILE_EXECUTE, ShareAccess.READ),
    (Access.FILE_WRITE_DATA | Access.FILE_APPEND_DATA, ShareAccess.WRITE),
    (Access.DELETE, ShareAccess.DELETE),
)
WRITES = _SHARED[1][0]
_ALL = ShareAccess.READ | ShareAccess.WRITE | ShareAccess.DELETE
_DATA = _SHARED[0][0] | _SHARED[1][0] | _SHARED[2][0]
_BITS = 32  # of a count: more opens no server has
_MASK = (1 << _BITS) - 1


@cache
def _weights(access: int, sharing: int) -> tuple[int, int]:
    """What an open counts for, and the counts with which it collides.

    Six counts are one number, so that an open is counted by one addition: for each of reading,
    writing and deleting, how many do it, and how many forbid it to others.
    """
    counts = collides = 0
    for at, (rights, shared) in enumerate(_SHARED):
        using, denying = 2 * at * _BITS, (2 * at + 1) * _BITS
        if access & rights:
            counts |= 1 << using
            collides |= _MASK << denying
        if not sharing & shared:
            counts |= 1 << denying
            collides |= _MASK << using
    return counts, collides


class ShareModes:
    """The opens of one file, counted: one more takes the same time whatever their number."""

    __slots__ = ("_counts",)

    def __init__(self) -> None:
        self._counts = 0

    @property
    def writers(self) -> int:
        """How many could write."""
        return self._counts >> 2 * _BITS & _MASK

    def forbid(self, access: int, sharing: int) -> bool:
        """Whether an open for `access` that shares `sharing` collides with one that is held."""
        data = access & _DATA
        return bool(data and self._counts & _weights(data, sharing & _ALL)[1])

    def count(self, access: int, sharing: int, by: int = 1) -> None:
        """Count an open in, or out by -1."""
        data = access & _DATA
        if data:
            self._counts += by * _weights(data, sharing & _ALL)[0]
