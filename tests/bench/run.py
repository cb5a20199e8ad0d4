"""All rows on all servers, round after round."""

import argparse
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from smbd.load import LoadError

from . import kernel
from .bars import FLOOR
from .results import Results
from .rows import Row
from .stands import Place, Stand, VolumeError, maker, standing

_PLACES: tuple[Place, ...] = ("folder", "disk", "slow", "fresh", "kernel")


def server_of(name: str) -> str:
    """The type of an argument that names a server."""
    try:
        maker(name)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    return name


def terminated_in_order() -> None:
    """SIGTERM is to end the servers too."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))


def run(
    rows: Sequence[Row], names: Sequence[str], rounds: int, seconds: float, results: Results
) -> None:
    """Measure; Ctrl-C keeps what has been.  Who begins changes from round to round."""
    with _progress(rows, names, rounds) as step:
        for place in _PLACES:
            here = [row for row in rows if row.place == place]
            if not here:
                continue
            wanted = [n for n in names if n != FLOOR or any(row.has_floor for row in here)]

            def cannot(name: str, why: str, here: Sequence[Row] = here) -> None:
                for row in here:
                    if name != FLOOR or row.has_floor:
                        results.cannot(row.name, name, why)

            try:
                with standing(place, wanted, cannot) as stands:
                    if place == "kernel":
                        step("a Linux guest")
                        kernel.measure(stands, rounds, results, {row.name for row in here})
                        continue
                    for number in range(rounds):
                        _round(here, stands, number, seconds, results, step)
            except VolumeError as error:
                for name in wanted:
                    cannot(name, str(error))


def _round(
    rows: Sequence[Row],
    stands: list[Stand],
    number: int,
    seconds: float,
    results: Results,
    step: Callable[[str], None],
) -> None:
    order = stands if number % 2 == 0 else stands[::-1]
    for row in rows:
        if row.measure is None or (row.once and number):
            continue
        for stand in order:
            if stand.name == FLOOR and not row.has_floor:
                continue
            step(f"{row.name}: {stand.name}")
            if stand.name in results.problems.get(row.name, {}):
                continue
            try:
                results.add(row.name, stand.name, row.measure(stand, seconds))
            except (LoadError, OSError) as error:
                results.cannot(row.name, stand.name, str(error))


@contextmanager
def _progress(
    rows: Sequence[Row], names: Sequence[str], rounds: int
) -> Iterator[Callable[[str], None]]:
    """A line on the terminal that says how far it is."""
    total = sum(
        (1 if row.once else rounds) * sum(name != FLOOR or row.has_floor for name in names)
        for row in rows
        if row.measure
    )
    done, shown = 0, sys.stderr.isatty()

    def step(what: str) -> None:
        nonlocal done
        done += 1
        if shown:
            print(f"\r{done}/{total} {what:60.60}", end="", file=sys.stderr, flush=True)

    try:
        yield step
    except KeyboardInterrupt:
        pass
    finally:
        if shown:
            print("\r" + " " * 75 + "\r", end="", file=sys.stderr)
