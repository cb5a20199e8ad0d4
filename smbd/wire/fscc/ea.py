"""Extended attributes: FILE_FULL_EA_INFORMATION and FILE_GET_EA_INFORMATION.

[MS-FSCC] 2.4.16 and 2.4.16.1; a CREATE's ExtA context carries the same list.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from struct import Struct

from smbd.ntstatus import NtError, NtStatus
from smbd.wire.bounds import unpack_payload

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


@dataclass(slots=True)
class ExtendedAttribute:
    """One attribute; an empty value in a SET_INFO removes it.  Flag 0x80 is "needed to read"."""

    name: bytes
    value: bytes
    flags: int = 0


def _next_entry(data: memoryview, following: int, least: int) -> memoryview:
    """What follows an entry of at least `least` bytes; nothing follows the last one."""
    if not following:
        return data[:0]
    if following % 4 or not least <= following <= len(data):
        raise NtError(NtStatus.EA_CORRUPT_ERROR)
    return data[following:]


def parse_full_ea(data: memoryview) -> list[ExtendedAttribute]:
    """The list of a SET_INFO or an ExtA context; a broken one is EA_CORRUPT_ERROR."""
    attributes = []
    while data:
        following, flags, name_length, value_length = unpack_payload(
            _FULL_EA, data, NtStatus.EA_CORRUPT_ERROR
        )
        name_end = _FULL_EA.size + name_length
        end = name_end + 1 + value_length
        if not name_length or end > (following or len(data)) or end > len(data) or data[name_end]:
            raise NtError(NtStatus.EA_CORRUPT_ERROR)
        name = bytes(data[_FULL_EA.size : name_end])
        attributes.append(ExtendedAttribute(name, bytes(data[name_end + 1 : end]), flags))
        data = _next_entry(data, following, end)
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
    """The names that a QUERY_INFO asks for, from its input."""
    names = []
    while data:
        following, length = unpack_payload(_GET_EA, data, NtStatus.EA_CORRUPT_ERROR)
        end = _GET_EA.size + length
        if not length or end > len(data):
            raise NtError(NtStatus.EA_CORRUPT_ERROR)
        names.append(bytes(data[_GET_EA.size : end]))
        data = _next_entry(data, following, end)
    return names
