"""pytest; a few tests that fail are played once more, alone, and that decides.

    python -P tests/again.py EXCUSED --numprocesses 3 --dist loadfile ...

A test that its neighbours or the machine's load made fail is named and looked at, but refuses no
change: so does CPython's regrtest (--rerun).  The file EXCUSED gets a line for each.  Nothing else
is excused: more than FEW tests, a file that cannot be collected, a worker that died, or a run that
was broken off.
"""

import subprocess
import sys
import tempfile
from pathlib import Path
from xml.etree import ElementTree

import pytest

FEW = 5


class Failures:
    """What has failed, as the process sees it that the workers report to."""

    def __init__(self) -> None:
        self.tests: dict[str, None] = {}  # a set in order
        self.others: list[str] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Take a test's failure, also that of its fixtures; "???" is that its process died."""
        if report.failed and report.when in {"setup", "call", "teardown"}:
            self.tests[report.nodeid] = None
        elif report.failed:
            self.others.append(f"{report.nodeid}: its process died")

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Take a file that cannot be collected."""
        if report.failed:
            self.others.append(f"{report.nodeid}: cannot be collected")

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: object, error: object) -> None:
        """Take the death of a worker, perhaps between two tests."""
        if error:
            self.others.append(f"{node}: {error}")


def main(excused: Path, arguments: list[str]) -> int:
    """Play what the arguments say; return pytest's status, or 0 if all passed the second time."""
    failures = Failures()
    status = pytest.main(arguments, plugins=[failures])
    if status != pytest.ExitCode.TESTS_FAILED or failures.others:
        return status
    if not 0 < len(failures.tests) <= FEW:
        return status
    print(f"\n== once more, alone: {', '.join(failures.tests)}", flush=True)
    if not pass_alone(list(failures.tests)):
        return status
    told = "".join(f"FAILED BESIDE OTHERS, PASSED ALONE: {test}\n" for test in failures.tests)
    excused.write_text(told, encoding="utf-8")
    return 0


def pass_alone(tests: list[str]) -> bool:
    """Play these in a process of their own: each must be found, and pass; a skip is no pass."""
    with tempfile.NamedTemporaryFile(suffix=".xml") as report:
        asked = ["--numprocesses=0", "--tb=short", f"--junitxml={report.name}"]
        command = [sys.executable, "-P", "-m", "pytest", *asked, *tests]
        if subprocess.run(command, check=False).returncode:
            return False
        [suite] = ElementTree.fromstring(Path(report.name).read_bytes())
    return suite.get("tests") == str(len(tests)) and suite.get("skipped") == "0"


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2:]))
