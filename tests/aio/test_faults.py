"""Disks that are full, and disks that fail."""

import errno
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

import aio
from tests.aio import mounts
from tests.aio.test_engines import read, write

CHUNK = 1 << 16


@pytest.fixture(scope="module", params=["ext4", "tmpfs"])
def small(request: pytest.FixtureRequest) -> Iterator[Path]:
    """A folder with room for less than 32 MiB."""
    if request.param == "tmpfs":
        with mounts.memory(4 * mounts.MEBIBYTE) as folder:
            yield folder
    else:
        with mounts.mounted("ext4") as (folder, _):
            yield folder


async def test_a_full_disk_is_an_oserror_and_no_more(engine: aio.Engine, small: Path) -> None:
    data = os.urandom(CHUNK)
    with tempfile.TemporaryFile(dir=small, buffering=0) as file:
        fd = file.fileno()
        engine.attach(fd)
        end = 5  # in the middle of a block
        with pytest.raises(OSError, match="No space left") as caught:
            while end < 32 << 20:
                assert await write(engine, fd, data, end) == CHUNK
                end += CHUNK
        assert caught.value.errno == errno.ENOSPC
        await engine.fsync(fd)
        assert end > 2 << 20
        assert await read(engine, fd, CHUNK, end - CHUNK) == data
        os.truncate(fd, CHUNK)
        assert await write(engine, fd, data, CHUNK) == CHUNK
        await engine.fsync(fd)
        assert await read(engine, fd, CHUNK, CHUNK) == data
        engine.detach(fd)


@pytest.fixture
def failing() -> Iterator[int]:
    """A file of 1 MiB whose second half the device cannot read any more."""
    with mounts.mounted("ext4") as (folder, image):
        fd = os.open(folder / "file", os.O_RDWR | os.O_CREAT)
        try:
            # In this order on the device too, and at its end.
            os.posix_fallocate(fd, 0, 1 << 20)
            os.pwrite(fd, b"x" * (1 << 20), 0)
            os.fsync(fd)
            os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
            whole = image.read_bytes()
            first = whole.find(b"x" * (1 << 20))
            os.truncate(image, first + (1 << 19))
            yield fd
            with image.open("r+b") as file:  # whole again, for the unmount
                file.write(whole)
        finally:
            os.close(fd)


async def test_a_disk_that_fails_is_an_oserror(engine: aio.Engine, failing: int) -> None:
    engine.attach(failing)
    assert await read(engine, failing, CHUNK, 0) == b"x" * CHUNK
    for offset in (1 << 19, (1 << 19) + 5000):
        with pytest.raises(OSError, match="Input/output error") as caught:
            await read(engine, failing, 8192, offset)
        assert caught.value.errno == errno.EIO
    assert await read(engine, failing, 5001, 77) == b"x" * 5001
    engine.detach(failing)
