"""NEGOTIATE ([MS-SMB2] 2.2.3, 2.2.4)."""

from collections.abc import Sequence
from dataclasses import dataclass
from struct import Struct

from smbd.ntstatus import NtError, NtStatus
from smbd.wire.bounds import numbers, unpack_body
from smbd.wire.header import Dialect
from smbd.wire.negotiate_contexts import pack_negotiate_contexts, parse_negotiate_contexts

_REQUEST = Struct(
    "<"
    "H"    # StructureSize, always 36
    "H"    # DialectCount
    "H"    # SecurityMode
    "2x"   # Reserved
    "I"    # Capabilities
    "16s"  # ClientGuid
    "I"    # NegotiateContextOffset; with the next two ClientStartTime if 3.1.1 is not offered
    "H"    # NegotiateContextCount
    "2x"   # Reserved2
)  # fmt: skip
_DIALECTS_AT = 100

_RESPONSE = Struct(
    "<"
    "H"    # StructureSize, always 65
    "H"    # SecurityMode
    "H"    # DialectRevision
    "H"    # NegotiateContextCount
    "16s"  # ServerGuid
    "I"    # Capabilities
    "I"    # MaxTransactSize
    "I"    # MaxReadSize
    "I"    # MaxWriteSize
    "Q"    # SystemTime
    "Q"    # ServerStartTime
    "H"    # SecurityBufferOffset
    "H"    # SecurityBufferLength
    "I"    # NegotiateContextOffset
)  # fmt: skip
_BUFFER_AT = 128


@dataclass(slots=True)
class NegotiateRequest:
    """[MS-SMB2] 2.2.3; `contexts` is empty unless 3.1.1 is among the dialects."""

    security_mode: int
    capabilities: int
    client_guid: bytes
    dialects: list[int]
    contexts: list[tuple[int, memoryview]]


def parse_negotiate_request(frame: memoryview) -> NegotiateRequest:
    """[MS-SMB2] 2.2.3; no dialect at all is refused (3.3.5.4)."""
    _, dialect_count, security_mode, capabilities, client_guid, context_offset, context_count = (
        unpack_body(_REQUEST, frame, 36)
    )
    if not dialect_count:
        raise NtError(NtStatus.INVALID_PARAMETER)
    dialects = numbers(frame, _DIALECTS_AT, dialect_count)
    contexts: list[tuple[int, memoryview]] = []
    if Dialect.SMB_3_1_1 in dialects and context_count:
        # Not refused: a list that is itself not aligned.  smbprotocol pads two or four dialects to
        # 108, and its contexts are aligned from there.
        if context_offset < _DIALECTS_AT + 2 * dialect_count:
            raise NtError(NtStatus.INVALID_PARAMETER)
        contexts = parse_negotiate_contexts(frame[context_offset:], context_count)
    return NegotiateRequest(security_mode, capabilities, client_guid, dialects, contexts)


@dataclass(slots=True)
class NegotiateResponse:
    """[MS-SMB2] 2.2.4; times are FILETIMEs, `token` is the SPNEGO NegTokenInit2."""

    security_mode: int
    dialect: int
    server_guid: bytes
    capabilities: int
    max_transact_size: int
    max_read_size: int
    max_write_size: int
    system_time: int
    server_start_time: int = 0  # zero since Windows 10: it told everybody the last reboot
    token: bytes = b""
    contexts: Sequence[tuple[int, bytes]] = ()


def pack_negotiate_response(response: NegotiateResponse) -> bytes:
    """[MS-SMB2] 2.2.4; the contexts start at the next multiple of 8 behind the token."""
    padding = -len(response.token) % 8 if response.contexts else 0
    context_offset = _BUFFER_AT + len(response.token) + padding if response.contexts else 0
    fixed = _RESPONSE.pack(
        65, response.security_mode, response.dialect, len(response.contexts), response.server_guid,
        response.capabilities, response.max_transact_size, response.max_read_size,
        response.max_write_size, response.system_time, response.server_start_time,
        _BUFFER_AT, len(response.token), context_offset,
    )  # fmt: skip
    return b"".join(
        (fixed, response.token, bytes(padding), pack_negotiate_contexts(response.contexts))
    )
