"""Checks of what a share may leave out: links, attributes, holes, copies by the server."""

import ctypes
import errno
import hashlib
import mmap
import os

from .harness import (
    MIB,
    UNSUPPORTED,
    SkipError,
    check,
    digest,
    fresh,
    here,
    optional,
    same,
    system_call,
)

_FALLOC_KEEP_SIZE, _FALLOC_PUNCH_HOLE = 1, 2


@check
def hard_link() -> None:
    here("h1").write_text("x")
    with optional():
        here("h2").hardlink_to("h1")
    with here("h2").open("a") as file:
        file.write("y")
    fresh()
    same(here("h1").read_text(), "xy")
    here("h1").unlink()
    same(here("h2").read_text(), "xy")


@check
def symlink() -> None:
    try:
        here("sl").symlink_to("f")
    except OSError as error:
        # Linux 6.12 tries a reparse point, and says EIO where the server knows none.
        if error.errno in {*UNSUPPORTED, errno.EIO}:
            raise SkipError(str(error)) from None
        raise
    same(str(here("sl").readlink()), "f")


@check
def xattr() -> None:
    here("xa").touch()
    with optional():
        os.setxattr("xa", "user.colour", b"red")
    same(os.getxattr("xa", "user.colour"), b"red")
    assert "user.colour" in os.listxattr("xa")


@check
def preallocate() -> None:
    with here("pre").open("wb") as file, optional():
        system_call("fallocate", file.fileno(), 0, ctypes.c_long(0), ctypes.c_long(MIB))
    same(here("pre").stat().st_size, MIB)


@check
def punch() -> None:
    here("pu").write_bytes(b"x" * 4 * 65536)
    mode = _FALLOC_KEEP_SIZE | _FALLOC_PUNCH_HOLE
    with here("pu").open("r+b") as file, optional():
        system_call("fallocate", file.fileno(), mode, ctypes.c_long(65536), ctypes.c_long(65536))
    fresh()
    same(here("pu").read_bytes(), b"x" * 65536 + bytes(65536) + b"x" * 131072)


@check
def server_copy() -> None:
    content = os.urandom(3 * MIB)
    here("cs").write_bytes(content)
    with here("cs").open("rb") as source, here("cd").open("wb") as sink, optional():
        left = len(content)
        while left:
            left -= os.copy_file_range(source.fileno(), sink.fileno(), left)
    fresh()
    same(digest(here("cd")), hashlib.md5(content).hexdigest())


@check
def mmap_() -> None:
    here("mm").write_bytes(bytes(65536))
    with here("mm").open("r+b") as file, mmap.mmap(file.fileno(), 0) as view:
        view[40000:40005] = b"MMAPS"
        view.flush()
    fresh()
    same(here("mm").read_bytes()[40000:40005], b"MMAPS")
