"""A few tests that fail are played once more, alone: only what fails again makes the run red."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import tests.again

PROJECT = """
[tool.pytest.ini_options]
addopts = "-p no:cacheprovider -p xdist.plugin"
"""
# What fails beside others, and passes when it is alone.
ONCE = """
import os, pytest

def test_once():
    assert "PYTEST_XDIST_WORKER" not in os.environ

@pytest.mark.parametrize("name", ["a b", "c::d[é"])
def test_fine(name):
    assert name
"""
ALWAYS = "def test_always(): assert not 'ever'\n"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "pyproject.toml").write_text(PROJECT)
    (tmp_path / "conftest.py").write_text("")
    (tmp_path / "test_once.py").write_text(ONCE)
    return tmp_path


def play(project: Path, *words: str) -> tuple[int, str, list[str]]:
    """Return the status, what was shown, and the tests that are excused."""
    excused = project / "excused"
    words = (tests.again.__file__, str(excused), "--numprocesses", "2", *words)
    outer = ("PYTEST_", "COV_", "COVERAGE_")  # of the run that this test is in
    environment = {name: one for name, one in os.environ.items() if not name.startswith(outer)}
    environment["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    done = subprocess.run(
        [sys.executable, "-P", *words],
        cwd=project, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    lines = excused.read_text().splitlines() if excused.exists() else []
    begun = "FAILED BESIDE OTHERS, PASSED ALONE: "
    assert all(line.startswith(begun) for line in lines)
    return done.returncode, done.stdout, [line.removeprefix(begun) for line in lines]


def test_what_passes_alone_is_excused_by_name(project: Path) -> None:
    status, shown, excused = play(project)
    assert status == 0, shown
    assert excused == ["test_once.py::test_once"]
    assert "1 failed, 2 passed" in shown
    assert "1 passed" in shown


def test_what_fails_again_is_red_and_excuses_nobody(project: Path) -> None:
    (project / "test_always.py").write_text(ALWAYS)
    status, shown, excused = play(project)
    assert status == 1
    assert not excused
    assert "once more, alone: " in shown


@pytest.mark.parametrize(
    "source",
    {
        "many fail": (
            "import os, pytest\n"
            f"@pytest.mark.parametrize('number', range({tests.again.FEW}))\n"
            "def test_many(number): assert 'PYTEST_XDIST_WORKER' not in os.environ\n"
        ),
        "a worker dies": (
            "import os\ndef test_dies(): 'PYTEST_XDIST_WORKER' not in os.environ or os._exit(3)\n"
        ),
        "a file cannot be collected": "import os\nassert 'PYTEST_XDIST_WORKER' not in os.environ\n",
        "alone it is skipped": (
            "import os, pytest\n"
            "def test_skips(): 'PYTEST_XDIST_WORKER' in os.environ or pytest.skip('alone')\n"
            "def test_skipped():\n"
            "    if 'PYTEST_XDIST_WORKER' not in os.environ: pytest.skip('alone')\n"
            "    assert 0\n"
        ),
    }.items(),
    ids=lambda one: one[0],
)
def test_nothing_else_is_excused(project: Path, source: tuple[str, str]) -> None:
    (project / "test_other.py").write_text(source[1])
    status, shown, excused = play(project)
    assert status != 0, shown
    assert not excused


def test_a_run_without_failures_is_played_once(project: Path) -> None:
    status, shown, excused = play(project, "-k", "fine")
    assert (status, excused) == (0, [])
    assert "once more" not in shown
