"""Bars and aims, and whether figures reach them: what a run's figures say, without any machine."""

import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

Figures = Mapping[str, float]  # of one server in one round
Found = Mapping[str, Sequence[Figures]]  # of each server, the rounds in their order
Verdict = Literal["aim", "bar", "short", "none"]

RATE, COST = "ops_per_s", "server_us_per_op"
SAMBA, FLOOR = "samba", "floor"


@dataclass(frozen=True, slots=True)
class Bar:
    """A figure that is to reach a bar, and better an aim: against a server's, or as it is ("")."""

    figure: str
    bar: float
    aim: float
    against: str = SAMBA
    more: bool = False  # is better

    @property
    def name(self) -> str:
        """The name of what is judged: "rate", "cost", "cost by floor", or the figure's own."""
        what = {RATE: "rate", COST: "cost"}.get(self.figure, self.figure)
        return f"{what} by {FLOOR}" if self.against == FLOOR else what

    def verdict(self, value: float) -> Verdict:
        """What a value reaches."""
        if self.better_or_same(value, self.aim):
            return "aim"
        return "bar" if self.better_or_same(value, self.bar) else "short"

    def better_or_same(self, value: float, other: float) -> bool:
        """Compare in this figure's direction."""
        return value >= other if self.more else value <= other


def rate(bar: float, aim: float) -> Bar:
    """Operations a second by Samba's."""
    return Bar(RATE, bar, aim, more=True)


def cost(bar: float, aim: float) -> Bar:
    """Server CPU an operation by Samba's."""
    return Bar(COST, bar, aim)


def floor(bar: float, aim: float) -> Bar:
    """Server CPU an operation by the floor's."""
    return Bar(COST, bar, aim, FLOOR)


@dataclass(frozen=True, slots=True)
class Spread:
    """The median of some rounds, with the least and the greatest."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> "Spread | None":
        """None if there are no values."""
        if not values:
            return None
        return cls(statistics.median(values), min(values), max(values))


def spread(found: Found, server: str, figure: str) -> Spread | None:
    """A server's figure over the rounds."""
    return Spread.of(list(_values(found.get(server, ()), figure)))


def judged(bar: Bar, found: Found, server: str) -> Spread | None:
    """What the bar is about: ratios within each round, or the figure itself; None if one lacks."""
    mine = found.get(server, ())
    if not bar.against:
        return Spread.of(list(_values(mine, bar.figure)))
    ratios = [
        each[bar.figure] / other[bar.figure]
        for each, other in zip(mine, found.get(bar.against, ()), strict=False)
        if each.get(bar.figure) and other.get(bar.figure)
    ]
    return Spread.of(ratios)


def _values(rounds: Sequence[Figures], figure: str) -> Iterator[float]:
    return (each[figure] for each in rounds if figure in each)
