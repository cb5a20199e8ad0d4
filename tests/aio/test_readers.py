"""The threads in C, as Python drives them: `readers.c` by itself."""

import os
import select
from collections.abc import Iterator
from pathlib import Path

import pytest

from aio._readers import JOB, READERS
from aio.compiled import Extension
from aio.kernel.libc import address_of
from aio.readers import Readers
from aio.ring import READ, Request

NOTED = Extension(
    "tests.aio.noted_readers",
    READERS.source,
    READERS.declarations + "int wakes(void); int wakes_under_lock(void);",
    before=[Path(__file__).with_name("noted_signals.c"), JOB],
)
CONTENT = os.urandom(4096)


@pytest.fixture
def fd(tmp_path: Path) -> Iterator[int]:
    (tmp_path / "file").write_bytes(CONTENT)
    fd = os.open(tmp_path / "file", os.O_RDONLY)
    yield fd
    os.close(fd)


def read_each(readers: Readers, fd: int, count: int) -> None:
    """Have so many reads begun together, and wait until all have ended."""
    buffers = [bytearray(16) for _ in range(count)]
    for number, buffer in enumerate(buffers):
        request = Request(READ, fd, address_of(buffer, writable=True), 16, 16 * number)
        readers.put(number, number, request)
    assert readers.submit(count) == count
    ended: dict[int, int] = {}
    while len(ended) < count:
        select.select([readers.eventfd], [], [])
        ended.update(readers.reap(woken=True))
    assert ended == dict.fromkeys(range(count), 16)
    assert b"".join(buffers) == CONTENT[: 16 * count]


def test_a_thread_is_woken_when_the_lock_is_free_and_none_is_forgotten(fd: int) -> None:
    """A thread that is woken by one that has the lock waits once more, for the lock."""
    try:
        module = NOTED.load()
    except OSError as error:
        pytest.skip(f"there are no threads in C here: {error.strerror}")
    readers = Readers(module, 4)
    for turn in range(200):
        read_each(readers, fd, 1 + turn % 7)
    readers.close()
    assert module.lib.wakes() >= 1
    assert module.lib.wakes_under_lock() == 0
