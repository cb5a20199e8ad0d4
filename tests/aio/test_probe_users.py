"""The probe as a user who does not own the files: mincore tells him nothing, RWF_NOWAIT does."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.aio.page_cache import make_cold

CONTENT = os.urandom(16 * 4096)
NOBODY = 65534

# Everything is imported before the user is changed: he may not be able to read our virtual
# environment.  What a server would do: try, and let the engine do what cannot be tried.
CHILD = """
import json, os, sys
import trio
import aio
path, warm = sys.argv[1], sys.argv[2] == "warm"
engine = aio.open_engine("nowait")
os.setgroups([]); os.setgid(65534); os.setuid(65534)
fd = os.open(path, os.O_RDONLY)
engine.attach(fd)
into = memoryview(bytearray(4 * 4096))
if warm:
    os.pread(fd, 1 << 20, 0)
count = engine.try_read(fd, into, 4096)
async def main():
    if count is None:
        assert await engine.read(fd, into, 4096) == len(into)
    await engine.aclose()
trio.run(main)
stats = engine.statistics()
print(json.dumps({
    "data": into.hex(), "hits": stats.hits, "misses": stats.misses, "unknown": stats.unknown,
    "switches": stats.switches,
}))
"""


def read_as_nobody(path: Path, state: str) -> dict[str, int | str]:
    """Cold, warm or in memory, by uid 65534; where the read went.  The data is right anyway."""
    if state != "in memory":
        with path.open("rb") as file:
            make_cold(file.fileno())
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", CHILD, str(path), state],
        cwd=root,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    went: dict[str, int | str] = json.loads(done.stdout)
    assert went.pop("data") == CONTENT[4096 : 5 * 4096].hex()
    return went


HIT = {"hits": 1, "misses": 0, "unknown": 0, "switches": 0}
MISS = {"hits": 0, "misses": 1, "unknown": 0, "switches": 1}
UNKNOWN = {"hits": 0, "misses": 0, "unknown": 1, "switches": 1}


def make_file(folder: Path, mode: int, owner: int = 0) -> Path:
    if os.geteuid() != 0:
        pytest.skip("becoming another user needs root")
    path = folder / "file"
    path.write_bytes(CONTENT)
    path.chmod(mode)
    os.chown(path, owner, owner)
    return path


def test_on_disk_the_kernel_tells_everybody(disk: Path) -> None:
    path = make_file(disk, 0o644)
    # A quick disk makes a hit of it, now and then of several (tests.aio.page_cache.slow_disk).
    assert any(read_as_nobody(path, "cold") == MISS for _ in range(20))
    assert read_as_nobody(path, "warm") == HIT


def test_in_memory_there_is_nothing_to_ask(tmpfs: Path) -> None:
    assert read_as_nobody(make_file(tmpfs, 0o644), "in memory") == HIT


def test_through_an_overlay_the_files_of_others_are_unknown(overlay: Path) -> None:
    path = make_file(overlay, 0o644)
    assert read_as_nobody(path, "cold") == UNKNOWN
    assert read_as_nobody(path, "warm") == UNKNOWN


def test_through_an_overlay_his_own_files_are_known(overlay: Path) -> None:
    path = make_file(overlay, 0o444, owner=NOBODY)
    assert read_as_nobody(path, "cold") == MISS
    assert read_as_nobody(path, "warm") == HIT


def test_through_an_overlay_what_he_may_write_is_known(overlay: Path) -> None:
    path = make_file(overlay, 0o666)
    assert read_as_nobody(path, "cold") == MISS
    assert read_as_nobody(path, "warm") == HIT


def test_the_access_time_of_another_users_file_goes_on(disk: Path) -> None:
    """Linux lets its owner alone leave it; the file is read all the same."""
    file = make_file(disk, 0o644)
    os.utime(file, ns=(1, 2))
    assert read_as_nobody(file, "warm") == HIT
    assert file.stat().st_atime_ns > 1
