"""Loop devices that leave nothing behind: over images without a name, and cleared by themselves.

They are made by ioctl, since losetup(8) and mount(8) want a name.  The image is unlinked before
anything is in it, and the device goes with its last user: a kill at any instant leaves neither.
"""

import errno
import fcntl
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from struct import Struct
from typing import IO

from aio.compare.volumes.failure import VolumeError

CONTROL = "/dev/loop-control"
_LOOP_CTL_GET_FREE = 0x4C82
_LOOP_CONFIGURE = 0x4C0A  # Linux 5.8
_LO_FLAGS_AUTOCLEAR = 4
# Reads of the image pass by the page cache of its own file system: otherwise a page that is evicted
# above is still cached below, and a "miss" costs a copy.  Where that file system has
# no direct I/O the kernel does without, and `devices` says so.
_LO_FLAGS_DIRECT_IO = 16
_CONFIG = Struct(  # struct loop_config
    "="
    "I"  # fd
    "4x"  # block_size: the default
    "52x"  # info: lo_device to lo_encrypt_key_size
    "I"  # info.lo_flags
    "176x"  # info: names, keys
    "64x"  # reserved
)
# Between asking for a free device and taking it another may have taken it.
_ATTEMPTS = 20


@contextmanager
def loop_device(folder: Path, size: int) -> Iterator[str]:
    """The name of a loop device over a new, sparse image of `size` bytes in this folder.

    It lives until the end, or for as long as it is mounted.  VolumeError: none to be had.
    """
    with _image(folder, size) as image:
        name, device = _attached(image.fileno())
    try:
        yield name
    finally:
        os.close(device)


def _image(folder: Path, size: int) -> IO[bytes]:
    try:
        image = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 - the caller's
        image.truncate(size)
    except OSError as error:
        raise VolumeError(f"{folder} takes no image: {error.strerror}") from error
    return image


def _attached(image: int) -> tuple[str, int]:
    config = bytes(_CONFIG.pack(image, _LO_FLAGS_AUTOCLEAR | _LO_FLAGS_DIRECT_IO))
    for _ in range(_ATTEMPTS):
        name, device = _free_device()
        try:
            fcntl.ioctl(device, _LOOP_CONFIGURE, config)
        except OSError as error:
            os.close(device)
            if error.errno != errno.EBUSY:
                raise VolumeError(f"{name} takes no image: {error.strerror}") from error
        else:
            return name, device
    raise VolumeError("no loop device is to be had: others take them as fast")


def _free_device() -> tuple[str, int]:
    try:
        control = os.open(CONTROL, os.O_RDWR | os.O_CLOEXEC)
        try:
            name = f"/dev/loop{fcntl.ioctl(control, _LOOP_CTL_GET_FREE)}"
        finally:
            os.close(control)
        return name, os.open(name, os.O_RDWR | os.O_CLOEXEC)
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        raise VolumeError(
            f"no loop device is to be had ({where}{error.strerror}); "
            "a container needs --privileged and the machine's /dev"
        ) from error
