"""Share modes: what the opens of one file do with it and let others do ([MS-FSA] 2.1.5.1.2.2)."""

from smbd.wire.access import Access
from smbd.wire.create import ShareAccess

# An open for attributes alone takes part in no share mode.
_SHARED = (
    (Access.FILE_READ_DATA | Access.FILE_EXECUTE, ShareAccess.READ),
    (Access.FILE_WRITE_DATA | Access.FILE_APPEND_DATA, ShareAccess.WRITE),
    (Access.DELETE, ShareAccess.DELETE),
)
_READS, WRITES = _SHARED[0][0], _SHARED[1][0]
_ALL = ShareAccess.READ | ShareAccess.WRITE | ShareAccess.DELETE
_DATA = _SHARED[0][0] | _SHARED[1][0] | _SHARED[2][0]


class ShareModes:
    """The opens of one file, counted: one more is answered in the same time whatever their number.

    For each of reading, writing and deleting: how many do it, and how many forbid it to others.
    """

    __slots__ = ("_denying", "_using")

    def __init__(self) -> None:
        self._using = [0, 0, 0]
        self._denying = [0, 0, 0]

    @property
    def writers(self) -> int:
        """How many could write."""
        return self._using[1]

    def forbid(self, access: int, sharing: int) -> bool:
        """Whether an open for `access` that shares `sharing` collides with one that is held."""
        if not access & _DATA:
            return False
        return any(
            bool((access & rights and denying) or (using and not sharing & shared))
            for (rights, shared), using, denying in zip(
                _SHARED, self._using, self._denying, strict=True
            )
        )

    def count(self, access: int, sharing: int, by: int = 1) -> None:
        """Count an open in, or out by -1."""
        if not access & _DATA:
            return
        using = self._using
        if access & _READS:
            using[0] += by
        if access & WRITES:
            using[1] += by
        if access & Access.DELETE:
            using[2] += by
        if sharing & _ALL != _ALL:
            for at, (_, shared) in enumerate(_SHARED):
                if not sharing & shared:
                    self._denying[at] += by
