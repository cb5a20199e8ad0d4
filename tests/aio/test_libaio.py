"""The kernel's AIO queue itself."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import trio

import aio
from aio.kernel import address_of
from aio.libaio import LibaioQueue
from aio.ring import READ, Request
from tests.aio.engines import attached

_SIGNALS = "import os, signal\nwhile True: os.kill(os.getppid(), signal.SIGUSR1)"


@contextmanager
def signals() -> Iterator[list[int]]:
    """Signals all the time; those that came."""
    came: list[int] = []
    before = signal.signal(signal.SIGUSR1, lambda number, _: came.append(number))
    sender = subprocess.Popen([sys.executable, "-c", _SIGNALS])
    try:
        yield came
    finally:
        sender.kill()
        sender.wait()
        signal.signal(signal.SIGUSR1, before)


def test_to_look_while_a_signal_comes_finds_nothing_and_fails_not(tmp_path: Path) -> None:
    """The kernel says EINTR for "none": the first time within 30 ms, at this rate."""
    (tmp_path / "file").write_bytes(b"content")
    queue = LibaioQueue(4)
    into = memoryview(bytearray(7))
    with (tmp_path / "file").open("rb") as file, signals() as came:
        while len(came) < 100:
            os.eventfd_write(queue.eventfd, 1)
            assert list(queue.reap(woken=True)) == []
        memory = address_of(into, writable=True)
        queue.put(0, 5, Request(READ, file.fileno(), memory, 7, 0))
        assert queue.submit(1) == 1
        assert list(queue.reap(woken=False)) == [(5, 7)]
    assert into == b"content"
    queue.close()


async def test_reads_go_on_while_signals_come(tmp_path: Path) -> None:
    """An error in the task that takes completions would end the loop, and all that wait in it."""
    content = os.urandom(1 << 16)
    (tmp_path / "file").write_bytes(content)
    engine = aio.open_engine("libaio")

    async def read(fd: int, offset: int) -> None:
        mine = memoryview(bytearray(4096))
        assert await engine.read(fd, mine, offset) == 4096
        assert mine == content[offset : offset + 4096]

    with attached(engine, tmp_path / "file") as fd, signals() as came:
        while len(came) < 100:
            async with trio.open_nursery() as nursery:
                for offset in range(0, len(content), 4096):
                    nursery.start_soon(read, fd, offset)
    await engine.aclose()
