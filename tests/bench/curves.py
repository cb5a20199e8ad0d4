"""How cost grows with how much there is: each curve's steps, and how one of them is measured."""

import math
import os
import resource
import statistics
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from itertools import repeat
from pathlib import Path

from smbd.load import Group, LoadClient, LoadError, Offsets, Session, Work, at_random, file_name

from .bars import COST
from .measures import counted, listed
from .stands import FILE, FILE_SIZE, Stand
from .tasks import cost_of

_KIB, _MIB, _GIB, _TIB = 1 << 10, 1 << 20, 1 << 30, 1 << 40
# A round: so many seconds at least; the server's CPU in us for a unit of work.
Round = Callable[[float], float]
Measure = Callable[[Stand, int], AbstractContextManager[Round]]
# Noise of a run of half a second, and what a deeper tree or a colder cache may cost.
_FLAT = 0.15
_OF_A_SESSION = 0.46  # smbd gives it half of those that are not for connections


@dataclass(frozen=True, slots=True)
class Curve:
    """One kind of growth."""

    name: str
    across: str  # what there is more and more of
    unit: str  # of work
    measure: Measure
    steps: tuple[int, ...]
    short: tuple[int, ...]


def exponent(points: Sequence[tuple[float, float]]) -> float:
    """The slope with both axes logarithmic, by least squares: 0 is flat, 1 is in proportion.

    NaN of fewer than two points.
    """
    known = [(math.log(x), math.log(y)) for x, y in points if x > 0 and y > 0]
    if len(known) < 2:
        return float("nan")
    return statistics.linear_regression(*zip(*known, strict=True)).slope


def exponents(points: Sequence[tuple[float, float]]) -> tuple[float, float]:
    """Of all points, and of the greater half: what is cheaper together first hides a growth."""
    return exponent(points), exponent(points[len(points) // 2 - (len(points) < 4) :])


def grows(points: Sequence[tuple[float, float]]) -> bool:
    """Whether the cost of a unit of work grows."""
    return any(each > _FLAT for each in exponents(points))


@contextmanager
def _loaded(stand: Stand, work: Work, file: str = FILE, connections: int = 1) -> Iterator[Round]:
    with LoadClient(stand.target, [Group(work, file, connections)]) as client:
        client.run(0.1)

        yield lambda seconds: cost_of(client, stand.pid, seconds).as_dict()[COST]


def _in_flight(stand: Stand, depth: int) -> AbstractContextManager[Round]:
    return _loaded(stand, Work("read", 4096, depth, at_random(4096, FILE_SIZE)))


def _connections(stand: Stand, count: int) -> AbstractContextManager[Round]:
    return _loaded(stand, Work("read", 4096, 1, at_random(4096, FILE_SIZE)), connections=count)


def _filled(stand: Stand, count: int) -> Path:
    """The folder of entries, grown to so many empty files."""
    folder = stand.folder / "entries"
    folder.mkdir(exist_ok=True)
    at = folder / file_name(count - 1)
    number = count
    while number and not at.exists():
        os.close(os.open(at, os.O_CREAT | os.O_WRONLY, 0o644))
        number -= 1
        at = folder / file_name(number - 1)
    return folder


@contextmanager
def _listing(stand: Stand, entries: int) -> Iterator[Round]:
    folder = _filled(stand, entries)
    session = Session(stand.target)

    def measure(seconds: float) -> float:
        with counted(stand) as figures:
            figures.update(listed(session, folder.name, seconds))
        return figures[COST] / entries

    try:
        yield measure
    finally:
        session.close()


@contextmanager
def _opening(stand: Stand, folder: Path, files: int) -> Iterator[Round]:
    """CREATE and CLOSE of any of the first files of a folder."""
    work = Work("open", 0, 8, at_random(1, files), folder=folder.name)
    with _loaded(stand, work) as measure:
        yield measure


def _opens_among_entries(stand: Stand, entries: int) -> AbstractContextManager[Round]:
    return _opening(stand, _filled(stand, entries), entries)


@contextmanager
def _opens_beside_handles(stand: Stand, handles: int) -> Iterator[Round]:
    """Each handle is of a file of its own, and all are one connection's."""
    folder = _filled(stand, handles)
    with (
        _held(stand, folder, handles, lambda: iter(range(handles))),
        _opening(stand, folder, handles) as it,
    ):
        yield it


@contextmanager
def _opens_of_one_file(stand: Stand, handles: int) -> Iterator[Round]:
    """All handles, and the one that comes and goes, are of one file."""
    folder = _filled(stand, 1)
    with (
        _held(stand, folder, handles, lambda: repeat(0, handles)),
        _opening(stand, folder, 1) as it,
    ):
        yield it


@contextmanager
def _held(stand: Stand, folder: Path, count: int, numbers: Offsets) -> Iterator[None]:
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    if count > most * _OF_A_SESSION:
        raise LoadError(f"more than a session may have of {most:,} descriptors (ulimit -Hn)")
    work = Work("hold", 0, 16, numbers, folder=folder.name)
    with LoadClient(stand.target, [Group(work, "")]) as client:
        client.run(math.inf, once=True)
        yield


def _sparse(stand: Stand, size: int) -> Path:
    """A file of so many bytes, of which none is on the disk."""
    folder = stand.folder / f"size-{size}"
    folder.mkdir(exist_ok=True)
    file = folder / file_name(0)
    file.touch()
    os.truncate(file, size)
    return file


@contextmanager
def _reads_at_the_end(stand: Stand, size: int) -> Iterator[Round]:
    file = _sparse(stand, size)
    window = min(size, _MIB)
    places = at_random(_KIB, window)
    work = Work("read", _KIB, 16, lambda: (size - window + place for place in places()))
    with _loaded(stand, work, f"{file.parent.name}\\{file.name}") as measure:
        yield measure


def _stats_by_size(stand: Stand, size: int) -> AbstractContextManager[Round]:
    work = Work("stat", 0, 8, at_random(1, 1), folder=_sparse(stand, size).parent.name)
    return _loaded(stand, work)


_TENS = tuple(10**power for power in range(7))
_SIZES = (_KIB, 64 * _KIB, _MIB, 64 * _MIB, _GIB, 64 * _GIB, _TIB)
CURVES = (
    Curve("in flight", "READs in flight", "a READ of 4 KiB", _in_flight,
          (1, 2, 4, 8, 16, 32, 64), (1, 4, 16, 64)),
    Curve("connections", "connections, each with one READ in flight", "a READ of 4 KiB",
          _connections, (1, 3, 10, 30, 100, 300, 1000), (1, 10, 100)),
    Curve("listing", "entries of a folder", "an entry listed", _listing, _TENS[1:], _TENS[1:5]),
    Curve("open by entries", "entries of a folder", "CREATE+CLOSE", _opens_among_entries,
          _TENS[1:], _TENS[1:5]),
    Curve("open by handles", "open handles of other files", "CREATE+CLOSE", _opens_beside_handles,
          (1, 10, 100, 1000, 3000, 9000, 30_000, 100_000), _TENS[:4]),
    Curve("open by handles of one file", "open handles of the same file", "CREATE+CLOSE",
          _opens_of_one_file, (1, 10, 100, 1000, 3000, 9000), _TENS[:4]),
    Curve("READ by size", "bytes of a sparse file", "a READ of 1 KiB at its end",
          _reads_at_the_end, _SIZES, _SIZES[::2]),
    Curve("stat by size", "bytes of a sparse file", "CREATE+QUERY_INFO+CLOSE", _stats_by_size,
          _SIZES, _SIZES[::2]),
)  # fmt: skip
