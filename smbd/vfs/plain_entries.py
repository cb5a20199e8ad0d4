"""The plain entries of a listing, which C looks at and packs (smbd/native/entries.c).

Plain is what most of a folder is: a file or folder of the share's own file system, without extended
attributes.  All else is `smbd.vfs.entries`' to look at, and so is all where there is no C.
"""

import os
import stat
from collections.abc import Sequence
from typing import Any, NamedTuple

from smbd.native.entries import PLAIN_ENTRIES
from smbd.vfs.file import File
from smbd.vfs.information import BLOCK, LEAST_HOLE, WANTED, plain_attributes
from smbd.wire.fscc import DIRECTORY_CLASSES, FILE_ID_AT

_DOTTED, _UNWRITABLE, _HOLLOW, _FOLDER = 1, 2, 4, 8  # entries.c


class Run(NamedTuple):
    """Entries one behind the other."""

    data: memoryview  # as the response has them, if these are all
    last: int  # where the last one begins
    done: int  # names up to the next one, which is not plain, or has no room
    full: bool  # it has none


def plain_entries(
    directory: File, names: list[str], shown: Sequence[str], info_class: int, room: int
) -> Run | None:
    """Those at the beginning of `names`, as many as `room` bytes hold; clients see `shown`.

    None where there is no C, or where it does not know all that clients are told.  Blocks.
    """
    root, size = directory.root, DIRECTORY_CLASSES[info_class]
    at = FILE_ID_AT.get(info_class)
    compiled = None
    if at is not None and root.hide is None and root.lookup.has_proc:
        compiled = PLAIN_ENTRIES.at_hand()
    if compiled is None:
        return None
    its, device = compiled.ffi, root.file_systems.device
    major, minor = os.major(device), os.minor(device)
    kind = its.new(
        "struct kind *", (WANTED, major, minor, size, at, BLOCK, LEAST_HOLE, _ATTRIBUTES)
    )
    on_disk, on_wire = os.fsencode("\0".join(names)), "\0".join((*shown, ""))
    said = on_wire.encode("utf-16-le", "surrogatepass")
    count, packed = len(names), its.new("struct packed *")
    out = bytearray(min(room, len(said) + count * (size + 8)))
    into: Any = its.from_buffer("uint8_t[]", out)
    compiled.lib.pack_plain(directory.fd, on_disk, said, count, kind, into, len(out), packed)
    data = memoryview(out)[: packed.size]
    return Run(data, packed.last, packed.done, bool(packed.full))


def _attributes_of(what: int) -> int:
    mode = stat.S_IFDIR if what & _FOLDER else stat.S_IFREG
    mode |= 0 if what & _UNWRITABLE else stat.S_IWUSR
    return plain_attributes("." if what & _DOTTED else "", mode, what & _HOLLOW and LEAST_HOLE)


_ATTRIBUTES = [_attributes_of(what) for what in range(16)]
