"""smbd beside Samba, and beside a floor in C: every row of the table of bars, in one run.

  python -m tests.bench                                    everything; about ten minutes (root)
  python -m tests.bench --only 'READ*' --rounds 5          some rows
  python -m tests.bench --list                             their names
  python -m tests.bench --servers smbd smbd@../before --against smbd@../before
                                                           a change, by the tree before it
  python -m tests.bench growth --help                      how cost grows
  python -m tests.bench --json now.json --check before.json

The servers stand side by side; the load goes to one and then the other, round after round, and
each ratio is that of one round: shown are its median, the least and the greatest. CPU is the
server's, with its descendants, per operation. "client us" is what an operation costs the client:
where it is near the server's, the client may be what limits the rate.

It needs root and Samba (package samba), for some rows smbclient, and for the floor a C compiler;
what is missing is said in the table.
"""

import argparse
import fnmatch
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from aio.compare import machine
from tests.conformance.servers import CHECKOUT

from . import growth
from .bars import FLOOR, SAMBA
from .page import drawn, written
from .results import Results, slower
from .rows import FULL, TINY, Row, rows
from .run import run, server_of, terminated_in_order
from .stands import NAMES
from .table import table


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.bench",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--only", nargs="+", default=["*"], metavar="PATTERN", help="of the rows' names")
    add("--kernel", action="store_true", help="also the rows of a mount by a Linux guest, which is "
        "slow: some minutes more")  # fmt: skip
    add("--list", action="store_true", help="print the rows' names")
    add("--servers", nargs="+", type=server_of, default=["smbd", SAMBA, FLOOR], metavar="SERVER",
        help=f"of {NAMES}, smbd@CHECKOUT (default: smbd samba floor)")  # fmt: skip
    add("--against", default=SAMBA, metavar="SERVER", help="the ratios are to this one of the "
        "servers (default: samba)")  # fmt: skip
    add("--rounds", type=int, default=3, help="(default: 3)")
    add("--seconds", type=float, default=1, help="of one run (default: 1)")
    add("--tiny", action="store_true", help="little to do, for a test: the figures say nothing")
    add("--from", dest="figures", type=Path, metavar="FILE", help="measure nothing: take the "
        "figures of an earlier run")  # fmt: skip
    add("--page", action="store_true", help="write table and plot into tests/bench/README.md")
    add("--json", type=Path, metavar="FILE", help="write every round's figures here")
    add("--check", type=Path, metavar="FILE", help="an earlier run's: say what got slower, and "
        "exit with status 1 if that is beyond the spread of both")  # fmt: skip
    return parser.parse_args()


def _machine() -> dict[str, str]:
    """The facts that bear on the figures, and whose code was measured."""
    done = subprocess.run(
        ["git", "describe", "--always", "--dirty"],
        check=False, capture_output=True, text=True, cwd=CHECKOUT,
    )  # fmt: skip
    facts = machine.describe()
    wanted = ("kernel", "CPU", "memory", "Python")
    load = f"{os.getloadavg()[0]:.1f}"
    return {name: facts[name] for name in wanted} | {"load": load, "commit": done.stdout.strip()}


def _report(rows: Sequence[Row], results: Results, subject: str, other: str = SAMBA) -> str:
    about = ", ".join(f"{name} {value}" for name, value in results.machine.items())
    return f"{table(rows, results, subject, other)}\n\n{about}"


def _write_page(rows: Sequence[Row], results: Results, subject: str) -> None:
    from .plots import against_samba  # matplotlib is no need of the rest

    plot = against_samba(rows, results, subject)
    shown = drawn("bars", plot) if plot else ""
    written("table of bars", f"{_report(rows, results, subject)}\n\n{shown}")


def _checked(rows: Sequence[Row], before: Results, now: Results, subjects: Sequence[str]) -> int:
    """Say what got slower; the exit status."""
    bars = [(row.name, bar) for row in rows for bar in row.bars]
    worse = [each for subject in subjects for each in slower(bars, before, now, subject)]
    print("slower than before:" if worse else "nothing is slower than before", *worse, sep="\n")
    return int(bool(worse))


def main() -> int:
    """Run the command; return its exit status."""
    if sys.argv[1:2] == ["growth"]:
        return growth.main(sys.argv[2:])
    arguments = _arguments()
    # An earlier run may have had them.
    guest = arguments.kernel or arguments.figures is not None
    table_of_all = rows(TINY if arguments.tiny else FULL, guest=guest)
    wanted = [
        r for r in table_of_all if any(fnmatch.fnmatchcase(r.name, p) for p in arguments.only)
    ]
    if arguments.list or not wanted:
        print(*(row.name for row in table_of_all), sep="\n")
        return int(not arguments.list)
    try:
        before = Results.read(arguments.check) if arguments.check else None
        results = Results.read(arguments.figures) if arguments.figures else Results(_machine())
    except (OSError, ValueError) as error:
        print(f"bench: {error}", file=sys.stderr)
        return 2
    if not arguments.figures:
        terminated_in_order()
        run(wanted, arguments.servers, arguments.rounds, arguments.seconds, results)
    if arguments.json:
        results.write(arguments.json)
    other = arguments.against
    subjects = [name for name in arguments.servers if name not in {SAMBA, FLOOR, other}]
    shown = [row.against(other) for row in wanted]
    for subject in subjects:
        print(_report(shown, results, subject, other), end="\n\n")
    if arguments.page:
        _write_page(wanted, results, subjects[0])
    return _checked(shown, before, results, subjects) if before else 0


if __name__ == "__main__":
    sys.exit(main())
