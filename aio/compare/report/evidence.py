"""The figures that decide a claim, side by side."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

from aio.compare.amounts import NOTHING
from aio.compare.claims import Finding


@dataclass(frozen=True, slots=True)
class Table:
    """A table of text."""

    headings: list[str]
    rows: list[list[str]]


def tables(volumes: Mapping[str, Finding]) -> list[Table]:
    """One table by volumes, one by forms ("...: sync")."""
    known = {name: dict(found.evidence) for name, found in volumes.items() if found.evidence}
    found = (_of_volumes(known), _of_forms(known))
    return [table for table in found if table.rows]


def _of_volumes(known: Mapping[str, Mapping[str, str]]) -> Table:
    labels = {label: None for values in known.values() for label in values if ": " not in label}
    columns = [name for name, values in known.items() if labels.keys() & values]
    rows = [[label, *(known[name].get(label, NOTHING) for name in columns)] for label in labels]
    return Table(["what decides it", *columns], rows)


def _of_forms(known: Mapping[str, Mapping[str, str]]) -> Table:
    cells: dict[tuple[str, str], dict[str, str]] = defaultdict(dict)
    forms: dict[str, None] = {}
    order: dict[str, None] = {}
    for volume, values in known.items():
        for label, value in values.items():
            what, colon, form = label.rpartition(": ")
            if colon:
                cells[what, volume][form] = value
                forms[form] = order[what] = None
    several = len(known) > 1
    rows = [
        [
            what,
            *([volume] if several else []),
            *(cells[what, volume].get(form, NOTHING) for form in forms),
        ]
        for what in order
        for volume in known
        if (what, volume) in cells
    ]
    return Table(["what decides it", *(["volume"] if several else []), *forms], rows)
