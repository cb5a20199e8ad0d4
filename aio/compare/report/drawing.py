"""The look of figures, and clean SVG.  It needs matplotlib, not pyplot, which keeps figures."""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from html import escape
from io import StringIO
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from aio.catalog import ENGINES
from aio.compare.forms import form_named

WIDTH = 9.2  # inches
PANEL = 2.9
_INK, _GRID = "#1c2329", "#d5dadd"
_UNKNOWN = ("#7a7a7a", "o")  # colour and marker of an engine that the catalogue lacks

_STYLE: Any = {  # rcParams' type names every key, another set in each version
    "svg.fonttype": "none",  # text stays text: a third of the size, and it can be searched
    "svg.hashsalt": "smbd compare",
    "text.parse_math": False,
    "font.family": "DejaVu Sans",
    "font.size": 9,
    "text.color": _INK,
    "axes.labelcolor": _INK,
    "axes.edgecolor": _INK,
    "axes.titlesize": 9.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.facecolor": "none",
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": _GRID,
    "grid.linewidth": 0.6,
    "xtick.color": _INK,
    "ytick.color": _INK,
    "xtick.minor.visible": False,
    "ytick.minor.size": 0,
    "figure.facecolor": "none",
    "legend.frameon": False,
    "legend.handlelength": 2.6,
    "lines.linewidth": 1.5,
    "lines.markersize": 4.5,
}


@dataclass(frozen=True, slots=True)
class Look:
    """The probe makes line and marker solid."""

    colour: str
    dash: str
    marker: str
    filled: bool

    def line(self) -> dict[str, Any]:
        """Arguments of Axes.plot."""
        return {
            "color": self.colour,
            "linestyle": self.dash,
            "marker": self.marker,
            "markerfacecolor": self.colour if self.filled else "none",
            "markeredgewidth": 1.1,
        }


def look(name: str) -> Look:
    """The look of a form."""
    form = form_named(name)
    row = form.row
    colour, marker = (row.colour, row.marker) if row else _UNKNOWN
    if form.options:
        return Look(colour, ":" if "direct" in form.options else "-.", "x", filled=False)
    return Look(colour, "-" if form.probe else "--", marker, filled=form.probe)


@contextmanager
def styled() -> Iterator[None]:
    """Figures made inside ignore the user's matplotlibrc."""
    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(_STYLE)
        yield


def panels(
    count: int, columns: int, height: float = PANEL, *, sharex: bool = False, sharey: bool = False
) -> tuple[Figure, list[Axes]]:
    """A figure of `count` axes; `height` is a row's, in inches."""
    columns = min(count, columns)
    rows = -(-count // columns)
    figure = Figure(figsize=(WIDTH, 0.4 + rows * height), layout="constrained")
    axes = list(figure.subplots(rows, columns, squeeze=False, sharex=sharex, sharey=sharey).flat)
    for unused in axes[count:]:
        unused.remove()
    return figure, axes[:count]


def legend(
    figure: Figure,
    forms: Sequence[str],
    labels: Sequence[str] | None = None,
    title: str = "",
    **line: str,
) -> None:
    """One legend for all panels; `line` overrides a form's look."""
    handles = [Line2D([], [], **{**look(form).line(), **line}) for form in forms]
    figure.legend(
        handles, labels or forms, loc="outside right upper", title=title or None, title_fontsize=8
    )


def svg(figure: Figure, prefix: str, label: str) -> str:
    """An element whose ids begin with `prefix`, in the colours of the style sheet."""
    text = _clean(figure, prefix, label)
    for colour, variable in _variables().items():
        text = text.replace(colour, f"var({variable})")
    return text


def file(figure: Figure, label: str) -> str:
    """The text of an SVG file: dark on white, wherever it is shown."""
    figure.set_facecolor("#ffffff")
    return _clean(figure, "at", label) + "\n"


def _clean(figure: Figure, prefix: str, label: str) -> str:
    out = StringIO()
    nothing = dict.fromkeys(("Date", "Creator", "Format", "Type"))
    figure.savefig(out, format="svg", metadata=nothing)
    text = out.getvalue()
    text = text[text.index("<svg") :]
    for pattern, replacement in _TIDY.items():
        text = re.sub(pattern, replacement, text, flags=re.DOTALL)
    text = re.sub(r"<[^>]*>", lambda tag: _LONG.sub(_rounded, tag[0]), text)
    used = set(re.findall(r"#([\w.-]+)", text))
    text = re.sub(r' id="([^"]*)"', lambda at: at[0] if at[1] in used else "", text)
    text = re.sub(r'(?<= id=")|(?<=href="#)|(?<=url\(#)', f"{prefix}-", text)
    return text.replace("<svg", f'<svg role="img" aria-label="{escape(label)}"', 1)


def _rounded(number: re.Match[str]) -> str:
    return f"{float(number[0]):.1f}"


_LONG = re.compile(r"-?\d+\.\d{2,}")
# Half of what matplotlib writes says nothing.
_TIDY = {
    r"<metadata>.*?</metadata>": "",
    r"<!--.*?-->": "",
    r'(?<=<svg)(.*?) (?:width|height)="[^"]*"(.*?) (?:width|height)="[^"]*"': r"\1\2",
    r"; font-family: '[^']*'": "",
    r' transform="rotate\(-0 [^"]*\)"': "",
    r"\s*\n\s*": " ",
    r"(?<=>) (?=<)": "",
}


def _variables() -> dict[str, str]:
    """Colour -> variable of the style sheet."""
    engines = {row.colour: f"--{row.name}" for row in ENGINES.values()}
    return {_INK: "--ink", _GRID: "--grid", **engines}
