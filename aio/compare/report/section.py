"""The page's section of a volume."""

from collections.abc import Iterator
from importlib import import_module
from typing import TYPE_CHECKING

from aio.compare.document import Document, Layer, Volume
from aio.compare.report.markup import Markup, el, items, joined, table
from aio.compare.report.reasons import reasons
from aio.compare.report.tables import READING, figures, glance, matrix
from aio.compare.report.trials import CALL_HEADINGS, trial
from aio.compare.report.view import DECIDING_NOTE, GROUPS, LAYERS, View
from aio.compare.report.words import what_is_there

if TYPE_CHECKING:
    from aio.compare.report.plots import Plot

PARTS = {
    "glance": "Overview",
    "engines": "Ways of the forms",
    "plots": "Plots",
    "figures": "All figures",
    "skipped": "Not measured",
    "experiments": "Experiments",
}


def volume_section(document: Document, volume: Volume, anchor: str) -> tuple[Markup, list[str]]:
    """The section, and the PARTS that it has."""
    view = View(volume)
    bodies = {
        "glance": _glance(view),
        "engines": _engines(volume),
        "plots": _plots(view, anchor),
        "figures": _figures(view),
        "skipped": _skipped(document, volume),
        "experiments": _experiments(volume),
    }
    parts = [key for key, body in bodies.items() if body]
    sections = (el("h3", PARTS[key], id=f"{anchor}-{key}") + bodies[key] for key in parts)
    heading = el("h2", volume.name, id=anchor)
    return el("section", heading, _where(volume), *map(Markup, sections)), parts


def _where(volume: Volume) -> Markup:
    folder = joined((el("code", volume.folder), ", ")) if volume.folder != volume.name else ""
    made = "made for the study" if volume.made else "not made for it"
    return el("p", folder, f"{what_is_there(volume)}; {made}.", class_="about")


def _glance(view: View) -> Markup:
    if not view.layers:
        return el("p", "Nothing was measured here.")
    parts = (
        joined(
            (
                el("h4", f"{layer}: {LAYERS[layer]}"),
                glance(view, layer) if view.deciding(layer) else "",
            )
        )
        for layer in view.layers
    )
    return joined((*parts, el("p", f"{DECIDING_NOTE} {READING}", class_="about")))


def _engines(volume: Volume) -> Markup:
    if not volume.forms:
        return Markup()
    return table(["form", "what it does here"], list(volume.forms.items()), kind="text")


def _plots(view: View, anchor: str) -> Markup:
    return joined(
        _figure(layer, plot) for layer in view.layers for plot in drawn(view, layer, anchor)
    )


def drawn(view: View, layer: Layer, anchor: str) -> "list[Plot]":
    """The plots; none without matplotlib."""
    if not can_draw():
        return []
    module = import_module("aio.compare.report.plots")
    return list(module.plots(view, layer, f"{anchor}-{layer}"))


def can_draw() -> bool:
    """Whether matplotlib is there; no other volume imports it."""
    try:
        import_module("aio.compare.report.plots")
    except ImportError:
        return False
    return True


def _figure(layer: Layer, plot: "Plot") -> Markup:
    return el(
        "figure",
        el("h4", f"{plot.title} ({layer})"),
        el("div", Markup(plot.svg), class_="drawing", tabindex="0"),
        el("figcaption", plot.caption),
    )


def _figures(view: View) -> Markup:
    return joined(_layer(view, layer) for layer in view.layers)


def _layer(view: View, layer: Layer) -> Markup:
    groups = view.groups(layer)
    return joined(
        (
            el("h4", f"{layer}: {LAYERS[layer]}"),
            *(_group(view, layer, group, workloads) for group, workloads in groups.items()),
        )
    )


def _group(view: View, layer: Layer, group: str, workloads: list[str]) -> Markup:
    heading = GROUPS[group]
    every = (
        el("details", el("summary", workload), figures(view, layer, workload))
        for workload in workloads
    )
    return el(
        "details",
        el("summary", el("b", heading.title), f": {heading.about}"),
        matrix(view, layer, workloads),
        *every,
    )


def _skipped(document: Document, volume: Volume) -> Markup:
    found = [(each.what, each.why) for each in reasons(document, volume)]
    return table(["what", "why"], found, kind="text") if found else Markup()


def _experiments(volume: Volume) -> Markup:
    return joined(_experiment(volume))


def _experiment(volume: Volume) -> Iterator[Markup]:
    for name, found in volume.experiments.items():
        outcome = trial(found)
        yield el("h4", name)
        if outcome.calls:
            yield table(CALL_HEADINGS, outcome.calls)
        if outcome.others:
            yield items(f"{label}: {value}" for label, value in outcome.others)
