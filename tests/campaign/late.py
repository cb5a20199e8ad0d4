"""A FUSE file system with one file, "file", whose every answer comes late.

It is a process of its own, which mounts itself: `python -m tests.campaign.late FOLDER SECONDS`.
"""

import errno
import os
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from struct import Struct, pack

from aio.kernel import MNT_DETACH, mount, unmount
from tests.conformance.servers import CHECKOUT

from .campaign import NotHereError

# linux/fuse.h
_IN = Struct("<IIQQIIIHH")  # len, opcode, unique, nodeid, uid, gid, pid, total_extlen, padding
_OUT = Struct("<IiQ")  # len, error, unique
_ATTR = Struct("<QQQQQQIIIIIIIIII")
_INIT, _UNANSWERED = 26, frozenset((2, 36, 42))  # FORGET, INTERRUPT, BATCH_FORGET
_ROOT, _FILE, _SIZE = 1, 2, 4096
_BUFFER = 1 << 18


@contextmanager
def late(folder: Path, seconds: float) -> Iterator[Path]:
    """Such a file system in `folder`.  NotHereError: not by this user or machine."""
    if os.geteuid() != 0 or not Path("/dev/fuse").exists():
        raise NotHereError("mounting FUSE needs root and /dev/fuse")
    words = [sys.executable, "-m", "tests.campaign.late", str(folder), str(seconds)]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, cwd=CHECKOUT)
    assert process.stdout is not None
    try:
        if process.stdout.readline() != b"mounted\n":
            raise NotHereError("FUSE cannot be mounted here")
        try:
            yield folder
        finally:
            unmount(folder, MNT_DETACH)
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def _attributes(node: int) -> bytes:
    directory = node == _ROOT
    mode = stat.S_IFDIR | 0o755 if directory else stat.S_IFREG | 0o644
    size = 0 if directory else _SIZE
    return _ATTR.pack(node, size, 8, 0, 0, 0, 0, 0, 0, mode, 1, 0, 0, 0, 4096, 0)


def _answer(opcode: int, node: int, body: bytes) -> bytes | int:
    """What follows the header, or an errno."""
    answer: bytes | int = errno.ENOSYS
    match opcode:
        case 26:  # INIT
            answer = pack("<IIIIHHIIHHI28x", 7, 31, 0, 0, 8, 8, 1 << 17, 1, 32, 0, 0)
        case 1 if body.rstrip(b"\0") == b"file":  # LOOKUP: the name is known for a while
            answer = pack("<QQQQII", _FILE, 0, 60, 0, 0, 0) + _attributes(_FILE)
        case 1:
            answer = errno.ENOENT
        case 3 | 4:  # GETATTR, SETATTR: the attributes for no time at all
            answer = pack("<QII", 0, 0, 0) + _attributes(node)
        case 14 | 27:  # OPEN, OPENDIR
            answer = pack("<QII", 0, 0, 0)
        case 15:  # READ
            _, offset, size = Struct("<QQI").unpack_from(body)
            answer = bytes(_SIZE)[offset : offset + size]
        case 17:  # STATFS
            answer = pack("<QQQQQIIII24x", 1000, 500, 500, 10, 5, 4096, 255, 4096, 0)
        case 18 | 25 | 29:  # RELEASE, FLUSH, RELEASEDIR
            answer = b""
        case 28:  # READDIR
            _, offset = Struct("<QQ").unpack_from(body)
            entry = pack("<QQII4s4x", _FILE, 1, 4, stat.S_IFREG >> 12, b"file")
            answer = b"" if offset else entry
    return answer


def _serve(folder: str, seconds: float) -> None:
    fuse = os.open("/dev/fuse", os.O_RDWR)
    mount("late", folder, "fuse", f"fd={fuse},rootmode=40000,user_id=0,group_id=0,allow_other")
    print("mounted", flush=True)
    while True:
        try:
            request = os.read(fuse, _BUFFER)
        except OSError as error:
            if error.errno in {errno.EINTR, errno.ENOENT}:
                continue
            return  # unmounted
        _, opcode, unique, node, *_ = _IN.unpack_from(request)
        if opcode in _UNANSWERED:
            continue
        if opcode != _INIT:
            time.sleep(seconds)
        answer = _answer(opcode, node, request[_IN.size :])
        code, data = (-answer, b"") if isinstance(answer, int) else (0, answer)
        try:
            os.write(fuse, _OUT.pack(_OUT.size + len(data), code, unique) + data)
        except OSError:
            continue  # the request was interrupted


if __name__ == "__main__":
    _serve(sys.argv[1], float(sys.argv[2]))
