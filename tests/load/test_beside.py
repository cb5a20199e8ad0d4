"""The benchmark of a READ beside a stream: each kind of stream keeps the server busy."""

import subprocess
import sys

from tests.bench.beside import streams
from tests.conformance.servers import CHECKOUT


def beside(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tests.bench.beside", *arguments]
    return subprocess.run(
        command, check=False, cwd=CHECKOUT, capture_output=True, text=True, timeout=280
    )


def test_it_measures_a_read_beside_each_kind_of_stream():
    chosen = ["READ 1 MiB x4, sealed", "WRITE 64 KiB x16", "CREATE new*", "listing*"]
    done = beside("--only", *chosen, "--servers", "smbd", "--rounds", "1", "--seconds", "0.3")
    assert not done.returncode, done.stderr
    cells = [line.split("|") for line in done.stdout.splitlines()[2:]]
    assert len(cells) == len(chosen)
    for row in cells:
        assert row[1].strip() in streams()
        assert all(float(cell.replace(",", "")) > 0 for cell in row[3:-2])
