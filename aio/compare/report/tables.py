"""The page's tables of figures."""

from collections.abc import Mapping, Sequence

from aio.compare.amounts import NOTHING, duration, figure, spread
from aio.compare.document import Layer
from aio.compare.figures import UNITS, Summary, heading
from aio.compare.report.markup import Cell, Markup, el, joined, table
from aio.compare.report.view import Column, View, deciding_figure, figures_of, short_name

_MORE_IS_BETTER = frozenset({"ops_per_s", "mb_per_s"})
# From how many times worse than the best a cell is shaded, and how.
_WORSE = ((20.0, "w4"), (5.0, "w3"), (2.0, "w2"), (1.25, "w1"))
# What differs by less is the same, even if the rounds happen not to overlap.
_SAME = 1.05

READING = (
    "Bold: the best, and what rounds cannot tell from it. Shaded: 1.25, 2, 5 and 20 times worse. "
    "±: the farthest round; a pointer on a figure shows the range."
)


def glance(view: View, layer: Layer) -> Markup:
    """The deciding columns."""
    columns = view.deciding(layer)
    headings = [_heading(each.title, each.figure) for each in columns]
    forms = view.usual_forms(layer, [each.workload for each in columns])
    return _compared(view, layer, columns, headings, dict.fromkeys(forms))


def matrix(view: View, layer: Layer, workloads: Sequence[str]) -> Markup:
    """Forms by workloads, and the longest stall."""
    columns = [Column(short_name(name), name, deciding_figure(name)) for name in workloads]
    headings = [_heading(each.title, each.figure) for each in columns]
    stalls: dict[str, Cell | None] = {
        form: Cell(duration(view.longest_stall(layer, workloads, form)))
        for form in view.forms(layer, workloads)
    }
    return _compared(view, layer, columns, [*headings, _heading("longest", "stall_us")], stalls)


def figures(view: View, layer: Layer, workload: str) -> Markup:
    """All figures of one workload."""
    names = figures_of(workload)
    rows = [
        [form, *(_cell(name, view.at(layer, workload, form, name)) for name in names)]
        for form in view.forms(layer, [workload])
    ]
    headings = [el("span", heading(name), title=UNITS[name][1]) for name in names]
    return table(["", *headings], rows)


def _heading(title: str, name: str) -> Markup:
    return joined((title, el("small", heading(name))))


def _compared(
    view: View,
    layer: Layer,
    columns: Sequence[Column],
    headings: Sequence[object],
    last: Mapping[str, Cell | None],
) -> Markup:
    """A row for each form of `last`, which has its last cell."""
    marks = [_marks(view, layer, column, list(last)) for column in columns]
    rows = [
        [
            form,
            *(
                _cell(each.figure, view.at(layer, each.workload, form, each.figure), mark[form])
                for each, mark in zip(columns, marks, strict=True)
            ),
            *([cell] if cell else []),
        ]
        for form, cell in last.items()
    ]
    return table(["", *headings], rows)


def _cell(name: str, found: Summary | None, kind: str = "") -> Cell:
    if found is None:
        return Cell(NOTHING, kind="quiet")
    note = spread(name, found)
    about = f"{figure(name, found.low)} to {figure(name, found.high)}" if note else ""
    return Cell(figure(name, found.median), note, about, kind)


def _marks(view: View, layer: Layer, column: Column, forms: Sequence[str]) -> dict[str, str]:
    found = {form: view.at(layer, column.workload, form, column.figure) for form in forms}
    known = [each for each in found.values() if each and each.median > 0]
    more = column.figure in _MORE_IS_BETTER
    if not known:
        return dict.fromkeys(forms, "")
    best = (max if more else min)(known, key=lambda each: each.median)
    return {form: _mark(each, best) if each else "" for form, each in found.items()}


def _mark(found: Summary, best: Summary) -> str:
    if not found.median > 0:
        return ""
    low, high = sorted((found.median, best.median))
    worse = high / low
    if worse < _SAME or (found.low <= best.high and best.low <= found.high):
        return "best"
    return next((kind for least, kind in _WORSE if worse >= least), "")
