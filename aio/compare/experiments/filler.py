"""A program that keeps a device's queue full: COUNT processes, each with a read in flight always.

    python filler.py FILE COUNT NICENESS

It says so on its standard output when all of them run, and ends when its standard input does.
They are processes, since threads would share the GIL; and not the study's, since its waits are
measured.  Nothing of aio is imported: it must start at once.
"""

import os
import random
import signal
import sys
from mmap import mmap

_SIZE = 4096


def main(path: str, count: int, niceness: int) -> None:
    """Start them, wait for the end of the input, and stop them."""
    fd = os.open(path, os.O_RDONLY | os.O_DIRECT)
    pages = os.fstat(fd).st_size // _SIZE
    readers = [_start(fd, pages, niceness) for _ in range(count)]
    os.write(sys.stdout.fileno(), b"full\n")
    while os.read(sys.stdin.fileno(), 1):
        pass
    for reader in readers:
        os.kill(reader, signal.SIGKILL)
    for reader in readers:
        os.waitpid(reader, 0)


def _start(fd: int, pages: int, niceness: int) -> int:
    parent = os.getpid()
    reader = os.fork()
    if reader:
        return reader
    try:
        os.nice(niceness)
        into = mmap(-1, _SIZE)  # aligned, as O_DIRECT asks
        while os.getppid() == parent:
            os.preadv(fd, (into,), random.randrange(pages) * _SIZE)  # noqa: S311 - no secret
    finally:
        os._exit(1)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
