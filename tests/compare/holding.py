"""Processes that hold a volume, and what this machine shows of them."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

# A device is cleared when its last user is gone, and udev may have a look at it meanwhile.
_PATIENCE = 20.0


class Holder:
    """A child process that has made a volume (tests.compare.holder)."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.facts = self._heard()
        if "refused" in self.facts:
            assert "is not slowed down" not in self.facts["refused"]
            pytest.skip(self.facts["refused"])

    def end(self, how: str = "") -> dict[str, Any]:
        """Let it leave the volume; what it says afterwards."""
        assert self.process.stdin
        print(how, file=self.process.stdin, flush=True)
        return self._heard()

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def _heard(self) -> dict[str, Any]:
        assert self.process.stdout
        line = self.process.stdout.readline()
        assert line, f"it ended with {self.process.wait()}"
        values: dict[str, Any] = json.loads(line)
        return values


@contextmanager
def holding(kind: str, base: Path, reads_per_second: int = 0) -> Iterator[Holder]:
    """A study with a volume: its image is in base/images, its mount point in base/points."""
    images, points = base / "images", base / "points"
    images.mkdir(exist_ok=True)
    points.mkdir(exist_ok=True)
    command = [sys.executable, "-m", "tests.compare.holder", kind, str(images)]
    with subprocess.Popen(
        [*command, str(reads_per_second)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "TMPDIR": str(points)},
        start_new_session=True,
    ) as process:
        try:
            yield Holder(process)
        finally:
            with suppress(ProcessLookupError):  # all have ended
                os.killpg(process.pid, signal.SIGKILL)  # with the children that a killed one leaves


def image_of(loop: str) -> str | None:
    """What a loop device is bound to."""
    file = Path("/sys/block") / Path(loop).name / "loop/backing_file"
    try:
        return file.read_text().strip()
    except OSError:
        return None


def eventually(condition: Callable[[], bool]) -> bool:
    """Whether it comes true: the kernel gives no sign to wait for."""
    until = time.monotonic() + _PATIENCE
    while not condition():
        if time.monotonic() > until:
            return False
        time.sleep(0.01)
    return True
