"""The figures of one run, in memory and as JSON; and what got slower since an earlier one."""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Self

from .bars import Bar, Figures, Spread, judged

# A ratio must be worse by this beside being beyond the spread: of sixty ratios with three rounds
# each a few lie beyond the other run's by chance.
_MATTERS = 0.1


@dataclass
class Results:
    """row -> server -> the figures of each round, or why there are none."""

    machine: dict[str, str] = field(default_factory=dict)
    found: dict[str, dict[str, list[Figures]]] = field(default_factory=dict)
    problems: dict[str, dict[str, str]] = field(default_factory=dict)

    def add(self, row: str, server: str, figures: Figures) -> None:
        """Take a round's figures."""
        self.found.setdefault(row, {}).setdefault(server, []).append(dict(figures))

    def cannot(self, row: str, server: str, why: str) -> None:
        """Note why a row has no figures of a server."""
        self.problems.setdefault(row, {})[server] = why

    def write(self, file: Path) -> None:
        """As JSON."""
        file.write_text(json.dumps(asdict(self), indent=1) + "\n")

    @classmethod
    def read(cls, file: Path) -> Self:
        """ValueError: it is no such file."""
        content = json.loads(file.read_text())
        try:
            return cls(content["machine"], content["found"], content["problems"])
        except (KeyError, TypeError):
            raise ValueError(f"{file} has no results of tests.bench") from None


@dataclass(frozen=True, slots=True)
class Slower:
    """A ratio that was better in the earlier run, beyond the spread of both."""

    row: str
    bar: Bar
    before: Spread
    now: Spread

    def __str__(self) -> str:
        return (
            f"{self.row}: {self.bar.name} {self.now.median:.2f} "
            f"({self.now.low:.2f} to {self.now.high:.2f}), was {self.before.median:.2f} "
            f"({self.before.low:.2f} to {self.before.high:.2f})"
        )


def slower(
    rows: Iterable[tuple[str, Bar]], before: Results, now: Results, server: str
) -> list[Slower]:
    """The ratios of `server` that got worse; those that one of the runs lacks are left out."""
    found = []
    for row, bar in rows:
        was = judged(bar, before.found.get(row, {}), server)
        is_now = judged(bar, now.found.get(row, {}), server)
        if was and is_now and _worse(bar, was, is_now):
            found.append(Slower(row, bar, was, is_now))
    return found


def _worse(bar: Bar, before: Spread, now: Spread) -> bool:
    if bar.more:
        return now.high < before.low and now.median < before.median * (1 - _MATTERS)
    return now.low > before.high and now.median > before.median * (1 + _MATTERS)
