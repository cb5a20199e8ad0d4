"""Plain text tables."""

import textwrap
from collections.abc import Sequence

WIDTH = 120
_HEADING_WIDTH = 10
_GAP = "  "


def grid(
    headings: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    width: int = WIDTH,
    name_width: int = 20,
) -> list[str]:
    """Lines of a table; columns beyond `width` stand in another table below."""
    cells = [[_broken(each, _HEADING_WIDTH) for each in headings]]
    cells += [[_broken(row[0], name_width), *([each] for each in row[1:])] for row in rows]
    widths = [max(len(line) for row in cells for line in row[at]) for at in range(len(headings))]
    lines: list[str] = []
    for part in _parts(widths, width):
        lines += [""] if lines else []
        for at, row in enumerate(cells):
            lines += _lines([row[column] for column in part], [widths[x] for x in part], at == 0)
    return lines


def _broken(text: str, width: int) -> list[str]:
    lines = [
        line
        for piece in text.split("\n")
        for line in textwrap.wrap(piece, width, break_long_words=False, break_on_hyphens=False)
    ]
    return lines or [""]


def _parts(widths: Sequence[int], width: int) -> list[list[int]]:
    """The columns of each table; each has the first."""
    parts: list[list[int]] = [[0]]
    room = width - widths[0]
    for at in range(1, len(widths)):
        needed = len(_GAP) + widths[at]
        if needed > room and len(parts[-1]) > 1:
            parts.append([0])
            room = width - widths[0]
        parts[-1].append(at)
        room -= needed
    return parts


def _lines(cells: Sequence[list[str]], widths: Sequence[int], heading: bool) -> list[str]:
    """Headings stand below, cells above."""
    height = max(len(cell) for cell in cells)
    filled = [
        [""] * (height - len(cell)) + cell if heading else cell + [""] * (height - len(cell))
        for cell in cells
    ]
    return [
        _GAP.join(
            cell.rjust(width) if at else cell.ljust(width)
            for at, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in zip(*filled, strict=True)
    ]
