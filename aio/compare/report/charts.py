"""Drawings of one volume and layer; None without such runs.  Needs matplotlib."""

from collections.abc import Sequence
from math import log10

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from aio.compare.amounts import count, duration, short
from aio.compare.document import Layer, Measurement
from aio.compare.figures import SHARES, Figures, Summary, distribution, heading
from aio.compare.report.drawing import PANEL, legend, look, panels
from aio.compare.report.view import View
from aio.compare.workloads import KIB, WORKLOADS, Workload


def _measured(view: View, layer: Layer, wanted: Sequence[Workload]) -> list[Workload]:
    return [each for each in wanted if view.forms(layer, [each.name])]


def _of_4_kib(group: str) -> list[Workload]:
    found = [each for each in WORKLOADS if each.group == group and each.load.size == 4 * KIB]
    return sorted(found, key=lambda each: each.load.depth)


def latencies(view: View, layer: Layer) -> Figure | None:
    """Percentiles at depths 1 and 16."""
    wanted = [
        each
        for pair in zip(_of_4_kib("hits"), _of_4_kib("misses"), strict=True)
        for each in pair
        if each.load.depth in {1, 16}
    ]
    shown = _measured(view, layer, wanted)
    if not shown:
        return None
    figure, axes = panels(len(shown), 2)
    for ax, workload in zip(axes, shown, strict=True):
        for form in view.forms(layer, [workload.name]):
            run = view.run(layer, workload.name, form)
            if run:
                _tail(ax, run)
        ax.set_title(workload.name)
        ax.set_yscale("log")
        _times(ax)
        ax.set_ylabel("latency")
        ax.set_xlim(left=0)
        ax.set_xticks(list(_PERCENTILES), list(_PERCENTILES.values()))
    for ax in axes[-2:]:
        ax.set_xlabel("share of faster requests")
    legend(figure, view.forms(layer, [each.name for each in shown]), marker="none")
    return figure


_PERCENTILES = {-log10(1 - share / 100): f"{share:g}%" for share in (50, 90, 99, 99.9, 99.99)}


def _tail(ax: Axes, run: Measurement) -> None:
    """The line ends at the share that one request of a round exceeds."""
    requests = min(each.latencies.count for each in run.rounds)
    values = dict(zip(SHARES, distribution(run.rounds), strict=True))
    known = [share for share in SHARES if share < 1 and (1 - share) * requests >= 1]
    positions = [-log10(1 - share) for share in known]
    line = {**look(run.form).line(), "marker": "none"}
    last = min(log10(requests), max(_PERCENTILES))
    heights = [values[share] for share in known]
    if last > positions[-1]:
        positions.append(last)
        heights.append(values[1.0] if last < max(_PERCENTILES) else heights[-1])
    ax.plot(positions, heights, **line)


def throughput(view: View, layer: Layer) -> Figure | None:
    """Operations a second by depth."""
    groups = [_measured(view, layer, _of_4_kib(group)) for group in ("hits", "misses")]
    groups = [each for each in groups if len(each) > 1]
    if not groups:
        return None
    figure, axes = panels(len(groups), 2)
    for ax, workloads in zip(axes, groups, strict=True):
        depths = [each.load.depth for each in workloads]
        for form in view.forms(layer, [each.name for each in workloads]):
            rates = _heights(view, layer, [each.name for each in workloads], form, "ops_per_s")
            ax.plot(depths, rates, **look(form).line())
        ax.set_title(f"{workloads[0].group} 4 KiB")
        ax.set_xscale("log", base=2)
        ax.set_xticks(depths, [str(depth) for depth in depths])
        ax.set_xlabel("requests in flight")
        ax.set_ylim(bottom=0)
        ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: short(count(value))))
        ax.set_ylabel("operations a second")
    legend(figure, view.forms(layer, [each.name for group in groups for each in group]))
    return figure


# Where nothing can be evicted, the loop is kept busy by long hits, if by anything.
_STALLING = (
    "hits 4 KiB x1 beside 16 misses",
    "hits 4 KiB x1 beside 4 hits of 1 MiB",
    "hits 4 KiB x16",
)


def stalls(view: View, layer: Layer) -> Figure | None:
    """The loop's iterations over a run."""
    workload = next((name for name in _STALLING if view.forms(layer, [name])), None)
    if workload is None:
        return None
    forms = sorted(view.forms(layer, [workload]), key=lambda form: "direct" in form)
    found = {form: view.run(layer, workload, form) for form in forms}
    runs = {form: _middle(each) for form, each in found.items() if each}
    longest = max(max(run.iterations) for run in runs.values())
    # Without a floor short iterations would fill the page; they tell nothing.
    floor = min(10.0, longest / 10)
    figure, axes = panels(len(forms), 2, PANEL * 0.36, sharex=True, sharey=True)
    for ax, (form, run) in zip(axes, runs.items(), strict=True):
        _iterations(ax, run, floor, look(form).colour)
        ax.set_title(f"{form}: {duration(run.stall * 1e6)}", weight="normal")
    axes[0].set_yscale("log")
    axes[0].set_ylim(floor, longest * 1.3)
    _times(axes[0])
    for ax in axes[-2:]:
        ax.set_xlabel("seconds into the run")
        ax.tick_params(labelbottom=True)
        ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    figure.supylabel("longest iteration", size=9)
    figure.suptitle(workload, x=0.01, ha="left", weight="bold", size=9.5)
    return figure


def _middle(run: Measurement) -> Figures:
    return sorted(run.rounds, key=lambda each: each.stall)[len(run.rounds) // 2]


def _iterations(ax: Axes, run: Figures, floor: float, colour: str) -> None:
    slots = len(run.iterations)
    edges = [run.seconds * at / slots for at in range(slots + 1)]
    heights = [max(each, floor) for each in run.iterations]
    ax.stairs(heights, edges, baseline=floor, fill=True, color=colour, linewidth=0)
    ax.set_xlim(0, run.seconds)


def mix(view: View, layer: Layer) -> Figure | None:
    """Latency of hits by misses in flight."""
    wanted = [
        each
        for each in WORKLOADS
        if each.group == "mix" and (each.beside is None or each.beside.data == "evicted")
    ]
    shown = _measured(view, layer, wanted)
    if len(shown) < 2:
        return None
    names = [each.name for each in shown]
    forms = view.forms(layer, names)
    figure, axes = panels(2, 2, PANEL * 1.1, sharey=True)
    for ax, name in zip(axes, ("p50_us", "p99_us"), strict=True):
        for form in forms:
            ax.plot(_heights(view, layer, names, form, name), **look(form).line())
        ax.set_yscale("log")
        ax.set_title(f"{heading(name)} of hits, 4 KiB, one in flight")
        ax.set_xticks(range(len(shown)), [_missing(each) for each in shown])
        ax.set_xlabel("misses in flight beside")
    _times(axes[0])
    axes[0].set_ylabel("latency")
    rates = [_heights(view, layer, names[-1:], form, "others_per_s")[0] for form in forms]
    labels = [f"{form}: {count(rate)}/s" for form, rate in zip(forms, rates, strict=True)]
    title = f"misses a second at {_missing(shown[-1])}"
    legend(figure, forms, labels, title)
    return figure


def _missing(workload: Workload) -> str:
    return str(workload.beside.depth) if workload.beside else "none"


def costs(view: View, layer: Layer) -> Figure | None:
    """CPU time of a hit."""
    wanted = ("hits 4 KiB x1", "hits 4 KiB x16", "hits 64 KiB x16")
    shown = [name for name in wanted if view.forms(layer, [name])]
    if not shown:
        return None
    forms = view.forms(layer, shown)
    figure, axes = panels(len(shown), 3, 0.24 * len(forms) + 0.4, sharey=True)
    for ax, workload in zip(axes, shown, strict=True):
        for at, form in enumerate(forms):
            _bar(ax, at, form, view.at(layer, workload, form, "cpu_us"))
        ax.set_title(workload)
        ax.set_xlabel("CPU an operation")
        ax.xaxis.set_major_formatter(_TIMES)
        ax.margins(x=0.25)
        ax.grid(visible=False, axis="y")
    axes[0].set_yticks(range(len(forms)), forms)
    axes[0].invert_yaxis()
    return figure


def _bar(ax: Axes, at: int, form: str, cost: Summary | None) -> None:
    if cost is None:
        return
    style = look(form)
    ends = [[cost.median - cost.low], [cost.high - cost.median]]
    ax.barh(at, cost.median, height=0.62, color=style.colour, alpha=1 if style.filled else 0.4)
    ax.errorbar(cost.median, at, xerr=ends, color="#1c2329", linewidth=1, capsize=2)
    ax.annotate(
        duration(cost.median),
        (cost.high, at),
        (4, 0),
        textcoords="offset points",
        va="center",
        size=8,
    )


def _heights(
    view: View, layer: Layer, workloads: Sequence[str], form: str, figure: str
) -> list[float]:
    """Medians; a line breaks at NaN."""
    found = [view.at(layer, workload, form, figure) for workload in workloads]
    return [each.median if each else float("nan") for each in found]


_TIMES = FuncFormatter(lambda value, _: short(duration(value)))


def _times(ax: Axes) -> None:
    low, high = ax.get_ylim()
    ax.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if high / low < 300 else (1,)))
    ax.yaxis.set_major_formatter(_TIMES)
    ax.yaxis.set_minor_formatter(NullFormatter())
