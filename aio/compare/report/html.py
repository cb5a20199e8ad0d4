"""The study as one page, without scripts or anything loaded."""

from collections.abc import Iterable, Sequence

from aio.compare.claims import judge
from aio.compare.document import Document
from aio.compare.figures import UNITS, heading
from aio.compare.report import verdicts
from aio.compare.report.markup import Markup, el, items, joined, link, table
from aio.compare.report.section import PARTS, can_draw, volume_section
from aio.compare.report.style import css
from aio.compare.report.view import GROUPS, LAYERS, round_count
from aio.compare.report.words import (
    CACHE,
    CUT_SHORT,
    HOW_PLOTS,
    LOAD,
    MANUALS,
    ONE_ROUND,
    TURNS,
    took,
    ways,
    when,
)


def page(document: Document, raw: str = "") -> str:
    """The HTML document; `raw` names the file of raw figures."""
    judged = judge(document)
    volumes = [
        (volume.name, *volume_section(document, volume, f"volume-{number}"))
        for number, volume in enumerate(document.volumes, 1)
    ]
    main = el(
        "main",
        verdicts.summary(document, judged),
        verdicts.claims(judged),
        _method(document),
        *(section for _, section, _ in volumes),
        _machine(document, raw),
    )
    contents = _contents([(name, parts) for name, _, parts in volumes])
    body = el("body", _header(document), el("div", contents, main, class_="columns"))
    return f"<!DOCTYPE html>\n{el('html', _head(document), body, lang='en')}\n"


def _head(document: Document) -> Markup:
    return el(
        "head",
        el("meta", charset="utf-8"),
        el("meta", name="viewport", content="width=device-width, initial-scale=1"),
        el("title", f"smbd compare, {when(document)}"),
        el("style", Markup(css())),
    )


def _header(document: Document) -> Markup:
    machine = "; ".join(list(document.machine.values())[:3])
    volumes, rounds = len(document.volumes), round_count(document)
    study = f"{_many(volumes, 'volume')}, {_many(rounds, 'round')}, {took(document)}."
    return el(
        "header",
        el("h1", "Ways to read and write a file, compared"),
        el("p", f"smbd compare, {when(document)}. {machine}. {study}", class_="about"),
        "" if document.complete else _warning("Interrupted.", CUT_SHORT, "warning cut"),
        _warning("A quick study.", ONE_ROUND) if document.quick else "",
        "" if can_draw() else _warning("No plots.", HOW_PLOTS),
    )


def _many(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def _warning(what: str, more: str, kind: str = "warning") -> Markup:
    return el("p", el("b", what), f" {more}", class_=kind)


def _contents(volumes: Iterable[tuple[str, Sequence[str]]]) -> Markup:
    entries = [
        link("summary", "Summary"),
        link("claims", "The claims"),
        link("method", "How it was measured"),
        *(
            joined((link(f"volume-{number}", name), _parts(f"volume-{number}", parts)))
            for number, (name, parts) in enumerate(volumes, 1)
        ),
        link("machine", "The machine"),
    ]
    return el("nav", el("b", "Contents"), items(entries), aria_label="Contents")


def _parts(anchor: str, parts: Sequence[str]) -> Markup:
    return items(link(f"{anchor}-{key}", PARTS[key]) for key in parts)


def _method(document: Document) -> Markup:
    figures = [(heading(name), about) for name, (_, about) in UNITS.items()]
    groups = [(each.title, each.about) for key, each in GROUPS.items() if key != "other"]
    return el(
        "section",
        el("h2", "How it was measured", id="method"),
        *(el("p", each) for each in (LOAD, CACHE, TURNS)),
        el("p", f"SMB signing is {document.signing}."),
        el("h3", "Layers"),
        table(["layer", "what is in it"], list(LAYERS.items()), kind="text"),
        el("h3", "Forms"),
        table(["form", "how it reads and writes"], list(ways().items()), kind="text"),
        el(
            "p",
            "Manuals: ",
            joined((el("a", *each[:1], href=each[1]) for each in MANUALS), ", "),
            ".",
        ),
        el("h3", "Workloads"),
        table(["group", "what is asked for"], groups, kind="text"),
        el("h3", "Figures"),
        table(["figure", "what it is"], figures, kind="text"),
    )


def _machine(document: Document, raw: str) -> Markup:
    rows = [*document.machine.items(), ("command", el("code", " ".join(document.command)))]
    rows += [("raw figures", el("code", raw))] if raw else []
    return el(
        "section",
        el("h2", "The machine", id="machine"),
        table(["", "what it is"], rows, kind="text"),
    )
