"""The long forms of two tests, by hand: python -m tests.aio.long integrity | endurance

integrity: 100,000 operations on one file through several engines, compared with a model.
endurance: 1,000,000 operations of each engine; what is left of them.
"""

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from time import perf_counter

import trio

from tests.aio.endurance import endure
from tests.aio.engines import FORMS, Form
from tests.aio.integrity import play
from tests.aio.test_endurance import check
from tests.aio.test_integrity import CASTS


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.aio.long", description=__doc__)
    parser.add_argument("test", choices=("integrity", "endurance"))
    parser.add_argument("--operations", type=int, help="how many, each")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--folder", type=Path, default=Path("/var/tmp"), help="on which disk")
    parser.add_argument("--engine", help="only these, as in 'libaio direct'")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=given.folder) as name:
        if given.test == "integrity":
            integrity(Path(name), given.operations or 100_000, given.seed)
        else:
            endurance(Path(name), given.operations or 1_000_000, given.engine)


def integrity(folder: Path, operations: int, seed: int) -> None:
    for name, cast in CASTS.items():
        started = perf_counter()
        trio.run(play, folder / "file", cast, operations, seed)
        _say(f"{name}: {operations} operations as in the model", started)


def endurance(folder: Path, operations: int, engine: str | None) -> None:
    chosen: Sequence[Form] = [form for form in FORMS if engine in {None, str(form)}]
    for form in chosen:
        started = perf_counter()
        left = trio.run(endure, form, folder, operations)
        _say(f"{form}: {operations} operations, {left}", started)
        check(left, operations)


def _say(text: str, started: float) -> None:
    print(f"{text} ({perf_counter() - started:.0f} s)")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
