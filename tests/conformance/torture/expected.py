"""The list of what each smbtorture case is expected to do, and the verdict on what it did.

expected.tsv has a line per case: its name as smbtorture takes it, what we expect of our server,
what Samba 4.17 does (the best of several configurations), and why, unless it passes.
"""

import csv
import fnmatch
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, cast

Outcome = Literal["pass", "fail", "skip"]

LIST = Path(__file__).with_name("expected.tsv")
UNEXPLAINED = "?"
_FIELDS = ["test", "expected", "samba", "reason"]


@dataclass(frozen=True, slots=True)
class Case:
    """A line of the list."""

    test: str
    expected: Outcome
    samba: Outcome
    reason: str

    @property
    def suite(self) -> str:
        """The suite by whose name the score is kept."""
        family, _, rest = self.test.partition(".")
        return family if family == "libsmbclient" else f"{family}.{rest.partition('.')[0]}"

    def wanted(self, patterns: Iterable[str]) -> bool:
        """Tell whether a pattern names this case or its suite."""
        return any(self.suite == p or fnmatch.fnmatchcase(self.test, p) for p in patterns)


@dataclass(frozen=True, slots=True)
class Result:
    """What a case did here. The detail is the line in which smbtorture says why."""

    outcome: Outcome
    detail: str
    seconds: float
    repeated: bool = False


def load(path: Path = LIST) -> dict[str, Case]:
    """Read a list, by test name."""
    with path.open(newline="") as lines:
        rows = csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE)
        return {row["test"]: Case(**cast("dict[str, str]", row)) for row in rows}  # type: ignore[arg-type]


def save(cases: Mapping[str, Case], path: Path = LIST) -> None:
    """Write a list, sorted by suite and otherwise in the order given."""
    with path.open("w", newline="") as lines:
        out = csv.writer(
            lines, delimiter="\t", quoting=csv.QUOTE_NONE, quotechar=None, lineterminator="\n"
        )
        out.writerow(_FIELDS)
        for case in sorted(cases.values(), key=lambda case: case.suite):
            out.writerow([case.test, case.expected, case.samba, case.reason])


def problem(case: Case, result: Result) -> str | None:
    """Return what is wrong with a result that is not the expected one."""
    if result.outcome == case.expected:
        return None
    if result.outcome == "pass":
        return f"unexpected pass (expected {case.expected}: {case.reason}): shrink the list"
    return f"{result.outcome}, expected {case.expected}: {result.detail}"


def adopted(case: Case, result: Result) -> Case:
    """Return the case with this result as what is expected. A new miss wants its reason written."""
    if result.outcome == "pass":
        return replace(case, expected="pass", reason="")
    reason = case.reason if case.expected == result.outcome else UNEXPLAINED
    return replace(case, expected=result.outcome, reason=reason)


def score(cases: Mapping[str, Case], results: Mapping[str, Result]) -> str:
    """Return a table: per suite, what passes here of what passes on Samba."""
    table: dict[str, Counter[str]] = defaultdict(Counter)
    for test, result in results.items():
        case = cases[test]
        for row in (case.suite, "TOTAL"):
            table[row][result.outcome] += 1
            table[row]["samba"] += case.samba == "pass"
            table[row]["both"] += case.samba == result.outcome == "pass"
    lines = [f"{'suite':30}{'pass':>6}{'fail':>6}{'skip':>6}{'of what Samba passes':>24}"]
    for suite, count in sorted(table.items(), key=lambda item: (item[0] == "TOTAL", item[0])):
        share = f"{count['both']}/{count['samba']}"
        share += f"  {100 * count['both'] // count['samba']:3} %" if count["samba"] else "     -"
        counts = "".join(f"{count[kind]:6}" for kind in ("pass", "fail", "skip"))
        lines.append(f"{suite:30}{counts}{share:>24}")
    return "\n".join(lines)
