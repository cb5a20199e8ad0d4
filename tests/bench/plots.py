"""Plots of a run, as SVG.  They need matplotlib."""

from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, NullFormatter

from aio.compare.report.drawing import file, panels, styled

from .bars import COST, RATE, SAMBA, Bar, judged
from .results import Results
from .rows import Row
from .table import amount, number

_COLOURS = {"aim": "#1b7f4b", "bar": "#b07d00", "short": "#b3361b"}
_INK = "#1c2329"
_ROW = 0.21  # inches
_TITLES = {
    RATE: "rate by Samba's: more is better",
    COST: "cost by Samba's: less is better",
}


def against_samba(rows: Sequence[Row], results: Results, subject: str) -> str | None:
    """Each row's two ratios with their spread, bar and aim; None if there are none."""
    rows = [row for row in rows if any(bar.against == SAMBA for bar in row.bars)]
    found = {
        figure: [
            (at, bar, value)
            for at, row in enumerate(rows)
            for bar in row.bars
            if (bar.figure, bar.against) == (figure, SAMBA)
            and (value := judged(bar, results.found.get(row.name, {}), subject))
        ]
        for figure in _TITLES
    }
    if not any(found.values()):
        return None
    with styled():
        figure, axes = panels(2, 2, _ROW * len(rows) + 0.4, sharey=True)
        for ax, (what, values) in zip(axes, found.items(), strict=True):
            for at, bar, value in values:
                colour = _COLOURS[bar.verdict(value.median)]
                ax.plot([value.low, value.high], [at, at], color=colour, linewidth=1)
                ax.plot(value.median, at, "o", color=colour)
                _limits(ax, at, bar)
            ax.set_title(_TITLES[what])
            ax.axvline(1, color=_INK, linewidth=0.8)
            _logarithmic(ax)
        axes[0].set_yticks(range(len(rows)), [row.name for row in rows])
        axes[0].invert_yaxis()
        return file(figure, f"{subject} by Samba: each row's ratios, its bar (line) and aim (dash)")


def _limits(ax: Axes, at: int, bar: Bar) -> None:
    ax.plot(bar.bar, at, "|", color=_INK, markersize=9, markeredgewidth=1.2)
    ax.plot(bar.aim, at, "|", color=_INK, markersize=5, markeredgewidth=0.8)


def _logarithmic(ax: Axes) -> None:
    ax.set_xscale("log")
    ax.set_xlim(min(0.2, ax.get_xlim()[0]), max(5, ax.get_xlim()[1]))
    ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: number(value)))
    ax.set_xticks([0.2, 0.5, 1, 2, 5])
    ax.xaxis.set_minor_formatter(NullFormatter())


# A curve's points of each server: (how much there is, cost of a unit of work).
Points = Mapping[str, Sequence[tuple[float, float]]]


def growing(curves: Mapping[str, tuple[str, str, Points]]) -> str:
    """Curves by title, each with the labels of its axes: flat is what grows with its work."""
    with styled():
        figure, axes = panels(len(curves), 2)
        for ax, (title, (across, up, points)) in zip(axes, curves.items(), strict=True):
            for at, (server, line) in enumerate(points.items()):
                dash, marker = (("-", "o"), ("--", "s"), (":", "^"))[at % 3]
                ax.plot(*zip(*line, strict=True), dash, marker=marker, color=_INK, label=server)
            ax.set_title(title)
            ax.set_xlabel(across)
            ax.set_ylabel(up)
            ax.set_xscale("log")
            ax.set_yscale("log")
            steps = sorted({step for line in points.values() for step, _ in line})
            few = steps[:: 1 + len(steps) // 6]
            ax.set_xticks(few, [amount(step) for step in few])
            ax.xaxis.set_minor_formatter(NullFormatter())
            _room(ax)
            if len(points) > 1:
                ax.legend()
        return file(figure, "How cost grows")


def _room(ax: Axes) -> None:
    """At least a factor of ten up and down: noise is to look like noise."""
    low, high = ax.get_ylim()
    middle = (low * high) ** 0.5
    ax.set_ylim(min(low, middle / 4), max(high, middle * 4))
    ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: number(value)))
    ax.yaxis.set_minor_formatter(NullFormatter())


__all__ = ["Points", "against_samba", "growing"]
