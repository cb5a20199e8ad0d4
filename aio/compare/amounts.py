"""How figures are written: three digits, and the unit that keeps them short."""

import re
from collections.abc import Sequence
from math import floor, isfinite, log10

from aio.compare.figures import Summary

NOTHING = "-"
ROUGH = 0.25  # a round that differs from the median by more makes a tilde
_TIMES = ((1e6, " s"), (1e3, " ms"), (1.0, " us"))
_COUNTS = ((1e6, "M"), (1e3, "k"), (1.0, ""))


def three_digits(value: float) -> str:
    """Write 12345 as 12300, 1.5 as 1.50, and 0 as 0."""
    if not isfinite(value):
        return NOTHING
    rounded = float(f"{value:.3g}")
    if rounded == 0:
        return "0"
    return f"{rounded:.{max(0, 2 - floor(log10(abs(rounded))))}f}"


def duration(microseconds: float) -> str:
    """Write 45.3 us, 1.23 ms, 2.00 s."""
    return _scaled(microseconds, _TIMES)


def count(value: float) -> str:
    """Write 954, 12.3k, 1.23M."""
    return _scaled(value, _COUNTS)


def short(amount: str) -> str:
    """Without zeros that say nothing, for sentences and the ticks of an axis: 10.0 us is 10 us."""
    return re.sub(r"(\.\d*?)0+(?!\d)", lambda found: found[1].rstrip("."), amount)


def figure(name: str, value: float) -> str:
    """A figure of `Figures.summary`; its heading need not tell the unit of a time."""
    if not isfinite(value):
        return NOTHING
    if name.endswith("_us"):
        return duration(value)
    if name == "inline":
        return f"{value:.0%}"
    if name in {"switches", "hops"}:
        return f"{value:.2f}" if value else "0"
    return three_digits(value) if name == "mb_per_s" else count(value)


def spread(name: str, summary: Summary) -> str:
    """How far a round lies from the median at most: ±8%, or +150%; empty if not at all."""
    if not summary.low < summary.high:
        return ""
    if summary.median == 0:
        return f"..{figure(name, summary.high)}"
    sign = "+" if summary.high > 2 * summary.median else "±"
    farthest = _farthest(summary)
    return f"{sign}{farthest:.0%}" if farthest >= 0.005 else ""


def with_spread(name: str, summary: Summary | None) -> str:
    """Write 13.9 us ±8%, or a dash if nothing was measured."""
    if summary is None:
        return NOTHING
    return f"{figure(name, summary.median)} {spread(name, summary)}".rstrip()


def roughly(name: str, summary: Summary | None) -> str:
    """Write 13.9 us, or ~13.9 us if rounds differ by more than ROUGH; else as `with_spread`."""
    if summary is None:
        return NOTHING
    rough = _farthest(summary) > ROUGH if summary.median else summary.high > 0
    return f"{'~' if rough else ''}{figure(name, summary.median)}"


def _farthest(summary: Summary) -> float:
    """As a part of the median."""
    return max(summary.high - summary.median, summary.median - summary.low) / summary.median


def _scaled(value: float, units: Sequence[tuple[float, str]]) -> str:
    if not isfinite(value):
        return NOTHING
    rounded = float(f"{value:.3g}")
    for size, unit in units:
        if abs(rounded) >= size:
            return three_digits(value / size) + unit
    return three_digits(value) + (units[-1][1] if rounded else "")
