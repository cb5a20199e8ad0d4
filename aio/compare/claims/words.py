"""How sentences and evidence write amounts: three digits, and the unit that keeps them short."""

from aio.compare.figures import Summary


def us(microseconds: float) -> str:
    """Write 1.5 us, 140 us, 12.3 ms, 2 s."""
    for size, unit in ((1e6, "s"), (1e3, "ms")):
        if microseconds >= size:
            return f"{digits(microseconds / size)} {unit}"
    return f"{digits(microseconds)} us"


def digits(value: float) -> str:
    """Write 12,345, 123, 1.25."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


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
