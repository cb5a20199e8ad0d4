"""The study in a terminal."""

import textwrap
from collections.abc import Iterable, Iterator

from aio.compare.amounts import (
    NOTHING,
    ROUGH,
    duration,
    figure,
    roughly,
    with_spread,
)
from aio.compare.claims import Finding, Verdict, judge
from aio.compare.document import Document, Layer, Volume
from aio.compare.figures import UNITS, heading
from aio.compare.report.evidence import tables
from aio.compare.report.grid import WIDTH, grid
from aio.compare.report.reasons import reasons
from aio.compare.report.trials import CALL_HEADINGS, trial
from aio.compare.report.view import (
    DECIDING_NOTE,
    GROUPS,
    LAYERS,
    View,
    deciding_figure,
    figures_of,
    round_count,
    short_name,
)
from aio.compare.report.words import CUT_SHORT, ONE_ROUND, took, what_is_there, when

# What rounds differ in so much that a table of medians alone would deceive.
_WITH_SPREAD = frozenset({"ops_per_s", "p99_us", "stall_us"})


def text(document: Document, *, full: bool = False) -> str:
    """Deciding figures and claims; if `full`, all figures."""
    lines = [*_head(document, full), *_warnings(document)]
    for volume in document.volumes:
        lines += _volume(document, volume, full)
    lines += _claims(document, full)
    return "\n".join(lines)


def _head(document: Document, full: bool) -> Iterator[str]:
    rounds = round_count(document)
    medians = f"; medians of {rounds} rounds" if rounds > 1 else ""
    yield f"smbd compare, {when(document)}, took {took(document)}{medians}"
    machine = list(document.machine.items())
    if full:
        yield from _wrapped(f"command: {' '.join(document.command)}")
        yield from (line for label, value in machine for line in _wrapped(f"{label}: {value}"))
        yield ""
        yield from (f"{heading(name)}: {about}" for name, (_, about) in UNITS.items())
    else:
        yield from _wrapped("; ".join(value for _, value in machine[:4]))
    if rounds:
        rough = f" ~: rounds differ by more than {ROUGH:.0%}." if rounds > 1 else ""
        yield from ("", f"{DECIDING_NOTE}{rough}")


def _warnings(document: Document) -> Iterator[str]:
    if not document.complete:
        yield from ("", *_wrapped(f"INTERRUPTED. {CUT_SHORT}"))
    if document.quick:
        yield from ("", *_wrapped(f"QUICK. {ONE_ROUND}"))


def _volume(document: Document, volume: Volume, full: bool) -> Iterator[str]:
    view = View(volume)
    folder = f"{volume.folder}, " if volume.folder != volume.name else ""
    where = f"{volume.name}: {folder}{what_is_there(volume)}"
    yield from ("", *_wrapped(where), "=" * min(len(where), WIDTH))
    for layer in view.layers:
        yield from ("", f"{layer}: {LAYERS[layer]}", "")
        yield from _deciding(view, layer)
        if full:
            yield from _all_figures(view, layer)
    if not view.layers:
        yield "Nothing was measured here."
    yield from _skipped(document, volume)
    if full:
        yield from _details(volume)


def _deciding(view: View, layer: Layer) -> list[str]:
    columns = view.deciding(layer)
    forms = view.usual_forms(layer, [each.workload for each in columns])
    headings = ["", *(f"{each.title}\n{heading(each.figure)}" for each in columns)]
    rows = [
        [
            form,
            *(
                roughly(each.figure, view.at(layer, each.workload, form, each.figure))
                for each in columns
            ),
        ]
        for form in forms
    ]
    return grid(headings, rows) if columns else []


def _all_figures(view: View, layer: Layer) -> Iterator[str]:
    for group, workloads in view.groups(layer).items():
        title = f"{layer}, {GROUPS[group].title.lower()}"
        yield from ("", title, "-" * len(title), *_wrapped(GROUPS[group].about))
        if len(workloads) > 1:
            yield from ("", *_matrix(view, layer, workloads))
        for workload in workloads:
            yield from ("", *_figures(view, layer, workload))


def _matrix(view: View, layer: Layer, workloads: list[str]) -> list[str]:
    wanted = [(name, deciding_figure(name)) for name in workloads]
    headings = [f"{short_name(name)}\n{heading(what)}" for name, what in wanted]
    rows = [
        [
            form,
            *(with_spread(what, view.at(layer, name, form, what)) for name, what in wanted),
            duration(view.longest_stall(layer, workloads, form)),
        ]
        for form in view.forms(layer, workloads)
    ]
    return grid(["", *headings, "longest\nstall"], rows)


def _figures(view: View, layer: Layer, workload: str) -> list[str]:
    names = figures_of(workload)
    rows = [
        [form, *(_cell(view, layer, workload, form, name) for name in names)]
        for form in view.forms(layer, [workload])
    ]
    return [f"{layer}: {workload}", *grid(["", *map(heading, names)], rows)]


def _cell(view: View, layer: Layer, workload: str, form: str, name: str) -> str:
    found = view.at(layer, workload, form, name)
    if found is None:
        return NOTHING
    return with_spread(name, found) if name in _WITH_SPREAD else figure(name, found.median)


def _skipped(document: Document, volume: Volume) -> Iterator[str]:
    found = reasons(document, volume)
    if found:
        yield from ("", "Not measured:")
    for each in found:
        yield from _wrapped(f"{each.what} - {each.why}", "  ")


def _details(volume: Volume) -> Iterator[str]:
    if volume.forms:
        yield from ("", "Ways of the forms:")
    for form, way in volume.forms.items():
        yield from _wrapped(f"{form}: {way}", "  ")
    for name, found in volume.experiments.items():
        outcome = trial(found)
        yield from ("", f"experiment: {name}")
        if outcome.calls:
            yield from grid(CALL_HEADINGS, outcome.calls)
        for label, value in outcome.others:
            yield from _wrapped(f"{label}: {value}", "  ")


def _claims(document: Document, full: bool) -> Iterator[str]:
    yield from ("", "The claims", "==========")
    for verdict in judge(document):
        yield from ("", *_wrapped(f"{verdict.number}. {verdict.text}", hanging="   "))
        for volumes, found in _same(verdict):
            yield from _wrapped(f"{volumes}: {found.holds}. {found.sentence}", "   ")
        for table in tables(verdict.volumes) if full else ():
            rows = [[cell.partition(" (")[0] for cell in row] for row in table.rows]
            yield from ("", *grid(table.headings, rows, name_width=WIDTH // 2))


def _same(verdict: Verdict) -> Iterable[tuple[str, Finding]]:
    found: dict[tuple[object, ...], tuple[list[str], Finding]] = {}
    for volume, finding in verdict.volumes.items():
        key = (finding.holds, finding.sentence, tuple(finding.evidence))
        found.setdefault(key, ([], finding))[0].append(volume)
    return [(", ".join(volumes), finding) for volumes, finding in found.values()]


def _wrapped(line: str, indent: str = "", hanging: str = "  ") -> list[str]:
    following = indent + hanging
    return textwrap.wrap(
        line, WIDTH, initial_indent=indent, subsequent_indent=following, break_on_hyphens=False
    )
