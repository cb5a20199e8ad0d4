"""Time what programs do on several servers, in turns.

`SERVERS ROUNDS FILES STEP...`: the servers are at SMB_HOST's ports 445, 446 ... in that number, and
have what tests.bench.kernel puts there.  Of each round, server and step there are two lines, "begin
SERVER STEP" and "end SERVER STEP SECONDS", where SERVER is its place: 0 is that of port 445.
"""

import os
import shutil
import subprocess
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from time import monotonic

from . import NO_MOUNT
from .harness import MIB, fresh, mount

_FIRST_PORT = 445
_COPIED = 64  # MiB
_listed: dict[Path, Iterator[int]] = defaultdict(count)


def _write(share: Path) -> None:
    block = bytes(MIB)
    with (share / "written.bin").open("wb", buffering=0) as file:
        for _ in range(_COPIED):
            file.write(block)
        os.fsync(file.fileno())


def _read(share: Path) -> None:
    count = 0
    with (share / "load.bin").open("rb", buffering=0) as file:
        while data := file.read(MIB):
            count += len(data)
    assert count == _COPIED * MIB, count


def _make(share: Path) -> None:
    for number in range(int(sys.argv[3])):
        (share / f"made/file-{number}").write_text(str(number))


def _remove(share: Path) -> None:
    for number in range(int(sys.argv[3])):
        (share / f"made/file-{number}").unlink()


def _list(share: Path) -> None:
    """A folder that this client has not listed before.

    Of one that it has a lease of Linux 6.1 keeps the names, and asks for each file's attributes.
    """
    number = next(_listed[share])
    _program(("ls", "-l", f"listed-{number}"), share)


def _run(*words: str) -> Callable[[Path], None]:
    """Run a program in the share."""
    return lambda share: _program(words, share)


def _program(words: tuple[str, ...], share: Path) -> None:
    subprocess.run(words, cwd=share, stdout=subprocess.DEVNULL, check=True)


_STEPS: dict[str, Callable[[Path], None]] = {
    "write": _write,
    "read": _read,
    "make": _make,
    "remove": _remove,
    "ls": _list,
    "find": _run("find", "tree"),
}


def _round(server: int, share: Path) -> None:
    made = share / "made"
    made.mkdir()
    for name in sys.argv[4:]:
        step = _STEPS[name]
        fresh()
        print(f"begin {server} {name}", flush=True)
        began = monotonic()
        step(share)
        print(f"end {server} {name} {monotonic() - began:.4f}", flush=True)
    shutil.rmtree(made)
    (share / "written.bin").unlink(missing_ok=True)


def main() -> int:
    """Mount all, and work on one after the other; each round begins with another one."""
    servers, rounds = range(int(sys.argv[1])), int(sys.argv[2])
    shares = {server: Path("/mnt") / str(server) for server in servers}
    try:
        for server, share in shares.items():
            mount(share, f"port={_FIRST_PORT + server}")
    except OSError as error:
        print(f"# mount: {error}")
        return NO_MOUNT
    order = list(shares)
    for _ in range(rounds):
        for server in order:
            _round(server, shares[server])
        order.reverse()
    return 0


if __name__ == "__main__":
    sys.exit(main())
