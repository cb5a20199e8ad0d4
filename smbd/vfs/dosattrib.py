"""`user.DOSATTRIB`: DOS attributes and creation time of a file, as Samba stores them.

NDR of librpc/idl/xattr.idl's xattr_DOSATTRIB: a string that old versions used, the version twice
(field and union switch, 16 bits each), and from the next multiple of four the version's struct.
Versions 1 to 5 are read; 5 is written, which is what Samba does since 4.16.
"""

from collections.abc import Callable
from dataclasses import dataclass
from struct import Struct, error

from smbd.wire.filetime import LAST_FILETIME

NAME = "user.DOSATTRIB"

_ATTRIB_VALID = 0x01
_CREATE_TIME_VALID = 0x10
# Samba has given a meaning to seven of the 32 flags, and reads no others: the upper half holds the
# FILE_ATTRIBUTE_* of `Record.cleared`.
_CLEARED_SHIFT = 16

_VERSION = Struct("<HH")
_INFO_1 = Struct(
    "<"
    "I"  # attrib
    "4x8x8x"  # ea_size, size, alloc_size
    "Q"  # create_time
    "8x"  # change_time
)
_INFO_2 = Struct(
    "<"
    "4x"  # flags
    "I"  # attrib
    "4x8x8x"  # ea_size, size, alloc_size
    "Q"  # create_time
    "8x8x"  # change_time, write_time; a name follows
)
_INFO_3 = Struct(
    "<"
    "I"  # valid_flags
    "I"  # attrib
    "4x8x8x"  # ea_size, size, alloc_size
    "Q"  # create_time
    "8x"  # change_time
)
_INFO_4 = Struct(
    "<"
    "I"  # valid_flags
    "I"  # attrib
    "8x"  # itime
    "Q"  # create_time
)
_INFO_5 = Struct(
    "<"
    "I"  # valid_flags
    "I"  # attrib
    "Q"  # create_time
)
_WRITTEN = Struct("<2xHH2xIIQ")  # an empty string, 5, 5, then _INFO_5


@dataclass(slots=True)
class Record:
    """The stored values; None where the record has none.

    `cleared` are the attributes that the file would show by itself (HIDDEN, as its name begins with
    a dot; SPARSE_FILE, as it has holes; READONLY, as its owner, who is another user, may not write
    it), and that a client has taken away.  Samba ignores them.
    """

    attributes: int | None  # FILE_ATTRIBUTE_*
    creation_time: int | None  # FILETIME
    cleared: int = 0


def pack(attributes: int, creation_time: int | None, cleared: int = 0) -> bytes:
    """The extended attribute's value."""
    flags = _ATTRIB_VALID | cleared << _CLEARED_SHIFT
    if creation_time is not None:
        flags |= _CREATE_TIME_VALID
    return _WRITTEN.pack(5, 5, flags, attributes, creation_time or 0)


def parse(data: bytes) -> Record | None:
    """The record; None if `data` is none that we know: the file is then treated as without one."""
    end = data.find(b"\0")
    if end < 0:
        return _parse_text(data)
    at = (end + 2) & ~1
    try:
        version, switch = _VERSION.unpack_from(data, at)
        parse_version = _VERSIONS.get(version)
        if parse_version is None or switch != version:
            return _parse_text(data[:end])
        return parse_version(data, (at + _VERSION.size + 3) & ~3)
    except error:
        return _parse_text(data[:end])


def _parse_text(text: bytes) -> Record | None:
    """The record of Samba before 3.5: the attributes in hexadecimal digits, "0x22"."""
    try:
        return Record(int(text, 16), None)
    except ValueError:
        return None


def _told(creation_time: int) -> int | None:
    """A FILETIME; None for 0 and for a number that is none."""
    return creation_time if 0 < creation_time <= LAST_FILETIME else None


def _parse_1(data: bytes, at: int) -> Record:
    attributes, creation_time = _INFO_1.unpack_from(data, at)
    return Record(attributes, _told(creation_time))


def _parse_2(data: bytes, at: int) -> Record:
    attributes, creation_time = _INFO_2.unpack_from(data, at)
    return Record(attributes, _told(creation_time))


def _flagged(layout: Struct) -> Callable[[bytes, int], Record]:
    def parse_flagged(data: bytes, at: int) -> Record:
        valid, attributes, creation_time = layout.unpack_from(data, at)
        return Record(
            attributes if valid & _ATTRIB_VALID else None,
            _told(creation_time) if valid & _CREATE_TIME_VALID else None,
            valid >> _CLEARED_SHIFT,
        )

    return parse_flagged


_VERSIONS: dict[int, Callable[[bytes, int], Record]] = {
    1: _parse_1,
    2: _parse_2,
    3: _flagged(_INFO_3),
    4: _flagged(_INFO_4),
    5: _flagged(_INFO_5),
}
