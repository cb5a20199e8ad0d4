"""Extended attributes: FILE_FULL_EA_INFORMATION and FILE_GET_EA_INFORMATION.

[MS-FSCC] 2.4.16 and 2.4.16.1; a CREATE's ExtA context carries the same list.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from struct import Struct

from smbd.ntstatus import NtError, NtStatus
from smbd.wire.bounds import at_most, chain_entries, unpack_payload

_FULL_EA = Struct(
    "<"
    "I"  # NextEntryOffset
    "B"  # Flags
    "B"  # EaNameLength, without the zero that ends the name
    "H"  # EaValueLength
)  # fmt: skip
_GET_EA = Struct(
    "<"
    "I"  # NextEntryOffset
    "B"  # EaNameLength
)  # fmt: skip
_NEXT_ENTRY = Struct("<I")
LARGEST_EA_VALUE = 0xFFFF  # EaValueLength has 16 bits
# In one request.  A file has 64 KiB of attributes on Windows, and 4 KiB on ext4; elsewhere on Linux
# one value may have 64 KiB.
_MOST = 1024
_LARGEST_LIST = 128 << 10


@dataclass(slots=True)
class ExtendedAttribute:
    """One attribute; an empty value in a SET_INFO removes it.  Flag 0x80 is "needed to read"."""

    name: bytes
    value: bytes
    flags: int = 0


def _entries(data: memoryview, fixed: Struct) -> Iterator[memoryview]:
    return chain_entries(data, _MOST, align=4, least=fixed.size, status=NtStatus.EA_CORRUPT_ERROR)


def _name(data: memoryview) -> bytes:
    """A name without control characters, of which NUL would end it on disk.

    [MS-FSCC] 2.4.16 takes more out of it, as do Windows and Samba: but such names of Linux programs
    are shown to clients, and clients may write back a list that they have read.
    """
    name = bytes(data)
    if min(name) < 0x20:
        raise NtError(NtStatus.INVALID_EA_NAME)
    return name


def parse_full_ea(data: memoryview) -> list[ExtendedAttribute]:
    """The list of a SET_INFO or an ExtA context.

    Raises NtError: EA_CORRUPT_ERROR for a broken one, INVALID_EA_NAME, EA_TOO_LARGE for one that
    is longer than there is a use for.
    """
    at_most(_LARGEST_LIST, len(data), NtStatus.EA_TOO_LARGE)
    attributes = []
    for entry in _entries(data, _FULL_EA):
        _, flags, name_length, value_length = unpack_payload(
            _FULL_EA, entry, NtStatus.EA_CORRUPT_ERROR
        )
        name_end = _FULL_EA.size + name_length
        end = name_end + 1 + value_length
        if not name_length or end > len(entry) or entry[name_end]:
            raise NtError(NtStatus.EA_CORRUPT_ERROR)
        name = _name(entry[_FULL_EA.size : name_end])
        attributes.append(ExtendedAttribute(name, bytes(entry[name_end + 1 : end]), flags))
    return attributes


def pack_full_ea(attributes: Iterable[ExtendedAttribute]) -> bytes:
    """The list; entries start at multiples of 4."""
    out = bytearray()
    last = end = 0
    for attribute in attributes:
        last = len(out)
        end = last + _FULL_EA.size + len(attribute.name) + 1 + len(attribute.value)
        step = end + -end % 4 - last
        out += _FULL_EA.pack(step, attribute.flags, len(attribute.name), len(attribute.value))
        out += attribute.name + b"\0" + attribute.value
        out += bytes(last + step - end)
    if out:
        _NEXT_ENTRY.pack_into(out, last, 0)
    return bytes(out[:end])


def parse_get_ea(data: memoryview) -> list[bytes]:
    """The names that a QUERY_INFO asks for, from its input; NtError as `parse_full_ea`."""
    names = []
    for entry in _entries(data, _GET_EA):
        _, length = unpack_payload(_GET_EA, entry, NtStatus.EA_CORRUPT_ERROR)
        end = _GET_EA.size + length
        if not length or end > len(entry):
            raise NtError(NtStatus.EA_CORRUPT_ERROR)
        names.append(_name(entry[_GET_EA.size : end]))
    return names
