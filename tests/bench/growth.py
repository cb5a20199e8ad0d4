"""How the server's cost grows with how much there is, and that nothing grows faster than its work.

  python -m tests.bench growth                     minutes (root, for 100,000 open files)
  python -m tests.bench growth --short             fewer and smaller steps
  python -m tests.bench growth --only 'open*' --servers smbd samba

Of each curve and step the figure is the server's CPU for a unit of work, the median of the rounds.
The exponent is the slope with both axes logarithmic, over all steps and over the greater half of
them: about 0 or less is flat. Exit status 1 if something grows.
"""

import argparse
import fnmatch
import json
import resource
import statistics
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from smbd.load import LoadError

from .curves import CURVES, Curve, exponents, grows
from .page import drawn, written
from .run import server_of, terminated_in_order
from .stands import NAMES, Stand, standing
from .table import aligned, amount, number

_FILES = 400_000  # descriptors: a session gets half of a server's at most, and a test client some
_LIMITS = {
    "opens": 150_000, "memory": 1 << 30, "connections": 1200, "connections_per_address": 1200,
}  # fmt: skip
_LONG = 5.0  # seconds of a round, after which the step has no more of them

# curve -> server -> [step, cost of a unit of work]
Points = dict[str, dict[str, list[tuple[float, float]]]]


def measure(
    curves: Sequence[Curve], stands: Sequence[Stand], rounds: int, seconds: float, *, short: bool
) -> tuple[Points, list[str]]:
    """All curves; and what could not be measured."""
    points: Points = {}
    problems = []
    for curve in curves:
        for step in curve.short if short else curve.steps:
            print(f"{curve.name}: {step:,}", file=sys.stderr)
            try:
                costs = _step(curve, step, stands, rounds, seconds)
            except (LoadError, OSError) as error:
                problems.append(f"{curve.name}, {step:,}: {error}")
                break
            for name, cost in costs.items():
                points.setdefault(curve.name, {}).setdefault(name, []).append((step, cost))
    return points, problems


def _step(
    curve: Curve, step: int, stands: Sequence[Stand], rounds: int, seconds: float
) -> dict[str, float]:
    with ExitStack() as stack:
        ready = {each.name: stack.enter_context(curve.measure(each, step)) for each in stands}
        found: dict[str, list[float]] = {name: [] for name in ready}
        for _ in range(rounds):
            began = time.perf_counter()
            for name, once in ready.items():
                found[name].append(once(seconds))
            if time.perf_counter() - began > _LONG * len(ready):
                break
    return {name: statistics.median(costs) for name, costs in found.items()}


def table(curves: Sequence[Curve], points: Points) -> str:
    """A line for each curve and server."""
    lines = [["curve", "server", "CPU us for", "from", "to", "exponent: all, end", "grows"]]
    for curve in curves:
        for server, line in points.get(curve.name, {}).items():
            (first, cheap), (last, dear) = line[0], line[-1]
            both = ", ".join(f"{each:+.2f}" for each in exponents(line))
            verdict = "**yes**" if grows(line) else "no"
            ends = [
                f"{number(cost)} at {amount(step)}" for step, cost in ((first, cheap), (last, dear))
            ]
            lines.append([curve.name, server, curve.unit, *ends, both, verdict])
    return aligned(lines)


def _arguments(words: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.bench growth",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--only", nargs="+", default=["*"], metavar="PATTERN", help="of the curves' names")
    add("--servers", nargs="+", type=server_of, default=["smbd"], metavar="SERVER",
        help=f"of {NAMES}, smbd@CHECKOUT (default: smbd)")  # fmt: skip
    add("--short", action="store_true", help="fewer and smaller steps")
    add("--rounds", type=int, default=3, help="(default: 3)")
    add("--seconds", type=float, default=0.5, help="of one round (default: 0.5)")
    add("--json", type=Path, metavar="FILE", help="write the points here")
    add("--page", action="store_true", help="write table and plot into tests/bench/README.md")
    return parser.parse_args(words)


def main(words: Sequence[str]) -> int:
    """Run the command; return its exit status."""
    arguments = _arguments(words)
    terminated_in_order()
    curves = [c for c in CURVES if any(fnmatch.fnmatchcase(c.name, p) for p in arguments.only)]
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (_FILES, max(hard, _FILES)))
    except ValueError:  # not root
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    problems: list[str] = []
    lacking = lambda name, why: problems.append(f"{name}: {why}")  # noqa: E731
    with standing("folder", arguments.servers, lacking, _LIMITS) as stands:
        points, failed = measure(
            curves, stands, arguments.rounds, arguments.seconds, short=arguments.short
        )
    text = "\n\n".join([table(curves, points), *problems, *failed])
    print(text)
    if arguments.json:
        arguments.json.write_text(json.dumps(points, indent=1) + "\n")
    if arguments.page:
        written("curves of growth", f"{text}\n\n{_plotted(curves, points)}")
    return int(any(grows(line) for each in points.values() for line in each.values()))


def _plotted(curves: Sequence[Curve], points: Points) -> str:
    from .plots import growing  # matplotlib is no need of the rest

    labels = {
        c.name: (c.across, f"CPU us for {c.unit}", points[c.name])
        for c in curves
        if c.name in points
    }
    return drawn("growth", growing(labels))
