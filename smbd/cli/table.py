"""Plain text tables for the terminal, and how figures are written in them."""

from collections.abc import Sequence


def table(header: Sequence[str], rows: Sequence[Sequence[str]], *, left: int = 1) -> str:
    """Lay out rows under a header: the first `left` columns to the left, figures to the right."""
    lines = [tuple(header), *map(tuple, rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(header))]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if column < left else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    )


def in_bytes(count: float) -> str:
    """Write a number of bytes with three figures or four: 0, 999, 1.95 KiB, 64.0 MiB."""
    if count < 1000:
        return f"{count:.0f}"
    for unit in ("KiB", "MiB", "GiB"):
        count /= 1024
        if count < 1000:
            return f"{count:.{2 if count < 10 else 1}f} {unit}"
    return f"{count / 1024:.2f} TiB"


def in_seconds(duration: float) -> str:
    """Write a duration with its best unit: 0, 4.2 us, 13.0 ms, 2.5 s, 3 min, 2 h."""
    if duration == 0:
        return "0"
    if duration < 0.001:
        return f"{duration * 1e6:.1f} us"
    if duration < 1:
        return f"{duration * 1e3:.1f} ms"
    if duration < 120:
        return f"{duration:.1f} s"
    return f"{duration / 60:.0f} min" if duration < 7200 else f"{duration / 3600:.1f} h"
