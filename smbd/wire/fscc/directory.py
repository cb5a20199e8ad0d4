"""QUERY_DIRECTORY's information classes ([MS-FSCC] 2.4), fast for directories of 100,000 entries.

An entry is one Struct.pack with its NextEntryOffset already in it; only the last one is patched.
"""

from collections.abc import Callable, Iterable
from struct import Struct
from typing import Generic, NamedTuple, TypeVar

from smbd.ntstatus import NtError, NtStatus
from smbd.wire.fscc.classes import FileClass
from smbd.wire.fscc.information import FileAttribute, FileInformation

Information = TypeVar("Information")

_NAMES = Struct(
    "<"
    "I"  # NextEntryOffset
    "I"  # FileIndex
    "I"  # FileNameLength
)  # fmt: skip
# The beginning of every other class.
HEAD = (
    "<"
    "I"     # NextEntryOffset
    "I"     # FileIndex
    "QQQQ"  # CreationTime, LastAccessTime, LastWriteTime, ChangeTime
    "Q"     # EndOfFile
    "Q"     # AllocationSize
    "I"     # FileAttributes
    "I"     # FileNameLength
)  # fmt: skip
_DIRECTORY = Struct(HEAD)
_FULL_DIRECTORY = Struct(
    HEAD +
    "I"  # EaSize
)  # fmt: skip
_ID_FULL_DIRECTORY = Struct(
    HEAD +
    "I"   # EaSize
    "4x"  # Reserved
    "Q"   # FileId
)  # fmt: skip
_BOTH_DIRECTORY = Struct(
    HEAD +
    "I"    # EaSize
    "26x"  # ShortNameLength, Reserved, ShortName: no file here has one
)  # fmt: skip
_ID_BOTH_DIRECTORY = Struct(
    HEAD +
    "I"    # EaSize
    "26x"  # ShortNameLength, Reserved1, ShortName
    "2x"   # Reserved2
    "Q"    # FileId
)  # fmt: skip
_ID_EXTD_DIRECTORY = Struct(
    HEAD +
    "I"   # EaSize
    "I"   # ReparsePointTag
    "Q"   # FileId, 128 bits of which an inode number fills half
    "8x"
)  # fmt: skip
_NEXT_ENTRY = Struct("<I")


class Layout(NamedTuple, Generic[Information]):
    """How one information class packs an entry."""

    size: int  # of the fixed part
    pack: Callable[[int, int, Information, int], bytes]  # NextEntryOffset, FileIndex, ..., length


def _ea_size(i: FileInformation) -> int:
    """EaSize doubles as the reparse tag of an entry that is a reparse point."""
    return i.reparse_tag if i.attributes & FileAttribute.REPARSE_POINT else i.ea_size


def _pack_names(step: int, file_index: int, _i: FileInformation, name_length: int) -> bytes:
    return _NAMES.pack(step, file_index, name_length)


def _pack_directory(step: int, file_index: int, i: FileInformation, name_length: int) -> bytes:
    return _DIRECTORY.pack(
        step, file_index, i.creation_time, i.last_access_time, i.last_write_time, i.change_time,
        i.end_of_file, i.allocation_size, i.attributes, name_length,
    )  # fmt: skip


def _pack_full(step: int, file_index: int, i: FileInformation, name_length: int) -> bytes:
    return _FULL_DIRECTORY.pack(
        step, file_index, i.creation_time, i.last_access_time, i.last_write_time, i.change_time,
        i.end_of_file, i.allocation_size, i.attributes, name_length, _ea_size(i),
    )  # fmt: skip


def _pack_id_full(step: int, file_index: int, i: FileInformation, name_length: int) -> bytes:
    return _ID_FULL_DIRECTORY.pack(
        step, file_index, i.creation_time, i.last_access_time, i.last_write_time, i.change_time,
        i.end_of_file, i.allocation_size, i.attributes, name_length, _ea_size(i), i.index_number,
    )  # fmt: skip


def _pack_both(step: int, file_index: int, i: FileInformation, name_length: int) -> bytes:
    return _BOTH_DIRECTORY.pack(
        step, file_index, i.creation_time, i.last_access_time, i.last_write_time, i.change_time,
        i.end_of_file, i.allocation_size, i.attributes, name_length, _ea_size(i),
    )  # fmt: skip


def _pack_id_both(step: int, file_index: int, i: FileInformation, name_length: int) -> bytes:
    return _ID_BOTH_DIRECTORY.pack(
        step, file_index, i.creation_time, i.last_access_time, i.last_write_time, i.change_time,
        i.end_of_file, i.allocation_size, i.attributes, name_length, _ea_size(i), i.index_number,
    )  # fmt: skip


def _pack_id_extd(step: int, file_index: int, i: FileInformation, name_length: int) -> bytes:
    return _ID_EXTD_DIRECTORY.pack(
        step, file_index, i.creation_time, i.last_access_time, i.last_write_time, i.change_time,
        i.end_of_file, i.allocation_size, i.attributes, name_length,
        i.ea_size, i.reparse_tag, i.index_number,
    )  # fmt: skip


_LAYOUTS = {
    FileClass.DIRECTORY: Layout(_DIRECTORY.size, _pack_directory),
    FileClass.FULL_DIRECTORY: Layout(_FULL_DIRECTORY.size, _pack_full),
    FileClass.BOTH_DIRECTORY: Layout(_BOTH_DIRECTORY.size, _pack_both),
    FileClass.NAMES: Layout(_NAMES.size, _pack_names),
    FileClass.ID_BOTH_DIRECTORY: Layout(_ID_BOTH_DIRECTORY.size, _pack_id_both),
    FileClass.ID_FULL_DIRECTORY: Layout(_ID_FULL_DIRECTORY.size, _pack_id_full),
    FileClass.ID_EXTD_DIRECTORY: Layout(_ID_EXTD_DIRECTORY.size, _pack_id_extd),
}
# Where an entry's FileId is, of those that begin with HEAD, and whose rest is zeros without EAs; 0:
# nowhere.
FILE_ID_AT = {
    FileClass.DIRECTORY: 0,
    FileClass.FULL_DIRECTORY: 0,
    FileClass.BOTH_DIRECTORY: 0,
    FileClass.ID_BOTH_DIRECTORY: _ID_BOTH_DIRECTORY.size - 8,
    FileClass.ID_FULL_DIRECTORY: _ID_FULL_DIRECTORY.size - 8,
    FileClass.ID_EXTD_DIRECTORY: _ID_EXTD_DIRECTORY.size - 16,
}
DIRECTORY_CLASSES = {number: size for number, (size, _) in _LAYOUTS.items()}  # without the name

_PADDING = tuple(bytes(count) for count in range(8))


class Entries:
    """Entries that come in parts, one behind the other, as many as a response holds."""

    def __init__(self, limit: int) -> None:
        self._out, self._last, self._limit = bytearray(), 0, limit

    def __bool__(self) -> bool:
        """Whether there are any."""
        return bool(self._out)

    @property
    def room(self) -> int:
        """Bytes that another part may have."""
        return max(self._limit - len(self._out) - -len(self._out) % 8, 0)

    def add(self, part: bytearray | memoryview, last: int) -> None:
        """`part` would be a response by itself; its last entry begins at `last`."""
        out = self._out
        if not out:
            self._out, self._last = bytearray(part), last
            return
        out += _PADDING[-len(out) % 8]
        _NEXT_ENTRY.pack_into(out, self._last, len(out) - self._last)
        self._last = len(out) + last
        out += part

    @property
    def packed(self) -> bytearray:
        """All of them."""
        return self._out


def pack_directory_entries(
    info_class: int, entries: Iterable[tuple[str, FileInformation, int]], limit: int
) -> tuple[bytearray, int]:
    """The entries as an information class has them: see `pack_entries`."""
    if info_class not in _LAYOUTS:
        raise NtError(NtStatus.INVALID_INFO_CLASS)
    return pack_entries(_LAYOUTS[info_class], entries, limit)


def pack_entries(
    layout: Layout[Information], entries: Iterable[tuple[str, Information, int]], limit: int
) -> tuple[bytearray, int]:
    """(output, count): as many of the (name, information, file_index) as `limit` bytes hold.

    It stops at the first entry that does not fit, which an iterator has then given away: it is
    number `count`, and the caller offers it again next time.  A count of 0 where there was an entry
    is INFO_LENGTH_MISMATCH for the client ([MS-SMB2] 3.3.5.18).
    """
    size, pack = layout
    out = bytearray()
    last = end = count = 0
    for name, information, file_index in entries:
        encoded = name.encode("utf-16-le", "surrogatepass")
        start = len(out)
        length = size + len(encoded)
        if start + length > limit:
            break
        padding = -length % 8
        out += pack(length + padding, file_index, information, len(encoded))
        out += encoded
        out += _PADDING[padding]
        last = start
        end = start + length
        count += 1
    if count:
        _NEXT_ENTRY.pack_into(out, last, 0)
        del out[end:]
    return out, count
