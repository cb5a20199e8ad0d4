"""What was not measured, by reason."""

from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from aio.compare.document import Document, Skipped, Volume
from aio.compare.report.view import GROUPS, group_of, in_order


@dataclass(frozen=True, slots=True)
class Reason:
    """A reason, and what it kept from being measured."""

    what: str
    why: str


def reasons(document: Document, volume: Volume) -> list[Reason]:
    """Each reason once, of all that was skipped here."""
    by_reason: dict[str, list[Skipped]] = defaultdict(list)
    for each in volume.skipped:
        by_reason[each.reason].append(each)
    known = _workloads(document)
    return [Reason(_what(skipped, known), why) for why, skipped in by_reason.items()]


def _workloads(document: Document) -> set[str]:
    tried: set[str] = set()
    for volume in document.volumes:
        tried.update(each.workload for each in volume.measurements)
        tried.update(each.workload for each in volume.skipped)
    return tried - {""}


def _what(skipped: Iterable[Skipped], known: Collection[str]) -> str:
    """ "libaio direct, uring direct: all misses; served: sync: hits 4 KiB x1"."""
    layers: dict[str, set[tuple[str, str]]] = defaultdict(set)
    for each in skipped:
        layers[each.layer].add((each.form, each.workload))
    texts = {layer: _pairs(pairs, known) for layer, pairs in layers.items()}
    if len(set(texts.values())) == 1 and len(texts) > 1:
        return next(iter(texts.values()))
    return "; ".join(f"{layer}: {text}" for layer, text in texts.items())


def _pairs(pairs: Iterable[tuple[str, str]], known: Collection[str]) -> str:
    by_form: dict[str, set[str]] = defaultdict(set)
    for form, workload in sorted(pairs):
        by_form[form].add(workload)
    by_workloads: dict[str, list[str]] = defaultdict(list)
    for form, workloads in by_form.items():
        by_workloads[_names(workloads, known)].append(form or "every form")
    return "; ".join(f"{', '.join(forms)}: {names}" for names, forms in by_workloads.items())


def _names(workloads: Collection[str], known: Collection[str]) -> str:
    if "" in workloads:
        return "everything"
    names: list[str] = []
    for group, heading in GROUPS.items():
        here = in_order(name for name in workloads if group_of(name) == group)
        whole = len(here) > 1 and set(here) >= {x for x in known if group_of(x) == group}
        names += [f"all of {heading.title.lower()}"] if whole else here
    return ", ".join(names)
