"""Make and remove many small files on two servers in turns, and say how long that took.

`FILES ROUNDS`: a line "mounted", then one line "round NAME MAKE REMOVE" (seconds) for each server
and round. The first server is at SMB_HOST's port 445, the second at 446.
"""

import os
import sys
from pathlib import Path
from time import monotonic

from . import NO_MOUNT
from .harness import mount

_PORTS = {"first": 445, "second": 446}


def _time(folder: Path, files: int) -> tuple[float, float]:
    """Return the seconds that making and removing the files took."""
    folder.mkdir()
    began = monotonic()
    for number in range(files):
        (folder / f"file-{number}").write_text(str(number))
    made = monotonic()
    for number in range(files):
        (folder / f"file-{number}").unlink()
    removed = monotonic()
    assert not list(folder.iterdir()), "files are left"
    folder.rmdir()
    return made - began, removed - made


def main() -> int:
    """Mount both, and work on one after the other; each round begins with the other one."""
    files, rounds = int(sys.argv[1]), int(sys.argv[2])
    try:
        for name, port in _PORTS.items():
            mount(Path("/mnt") / name, f"port={port}")
    except OSError as error:
        print(f"# mount: {error}")
        return NO_MOUNT
    print("mounted", flush=True)
    order = list(_PORTS)
    for number in range(rounds):
        for name in order:
            make, remove = _time(Path("/mnt") / name / f"many-{number}", files)
            os.sync()
            print(f"round {name} {make:.2f} {remove:.2f}", flush=True)
        order.reverse()
    return 0


if __name__ == "__main__":
    sys.exit(main())
