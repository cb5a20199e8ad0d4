"""The PDUs of connection-oriented DCE/RPC ([C706] 12.6, [MS-RPCE] 2.2.2): bytes <-> messages."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from struct import Struct
from typing import Any
from uuid import UUID


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
    REMOTE_NO_MEMORY = 0x1C00001B


class RejectReason:
    """provider_reject_reason of a BIND_NAK ([C706] 12.6.4.5, [MS-RPCE] 2.2.2.5)."""

    NOT_SPECIFIED = 0
    PROTOCOL_VERSION_NOT_SUPPORTED = 4
    AUTHENTICATION_TYPE_NOT_RECOGNIZED = 8


class ContextResult:
    """p_cont_def_result_t ([C706] 12.6.3.1, [MS-RPCE] 2.2.2.4)."""

    ACCEPTANCE = 0
    PROVIDER_REJECTION = 2
    NEGOTIATE_ACK = 3


class RejectionReason:
    """p_provider_reason_t: why one presentation context was rejected."""

    ABSTRACT_SYNTAX_NOT_SUPPORTED = 1
    PROPOSED_TRANSFER_SYNTAXES_NOT_SUPPORTED = 2
    LOCAL_LIMIT_EXCEEDED = 3


class PduError(Exception):
    """Bytes that are no PDU: nobody can be told, for nobody is known to speak RPC."""


@dataclass(frozen=True, slots=True)
class Syntax:
    """p_syntax_id_t: an interface or a transfer syntax, and its version."""

    uuid: UUID
    version: int  # major in the low 16 bits, minor above


NDR = Syntax(UUID("8a885d04-1ceb-11c9-9fe8-08002b104860"), 2)
NO_SYNTAX = Syntax(UUID(int=0), 0)

# [MS-RPCE] 3.3.1.5.3: a transfer syntax that is none.  Its last eight bytes are a bitmask of the
# client's features; the result's reason says which of them the server has too.
_FEATURES_PREFIX = UUID("6cb71c2c-9812-4540-0000-000000000000").bytes_le[:8]


def is_feature_negotiation(syntax: Syntax) -> bool:
    """Whether a transfer syntax is bind time feature negotiation."""
    return syntax.uuid.bytes_le.startswith(_FEATURES_PREFIX)


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
_VERSION = 5


@dataclass(slots=True)
class Header:
    """What every PDU begins with."""

    version: int
    packet_type: int
    flags: int
    frag_length: int
    auth_length: int
    call_id: int

    @property
    def supported(self) -> bool:
        """Whether the protocol's major version is ours; every minor one is."""
        return self.version == _VERSION


def parse_header(data: bytes | bytearray) -> Header:
    """Take the header of the PDU that `data` begins with; there must be HEADER_SIZE bytes.

    frag_length bounds a PDU to 64 KiB by itself.  A client that exceeds the size agreed on in
    BIND costs nothing more, and is served.
    """
    version, _, packet_type, flags, drep, frag_length, auth_length, call_id = _HEADER.unpack_from(
        data
    )
    # Every client on record sends little-endian; "reader makes right" is for museums.
    if drep & 0xF0 != _LITTLE_ENDIAN_ASCII or frag_length < HEADER_SIZE + auth_length:
        raise PduError
    return Header(version, packet_type, flags, frag_length, auth_length, call_id)


def _pack_header(packet_type: int, flags: int, size: int, call_id: int) -> bytes:
    return _HEADER.pack(
        _VERSION, 0, packet_type, flags, _LITTLE_ENDIAN_ASCII, HEADER_SIZE + size, 0, call_id
    )


_BIND = Struct(
    "<"
    "H"  # max_xmit_frag
    "H"  # max_recv_frag
    "I"  # assoc_group_id
    "B"  # p_context_elem: n_context_elem
    "3x"
)
_CONTEXT = Struct(
    "<"
    "H"  # p_cont_id
    "B"  # n_transfer_syn
    "x"
)
_SYNTAX = Struct(
    "<"
    "16s"  # if_uuid
    "I"  # if_version
)


@dataclass(slots=True)
class ContextElement:
    """p_cont_elem_t: an interface, and the encodings that the client knows."""

    context_id: int
    abstract: Syntax
    transfers: tuple[Syntax, ...]


@dataclass(slots=True)
class Bind:
    """BIND and ALTER_CONTEXT ([C706] 12.6.4.3, 12.6.4.1)."""

    max_xmit_frag: int
    max_recv_frag: int
    assoc_group_id: int
    contexts: list[ContextElement]


def parse_bind(pdu: bytes) -> Bind:
    """Take a BIND or ALTER_CONTEXT; PduError where it is cut short."""
    max_xmit_frag, max_recv_frag, group, count = _unpack(_BIND, pdu, HEADER_SIZE)
    at = HEADER_SIZE + _BIND.size
    contexts = []
    for _ in range(count):
        context_id, transfer_count = _unpack(_CONTEXT, pdu, at)
        at += _CONTEXT.size
        abstract, *transfers = (
            _syntax(pdu, at + index * _SYNTAX.size) for index in range(1 + transfer_count)
        )
        at += (1 + transfer_count) * _SYNTAX.size
        contexts.append(ContextElement(context_id, abstract, tuple(transfers)))
    return Bind(max_xmit_frag, max_recv_frag, group, contexts)


def _syntax(pdu: bytes, at: int) -> Syntax:
    uuid, version = _unpack(_SYNTAX, pdu, at)
    return Syntax(UUID(bytes_le=uuid), version)


_BIND_ACK = Struct(
    "<"
    "H"  # max_xmit_frag
    "H"  # max_recv_frag
    "I"  # assoc_group_id
    "H"  # sec_addr: length, with the NUL
)
_RESULTS = Struct(
    "<"
    "B"  # n_results
    "3x"
)
_RESULT = Struct(
    "<"
    "H"  # result
    "H"  # reason
    "16s"  # transfer_syntax: if_uuid
    "I"  # transfer_syntax: if_version
)


@dataclass(slots=True)
class Result:
    """p_result_t: what became of one context element."""

    result: int
    reason: int = 0
    transfer: Syntax = NO_SYNTAX


@dataclass(slots=True)
class BindAck:
    """BIND_ACK and ALTER_CONTEXT_RESP ([C706] 12.6.4.4, 12.6.4.2)."""

    max_xmit_frag: int
    max_recv_frag: int
    assoc_group_id: int
    secondary_address: str  # empty: none, as in every ALTER_CONTEXT_RESP
    results: Sequence[Result]


def pack_bind_ack(packet_type: int, call_id: int, ack: BindAck) -> bytes:
    """Give a BIND_ACK or ALTER_CONTEXT_RESP."""
    address = ack.secondary_address.encode() + b"\0" if ack.secondary_address else b""
    body = bytearray(
        _BIND_ACK.pack(ack.max_xmit_frag, ack.max_recv_frag, ack.assoc_group_id, len(address))
    )
    body += address
    body += bytes(-len(body) % 4)  # aligned as in the PDU, the header being 16 bytes
    body += _RESULTS.pack(len(ack.results))
    for result in ack.results:
        syntax = result.transfer
        body += _RESULT.pack(result.result, result.reason, syntax.uuid.bytes_le, syntax.version)
    return _pack_header(packet_type, PacketFlags.WHOLE, len(body), call_id) + body


_BIND_NAK = Struct(
    "<"
    "H"  # provider_reject_reason
    "B"  # versions: n_protocols
    "B"  # major
    "B"  # minor
    "3x"
)


def pack_bind_nak(call_id: int, reason: int) -> bytes:
    """Give a BIND_NAK that names version 5.0 as the one that is spoken."""
    body = _BIND_NAK.pack(reason, 1, _VERSION, 0)
    return _pack_header(PacketType.BIND_NAK, PacketFlags.WHOLE, len(body), call_id) + body


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
    context_id, opnum = _unpack(_REQUEST, pdu, HEADER_SIZE)
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
            _pack_header(PacketType.RESPONSE, flags, _RESPONSE.size + len(part), call_id)
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
    return _pack_header(PacketType.FAULT, flags, len(body), call_id) + body


def _unpack(form: Struct, pdu: bytes, at: int) -> tuple[Any, ...]:
    if at + form.size > len(pdu):
        raise PduError
    return form.unpack_from(pdu, at)
