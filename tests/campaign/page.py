"""README.md's table: the figures that each campaign reached, and when."""

import re
from collections.abc import Sequence
from pathlib import Path

from .campaign import Campaign, Figure, amount

PAGE = Path(__file__).with_name("README.md")
_HEAD = "| campaign | figure | reached | bar | when |\n|---|---|---|---|---|\n"
_ROW = re.compile(r"\| (\S+) \|")


def record(campaign: Campaign, figures: Sequence[Figure], when: str) -> None:
    """Put a campaign's rows in place of those that it had."""
    text = PAGE.read_text()
    before, head, after = text.partition(_HEAD)
    assert head, f"{PAGE} has no table"
    rows = [line for line in after.splitlines(keepends=True) if _name(line) != campaign.name]
    rows += [_line(campaign.name, figure, when) for figure in figures]
    PAGE.write_text(before + head + "".join(sorted(rows, key=_name)))


def _line(name: str, figure: Figure, when: str) -> str:
    unit = f" {figure.unit}" if figure.unit else ""
    bar = "" if figure.bar is None else f"{figure.bar:g}{unit}"
    reached = f"{amount(figure.value)}{unit}"
    if not figure.kept:
        reached = f"**{reached}**"
    return f"| {name} | {figure.what} | {reached} | {bar} | {when} |\n"


def _name(line: str) -> str:
    found = _ROW.match(line)
    return found[1] if found else ""
