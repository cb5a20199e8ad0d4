"""The PDUs of connection-oriented DCE/RPC ([C706] 12.6, [MS-RPCE] 2.2.2): bytes <-> messages.

BIND and its answers, by which both sides agree on an interface, are in smbd.rpc.bind.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from struct import Struct
from typing import Any


class PacketType:
    """PTYPE, those that travel between a client and this server."""

    REQUEST = 0
    RESPONSE = 2
    FAULT = 3
    BIND = 11
    BIND_ACK = 12
    BIND_NAK = 13
    ALTER_CONTEXT = 14
    ALTER_CONTEXT_RESP = 15
    CO_CANCEL = 18
    ORPHANED = 19


class PacketFlags:
    """pfc_flags."""

    FIRST_FRAG = 0x01
    LAST_FRAG = 0x02
    DID_NOT_EXECUTE = 0x20
    OBJECT_UUID = 0x80

    WHOLE = FIRST_FRAG | LAST_FRAG


class Fault:
    """Status of a FAULT: [C706] appendix E, and the Win32 codes that Windows sends as they are."""

    ACCESS_DENIED = 0x00000005
    BAD_STUB_DATA = 0x000006F7
    OP_RNG_ERROR = 0x1C010002
    UNK_IF = 0x1C010003
    PROTO_ERROR = 0x1C01000B
    CONTEXT_MISMATCH = 0x1C00001A
    REMOTE_NO_MEMORY = 0x1C00001B


class PduError(Exception):
    """Bytes that are no PDU: nobody can be told, for nobody is known to speak RPC."""


_HEADER = Struct(
    "<"
    "B"  # rpc_vers
    "B"  # rpc_vers_minor
    "B"  # PTYPE
    "B"  # pfc_flags
    "B"  # packed_drep: integers and characters
    "3x"  # packed_drep: floating point, reserved
    "H"  # frag_length
    "H"  # auth_length
    "I"  # call_id
)
HEADER_SIZE = _HEADER.size
_LITTLE_ENDIAN_ASCII = 0x10
VERSION = 5


@dataclass(slots=True)
class Header:
    """The header of every PDU."""

    version: int
    packet_type: int
    flags: int
    frag_length: int
    auth_length: int
    call_id: int

    @property
    def supported(self) -> bool:
        """Whether the protocol's major version is ours; every minor one is."""
        return self.version == VERSION


def parse_header(data: bytes | bytearray, at: int = 0) -> Header:
    """Take the header of the PDU that begins at `at`; there must be HEADER_SIZE bytes.

    frag_length bounds a PDU to 64 KiB by itself.  A client that exceeds the size agreed on in
    BIND costs nothing more, and is served.
    """
    version, _, packet_type, flags, drep, frag_length, auth_length, call_id = _HEADER.unpack_from(
        data, at
    )
    # Every client on record sends little-endian; "reader makes right" is for museums.
    if drep & 0xF0 != _LITTLE_ENDIAN_ASCII or frag_length < HEADER_SIZE + auth_length:
        raise PduError
    return Header(version, packet_type, flags, frag_length, auth_length, call_id)


def pack_header(packet_type: int, flags: int, size: int, call_id: int) -> bytes:
    """Give the header of a PDU with `size` bytes behind it."""
    return _HEADER.pack(
        VERSION, 0, packet_type, flags, _LITTLE_ENDIAN_ASCII, HEADER_SIZE + size, 0, call_id
    )


_REQUEST = Struct(
    "<"
    "4x"  # alloc_hint
    "H"  # p_cont_id
    "H"  # opnum
)
_OBJECT_UUID_SIZE = 16


@dataclass(slots=True)
class Request:
    """One fragment of a REQUEST ([C706] 12.6.4.9)."""

    context_id: int
    opnum: int
    stub: bytes


def parse_request(header: Header, pdu: bytes) -> Request:
    """Take a REQUEST without authentication verifier; PduError where it is cut short."""
    context_id, opnum = unpack(_REQUEST, pdu, HEADER_SIZE)
    at = HEADER_SIZE + _REQUEST.size
    if header.flags & PacketFlags.OBJECT_UUID:
        at += _OBJECT_UUID_SIZE
        if at > len(pdu):
            raise PduError
    return Request(context_id, opnum, pdu[at:])


_RESPONSE = Struct(
    "<"
    "I"  # alloc_hint
    "H"  # p_cont_id
    "2x"  # cancel_count, reserved
)
_RESPONSE_SIZE = HEADER_SIZE + _RESPONSE.size


def pack_responses(call_id: int, context_id: int, stub: bytes, max_frag: int) -> Iterator[bytes]:
    """Give a RESPONSE in fragments of at most `max_frag` bytes ([C706] 12.6.4.10)."""
    # All fragments but the last carry a multiple of 8 bytes, so that alignment stays what it is.
    room = (max_frag - _RESPONSE_SIZE) & ~7
    last = max(0, len(stub) - 1) // room * room
    for at in range(0, last + 1, room):
        part = stub[at : at + room]
        flags = PacketFlags.FIRST_FRAG if at == 0 else 0
        flags |= PacketFlags.LAST_FRAG if at == last else 0
        yield (
            pack_header(PacketType.RESPONSE, flags, _RESPONSE.size + len(part), call_id)
            + _RESPONSE.pack(len(stub) - at, context_id)
            + part
        )


_FAULT = Struct(
    "<"
    "I"  # alloc_hint
    "H"  # p_cont_id
    "2x"  # cancel_count, reserved
    "I"  # status
    "4x"
)


def pack_fault(call_id: int, context_id: int, status: int) -> bytes:
    """Give a FAULT ([C706] 12.6.4.7): every one of ours comes before the method had an effect."""
    flags = PacketFlags.WHOLE | PacketFlags.DID_NOT_EXECUTE
    body = _FAULT.pack(_FAULT.size, context_id, status)
    return pack_header(PacketType.FAULT, flags, len(body), call_id) + body


def unpack(form: Struct, pdu: bytes, at: int) -> tuple[Any, ...]:
    """Take a structure out of a PDU; PduError where it is cut short."""
    if at + form.size > len(pdu):
        raise PduError
    return form.unpack_from(pdu, at)
