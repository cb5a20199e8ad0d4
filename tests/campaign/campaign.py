"""What a campaign is: a name, what it attacks, and a play that gives figures."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

# Milliseconds that the server may keep its event loop for.
LONGEST_TURN = 20.0


@dataclass(frozen=True, slots=True)
class Turn:
    """A turn of a server's event loop, and the task that took most of it."""

    milliseconds: float
    task: str


class NotHereError(Exception):
    """This machine lacks what a campaign needs; the text says what."""


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured value.  It keeps its bar if it is not above it.

    A `timed` figure depends on the machine's mood: it decides nothing in the short form.
    """

    what: str
    value: float
    unit: str = ""
    bar: float | None = None
    timed: bool = False
    detail: str = ""  # what else there is to say, of this run alone

    @property
    def kept(self) -> bool:
        """Whether the bar is kept; a figure without one is for information."""
        return self.bar is None or self.value <= self.bar

    def __str__(self) -> str:
        unit = f" {self.unit}" if self.unit else ""
        bar = "" if self.bar is None else f"  (bar {self.bar:g}{unit})"
        failed = "" if self.kept else "  ABOVE THE BAR"
        detail = f"  [{self.detail}]" if self.detail else ""
        return f"{self.what}: {amount(self.value)}{unit}{bar}{failed}{detail}"


def amount(value: float) -> str:
    """A value with three significant digits, and a count as it is."""
    return f"{value:,.0f}" if value == int(value) or abs(value) >= 1000 else f"{value:.3g}"


@dataclass(slots=True)
class Play:
    """One run of a campaign: how long it may be, where its files go, and what it has measured."""

    work: Path  # an empty folder, on a disk; it is removed afterwards
    short: bool
    seed: int
    figures: list[Figure] = field(default_factory=list)

    @property
    def random(self) -> Random:
        """Random numbers that the seed repeats; a new generator at each call."""
        return Random(self.seed)

    def size(self, long: int, short: int) -> int:
        """How much of something there is to be in this form."""
        return short if self.short else long

    def folder(self, name: str) -> Path:
        """A new folder for one part of the play."""
        made = self.work / name
        made.mkdir()
        return made

    def note(
        self,
        what: str,
        value: float,
        unit: str = "",
        *,
        bar: float | None = None,
        timed: bool = False,
        detail: str = "",
    ) -> None:
        """Keep a figure."""
        self.figures.append(Figure(what, value, unit, bar, timed, detail))

    def note_turn(self, what: str, turn: Turn, bar: float = LONGEST_TURN) -> None:
        """Keep the longest turn of a server's loop, held against the bar of all turns."""
        took = turn.milliseconds
        self.note(f"{what}: longest turn", took, "ms", bar=bar, timed=True, detail=turn.task)

    def failed(self) -> Sequence[Figure]:
        """The figures above their bars that decide in this form."""
        return [one for one in self.figures if not one.kept and not (self.short and one.timed)]


@dataclass(frozen=True, slots=True)
class Campaign:
    """`play` is awaited in a trio loop of its own; it raises NotHereError where it cannot run."""

    name: str
    attacks: str  # one line
    play: Callable[[Play], Awaitable[None]]
