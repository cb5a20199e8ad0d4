"""How long a Linux kernel takes to make and remove 3,000 files: on us, and on Samba, in turns.

  python -m tests.conformance.kernel.many_files
  python -m tests.conformance.kernel.many_files --files 300 --rounds 5 --options nosharesock

One guest mounts both, and does the same on each, round after round; the figure is the ratio of the
medians. CPU is the server's; what all wait for is the guest and the machine. It needs Samba
(package samba). It decides nothing unless --bar says how much is too much.
"""

import argparse
import os
import signal
import statistics
import sys
import tempfile
from collections import defaultdict
from contextlib import ExitStack
from pathlib import Path

from tests.bench.measure import usage

from ..servers import CannotStartError, choose
from . import guest
from .rig import Mount, environment, job

_FIRST, _SECOND = "first", "second"


def ratio(found: list[tuple[str, float, float]]) -> tuple[float, list[str]]:
    """Return the first server's time by the second's, of all rounds' medians, and a table."""
    rounds: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for name, make, remove in found:
        rounds[name].append((make, remove))
    medians = {
        name: [statistics.median(column) for column in zip(*times, strict=True)]
        for name, times in rounds.items()
    }
    first, second = medians[_FIRST], medians[_SECOND]
    table = [
        f"{what:8}{a:8.1f} s {b:8.1f} s {a / b:8.2f}"
        for what, a, b in [
            ("make", first[0], second[0]),
            ("remove", first[1], second[1]),
            ("both", sum(first), sum(second)),
        ]
    ]
    return sum(first) / sum(second), table


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.conformance.kernel.many_files",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--files", type=int, default=3000, help="(default: 3000)")
    add("--rounds", type=int, default=3, help="on each server (default: 3)")
    add("--vers", default="3.1.1", help="(default: 3.1.1)")
    add("--options", default="", help="more mount options, by commas")
    add("--servers", nargs=2, default=["smbd", "samba"], help="(default: smbd samba)")
    add("--timeout", type=float, default=1800, metavar="S", help="(default: 1800)")
    add("--bar", type=float, help="exit status 1 if the ratio is above this")
    return parser.parse_args()


def main() -> int:
    """Run the command; return its exit status."""
    arguments = _arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    if why := guest.why_not():
        print(f"the guest cannot run here: {why}", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory(prefix="smbd-kernel-", dir="/var/tmp") as work:
        try:
            with ExitStack() as stack:
                servers = []
                for place, which in enumerate(arguments.servers):
                    folder = Path(work, str(place))
                    folder.mkdir()
                    servers.append(stack.enter_context(choose(folder, which)))
                ports = {445 + place: server.port for place, server in enumerate(servers)}
                variables = environment(servers[0].folder, Mount(arguments.vers, arguments.options))
                command = job(".many_files", [str(arguments.files), str(arguments.rounds)])
                used: list[list[float]] = []

                def say(line: str) -> None:
                    used.append([usage(server.pid).cpu for server in servers])
                    print(line, flush=True)

                ended = guest.run(command, ports, variables, arguments.timeout, say)
        except CannotStartError as error:
            print(error, file=sys.stderr)
            return 2
    if ended.status:
        print(f"the guest ended with {ended.status}: {ended.kernel_log[-500:]}", file=sys.stderr)
        return 2
    lines = [line.split() for line in ended.output.splitlines() if line.startswith("round ")]
    by, table = ratio([(name, float(make), float(remove)) for _, name, make, remove in lines])
    print(f"{'':8}{arguments.servers[0]:>10} {arguments.servers[1]:>10} {'ratio':>8}")
    print(*table, sep="\n")
    count = arguments.files * arguments.rounds
    each = [
        1000 * (after - before) / count for before, after in zip(used[0], used[-1], strict=True)
    ]
    print(f"{'CPU':8}{each[0]:7.2f} ms{each[1]:8.2f} ms{each[0] / each[1]:9.2f}  a file")
    print(f"machine load {os.getloadavg()[0]:.1f}")
    return int(arguments.bar is not None and by > arguments.bar)


if __name__ == "__main__":
    sys.exit(main())
