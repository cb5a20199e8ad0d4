"""A study's experiments on a volume of its own: it must be a process of its own, with its mounts.

python -m tests.compare.trier KIND FOLDER [EXPERIMENT ...]
"""

import json
import sys
from functools import partial
from pathlib import Path

from aio.compare.experiments import EXPERIMENTS, Ground, run
from aio.compare.volumes import VolumeError, made_volume
from aio.compare.workloads import MIB
from tests.compare.conftest import small_files


def main(kind: str, folder: Path, names: list[str]) -> None:
    with made_volume(kind, folder, size=512 * MIB) as volume, small_files(volume.folder) as files:
        limit = volume.dirty_limit(4 * MIB)
        ground = Ground(
            files,
            quick=True,
            loop=volume.loop,
            throttled=volume.throttled,
            dirty_limit=partial(volume.dirty_limit, 4 * MIB) if limit else None,
        )
        print(json.dumps({name: run(EXPERIMENTS[name], ground) for name in names}))


if __name__ == "__main__":
    try:
        main(sys.argv[1], Path(sys.argv[2]), sys.argv[3:] or list(EXPERIMENTS))
    except VolumeError as error:
        print(json.dumps({"reason": str(error)}))
