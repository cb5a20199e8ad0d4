"""Two Linux kernels mount one share and work in it at once; what each finds must be right.

  python -m tests.conformance.kernel.clients                        fsx and stress, 10 s each
  python -m tests.conformance.kernel.clients fsx --seconds 600
  python -m tests.conformance.kernel.clients --second cache=loose   the second client's options
  python -m tests.conformance.kernel.clients --server samba

fsx: the two take turns on the same files, by handles that they keep; each knows what it must read.
stress: processes on both create, write, rename, link and remove at once, names of their own in
common directories and, in one more, everybody's.
contest: the same few names of everybody's, all the time.  About once a minute it is Linux 6.1 that
waits for itself, 35 s (smbd/state/README.md): long runs, with few processes, are to be looked at by
what the log says of breaks that expired.
At the end both clients and the disk must have the same. The exit status is 1 if anything is wrong.
"""

import argparse
import json
import os
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from ..servers import CannotStartError, Server, choose
from . import guest
from .inside.arriving import PORT
from .inside.tree import Tree, differences, tree
from .meeting import Meeting
from .rig import Mount, environment, job

LOADS = ("fsx", "stress", "contest")
_BESIDES = 120  # seconds for the guests to come up, and to verify at the end


@dataclass(frozen=True, slots=True)
class Load:
    """What the two clients do: one of LOADS, for so long, by so many processes of each."""

    kind: str
    seconds: float
    processes: int = 2
    seed: str = "1"


def play(
    server: Server, mounts: tuple[Mount, Mount], load: Load, say: Callable[[str], None]
) -> list[str]:
    """Run a load on two clients; return what was wrong, one line each."""
    size = 2 if load.kind == "fsx" else 2 * load.processes

    with Meeting(size, load.seconds) as meeting, ThreadPoolExecutor(2) as pool:
        ports = {445: server.port, PORT: meeting.port}

        def run(me: int) -> guest.Ended:
            words = [load.kind, str(me), load.seed, str(load.processes)]
            variables = environment(server.folder, mounts[me])
            limit = load.seconds + _BESIDES
            return guest.run(job(".clients", words), ports, variables, limit, say)

        ends = list(pool.map(run, (0, 1)))
    return [*_said(ends), *_differences(ends, tree(server.folder / load.kind))]


def _said(ends: list[guest.Ended]) -> Iterator[str]:
    for me, ended in enumerate(ends):
        if ended.status:
            tail = " | ".join(ended.kernel_log.split("\n")[-8:])
            yield f"{me}: ended with {ended.status}: {tail}"
        yield from (f"{me}: {line}" for line in ended.output.splitlines() if _is_bad(line))


def _is_bad(line: str) -> bool:
    """Tell whether a line says that something failed: the check's, or one of its processes'."""
    return line.startswith("FAIL") or "Error: " in line


def _differences(ends: list[guest.Ended], disk: Tree) -> Iterator[str]:
    for me, ended in enumerate(ends):
        found = [line for line in ended.output.splitlines() if line.startswith("tree ")]
        if not found:
            yield f"{me}: it did not say what it finds at the end"
            continue
        theirs: Tree = json.loads(found[0].removeprefix("tree "))
        yield from (f"{me}: not as on the disk: {line}" for line in differences(theirs, disk))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.conformance.kernel.clients",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add(
        "loads", nargs="*", metavar="LOAD", choices=[*LOADS, []], help="fsx, stress (both), contest"
    )
    add("--seconds", type=float, default=10, metavar="S", help="of each load (default: 10)")
    add("--vers", default="3.1.1", help="(default: 3.1.1)")
    add("--first", default="cache=strict", metavar="OPTIONS", help="(default: cache=strict)")
    add("--second", default="cache=strict", metavar="OPTIONS", help="(default: cache=strict)")
    add("--processes", type=int, default=2, metavar="N", help="on each client (default: 2)")
    add("--seed", default=None, help="of what is random (default: another one each time)")
    add("--server", default="smbd", metavar="CMD", help="as in tests.conformance.kernel")
    return parser.parse_args()


def _say(line: str) -> None:
    if not line.startswith("tree "):
        print(line, flush=True)


def main() -> int:
    """Run the command; return its exit status."""
    arguments = _arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    if why := guest.why_not():
        print(f"the guest cannot run here: {why}", file=sys.stderr)
        return 2
    mounts = tuple(Mount(arguments.vers, o) for o in (arguments.first, arguments.second))
    seed = arguments.seed or f"{time.time_ns() % 1_000_000}"
    status = 0
    with tempfile.TemporaryDirectory(prefix="smbd-kernel-", dir="/var/tmp") as work:
        try:
            with choose(Path(work), arguments.server) as server:
                for kind in arguments.loads or LOADS[:2]:
                    load = Load(kind, arguments.seconds, arguments.processes, seed)
                    names = " and ".join(mount.name for mount in mounts)
                    print(f"# {load}, {names}, machine load {os.getloadavg()[0]:.1f}", flush=True)
                    wrong = play(server, mounts, load, _say)  # type: ignore[arg-type]
                    print(*wrong or ["all as it should be"], sep="\n", flush=True)
                    status |= bool(wrong)
        except CannotStartError as error:
            print(error, file=sys.stderr)
            return 2
    return status


if __name__ == "__main__":
    sys.exit(main())
