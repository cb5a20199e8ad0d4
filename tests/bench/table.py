"""The results as a table of Markdown, which is read in a terminal as well."""

from collections.abc import Iterable, Mapping, Sequence

from .bars import COST, RATE, SAMBA, Bar, Found, Spread, judged, spread
from .results import Results
from .rows import Row

_WORDS = {"aim": "aim", "bar": "bar", "short": "**short**"}
_HEADS = [
    "row", "{other}: a second · CPU us", "{subject}: a second · CPU us", "what",
    "figure (spread)", "bar · aim", "reaches", "client us",
]  # fmt: skip


def table(rows: Iterable[Row], results: Results, subject: str, other: str = SAMBA) -> str:
    """One line for each bar of each row that was measured; `subject` is the server judged.

    `other` is the server whose figures stand beside, whichever the bars are about.
    """
    lines = [[head.format(subject=subject, other=other) for head in _HEADS]]
    for row in rows:
        found, problems = results.found.get(row.name, {}), results.problems.get(row.name, {})
        if found or problems:
            lines += _lines(row, found, problems, (subject, other))
    return aligned(lines)


def _lines(
    row: Row, found: Found, problems: Mapping[str, str], both: tuple[str, str]
) -> list[list[str]]:
    subject = both[0]
    mine, its = (_plain(found, problems, name) for name in both)
    client = spread(found, subject, "client_us_per_op")
    lines: list[list[str]] = []
    for bar in row.bars or (None,):
        first = not lines
        head = [row.name, its, mine] if first else ["", "", ""]
        last = [number(client.median) if client and first else ""]
        judgement = _judgement(bar, found, problems, subject) if bar else [""] * 4
        lines.append([*head, *judgement, *last])
    return lines


def _judgement(bar: Bar, found: Found, problems: Mapping[str, str], subject: str) -> list[str]:
    value = judged(bar, found, subject)
    limits = f"{_limit(bar, bar.bar)} · {number(bar.aim)}"
    if value is None:
        why = problems.get(bar.against) or problems.get(subject) or "not measured"
        return [bar.name, "", limits, why]
    return [bar.name, _shown(value), limits, _WORDS[bar.verdict(value.median)]]


def _limit(bar: Bar, limit: float) -> str:
    return f"{'>=' if bar.more else '<='} {number(limit)}"


def _shown(value: Spread) -> str:
    if value.low == value.high:
        return number(value.median)
    return f"{number(value.median)} ({number(value.low)} to {number(value.high)})"


def _plain(found: Found, problems: Mapping[str, str], server: str) -> str:
    """A server's own figures."""
    if server in problems:
        return problems[server]
    values = [spread(found, server, figure) for figure in (RATE, COST)]
    if any(values):
        return " · ".join(number(value.median) if value else "" for value in values)
    names = sorted({name for each in found.get(server, ()) for name in each})
    shown = ((name, spread(found, server, name)) for name in names)
    return ", ".join(f"{name} {number(value.median)}" for name, value in shown if value)


def number(value: float) -> str:
    """Three digits that say something, and thousands apart."""
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}".rstrip("0").rstrip(".")


def amount(value: float) -> str:
    """How much there is of something: a size, if it is a multiple of a KiB."""
    for power, unit in ((40, "TiB"), (30, "GiB"), (20, "MiB"), (10, "KiB")):
        if value >= 1 << power and value % (1 << power) == 0:
            return f"{int(value) >> power} {unit}"
    return f"{value:,.0f}"


def aligned(lines: Sequence[Sequence[str]]) -> str:
    """A table of Markdown whose first line is its head."""
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    out = [
        "| "
        + " | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        + " |"
        for line in lines
    ]
    out.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(out)
