"""Compare our server with Debian's Samba on this machine, in one run.

  python -m tests.bench.compare_samba
  python -m tests.bench.compare_samba --only '4 KiB*' --signing gmac --rounds 5 --json figures.json
  python -m tests.bench.compare_samba --only '*misses*' --signing off --rounds 5

Both servers stand side by side, each with a file of 64 MiB in the page cache; the load goes to one
and then the other, round after round, and each figure is the median of its rounds. Reads that miss
go through a file that has been evicted, each block once. It needs root and Samba (package samba);
without them, --servers smbd measures ours alone. CPU is the server's, per operation; waits counts
how often one of its threads gave up the CPU.
"""

import argparse
import fnmatch
import itertools
import json
import sys
import tempfile
from collections import defaultdict
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from smbd.load import LoadError, Signing, Target
from tests.conformance.servers import (
    PASSWORD,
    SHARE,
    USER,
    CannotStartError,
    Server,
    ours,
    samba,
)

from .measure import medians
from .tasks import Load, Task

_KIB, _MIB = 1 << 10, 1 << 20
_FILES_IN = Path("/var/tmp")  # not /tmp, which may be a tmpfs
_FILE = "load.bin"

TASKS = [
    Task("read", 4 * _KIB, 1),
    Task("read", 4 * _KIB, 16),
    Task("read", 64 * _KIB, 1),
    Task("read", 64 * _KIB, 16),
    Task("read", 4 * _KIB, 1, cached=False),
    Task("read", 4 * _KIB, 16, cached=False),
    Task("write", 4 * _KIB, 16),
    Task("read", _MIB, 4, at_random=False),
    Task("write", _MIB, 4, at_random=False),
]
SERVERS: dict[str, Callable[[Path], Server]] = {
    "smbd": ours,
    "smbd-sync": lambda work: ours(work, engine="sync"),
    "smbd-threads": lambda work: ours(work, engine="threads"),
    "samba": samba,
}
_PROTECTION = {"off": "unsigned", "sealed": "sealed by AES-128-GCM"}
_COLUMNS = {
    "ops_per_s": ("ops/s", "{:.0f}"),
    "mb_per_s": ("MB/s", "{:.1f}"),
    "server_us_per_op": ("CPU us", "{:.1f}"),
    "server_waits_per_op": ("waits", "{:.2f}"),
    "client_us_per_op": ("client us", "{:.1f}"),
    "p50_us": ("p50 us", "{:.0f}"),
    "p99_us": ("p99 us", "{:.0f}"),
    "max_us": ("max us", "{:.0f}"),
}

# (task, signing, server) -> what each round measured
Rounds = dict[tuple[str, str, str], list[dict[str, float]]]


def measure(servers: dict[str, Server], arguments: argparse.Namespace) -> Rounds:
    """Run every task on every server, round after round; Ctrl-C keeps what was measured."""
    found: Rounds = defaultdict(list)
    tasks = [task for task in TASKS if fnmatch.fnmatchcase(task.name, arguments.only)]
    loads = _loads(servers, arguments)
    steps = [*itertools.product(tasks, loads)] * arguments.rounds
    try:
        for number, (task, (signing, name)) in enumerate(steps, 1):
            print(f"\r{number}/{len(steps)}", end="", file=sys.stderr, flush=True)
            cost = loads[signing, name].run(task, arguments.seconds)
            found[task.name, signing, name].append(cost.as_dict())
    except KeyboardInterrupt:
        pass
    print("\r" + " " * 20 + "\r", end="", file=sys.stderr)
    return found


def _loads(
    servers: dict[str, Server], arguments: argparse.Namespace
) -> dict[tuple[Signing, str], Load]:
    """Return each server with each signing, its file filled; those that cannot be are named."""
    loads: dict[tuple[Signing, str], Load] = {}
    signings: list[Signing] = arguments.signing
    for signing, (name, server) in itertools.product(signings, servers.items()):
        target = Target(server.port, SHARE, USER, PASSWORD)
        load = Load(target, _FILE, arguments.connections, signing, server.pid, server.folder)
        try:
            load.fill(TASKS[0].file_size)
        except LoadError as error:
            print(f"{name}, signing {signing}: {error}", file=sys.stderr)
            continue
        loads[signing, name] = load
    return loads


def table(found: Rounds) -> str:
    """Return the medians, one line per server, grouped by task and signing."""
    heads = "".join(f"{head:>11}" for head, _ in _COLUMNS.values())
    lines = [f"{'':14}{heads}"]
    group = None
    for (task, signing, server), rounds in found.items():
        if group != (task, signing):
            group = (task, signing)
            lines.append(f"{task}, {_PROTECTION.get(signing, 'signed by ' + signing)}")
        figures = medians(rounds)
        cells = "".join(f"{form.format(figures[n]):>11}" for n, (_, form) in _COLUMNS.items())
        lines.append(f"  {server:12}{cells}")
    return "\n".join(lines)


def main() -> int:
    """Run the command; return its exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.bench.compare_samba",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--servers", nargs="+", choices=SERVERS, default=["smbd", "samba"], help="(default: both)")
    add("--signing", nargs="+", choices=("off", "gmac", "cmac", "sealed"), default=["off", "gmac"])
    add("--only", default="*", metavar="PATTERN", help="of the works' names, e.g. '4 KiB*depth 16'")
    add("--rounds", type=int, default=3, help="(default: 3)")
    add("--seconds", type=float, default=1, help="of one run (default: 1)")
    add("--connections", type=int, default=1, help="(default: 1)")
    add("--json", type=Path, metavar="FILE", help="write every round's figures here")
    arguments = parser.parse_args()
    try:
        with (
            tempfile.TemporaryDirectory(prefix="smbd-bench-", dir=_FILES_IN) as folder,
            ExitStack() as stack,
        ):
            servers = {}
            for name in arguments.servers:
                work = Path(folder, name)
                work.mkdir()
                servers[name] = stack.enter_context(SERVERS[name](work))
            found = measure(servers, arguments)
    except (CannotStartError, LoadError, OSError) as error:
        print(f"compare_samba: {error}", file=sys.stderr)
        return 1
    print(table(found))
    if arguments.json:
        rows = [
            {"work": task, "signing": signing, "server": server, "rounds": rounds}
            for (task, signing, server), rounds in found.items()
        ]
        arguments.json.write_text(json.dumps(rows, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
