"""How sentences and evidence write amounts: as tables do, without digits that say nothing."""

from aio.compare.amounts import duration, short, three_digits
from aio.compare.figures import Summary


def us(microseconds: float) -> str:
    """Write 1.5 us, 140 us, 12.3 ms, 2 s."""
    return short(duration(microseconds))


def digits(value: float) -> str:
    """Write 12,345, 123, 1.25."""
    return f"{value:,.0f}" if abs(value) >= 100 else short(three_digits(value))


def percent(part: float) -> str:
    """Write 98 %, 0.4 %."""
    return f"{digits(part * 100)} %"


def amount(figure: str, value: float) -> str:
    """Write one of the figures of UNITS."""
    if figure.endswith("_us"):
        return us(value)
    return f"{digits(value)}/s" if figure.endswith("_per_s") else digits(value)


def amounts(figure: str, summary: Summary) -> str:
    """The median, and between what the rounds lie if they differ."""
    middle, low, high = (
        amount(figure, value) for value in (summary.median, summary.low, summary.high)
    )
    return middle if low == high else f"{middle} ({low} to {high})"
