"""The checks that every message shares: a fixed part that is all there, variable parts inside it.

Offsets in SMB2 count from the header of their message, so one rule serves all of them: a variable
part starts behind the fixed part and ends inside the frame ([MS-SMB2] 3.3.5.2).
"""

import struct
from codecs import utf_16_le_decode, utf_16_le_encode  # without the way by the codec's name
from collections.abc import Iterator
from struct import Struct
from typing import Any

from smbd.ntstatus import NtError, NtStatus

_NEXT = Struct("<I")  # the offset of a chain's next entry
_MOST_NUMBERS = 64  # there are six dialects, and fewer algorithms of any kind
BODY = 64  # where a body starts: behind the header ([MS-SMB2] 2.2.1)


def unpack_body(fixed: Struct, frame: memoryview, structure_size: int) -> tuple[Any, ...]:
    """The fields of a body's fixed part; its first one, StructureSize, is checked here."""
    try:
        fields = fixed.unpack_from(frame, BODY)
    except struct.error:
        raise NtError(NtStatus.INVALID_PARAMETER) from None
    if fields[0] != structure_size:
        raise NtError(NtStatus.INVALID_PARAMETER)
    return fields


def unpack_payload(
    fixed: Struct, data: memoryview, status: int = NtStatus.INVALID_PARAMETER
) -> tuple[Any, ...]:
    """The fields at the start of a payload; NtError(`status`) for a payload too short for them."""
    if len(data) < fixed.size:
        raise NtError(status)
    return fixed.unpack_from(data)


def cut(frame: memoryview, start: int, length: int, fixed_end: int) -> memoryview:
    """A variable part, not copied.  An empty one may start anywhere: clients leave junk there."""
    if not length:
        return frame[:0]
    if start < fixed_end or start + length > len(frame):
        raise NtError(NtStatus.INVALID_PARAMETER)
    return frame[start : start + length]


def at_most(most: int, count: int, status: int = NtStatus.INVALID_PARAMETER) -> None:
    """Refuse a list of more entries than anybody has a use for, before one of them is parsed.

    Each costs the server some microseconds, its sender some bytes, and all of them come at once.
    """
    if count > most:
        raise NtError(status)


def chain_entries(
    data: memoryview,
    most: int,
    *,
    align: int,
    least: int,
    status: int = NtStatus.INVALID_PARAMETER,
) -> Iterator[memoryview]:
    """The entries of a chain, at most so many; each begins with the offset of the next, the last 0.

    An entry has at least `least` bytes and the next one stands at a multiple of `align`; a chain
    that breaks a rule is NtError(`status`).
    """
    count = 0
    while data:
        count += 1
        at_most(most, count, status)
        (following,) = unpack_payload(_NEXT, data, status)
        if following and (following % align or not least <= following <= len(data)):
            raise NtError(status)
        yield data[: following or len(data)]
        data = data[following:] if following else data[:0]


def text(data: memoryview) -> str:
    """UTF-16-LE as Windows has it: lone surrogates are legal in a name and must come back whole."""
    try:
        return utf_16_le_decode(data, "surrogatepass", True)[0]  # noqa: FBT003 -- it is all there
    except UnicodeDecodeError:
        raise NtError(NtStatus.INVALID_PARAMETER) from None


def encode(name: str) -> bytes:
    """The inverse of `text`."""
    return utf_16_le_encode(name, "surrogatepass")[0]


def numbers(data: memoryview, start: int, count: int) -> list[int]:
    """An array of `count` 16-bit integers at `start`: dialects, algorithms."""
    at_most(_MOST_NUMBERS, count)
    end = start + 2 * count
    if end > len(data):
        raise NtError(NtStatus.INVALID_PARAMETER)
    return [int.from_bytes(data[at : at + 2], "little") for at in range(start, end, 2)]
