"""Amounts in sentences."""

from aio.compare.amounts import duration, short, three_digits
from aio.compare.figures import Summary


def amount(figure: str, value: float | str) -> str:
    """A figure by the end of its name: 12.3 ms, 12,345/s, 98 %; else 1.25."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "yes" if value else "no"
    if figure.endswith("_us"):
        return short(duration(value))
    if figure.endswith(("_share", "_at_return")):
        return f"{_digits(value * 100)} %"
    return f"{_digits(value)}/s" if figure.endswith("_per_s") else _digits(value)


def amounts(figure: str, summary: Summary) -> str:
    """The median and the rounds' range: 12 us (10 us to 15 us)."""
    middle, low, high = (
        amount(figure, value) for value in (summary.median, summary.low, summary.high)
    )
    return middle if low == high else f"{middle} ({low} to {high})"


def _digits(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else short(three_digits(value))
