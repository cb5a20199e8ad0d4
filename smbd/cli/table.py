"""Plain text tables for the terminal, and how figures are written in them."""

from collections.abc import Sequence

_SHORTEST = 8  # of a cell that is cut


def table(
    header: Sequence[str], rows: Sequence[Sequence[str]], *, left: int = 1, most: int | None = None
) -> str:
    """Lay out rows under a header: the first `left` columns to the left, figures to the right.

    Where a line has more than `most` characters, the longest of the left cells are cut.
    """
    lines = [tuple(header), *map(tuple, rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(header))]
    if most is not None and left:
        _narrow(widths, left, most - 2 * (len(widths) - 1))
        lines = [
            tuple(_cut(cell, width) for cell, width in zip(line, widths, strict=True))
            for line in lines
        ]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if column < left else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    )


def _narrow(widths: list[int], left: int, most: int) -> None:
    """Take from the widest of the first columns until all together have `most`."""
    while sum(widths) > most:
        widest = max(range(left), key=lambda column: widths[column])
        if widths[widest] <= _SHORTEST:
            return
        widths[widest] -= 1


def _cut(cell: str, width: int) -> str:
    """Leave out the middle of a long text: a path's end says as much as its beginning."""
    if len(cell) <= width:
        return cell
    before = (width - 3) // 2
    return f"{cell[:before]}...{cell[len(cell) - (width - 3 - before) :]}"


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
