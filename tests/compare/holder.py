"""The process of a study, for tests: it makes a volume, says what it sees, and ends as it is told.

    python -m tests.compare.holder KIND FOLDER READS

In a process of its own since a mount namespace cannot be left again.  It says one line of JSON
when it has the volume, waits for a line (how to end), and says one more when the volume is gone.
"""

import json
import os
import subprocess
import sys
import time
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from aio.compare.volumes import OpenVolume, VolumeError, limits, made_volume
from aio.compare.volumes.devices import device_number

MEBIBYTE = 1 << 20
SIZE = 320 * MEBIBYTE  # xfs wants 300
LIMIT = 16 * MEBIBYTE
READS = 80
STRIDE = MEBIBYTE // 2


def main() -> None:
    kind, folder, reads = sys.argv[1:]
    # One child is there before the volume is, the other begins in it.
    children = [subprocess.Popen(["sleep", "1000"])]
    left: list[str] = []
    try:
        with made_volume(
            kind, Path(folder), size=SIZE, reads_per_second=int(reads) or None
        ) as volume:
            before = dirty_limits(volume)
            with volume.throttled(), volume.dirty_limit(LIMIT) or nullcontext():
                children.append(subprocess.Popen(["sleep", "1000"]))
                say(**seen(volume), groups=groups(children), limits_before=before)
                wait_for_the_end(volume)
            left = dirty_limits(volume)
    except VolumeError as error:
        say(refused=str(error))
    except KeyboardInterrupt:
        say(interrupted=True)
    else:
        say(groups=groups(children), limits_left=left)
    for child in children:
        child.kill()
        child.wait()


def wait_for_the_end(volume: OpenVolume) -> None:
    how = sys.stdin.readline().strip()
    if how == "interrupt":
        raise KeyboardInterrupt
    if how == "busy":  # and leave it open
        os.open(volume.folder / "file", os.O_RDONLY)


def seen(volume: OpenVolume) -> dict[str, Any]:
    description = volume.describe()
    file = volume.folder / "file"
    file.write_bytes(os.urandom(READS * STRIDE))
    return {
        "name": description.name,
        "folder": description.folder,
        "file_system": description.file_system,
        "device": description.device,
        "loop": volume.loop,
        "children_see": subprocess.check_output(["ls", volume.folder], text=True),
        **read_cold(file, volume),
        "limits": dirty_limits(volume),
    }


def read_cold(file: Path, volume: OpenVolume) -> dict[str, float]:
    """Read at READS offsets, one after the other, what is in no cache: how long, and how often
    the device was asked.
    """
    with file.open("rb", buffering=0) as opened:
        os.fsync(opened.fileno())
        os.posix_fadvise(opened.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        os.posix_fadvise(opened.fileno(), 0, 0, os.POSIX_FADV_RANDOM)
        asked, started = reads_of(volume), time.monotonic()
        for number in range(READS):
            os.pread(opened.fileno(), 512, number * STRIDE)
        return {"seconds": time.monotonic() - started, "reads": reads_of(volume) - asked}


def reads_of(volume: OpenVolume) -> int:
    """How often the device was asked since it exists."""
    if volume.loop is None:
        return 0
    return int(Path("/sys/block", Path(volume.loop).name, "stat").read_text().split()[0])


def dirty_limits(volume: OpenVolume) -> list[str]:
    """Nothing where none can be set."""
    number = device_number(volume.loop) if volume.loop else None
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
