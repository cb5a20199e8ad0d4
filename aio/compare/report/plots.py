"""The plots of a place: what tables of medians do not show.

Needs matplotlib; whoever imports this says what to do without it.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from matplotlib.figure import Figure

from aio.compare.document import Layer
from aio.compare.report import charts
from aio.compare.report.drawing import styled, svg
from aio.compare.report.view import View


@dataclass(frozen=True, slots=True)
class Plot:
    """A drawn plot: what to see in it, how to read it, and the drawing."""

    title: str
    caption: str
    svg: str


@dataclass(frozen=True, slots=True)
class _Kind:
    title: str
    caption: str
    draw: Callable[[View, Layer], Figure | None]


def plots(view: View, layer: Layer, prefix: str) -> Iterator[Plot]:
    """Those that there are figures for; `prefix` makes the ids inside unique in a page."""
    for key, kind in _KINDS.items():
        with styled():
            figure = kind.draw(view, layer)
            if figure:
                yield Plot(kind.title, kind.caption, svg(figure, f"{prefix}-{key}", kind.title))


_KINDS = {
    "latencies": _Kind(
        "How long a request waits, and how long the unlucky ones wait",
        "Each line is all requests of a round, from the fastest to the slowest (median of the "
        "rounds). Lower is better; where lines that run together part to the right, only the "
        "tail differs: at 99 % it is one request of a hundred.",
        charts.latencies,
    ),
    "throughput": _Kind(
        "What more requests in flight bring",
        "Operations a second by the number of requests that are in flight at once. A line that "
        "rises has the disk work at several requests; one that stays flat does one after the "
        "other, or has no CPU left.",
        charts.throughput,
    ),
    "stalls": _Kind(
        "For how long the event loop serves nobody",
        "The loop's longest iteration in each fortieth of a run; the number is the run's longest. "
        "All clients wait for as long as a bar is high. Colours are those of the engines: plain "
        "to the left, behind the probe to the right; bars begin at 10 us.",
        charts.stalls,
    ),
    "mix": _Kind(
        "What hits cost while others miss",
        "One client reads 4 KiB from the page cache while others keep 0 to 16 reads waiting for "
        "the disk. A flat line means that it does not notice them. The legend says how many "
        "misses a second each form got done: hits are cheap to protect by serving nobody else.",
        charts.mix,
    ),
    "costs": _Kind(
        "What a hit costs the CPU",
        "CPU time of the serving process, threads and kernel included, divided by its operations; "
        "the thin line is the span of the rounds. Pale bars are engines without the probe. "
        "O_DIRECT has no hits: what it reads comes from the disk.",
        charts.costs,
    ),
}
