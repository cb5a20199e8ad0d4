"""QUERY_INFO's file information classes: one row each, from class number to packer.

[MS-FSCC] 2.4.  A row's `minimum` is Windows' C structure with one WCHAR of a name and its padding,
up to 4 bytes more than the fields: Windows and Samba compare OutputBufferLength with it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from struct import Struct
from typing import NamedTuple

from smbd.wire.access import Access
from smbd.wire.bounds import encode
from smbd.wire.fscc.classes import FileClass
from smbd.wire.fscc.ea import ExtendedAttribute, pack_full_ea
from smbd.wire.fscc.information import FileInformation


@dataclass(slots=True)
class StreamInformation:
    """[MS-FSCC] 2.4.49: the data of a file is "::$DATA", a named stream ":name:$DATA"."""

    name: str
    size: int
    allocation_size: int


@dataclass(slots=True)
class FileView:
    """All that a file information class can show of an open file.

    `name` is relative to the share, "dir\\a.txt", and empty for the root.  `streams`, `eas` and
    `short_name` are for the one class each that shows them.
    """

    information: FileInformation
    name: str = ""
    granted_access: int = 0
    mode: int = 0
    position: int = 0
    alignment: int = 0
    short_name: str = ""
    streams: Sequence[StreamInformation] = ()
    eas: Sequence[ExtendedAttribute] = ()


class FileQuery(NamedTuple):
    """A row: its packer, the least OutputBufferLength, and the rights that it takes."""

    pack: Callable[[FileView], bytes]
    minimum: int
    access: int
    named: bool = False  # whether it shows the name


_BASIC = Struct(
    "<"
    "QQQQ"  # CreationTime, LastAccessTime, LastWriteTime, ChangeTime
    "I"     # FileAttributes
    "4x"    # Reserved
)  # fmt: skip
_STANDARD = Struct(
    "<"
    "Q"   # AllocationSize
    "Q"   # EndOfFile
    "I"   # NumberOfLinks
    "?"   # DeletePending
    "?"   # Directory
    "2x"  # Reserved
)  # fmt: skip
_NETWORK_OPEN = Struct(
    "<"
    "QQQQ"  # CreationTime, LastAccessTime, LastWriteTime, ChangeTime
    "Q"     # AllocationSize
    "Q"     # EndOfFile
    "I"     # FileAttributes
    "4x"    # Reserved
)  # fmt: skip
_ATTRIBUTE_TAG = Struct(
    "<"
    "I"  # FileAttributes
    "I"  # ReparseTag
)  # fmt: skip
_COMPRESSION = Struct(
    "<"
    "Q"   # CompressedFileSize
    "8x"  # CompressionFormat: none; and the shifts and Reserved, which say nothing then
)  # fmt: skip
_ID = Struct(
    "<"
    "Q"   # VolumeSerialNumber
    "Q"   # FileId, 128 bits of which an inode number fills half
    "8x"
)  # fmt: skip
_ALL = Struct(  # the nine one behind the other: packed each by itself they take three times as long
    "<"
    "QQQQI4x"    # as BASIC
    "QQI??2x"    # as STANDARD
    "Q"          # as INTERNAL
    "I"          # as EA
    "I"          # as ACCESS
    "Q"          # as POSITION
    "I"          # as MODE
    "I"          # as ALIGNMENT
    "I"          # as NAME: the length, and the name behind it
)  # fmt: skip
_STREAM = Struct(
    "<"
    "I"  # NextEntryOffset
    "I"  # StreamNameLength
    "Q"  # StreamSize
    "Q"  # StreamAllocationSize
)  # fmt: skip
_LONG = Struct("<I")
_QUAD = Struct("<Q")


def _pack_basic(view: FileView) -> bytes:
    i = view.information
    return _BASIC.pack(
        i.creation_time, i.last_access_time, i.last_write_time, i.change_time, i.attributes
    )


def _pack_standard(view: FileView) -> bytes:
    i = view.information
    return _STANDARD.pack(
        i.allocation_size, i.end_of_file, i.number_of_links, i.delete_pending, i.is_directory
    )


def _pack_internal(view: FileView) -> bytes:
    return _QUAD.pack(view.information.index_number)


def _pack_ea(view: FileView) -> bytes:
    return _LONG.pack(view.information.ea_size)


def _pack_access(view: FileView) -> bytes:
    return _LONG.pack(view.granted_access)


def _pack_position(view: FileView) -> bytes:
    return _QUAD.pack(view.position)


def _pack_mode(view: FileView) -> bytes:
    return _LONG.pack(view.mode)


def _pack_alignment(view: FileView) -> bytes:
    return _LONG.pack(view.alignment)


def _pack_text(name: str) -> bytes:
    encoded = encode(name)
    return _LONG.pack(len(encoded)) + encoded


def _pack_name(view: FileView) -> bytes:
    return _pack_text("\\" + view.name)


def _pack_normalized_name(view: FileView) -> bytes:
    return _pack_text(view.name)  # relative to the share: [MS-SMB2] 3.3.5.20.1


def _pack_alternate_name(view: FileView) -> bytes:
    return _pack_text(view.short_name)


def _pack_all(view: FileView) -> bytes:
    i, name = view.information, encode("\\" + view.name)
    return _ALL.pack(
        i.creation_time, i.last_access_time, i.last_write_time, i.change_time, i.attributes,
        i.allocation_size, i.end_of_file, i.number_of_links, i.delete_pending, i.is_directory,
        i.index_number, i.ea_size, view.granted_access, view.position, view.mode, view.alignment,
        len(name),
    ) + name  # fmt: skip


def _pack_streams(view: FileView) -> bytes:
    out = bytearray()
    last = end = 0
    for stream in view.streams:
        encoded = encode(stream.name)
        last = len(out)
        end = last + _STREAM.size + len(encoded)
        step = end + -end % 8 - last
        out += _STREAM.pack(step, len(encoded), stream.size, stream.allocation_size)
        out += encoded.ljust(step - _STREAM.size, b"\0")
    if out:
        _LONG.pack_into(out, last, 0)
    return bytes(out[:end])


def _pack_compression(view: FileView) -> bytes:
    return _COMPRESSION.pack(view.information.allocation_size)


def _pack_network_open(view: FileView) -> bytes:
    i = view.information
    return _NETWORK_OPEN.pack(
        i.creation_time, i.last_access_time, i.last_write_time, i.change_time,
        i.allocation_size, i.end_of_file, i.attributes,
    )  # fmt: skip


def _pack_attribute_tag(view: FileView) -> bytes:
    return _ATTRIBUTE_TAG.pack(view.information.attributes, view.information.reparse_tag)


def _pack_id(view: FileView) -> bytes:
    return _ID.pack(view.information.volume_id, view.information.index_number)


def _pack_full_ea(view: FileView) -> bytes:
    return pack_full_ea(view.eas)


_ATTRIBUTES = Access.FILE_READ_ATTRIBUTES

FILE_QUERIES: dict[int, FileQuery] = {
    FileClass.BASIC: FileQuery(_pack_basic, 40, _ATTRIBUTES),
    FileClass.STANDARD: FileQuery(_pack_standard, 24, 0),
    FileClass.INTERNAL: FileQuery(_pack_internal, 8, 0),
    FileClass.EA: FileQuery(_pack_ea, 4, 0),
    FileClass.ACCESS: FileQuery(_pack_access, 4, 0),
    FileClass.NAME: FileQuery(_pack_name, 8, 0, named=True),
    FileClass.POSITION: FileQuery(_pack_position, 8, 0),
    FileClass.FULL_EA: FileQuery(_pack_full_ea, 4, Access.FILE_READ_EA),
    FileClass.MODE: FileQuery(_pack_mode, 4, 0),
    FileClass.ALIGNMENT: FileQuery(_pack_alignment, 4, 0),
    FileClass.ALL: FileQuery(_pack_all, 104, _ATTRIBUTES, named=True),
    FileClass.ALTERNATE_NAME: FileQuery(_pack_alternate_name, 8, 0),
    FileClass.STREAM: FileQuery(_pack_streams, 32, 0),
    FileClass.COMPRESSION: FileQuery(_pack_compression, 16, 0),
    FileClass.NETWORK_OPEN: FileQuery(_pack_network_open, 56, _ATTRIBUTES),
    FileClass.ATTRIBUTE_TAG: FileQuery(_pack_attribute_tag, 8, _ATTRIBUTES),
    FileClass.NORMALIZED_NAME: FileQuery(_pack_normalized_name, 8, 0, named=True),
    FileClass.ID: FileQuery(_pack_id, 24, 0),
}
