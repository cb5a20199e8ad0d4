"""The process of a study, for tests: it makes a place, says what it sees, and ends as it is told.

    python -m tests.compare.holder KIND FOLDER READS

In a process of its own since a mount namespace cannot be left again.  It says one line of JSON
when it has the place, waits for a line (how to end), and says one more when the place is gone.
"""

import json
import os
import subprocess
import sys
import time
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from aio.compare.places import OpenPlace, PlaceError, limits, made_place
from aio.compare.places.devices import device_number

MEBIBYTE = 1 << 20
SIZE = 320 * MEBIBYTE  # xfs wants 300
LIMIT = 16 * MEBIBYTE
READS = 80
STRIDE = MEBIBYTE // 2


def main() -> None:
    kind, folder, reads = sys.argv[1:]
    # One child is there before the place is, the other begins in it.
    children = [subprocess.Popen(["sleep", "1000"])]
    left: list[str] = []
    try:
        with made_place(
            kind, Path(folder), size=SIZE, reads_per_second=int(reads) or None
        ) as place:
            before = dirty_limits(place)
            with place.throttled(), place.dirty_limit(LIMIT) or nullcontext():
                children.append(subprocess.Popen(["sleep", "1000"]))
                say(**seen(place), groups=groups(children), limits_before=before)
                wait_for_the_end(place)
            left = dirty_limits(place)
    except PlaceError as error:
        say(refused=str(error))
    except KeyboardInterrupt:
        say(interrupted=True)
    else:
        say(groups=groups(children), limits_left=left)
    for child in children:
        child.kill()
        child.wait()


def wait_for_the_end(place: OpenPlace) -> None:
    how = sys.stdin.readline().strip()
    if how == "interrupt":
        raise KeyboardInterrupt
    if how == "busy":  # and leave it open
        os.open(place.folder / "file", os.O_RDONLY)


def seen(place: OpenPlace) -> dict[str, Any]:
    description = place.describe()
    file = place.folder / "file"
    file.write_bytes(os.urandom(READS * STRIDE))
    return {
        "name": description.name,
        "folder": description.folder,
        "file_system": description.file_system,
        "device": description.device,
        "loop": place.loop,
        "children_see": subprocess.check_output(["ls", place.folder], text=True),
        **read_cold(file, place),
        "limits": dirty_limits(place),
    }


def read_cold(file: Path, place: OpenPlace) -> dict[str, float]:
    """Read at READS offsets, one after the other, what is in no cache: how long, and how often
    the device was asked.
    """
    with file.open("rb", buffering=0) as opened:
        os.fsync(opened.fileno())
        os.posix_fadvise(opened.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        os.posix_fadvise(opened.fileno(), 0, 0, os.POSIX_FADV_RANDOM)
        asked, started = reads_of(place), time.monotonic()
        for number in range(READS):
            os.pread(opened.fileno(), 512, number * STRIDE)
        return {"seconds": time.monotonic() - started, "reads": reads_of(place) - asked}


def reads_of(place: OpenPlace) -> int:
    """How often the device was asked since it exists."""
    if place.loop is None:
        return 0
    return int(Path("/sys/block", Path(place.loop).name, "stat").read_text().split()[0])


def dirty_limits(place: OpenPlace) -> list[str]:
    """Nothing where none can be set."""
    number = device_number(place.loop) if place.loop else None
    bdi = limits.find_bdi(number) if number else None
    names = ("strict_limit", "max_ratio_fine", "max_bytes")
    return [(bdi / name).read_text().strip() for name in names] if bdi else []


def groups(children: list[subprocess.Popen[bytes]]) -> list[str]:
    """The control groups of this process and of these."""
    processes = ["self", *(str(child.pid) for child in children)]
    return [Path(f"/proc/{each}/cgroup").read_text() for each in processes]


def say(**values: Any) -> None:
    print(json.dumps(values), flush=True)


if __name__ == "__main__":
    main()
