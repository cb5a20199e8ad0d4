"""close(2) may wait, and the event loop must not wait with it.

The last descriptor of a deleted file frees its pages and blocks: 3.3 s for 4 GiB on ext4, 53 s for
250,000 extents (measured).  ext4, xfs and btrfs write back a file that was truncated and written
anew, and give back what they had set aside for it.  A file system of another machine or process
(NFS, FUSE) asks that one at each close.
"""

import contextlib
import os
from time import perf_counter

from smbd.vfs.file import File
from smbd.vfs.information import BLOCK
from smbd.vfs.place import Place
from smbd.wire.fscc import FileInformation

# So much is freed, or its writing begun, in less time than a change of names takes.
SMALL = 1 << 20


def close_may_wait(file: File, *, written: bool) -> bool:
    """Whether closing this descriptor may wait for a disk; `written`: maybe by anybody.

    OSError: EBADF.
    """
    if file.asks_others:
        return True
    # Of another process too, which may have removed it.  Here an fstat waits for nothing.
    status = os.fstat(file.fd)
    if not written and status.st_nlink:
        return False
    at_once = file.at_once
    return (
        at_once is None
        or status.st_blocks * BLOCK > SMALL
        or not at_once.admits(file.fd, perf_counter())
    )


def place_of_small(file: File, known: FileInformation | None = None) -> Place | None:
    """The place of a small file, taken, where the loop may remove it now, and close it.

    None if it is not the only name of it, or a worker is to look.  `known` is what it is now, if
    the caller has looked.
    """
    if file.asks_others or file.crossed or file.is_directory or file.stream is not None:
        return None
    if known is None:
        status = os.fstat(file.fd)
        links, size = status.st_nlink, status.st_blocks * BLOCK
    else:
        links, size = known.number_of_links, known.allocation_size
    if links != 1 or size > SMALL:
        return None
    place = file.root.place_at_once(file.path)
    if place is None:
        return None
    held = False
    with contextlib.suppress(OSError):  # the worker meets it again, and closes all the same
        held = place.holds(file)
    if not held:
        place.leave()
    return place if held else None
