"""Names that a share keeps from its clients (`veto`), or shows as hidden (`hide`)."""

import re
from collections.abc import Iterable
from functools import lru_cache

from smbd.vfs.names import comparison_key, fold
from smbd.vfs.wildcards import expression

_REMEMBERED = 4096  # names that were asked about last


class Names:
    """The names that some patterns mean, in any case; `*` is any characters, `?` one of them.

    They are compared as names are on the wire, and as they are on disk: a short name (8.3) or a
    symbolic link leads to a name, and that one counts.
    """

    __slots__ = ("mean",)

    def __init__(self, patterns: Iterable[str]) -> None:
        matches = re.compile(
            "|".join(f"(?:{expression(fold(pattern)).pattern})" for pattern in patterns), re.DOTALL
        ).fullmatch

        def mean(component: str) -> bool:
            return bool(component) and matches(comparison_key(component)) is not None

        # Whether they mean a component of a path.
        self.mean = lru_cache(_REMEMBERED)(mean)

    @classmethod
    def of(cls, patterns: Iterable[str]) -> "Names | None":
        """None without patterns: then nothing is asked."""
        some = tuple(patterns)
        return cls(some) if some else None

    def mean_any(self, path: str) -> bool:
        """Whether they mean any component of a path."""
        return any(map(self.mean, path.split("/")))
