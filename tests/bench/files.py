"""What the works find in a share: made on the server's machine, without the server."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from smbd.load import Operation, file_name

_SIZE = 4096
# The folder of an operation that is a compound.
FOLDER: dict[Operation, str] = {"open": "few", "stat": "few", "new": "new", "delete": "doomed"}


def spread(folder: Path, count: int, size: int = _SIZE) -> Path:
    """Fill a new folder with so many files, numbered; return it."""
    folder.mkdir()
    content = os.urandom(size)
    for number in range(count):
        (folder / file_name(number)).write_bytes(content)
    return folder


def kept(folder: Path, count: int, size: int = _SIZE) -> Path:
    """The same, unless it is there already."""
    return folder if folder.exists() else spread(folder, count, size)


def written(file: Path, size: int) -> Path:
    """A file of so many bytes, in the page cache; it is there already if it was made before."""
    if not file.exists():
        block = os.urandom(1 << 20)
        with file.open("wb") as out:
            for at in range(0, size, len(block)):
                out.write(block[: size - at])
    return file


@contextmanager
def needed_by(operation: Operation, files: int, share: Path | None) -> Iterator[None]:
    """The folder of a compound's files, as it must be before a run; READ and WRITE need none."""
    if operation not in FOLDER:
        yield
        return
    assert share is not None, "nobody knows where the files are"
    folder = share / FOLDER[operation]
    if operation in {"open", "stat"}:
        kept(folder, files)
        yield
        return
    spread(folder, files if operation == "delete" else 0)
    try:
        yield
    finally:
        shutil.rmtree(folder)
