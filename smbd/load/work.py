"""The operations of a load, and their order in a file."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import cycle, islice
from random import Random
from typing import Literal

# read and write go to places of a file.  The others are compounds, each of a file by its number:
# open is CREATE and CLOSE, stat has a QUERY_INFO between, new makes a file and writes it, hold is
# CREATE alone.
Operation = Literal["read", "write", "open", "stat", "new", "delete", "hold"]
# Gives the offsets to go to, one after the other; for compounds the numbers of files.  Called at
# the beginning, and again when they are used up: then nothing is in flight, and its time is not
# counted.
Offsets = Callable[[], Iterator[int]]
DIGITS = 7  # of a file's number in its name


@dataclass(frozen=True, slots=True)
class Work:
    """Operations of one size, `depth` of them in flight on each connection."""

    operation: Operation
    size: int  # bytes; of READ, WRITE and new
    depth: int
    offsets: Offsets  # of all connections of a group together
    writes: float = 0.0  # the share of WRITEs among READs
    folder: str = ""  # of the files of compounds, in the share

    @property
    def places(self) -> bool:
        """Whether it goes to places of an open file."""
        return self.operation in {"read", "write"}

    def file(self, number: int) -> str:
        """The path of a compound's file in the share."""
        return "\\".join([*filter(None, [self.folder]), file_name(number)])


def file_name(number: int) -> str:
    """The name of a compound's file; all names have one length."""
    return f"file-{number:0{DIGITS}}"


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
