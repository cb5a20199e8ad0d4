"""The study's outcome as one document: all figures, and each measurement that failed, with why.

Terminal, report and claims are made of this alone, so that a document from another machine can be
read here.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal, Self

from aio.compare.figures import Figures, Summary, summarize

FORMAT = "smbd compare 2"

Layer = Literal["bare", "served"]


@dataclass(slots=True)
class Measurement:
    """One form of an engine under one workload: its rounds."""

    layer: Layer
    workload: str
    form: str
    rounds: list[Figures] = field(default_factory=list)

    @property
    def summary(self) -> dict[str, Summary]:
        """Median and spread of every figure."""
        return summarize(self.rounds)


@dataclass(slots=True)
class Skipped:
    """A measurement that could not be made; an empty workload or form means all of them."""

    layer: Layer
    workload: str
    form: str
    reason: str


@dataclass(slots=True)
class Volume:
    """A folder that was measured, and everything that was found there."""

    name: str  # "ext4", "xfs, 200 reads/s", or the folder that the user named
    folder: str
    file_system: str
    device: str  # the device below, as far as it can be told: "/dev/loop0 (in /var/tmp)"
    made: bool  # whether the study made it
    reads_per_second: int | None = None  # the rate that the device was throttled to
    forms: dict[str, str] = field(default_factory=dict)  # which way each form goes here
    measurements: list[Measurement] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)
    # The findings of aio.compare.experiments, by the experiment's name; each dict is flat.
    experiments: dict[str, dict[str, Any]] = field(default_factory=dict)

    def find(self, layer: Layer, workload: str, form: str) -> Measurement | None:
        """The measurement of this, or None."""
        for each in self.measurements:
            if (each.layer, each.workload, each.form) == (layer, workload, form) and each.rounds:
                return each
        return None

    def median(self, layer: Layer, workload: str, form: str, figure: str) -> float | None:
        """A figure's median over the rounds, or None if this was not measured."""
        found = self.find(layer, workload, form)
        return None if found is None else found.summary[figure].median


@dataclass(slots=True)
class Document:
    """A whole study."""

    date: str  # ISO 8601, with the zone
    command: tuple[str, ...]
    machine: Mapping[str, str]  # label -> value, in the order that it is shown in
    signing: str
    quick: bool
    complete: bool = False  # False: it was interrupted, and has the figures until then
    seconds: float = 0.0  # that it took
    volumes: list[Volume] = field(default_factory=list)

    def write(self, path: Path) -> None:
        """As JSON, whole or not at all."""
        partial = path.with_name(f"{path.name}.part")
        values = {"format": FORMAT, **asdict(self)}
        partial.write_text(json.dumps(values, indent=1, allow_nan=False) + "\n")
        partial.replace(path)

    @classmethod
    def read(cls, path: Path) -> Self:
        """The document in a file; ValueError if it is none, OSError if it cannot be read."""
        try:
            values = json.loads(path.read_text())
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from error
        if not isinstance(values, dict) or values.pop("format", None) != FORMAT:
            raise ValueError(f"{path}: this is no document of {FORMAT!r}")
        try:
            volumes = [_volume(each) for each in values["volumes"]]
            return cls(**{**values, "volumes": volumes, "command": tuple(values["command"])})
        except (KeyError, TypeError) as error:
            raise ValueError(f"{path}: not a whole document: {error}") from error


def _volume(values: Mapping[str, Any]) -> Volume:
    measurements = [
        Measurement(**{**each, "rounds": [Figures.from_json(one) for one in each["rounds"]]})
        for each in values["measurements"]
    ]
    skipped = [Skipped(**each) for each in values["skipped"]]
    return Volume(**{**values, "measurements": measurements, "skipped": skipped})
