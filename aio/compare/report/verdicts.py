"""The claims in the page."""

from collections.abc import Mapping, Sequence

from aio.compare.amounts import NOTHING
from aio.compare.claims import Finding, Verdict
from aio.compare.document import Document
from aio.compare.report.evidence import Table, tables
from aio.compare.report.markup import Cell, Markup, el, joined, link, table

_AT_ONCE = 12  # rows of a table that is not folded


def summary(document: Document, verdicts: Sequence[Verdict]) -> Markup:
    """Claims by volumes."""
    names = [volume.name for volume in document.volumes]
    rows = [[_claim_link(each), *(_verdict(each, name) for name in names)] for each in verdicts]
    return el(
        "section",
        el("h2", "Summary", id="summary"),
        el(
            "p",
            "Does the claim hold? Each links to what decides it, or why nothing does (-).",
        ),
        table(["claim", *names], rows, kind="verdicts"),
    )


def claims(verdicts: Sequence[Verdict]) -> Markup:
    """Claims with figures."""
    return el("section", el("h2", "The claims", id="claims"), *map(_claim, verdicts))


def _claim_link(verdict: Verdict) -> Markup:
    return joined((f"{verdict.number}. ", link(f"claim-{verdict.number}", verdict.text)))


def _verdict(verdict: Verdict, volume: str) -> Cell:
    found = verdict.volumes.get(volume)
    if found is None or found.holds == "not measured":  # six columns of these words are too wide
        return Cell(NOTHING)
    return Cell(_pill(found.holds))


def _pill(holds: str) -> Markup:
    return el("span", holds, class_=f"pill {holds.partition(' ')[0]}")


def _claim(verdict: Verdict) -> Markup:
    findings = (
        joined((el("dt", name), el("dd", _pill(found.holds)), el("dd", found.sentence)))
        for name, found in verdict.volumes.items()
    )
    return joined(
        (
            el("h3", f"{verdict.number}. {verdict.text}", id=f"claim-{verdict.number}"),
            el("dl", *findings, class_="finding"),
            _evidence(verdict.volumes),
        )
    )


def _evidence(volumes: Mapping[str, Finding]) -> Markup:
    return joined(map(_folded, tables(volumes)))


def _folded(found: Table) -> Markup:
    rows = [[row[0], *map(_cell, row[1:])] for row in found.rows]
    whole = table(found.headings, rows)
    if len(rows) <= _AT_ONCE:
        return whole
    return el("details", el("summary", f"The figures that decide it, {len(rows)} lines"), whole)


def _cell(text: str) -> Cell:
    value, _, note = text.removesuffix(")").partition(" (")
    return Cell(value, note)
