"""HTML: text is escaped unless it is Markup."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape


class Markup(str):
    """Text that is HTML already."""

    __slots__ = ()


# They have no end tag.
_VOID = frozenset({"meta", "col", "br"})


def el(name: str, /, *children: object, **attributes: str) -> Markup:
    """An element; `class_` is class, `aria_label` is aria-label, empty attributes are left out."""
    pairs = (
        f' {key.rstrip("_").replace("_", "-")}="{escape(value)}"'
        for key, value in attributes.items()
        if value
    )
    opening = f"<{name}{''.join(pairs)}>"
    return Markup(opening if name in _VOID else f"{opening}{joined(children)}</{name}>")


def joined(children: Iterable[object], between: str = "") -> Markup:
    """All children; text is escaped."""
    texts = (each if isinstance(each, Markup) else escape(str(each)) for each in children)
    return Markup(between.join(texts))


def items(children: Iterable[object]) -> Markup:
    """A bulleted list."""
    return el("ul", *(el("li", child) for child in children))


@dataclass(frozen=True, slots=True)
class Cell:
    """A table's cell."""

    value: object
    note: str = ""  # small, beside it
    about: str = ""  # shown where a pointer rests on it
    kind: str = ""  # class

    def markup(self) -> Markup:
        """The <td>."""
        note = el("small", self.note) if self.note else ""
        return el("td", self.value, note, title=self.about, class_=self.kind)


def table(
    headings: Sequence[object], rows: Iterable[Sequence[object]], *, kind: str = ""
) -> Markup:
    """A table; the first of each row is its heading."""
    head = el("thead", el("tr", *(el("th", each, scope="col") for each in headings)))
    body = el("tbody", *(_row(row) for row in rows))
    return el("div", el("table", head, body, class_=kind), class_="scroll", tabindex="0")


def _row(row: Sequence[object]) -> Markup:
    cells = (each.markup() if isinstance(each, Cell) else el("td", each) for each in row[1:])
    return el("tr", el("th", row[0], scope="row"), *cells)


def link(anchor: str, text: str) -> Markup:
    """A link within the page."""
    return el("a", text, href=f"#{anchor}")
