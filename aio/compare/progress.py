"""The run of now, how far the study is, and how long it still takes: one line on a terminal."""

import os
from dataclasses import dataclass
from time import monotonic
from typing import Protocol, Self, TextIO

_WIDEST_BAR = 30
_NARROWEST_BAR = 10


@dataclass(frozen=True, slots=True)
class Step:
    """A run that begins on a volume.  Seconds are the plan's: loads alone."""

    volume: str
    layer: str
    what: str
    done: int  # steps
    total: int
    seconds_done: float
    seconds_left: float


class Progress(Protocol):
    """A listener that is told how the study goes on."""

    def begins(self, step: Step) -> None:
        """This runs now."""

    def volume_done(self) -> None:
        """No more of this volume."""


class ProgressLine:
    """On a terminal a bar, drawn over the last one; elsewhere a line for each new step.

    A new step is a volume, a layer, or a tenth of the whole.
    """

    def __init__(self, stream: TextIO, volumes: int = 1) -> None:
        self._stream = stream
        self._live = stream.isatty()
        self._volumes = volumes
        self._volumes_done = 0
        self._volume_began = monotonic()
        self._told: set[tuple[str, str]] = set()
        self._tenths = 0  # told
        self._drawn = 0  # characters

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.clear()

    def begins(self, step: Step) -> None:
        """As `Progress.begins`."""
        if not step.done:
            self._volume_began = monotonic()
        share, left = self._estimate(step)
        if self._live:
            self._draw(_line(share, f"{step.volume}, {step.layer}: {step.what}", left, self._width))
        elif (step.volume, step.layer) not in self._told or int(share * 10) > self._tenths:
            self._told.add((step.volume, step.layer))
            self._tenths = int(share * 10)
            line = f"{share:4.0%} {step.volume}, {step.layer} - {_duration(left)} left"
            print(line, file=self._stream, flush=True)

    def volume_done(self) -> None:
        """As `Progress.volume_done`."""
        self._volumes_done += 1

    def note(self, text: str) -> None:
        """Something that is no step: a file system is being made, say."""
        if self._live:
            self._draw(text[: self._width])
        else:
            print(text, file=self._stream, flush=True)

    def clear(self) -> None:
        """Leave an empty line behind, before something else is printed."""
        if self._live:
            self._draw("")

    @property
    def _width(self) -> int:
        """One column less: writing into the last one moves some terminals on."""
        try:
            return (os.get_terminal_size(self._stream.fileno()).columns or 80) - 1
        except (OSError, ValueError):  # it only says that it is a terminal
            return 79

    def _draw(self, line: str) -> None:
        # Spaces over a longer line before, since not every terminal knows how to erase.
        print(f"\r{line.ljust(self._drawn)}\r{line}", end="", file=self._stream, flush=True)
        self._drawn = len(line)

    def _estimate(self, step: Step) -> tuple[float, float]:
        """The share of the whole study that is done, and how many seconds the rest takes.

        Opening engines and evicting files takes time too, in proportion to the finished steps' real
        times.  Other volumes are taken to be like this one.
        """
        planned = step.seconds_done + step.seconds_left
        left = step.seconds_left
        whole = planned
        if step.done:
            spent = monotonic() - self._volume_began
            left *= spent / step.seconds_done
            whole = spent + left
        share = (self._volumes_done + step.seconds_done / planned) / self._volumes
        return share, left + whole * (self._volumes - self._volumes_done - 1)


def _line(share: float, what: str, left: float, width: int) -> str:
    """Bar, percentage, the run, time left: as much of it as fits."""
    percent = f"{share:4.0%} "
    rest = f" - {_duration(left)} left"
    room = width - len(percent) - len(rest)
    bar = min(_WIDEST_BAR, room - len(what) - 3)
    if bar < _NARROWEST_BAR:
        return f"{percent}{what[: max(room, 0)]}{rest}"[:width]
    full = int(share * bar)
    return f"[{'#' * full}{'.' * (bar - full)}]{percent}{what}{rest}"


def _duration(seconds: float) -> str:
    """Roughly, as one says it."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 100 else f"{minutes // 60} h {minutes % 60} min"
