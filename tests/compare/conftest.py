"""Small files on a real disk, and in memory."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from aio.compare.files import Files
from aio.compare.workloads import MIB
from tests.aio.page_cache import file_system_of

ON_DISK = Path("/var/tmp")
IN_MEMORY = Path("/dev/shm")


@pytest.fixture
def disk() -> Iterator[Path]:
    """A folder where files can be evicted from the page cache."""
    if file_system_of(ON_DISK) == "tmpfs":
        pytest.skip(f"{ON_DISK} is nothing but memory")
    with tempfile.TemporaryDirectory(dir=ON_DISK) as folder:
        yield Path(folder)


@pytest.fixture
def tmpfs() -> Iterator[Path]:
    if not IN_MEMORY.is_dir() or file_system_of(IN_MEMORY) != "tmpfs":
        pytest.skip(f"{IN_MEMORY} is no tmpfs")
    with tempfile.TemporaryDirectory(dir=IN_MEMORY) as folder:
        yield Path(folder)


def small_files(folder: Path) -> Files:
    return Files(folder, cached_size=MIB, evicted_size=4 * MIB, dirty_size=2 * MIB)


@pytest.fixture
def files(disk: Path) -> Iterator[Files]:
    with small_files(disk) as made:
        yield made
