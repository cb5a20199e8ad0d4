"""The plots of a volume.  Needs matplotlib."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from matplotlib.figure import Figure

from aio.compare.document import Layer
from aio.compare.report import charts
from aio.compare.report.drawing import styled, svg
from aio.compare.report.view import View


@dataclass(frozen=True, slots=True)
class Plot:
    """A drawn plot."""

    title: str
    caption: str
    svg: str


@dataclass(frozen=True, slots=True)
class _Kind:
    title: str
    caption: str
    draw: Callable[[View, Layer], Figure | None]


def plots(view: View, layer: Layer, prefix: str) -> Iterator[Plot]:
    """Each plot that has figures; `prefix` is that of its ids."""
    for key, kind in _KINDS.items():
        with styled():
            figure = kind.draw(view, layer)
            if figure:
                yield Plot(kind.title, kind.caption, svg(figure, f"{prefix}-{key}", kind.title))


_KINDS = {
    "latencies": _Kind(
        "How long requests wait",
        "From the fastest request of a round to the slowest; at 99 % one of a hundred waits "
        "longer.",
        charts.latencies,
    ),
    "throughput": _Kind(
        "What more requests in flight bring",
        "A rising line has the disk work at several requests; a flat one has no CPU left, or "
        "takes them one by one.",
        charts.throughput,
    ),
    "stalls": _Kind(
        "How long the event loop serves nobody",
        "The longest iteration in each fortieth of a run, and in all of it: all clients wait that "
        "long. Bars begin at 10 us.",
        charts.stalls,
    ),
    "mix": _Kind(
        "Hits beside misses",
        "A flat line does not notice misses. The legend has the misses served: a form that serves "
        "few protects hits easily.",
        charts.mix,
    ),
    "costs": _Kind(
        "What a hit costs the CPU",
        "CPU time of the serving process an operation, kernel included; the thin line is the "
        "rounds' range. Pale bars: without the probe.",
        charts.costs,
    ),
}
