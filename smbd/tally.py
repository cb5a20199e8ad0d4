"""How many of something each name has: for limits a user, an address or a connection."""

from collections import Counter


class Tally(Counter[str]):
    """A Counter that forgets a name at zero: clients bring ever new ones."""

    def less(self, name: str) -> None:
        """Count one less."""
        self[name] -= 1
        if not self[name]:
            del self[name]
