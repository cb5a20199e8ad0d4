"""Which engines there are under Docker's default seccomp profile: tried, in a child."""

import json
import subprocess
import sys
from pathlib import Path

import aio
from aio.compare.experiments.ground import Found, Ground
from aio.compare.study import CannotRun
from aio.opening import unavailable

_PATIENCE = 60  # seconds


def seccomp(ground: Ground) -> Found:
    """Engines and the probe where io_uring is refused, and data read through the next engine."""
    ground.files.evict()  # where it can be: then there are misses to be read too
    done = subprocess.run(  # noqa: S603 - ours
        [sys.executable, "-m", "aio.compare.experiments.confined", str(ground.files.evicted)],
        cwd=Path(aio.__file__).parents[1],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=_PATIENCE,
        check=False,
    )
    if done.returncode:
        lines = done.stderr.strip().splitlines() or [f"exit status {done.returncode}"]
        raise CannotRun(f"the process that was to be confined has failed: {lines[-1]}")
    found: Found = json.loads(done.stdout)
    return {"uring_outside": unavailable("uring") is None, **found}
