"""BIND, ALTER_CONTEXT and their answers ([C706] 12.6, [MS-RPCE] 2.2.2): bytes <-> messages."""

from collections.abc import Sequence
from dataclasses import dataclass
from struct import Struct
from typing import NamedTuple
from uuid import UUID

from smbd.rpc.pdu import (
    HEADER_SIZE,
    VERSION,
    PacketFlags,
    PacketType,
    PduError,
    pack_header,
    unpack,
)


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


class Syntax(NamedTuple):
    """p_syntax_id_t: an interface or a transfer syntax, and its version."""

    uuid: bytes  # as on the wire: one BIND has room for 3,000, and a UUID costs 5 us to make
    version: int  # major in the low 16 bits, minor above


NDR = Syntax(UUID("8a885d04-1ceb-11c9-9fe8-08002b104860").bytes_le, 2)
NO_SYNTAX = Syntax(bytes(16), 0)

# [MS-RPCE] 3.3.1.5.3: a transfer syntax that is none.  Its last eight bytes are a bitmask of the
# client's features; the result's reason says which of them the server has too.
_FEATURES_PREFIX = UUID("6cb71c2c-9812-4540-0000-000000000000").bytes_le[:8]


def is_feature_negotiation(syntax: Syntax) -> bool:
    """Whether a transfer syntax is bind time feature negotiation."""
    return syntax.uuid.startswith(_FEATURES_PREFIX)


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
    max_xmit_frag, max_recv_frag, group, count = unpack(_BIND, pdu, HEADER_SIZE)
    at = HEADER_SIZE + _BIND.size
    contexts = []
    for _ in range(count):
        context_id, transfer_count = unpack(_CONTEXT, pdu, at)
        at += _CONTEXT.size
        end = at + (1 + transfer_count) * _SYNTAX.size
        if end > len(pdu):
            raise PduError
        abstract, *transfers = map(Syntax._make, _SYNTAX.iter_unpack(pdu[at:end]))
        at = end
        contexts.append(ContextElement(context_id, abstract, tuple(transfers)))
    return Bind(max_xmit_frag, max_recv_frag, group, contexts)


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
    """p_result_t: the verdict on one context element."""

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
        body += _RESULT.pack(result.result, result.reason, syntax.uuid, syntax.version)
    return pack_header(packet_type, PacketFlags.WHOLE, len(body), call_id) + body


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
    body = _BIND_NAK.pack(reason, 1, VERSION, 0)
    return pack_header(PacketType.BIND_NAK, PacketFlags.WHOLE, len(body), call_id) + body
