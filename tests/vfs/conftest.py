"""A share in a temporary folder, found by openat2 and by the walk that stands in for it."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from smbd import vfs
from smbd.ntstatus import NtError, status_of_oserror

NOBODY = 65534


@pytest.fixture
def share(tmp_path: Path) -> Path:
    """The folder that is shared; beside it lies what nobody may reach."""
    (tmp_path / "secret.txt").write_text("not for you")
    path = tmp_path / "share"
    path.mkdir()
    return path


@pytest.fixture(params=[True, False], ids=["openat2", "walk"])
def root(request: pytest.FixtureRequest, share: Path) -> Iterator[vfs.Root]:
    with vfs.Root(share, openat2=request.param) as opened:
        if request.param and not opened.uses_openat2:
            pytest.skip("this kernel, or its seccomp profile, has no openat2")
        yield opened


@contextlib.contextmanager
def another_user() -> Iterator[None]:
    """A block without root's privileges, where these tests run as root."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


@contextlib.contextmanager
def refused(status: int) -> Iterator[None]:
    """The block fails with this status, said directly or by an errno."""
    with pytest.raises((NtError, OSError)) as caught:
        yield
    error = caught.value
    said = error.status if isinstance(error, NtError) else status_of_oserror(error)
    assert said == status, error


def content(file: vfs.File) -> bytes:
    return os.pread(file.fd, 1000, 0)


def read(root: vfs.Root, path: str) -> bytes:
    with root.open(path, read=True, write=False) as file:
        return content(file)


def stat_of(root: vfs.Root, path: str) -> vfs.File:
    return root.open(path, read=False, write=False)


def names_in(directory: vfs.File) -> list[str]:
    """All names of a folder."""
    return [name for some in vfs.list_names(directory) for name in some]
