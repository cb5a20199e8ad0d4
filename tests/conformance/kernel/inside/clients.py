"""One of two clients under load: `LOAD ME SEED PROCESSES`, LOAD fsx, stress or contest, ME 0 or 1.

It writes what its processes did, a line "ok LOAD" or "FAIL LOAD why", and what it finds below the
load's folder at the end, as "tree JSON": {path: [kind, size, MD5]}.
"""

import json
import os
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

from . import NO_MOUNT, fsx, stress
from .harness import MOUNT, at_once, fresh, mount, report
from .tree import tree


def _fsx(folder: Path, me: int, seed: str, processes: int) -> list[Callable[[], None]]:
    loose = "loose" in os.environ["SMB_OPTIONS"]

    def job(number: int) -> Callable[[], None]:
        def run() -> None:
            name = f"{seed}-{number}"
            done, want = fsx.play(folder, name, me, loose)
            print(f"# {me}: fsx {name}: {done}", flush=True)
            found = tree(folder)
            for path, size, digest in want:
                assert found.get(path) == ["file", size, digest], f"{path}: {found.get(path)}"

        return run

    return [job(number) for number in range(processes)]


def _stress(
    folder: Path, me: int, seed: str, processes: int, *, contest: bool = False
) -> list[Callable[[], None]]:
    names = [f"{seed}w{guest}{number}" for guest in "01" for number in range(processes)]

    def job(name: str) -> Callable[[], None]:
        def run() -> None:
            done = stress.play(folder, name, names, contest=contest)
            print(f"# {me}: {folder.name} {name}: {done}", flush=True)

        return run

    return [job(name) for name in names if name.startswith(f"{seed}w{me}")]


_LOADS: dict[str, Callable[[Path, int, str, int], list[Callable[[], None]]]] = {
    "fsx": _fsx,
    "stress": _stress,
    "contest": partial(_stress, contest=True),
}


def main() -> int:
    """Mount the share, carry the load, and say what is there then."""
    load, me, seed, processes = sys.argv[1], int(sys.argv[2]), sys.argv[3], int(sys.argv[4])
    try:
        # Attributes are believed only under a lease: what is wrong then is not their age.  A file
        # is closed when its last program closes it, or the client takes no smaller size for it.
        # Linux 6.1 misses the break of a directory's lease that comes while it opens it.
        mount(MOUNT, "actimeo=0,closetimeo=0,nohandlecache")
    except OSError as error:
        print(f"# mount: {error}")
        return NO_MOUNT
    folder = MOUNT / load
    folder.mkdir(exist_ok=True)
    jobs = _LOADS[load](folder, me, seed, processes)
    report(load, lambda: at_once(*jobs))
    fresh()
    print("tree", json.dumps(tree(folder)), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
