"""Run smbtorture's cases against a server, and hold them against the list of what is expected.

  python -m tests.conformance.torture                          every case of the list
  python -m tests.conformance.torture smb2.read 'smb2.dir.*'   suites, or patterns of names
  python -m tests.conformance.torture --server samba smb2.rw   Debian's Samba in our place

Each case runs in a process of its own, in an empty share; once more if it does not do what is
expected. The exit status is 1 if a case does worse than expected, or better: then the list
shrinks (--adopt writes it; a new miss gets the reason "?", which you replace).
"""

import argparse
import sys
import tempfile
from pathlib import Path

from ..servers import CannotStartError, Server, choose
from . import smbtorture
from .expected import LIST, Case, Result, adopted, load, problem, save, score


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.conformance.torture",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("patterns", nargs="*", metavar="PATTERN", help="suites or patterns of names (default: all)")
    add("--server", default="smbd", metavar="CMD", help="smbd (default), samba, or a shell command "
        "that serves $SHARE_FOLDER as //127.0.0.1:$PORT/share for test:test")  # fmt: skip
    add(
        "--expected", type=Path, default=LIST, metavar="TSV", help="the list (default: %(default)s)"
    )
    add("--timeout", type=float, default=100, metavar="S", help="for one case (default: 100)")
    add("--logs", type=Path, metavar="DIR", help="keep what smbtorture writes here")
    add("--samba-passes", action="store_true", help="only what Samba passes")
    add("--new", action="store_true", help="also what smbtorture has and the list has not")
    add("--adopt", action="store_true", help="write what happened to the list")
    add("--list", action="store_true", help="print the chosen cases, run nothing")
    return parser.parse_args()


def _chosen(arguments: argparse.Namespace, cases: dict[str, Case]) -> list[Case]:
    found = dict(cases)
    if arguments.new:
        for test in smbtorture.known():
            found.setdefault(test, Case(test, "pass", "fail", ""))
    patterns = arguments.patterns or ["*"]
    return [
        case
        for case in found.values()
        if case.wanted(patterns) and (case.samba == "pass" or not arguments.samba_passes)
    ]


def _run(server: Server, chosen: list[Case], arguments: argparse.Namespace) -> dict[str, Result]:
    results: dict[str, Result] = {}
    for number, case in enumerate(chosen, 1):
        result = smbtorture.judge(server, case, arguments.timeout, arguments.logs)
        results[case.test] = result
        said = problem(case, result) or ("as expected" if result.outcome != "pass" else "")
        again = " (the second time)" if result.repeated else ""
        print(
            f"{number}/{len(chosen)} {result.outcome} {result.seconds:5.1f} s  {case.test}{again}"
            + (f"  {said}" if said else ""),
            flush=True,
        )
    return results


def main() -> int:
    """Run the command; return its exit status."""
    arguments = _arguments()
    if not smbtorture.installed():
        print(f"smbtorture is missing: install the package {smbtorture.PACKAGE}", file=sys.stderr)
        return 2
    cases = load(arguments.expected)
    chosen = _chosen(arguments, cases)
    if arguments.list:
        print(*(case.test for case in chosen), sep="\n")
        return 0
    if arguments.logs:
        arguments.logs.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="smbd-torture-") as work:
        try:
            with choose(Path(work), arguments.server) as server:
                results = _run(server, chosen, arguments)
        except CannotStartError as error:
            print(error, file=sys.stderr)
            return 2
    by_name = {case.test: case for case in chosen}
    problems = [(t, said) for t, result in results.items() if (said := problem(by_name[t], result))]
    print("", score(by_name, results), "", sep="\n")
    for test, said in problems:
        print(f"{test}: {said}")
    print(f"{len(results) - len(problems)} of {len(results)} as expected")
    if arguments.adopt:
        cases |= {test: adopted(by_name[test], result) for test, result in results.items()}
        save(cases, arguments.expected)
    return bool(problems)


if __name__ == "__main__":
    sys.exit(main())
