"""What a volume has, in the order of tables and plots."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from aio.compare.document import Document, Layer, Measurement, Volume
from aio.compare.figures import UNITS, Summary
from aio.compare.forms import FORMS
from aio.compare.workloads import WORKLOADS

LAYERS: Mapping[Layer, str] = {
    "served": "over SMB, signing and network included",
    "bare": "the engine alone, without SMB",
}


@dataclass(frozen=True, slots=True)
class Heading:
    """A group of workloads."""

    title: str
    about: str


GROUPS: Mapping[str, Heading] = {
    "hits": Heading("Hits", "Random reads of cached pages."),
    "misses": Heading("Misses", "Random reads of evicted pages."),
    "mix": Heading(
        "Hits beside others",
        "One client reads cached 4 KiB; others keep the disk or the event loop busy.",
    ),
    "streams": Heading("Streams", "Sequential reads of evicted files, with readahead."),
    "writes": Heading("Writes", "Random writes below the dirty limit."),
    "flood": Heading(
        "Writes beyond the dirty limit",
        "The kernel makes writers wait for the disk.",
    ),
    "other": Heading("Other workloads", "Of another version."),
}


@dataclass(frozen=True, slots=True)
class Column:
    """A column of the first table."""

    title: str
    workload: str
    figure: str


DECIDING = (
    Column("hits", "hits 4 KiB x16", "ops_per_s"),
    Column("hits", "hits 4 KiB x16", "cpu_us"),
    Column("misses", "misses 4 KiB x16", "ops_per_s"),
    Column("hits alone", "hits 4 KiB x1 alone", "p99_us"),
    Column("hits beside 16 misses", "hits 4 KiB x1 beside 16 misses", "p99_us"),
    Column("hits beside 16 misses", "hits 4 KiB x1 beside 16 misses", "stall_us"),
    Column("stream 1 MiB", "stream 1 MiB x1", "mb_per_s"),
    Column("writes", "writes 4 KiB x16", "ops_per_s"),
    Column("writes into evicted pages", "writes 512 B x16 into evicted pages", "ops_per_s"),
    Column("writes beyond the limit", "writes 1 MiB x4 beyond the dirty limit", "mb_per_s"),
)
DECIDING_NOTE = "4 KiB and 16 requests in flight, unless said otherwise."

_WORKLOADS = {workload.name: workload for workload in WORKLOADS}
_FORM_ORDER = {form.name: at for at, form in enumerate(FORMS)}
_WORKLOAD_ORDER = {name: at for at, name in enumerate(_WORKLOADS)}


def group_of(workload: str) -> str:
    """The key in GROUPS."""
    known = _WORKLOADS.get(workload)
    return known.group if known else "other"


def deciding_figure(workload: str) -> str:
    """The figure of a table with room for one."""
    known = _WORKLOADS.get(workload)
    if known is None:
        return "ops_per_s"
    if known.beside or known.group == "mix":
        return "p99_us"
    return "mb_per_s" if known.group in {"streams", "flood"} else "ops_per_s"


def figures_of(workload: str) -> list[str]:
    """All figures but one: of MB/s and others/s one says nothing."""
    known = _WORKLOADS.get(workload)
    silent = "mb_per_s" if known and known.beside else "others_per_s"
    return [name for name in UNITS if name != silent]


def short_name(workload: str) -> str:
    """The name without its group's words: "4 KiB x16"."""
    words = workload.split(" ")
    return " ".join(words[_COMMON.get(group_of(workload), 0) :])


def in_order(workloads: Iterable[str]) -> list[str]:
    """The order of WORKLOADS; unknown names come last."""
    return sorted(workloads, key=lambda name: _WORKLOAD_ORDER.get(name, len(_WORKLOAD_ORDER)))


class View:
    """A volume's summaries."""

    def __init__(self, volume: Volume) -> None:
        self.volume = volume
        self._runs: dict[tuple[str, str, str], Measurement] = {
            (each.layer, each.workload, each.form): each
            for each in volume.measurements
            if each.rounds
        }
        self._summaries = {key: run.summary for key, run in self._runs.items()}

    @property
    def layers(self) -> list[Layer]:
        """The layers that were measured."""
        return [layer for layer in LAYERS if any(key[0] == layer for key in self._runs)]

    def groups(self, layer: Layer) -> dict[str, list[str]]:
        """The measured workloads of each group."""
        names = in_order({workload for at, workload, _ in self._runs if at == layer})
        groups = {group: [name for name in names if group_of(name) == group] for group in GROUPS}
        return {group: names for group, names in groups.items() if names}

    def forms(self, layer: Layer, workloads: Iterable[str]) -> list[str]:
        """The forms that any of these was measured with."""
        wanted = set(workloads)
        names = {form: None for at, name, form in self._runs if at == layer and name in wanted}
        return sorted(names, key=lambda name: _FORM_ORDER.get(name, len(_FORM_ORDER)))

    def usual_forms(self, layer: Layer, workloads: Sequence[str]) -> list[str]:
        """The forms of most of them: a variant of one workload gets no row."""
        forms = self.forms(layer, workloads)
        counts = [sum((layer, each, form) in self._runs for each in workloads) for form in forms]
        return [form for form, count in zip(forms, counts, strict=True) if 2 * count >= max(counts)]

    def run(self, layer: Layer, workload: str, form: str) -> Measurement | None:
        """The measurement, if there is one."""
        return self._runs.get((layer, workload, form))

    def at(self, layer: Layer, workload: str, form: str, figure: str) -> Summary | None:
        """A figure over the rounds, if it was measured."""
        found = self._summaries.get((layer, workload, form))
        return found[figure] if found else None

    def longest_stall(self, layer: Layer, workloads: Iterable[str], form: str) -> float:
        """The longest in any of these, us; NaN without any."""
        found = (self.at(layer, name, form, "stall_us") for name in workloads)
        return max((each.median for each in found if each), default=float("nan"))

    def deciding(self, layer: Layer) -> list[Column]:
        """The columns of DECIDING that were measured."""
        return [each for each in DECIDING if self.forms(layer, [each.workload])]


def round_count(document: Document) -> int:
    """The largest number of rounds."""
    runs = [each for volume in document.volumes for each in volume.measurements]
    return max((len(each.rounds) for each in runs), default=0)


def _common_words(names: Sequence[str]) -> int:
    """The number of words that all begin with."""
    same = 0
    for words in zip(*(name.split(" ") for name in names), strict=False):
        if len(set(words)) > 1:
            break
        same += 1
    return same


_COMMON = {
    group: _common_words([each.name for each in WORKLOADS if each.group == group])
    for group in GROUPS
}
