"""The operations of a load, and their order in a file."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import cycle, islice
from random import Random
from typing import Literal

Operation = Literal["read", "write"]
# Gives the offsets to go to, one after the other.  Called at the beginning, and again when they
# are used up: then nothing is in flight, and its time is not counted.
Offsets = Callable[[], Iterator[int]]


@dataclass(frozen=True, slots=True)
class Work:
    """Operations of one size, `depth` of them in flight on each connection."""

    operation: Operation
    size: int  # bytes
    depth: int
    offsets: Offsets  # of all connections of a group together


def at_random(size: int, file_size: int, seed: int = 0) -> Offsets:
    """Any of a file's blocks, for ever."""
    blocks = max(1, file_size // size)
    draw = Random(seed).random  # noqa: S311 -- nobody is to be surprised by it

    def order() -> Iterator[int]:
        while True:
            yield int(draw() * blocks) * size

    return order


def in_turn(size: int, file_size: int) -> Offsets:
    """A file's blocks from the first to the last, over and over."""
    blocks = max(1, file_size // size)
    return lambda: cycle(range(0, blocks * size, size))


class Order:
    """The offsets of a group on their way: each goes to one of its connections."""

    def __init__(self, offsets: Offsets) -> None:
        self._offsets = offsets
        self.renew()

    def renew(self) -> None:
        """Begin anew."""
        self._rest = self._offsets()
        self.used_up = False

    def take(self, count: int) -> list[int]:
        """So many of them, or those that are left."""
        taken = list(islice(self._rest, count))
        self.used_up = len(taken) < count
        return taken
