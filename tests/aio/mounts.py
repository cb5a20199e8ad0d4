"""File systems of our own, in files: mounted for a test, and gone after it."""

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

MEBIBYTE = 1 << 20
# The smallest that each is content with, for our purposes.
MAKERS = {
    "ext4": (["mkfs.ext4", "-q", "-F"], 16 * MEBIBYTE),
    "xfs": (["mkfs.xfs", "-q"], 320 * MEBIBYTE),
    "btrfs": (["mkfs.btrfs", "-q"], 128 * MEBIBYTE),
}


@contextmanager
def mounted(kind: str) -> Iterator[tuple[Path, Path]]:
    """A folder on a new file system, and the image that it is in; skips where that cannot be."""
    make, size = MAKERS[kind]
    if os.geteuid() != 0:
        pytest.skip(f"mounting {kind} needs root")
    program = shutil.which(make[0], path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
    if program is None:
        pytest.skip(f"{make[0]} is not installed")
    with tempfile.TemporaryDirectory(dir="/var/tmp") as name:
        base = Path(name)
        base.chmod(0o755)
        image, folder = base / "image", base / "mounted"
        folder.mkdir()
        with image.open("wb") as file:
            file.truncate(size)
        subprocess.run([program, *make[1:], str(image)], check=True, capture_output=True)
        with _mounted(["-o", "loop", str(image)], folder):
            yield folder, image


@contextmanager
def memory(size: int) -> Iterator[Path]:
    """A folder on a new tmpfs of so many bytes."""
    if os.geteuid() != 0:
        pytest.skip("mounting tmpfs needs root")
    with (
        tempfile.TemporaryDirectory(dir="/var/tmp") as folder,
        _mounted(["-t", "tmpfs", "-o", f"size={size}", "aio-tests"], Path(folder)),
    ):
        yield Path(folder)


@contextmanager
def _mounted(what: list[str], folder: Path) -> Iterator[None]:
    done = subprocess.run(["mount", *what, str(folder)], capture_output=True, check=False)
    if done.returncode:
        pytest.skip(f"cannot be mounted here: {done.stderr.decode().strip()}")
    try:
        yield
    finally:
        done = subprocess.run(["umount", str(folder)], capture_output=True, check=False)
        assert not done.returncode, f"{done.stderr.decode().strip()}; in use by {_users(folder)}"


def _users(folder: Path) -> list[str]:
    """What keeps this file system mounted: process, what it holds, and the command."""
    users = []
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            links = [process / "cwd", process / "root", *(process / "fd").iterdir()]
            names = set(map(_target, links)) | set(
                re.findall(r"/.*", (process / "maps").read_text())
            )
            command = (process / "cmdline").read_text().replace("\0", " ")
            users += [f"{process.name} {name} ({command})" for name in names if str(folder) in name]
    return users


def _target(link: Path) -> str:
    """Empty for a descriptor that is closed meanwhile, such as the one by which it was listed."""
    with suppress(OSError):
        return str(link.readlink())
    return ""
