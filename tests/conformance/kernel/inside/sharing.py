"""Checks of several programs at once, on one mount and on two: locks, writers, what each sees."""

import errno
import fcntl
import hashlib
import os
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from .harness import (
    ATTRIBUTES_EXPIRE,
    MIB,
    MOUNT,
    SECOND_MOUNT,
    SkipError,
    at_once,
    check,
    digest,
    fresh,
    here,
    mount,
    refused,
    same,
)


def beside(name: str) -> Path:
    """Return the same file through the second mount."""
    return SECOND_MOUNT / here(name).relative_to(MOUNT)


@check
def flock() -> None:
    here("fl").touch()

    def other(granted: bool) -> Callable[[], None]:
        def job() -> None:
            with here("fl").open("r+") as theirs:
                if granted:
                    fcntl.flock(theirs, fcntl.LOCK_EX | fcntl.LOCK_NB)
                else:
                    with refused(errno.EACCES, errno.EAGAIN):
                        fcntl.flock(theirs, fcntl.LOCK_EX | fcntl.LOCK_NB)

        return job

    with here("fl").open("r+") as ours:
        fcntl.flock(ours, fcntl.LOCK_EX | fcntl.LOCK_NB)
        at_once(other(granted=False))
    at_once(other(granted=True))


def _ranges(ours_path: Path, theirs_path: Path) -> None:
    """Lock ranges; another process finds what conflicts (POSIX locks never do within one)."""
    with ours_path.open("r+b") as ours:
        fcntl.lockf(ours, fcntl.LOCK_EX, 10, 0)
        fcntl.lockf(ours, fcntl.LOCK_SH, 10, 20)

        def other() -> None:
            with theirs_path.open("r+b") as theirs:
                for kind, start in ((fcntl.LOCK_EX, 10), (fcntl.LOCK_SH, 20)):
                    fcntl.lockf(theirs, kind | fcntl.LOCK_NB, 10, start)
                    fcntl.lockf(theirs, fcntl.LOCK_UN, 10, start)
                for start in (5, 20):
                    with refused(errno.EACCES, errno.EAGAIN):
                        fcntl.lockf(theirs, fcntl.LOCK_EX | fcntl.LOCK_NB, 10, start)

        at_once(other)


@check
def fcntl_() -> None:
    here("fc").write_bytes(bytes(100))
    _ranges(here("fc"), here("fc"))


@check
def writers_files() -> None:
    def writer(number: int) -> Callable[[], int]:
        return lambda: here(f"w{number}").write_bytes(b"%d" % number * 2 * MIB)

    at_once(*map(writer, range(4)))
    fresh()
    for number in range(4):
        same(digest(here(f"w{number}")), hashlib.md5(b"%d" % number * 2 * MIB).hexdigest())


@check
def writers_one() -> None:
    here("w").touch()

    def writer(number: int) -> Callable[[], None]:
        def job() -> None:
            with here("w").open("r+b", buffering=0) as file:
                for block in range(16):
                    os.pwrite(file.fileno(), b"%d" % number * 65536, number * MIB + block * 65536)

        return job

    at_once(*map(writer, range(4)))
    fresh()
    same(digest(here("w")), hashlib.md5(b"".join(b"%d" % n * MIB for n in range(4))).hexdigest())


@check
def fio_verify() -> None:
    if not shutil.which("fio"):
        raise SkipError("no fio on this machine")
    words = "--size=4M --bsrange=1k-64k --rw=randrw --verify=crc32c --verify_fatal=1"
    command = [
        "fio",
        "--name=v",
        "--filename=fiov",
        "--ioengine=psync",
        "--minimal",
        *words.split(),
    ]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr or ended.stdout


@check
def two_mounts() -> None:
    """Mount a second time, on a connection of its own: what two clients see of each other."""
    mount(SECOND_MOUNT, "nosharesock")
    same(beside("f").read_text(), "hello\n")


@check
def coherent() -> None:
    with here("co").open("w", buffering=1) as file:
        file.write("one\n")
        time.sleep(0.1)
        beside("co").read_text()
        file.write("two\n")
    time.sleep(ATTRIBUTES_EXPIRE)
    same(beside("co").read_text(), "one\ntwo\n")
    with beside("co").open("a") as file:
        file.write("three\n")
    time.sleep(ATTRIBUTES_EXPIRE)
    same(here("co").read_text(), "one\ntwo\nthree\n")


@check
def gone_elsewhere() -> None:
    here("ge").touch()
    assert beside("ge").exists()
    here("ge").unlink()
    time.sleep(ATTRIBUTES_EXPIRE)
    assert not beside("ge").exists()
    beside("back").touch()
    time.sleep(ATTRIBUTES_EXPIRE)
    assert here("back").exists()


@check
def fcntl_two() -> None:
    here("f2").write_bytes(bytes(100))
    _ranges(here("f2"), beside("f2"))
