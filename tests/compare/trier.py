"""A study's experiments in a place of its own: it must be a process of its own, with its mounts.

python -m tests.compare.trier KIND FOLDER [EXPERIMENT ...]
"""

import json
import sys
from functools import partial
from pathlib import Path

from aio.compare.experiments import EXPERIMENTS, Ground, run
from aio.compare.places import PlaceError, made_place
from aio.compare.workloads import MIB
from tests.compare.conftest import small_files


def main(kind: str, folder: Path, names: list[str]) -> None:
    with made_place(kind, folder, size=512 * MIB) as place, small_files(place.folder) as files:
        limit = place.dirty_limit(4 * MIB)
        ground = Ground(
            files,
            quick=True,
            loop=place.loop,
            throttled=place.throttled,
            dirty_limit=partial(place.dirty_limit, 4 * MIB) if limit else None,
        )
        print(json.dumps({name: run(EXPERIMENTS[name], ground) for name in names}))


if __name__ == "__main__":
    try:
        main(sys.argv[1], Path(sys.argv[2]), sys.argv[3:] or list(EXPERIMENTS))
    except PlaceError as error:
        print(json.dumps({"reason": str(error)}))
