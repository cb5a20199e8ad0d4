"""The floor as a server of a benchmark: compiled on the spot, from floor.c."""

import shutil
import subprocess
from pathlib import Path

from tests.conformance.servers import CannotStartError, Server, free_port

from .files import written

_SOURCE = Path(__file__).with_name("floor.c")
_THREADS = 16  # as many as smbd's and Samba's pools may have for one connection's reads


def floor(work: Path, file_size: int) -> Server:
    """Return the floor over `work`/share/load.bin.  CannotStartError: there is no compiler."""
    compiler = shutil.which("cc")
    if compiler is None:
        raise CannotStartError("no compiler")
    program, folder, port = work / "floor", work / "share", free_port()
    done = subprocess.run(
        [compiler, "-O2", "-pthread", "-o", program, _SOURCE],
        check=False, capture_output=True, text=True,
    )  # fmt: skip
    if done.returncode:
        raise CannotStartError(f"the floor does not compile: {done.stderr[-500:]}")
    folder.mkdir()
    file = written(folder / "load.bin", file_size)
    command = [str(program), str(port), str(file), str(_THREADS)]
    return Server("floor", command, port, folder, work / "floor.log")
