"""The headers in front of every message and the numbers they carry ([MS-SMB2] 2.2.1, 2.2.41)."""

from dataclasses import dataclass
from struct import Struct

from smbd.ntstatus import NtError, NtStatus

PROTOCOL_ID = b"\xfeSMB"
SMB1_PROTOCOL_ID = b"\xffSMB"
TRANSFORM_PROTOCOL_ID = b"\xfdSMB"
COMPRESSION_PROTOCOL_ID = b"\xfcSMB"

HEADER_SIZE = 64
TRANSFORM_SIZE = 52
SIGNATURE = slice(48, 64)

# [MS-SMB2] 2.1: one zero byte and 24 bits of length, big-endian, in front of each message on TCP.
NETBIOS_LENGTH = Struct(">I")


class Command:
    """[MS-SMB2] 2.2.1.2, Command."""

    NEGOTIATE = 0
    SESSION_SETUP = 1
    LOGOFF = 2
    TREE_CONNECT = 3
    TREE_DISCONNECT = 4
    CREATE = 5
    CLOSE = 6
    FLUSH = 7
    READ = 8
    WRITE = 9
    LOCK = 10
    IOCTL = 11
    CANCEL = 12
    ECHO = 13
    QUERY_DIRECTORY = 14
    CHANGE_NOTIFY = 15
    QUERY_INFO = 16
    SET_INFO = 17
    OPLOCK_BREAK = 18


class Flags:
    """[MS-SMB2] 2.2.1.2, Flags."""

    SERVER_TO_REDIR = 0x00000001
    ASYNC_COMMAND = 0x00000002
    RELATED_OPERATIONS = 0x00000004
    SIGNED = 0x00000008
    PRIORITY_MASK = 0x00000070
    DFS_OPERATIONS = 0x10000000
    REPLAY_OPERATION = 0x20000000


class Dialect:
    """[MS-SMB2] 2.2.3 and 2.2.4, DialectRevision."""

    SMB_2_0_2 = 0x0202
    SMB_2_1 = 0x0210
    SMB_3_0 = 0x0300
    SMB_3_0_2 = 0x0302
    SMB_3_1_1 = 0x0311
    WILDCARD = 0x02FF  # the answer to an SMB1 negotiate that says "SMB 2.???"


class SecurityMode:
    """[MS-SMB2] 2.2.3, SecurityMode."""

    SIGNING_ENABLED = 0x01
    SIGNING_REQUIRED = 0x02


class Capabilities:
    """[MS-SMB2] 2.2.3 and 2.2.4, Capabilities."""

    DFS = 0x01
    LEASING = 0x02
    LARGE_MTU = 0x04
    MULTI_CHANNEL = 0x08
    PERSISTENT_HANDLES = 0x10
    DIRECTORY_LEASING = 0x20
    ENCRYPTION = 0x40
    NOTIFICATIONS = 0x80


HEADER = Struct(
    "<"
    "4s"   # ProtocolId
    "H"    # StructureSize, always 64
    "H"    # CreditCharge
    "I"    # Status; in a request of 3.x ChannelSequence and 2 reserved bytes
    "H"    # Command
    "H"    # CreditRequest/CreditResponse
    "I"    # Flags
    "I"    # NextCommand
    "Q"    # MessageId
    "I"    # Reserved
    "I"    # TreeId
    "Q"    # SessionId
    "16s"  # Signature
)  # fmt: skip

ASYNC_HEADER = Struct(
    "<"
    "4sHHIHHIIQ"  # as above
    "Q"           # AsyncId
    "Q"           # SessionId
    "16s"         # Signature
)  # fmt: skip

TRANSFORM_HEADER = Struct(
    "<"
    "4s"   # ProtocolId
    "16s"  # Signature
    "16s"  # Nonce: 11 bytes of it are used by CCM, 12 by GCM
    "I"    # OriginalMessageSize
    "H"    # Reserved
    "H"    # Flags in 3.1.1, EncryptionAlgorithm in 3.0: 1 in both
    "Q"    # SessionId
)  # fmt: skip

# What a reply fills in; pad bytes are written as zeros, so a recycled buffer keeps nothing.
_REPLY = Struct("<4sHHIHHIIQ4xIQ16x")
_ASYNC_REPLY = Struct("<4sHHIHHIIQQQ16x")
_TRANSFORM_REPLY = Struct("<4s16x16sI2xHQ")
_NEXT_COMMAND = Struct("<I")
_NEXT_COMMAND_AT = 20


@dataclass(slots=True)
class Header:
    """[MS-SMB2] 2.2.1.  `tree_id` is 0 in the ASYNC form, `async_id` is 0 in the SYNC form."""

    credit_charge: int
    channel_sequence: int  # the whole Status field; ChannelSequence is its low 16 bits
    command: int
    credits: int
    flags: int
    next_command: int
    message_id: int
    tree_id: int
    session_id: int
    async_id: int


def parse_header(frame: memoryview) -> Header:
    """[MS-SMB2] 2.2.1.1 and 2.2.1.2; the signature stays at `frame[SIGNATURE]`."""
    if len(frame) < HEADER_SIZE:
        raise NtError(NtStatus.INVALID_PARAMETER)
    (
        protocol_id, structure_size, credit_charge, channel_sequence, command, credit, flags,
        next_command, message_id, reserved, tree_id, session_id, _signature,
    ) = HEADER.unpack_from(frame)  # fmt: skip
    if protocol_id != PROTOCOL_ID or structure_size != HEADER_SIZE:
        raise NtError(NtStatus.INVALID_PARAMETER)
    async_id = 0
    if flags & Flags.ASYNC_COMMAND:
        async_id, tree_id = tree_id << 32 | reserved, 0
    return Header(
        credit_charge, channel_sequence, command, credit, flags,
        next_command, message_id, tree_id, session_id, async_id,
    )  # fmt: skip


def pack_header_into(  # noqa: PLR0913, PLR0917  one argument a field: it stands in every reply's way
    out: bytearray | memoryview,
    at: int,
    credit_charge: int,
    status: int,
    command: int,
    credit: int,
    flags: int,
    next_command: int,
    message_id: int,
    tree_id: int,
    session_id: int,
) -> None:
    """[MS-SMB2] 2.2.1.2, the SYNC form, its signature zero."""
    _REPLY.pack_into(
        out, at, PROTOCOL_ID, HEADER_SIZE, credit_charge, status, command, credit, flags,
        next_command, message_id, tree_id, session_id,
    )  # fmt: skip


def pack_async_header_into(  # noqa: PLR0913, PLR0917  as pack_header_into
    out: bytearray | memoryview,
    at: int,
    credit_charge: int,
    status: int,
    command: int,
    credit: int,
    flags: int,
    next_command: int,
    message_id: int,
    async_id: int,
    session_id: int,
) -> None:
    """[MS-SMB2] 2.2.1.1, the ASYNC form, its signature zero; `flags` must say ASYNC_COMMAND."""
    _ASYNC_REPLY.pack_into(
        out, at, PROTOCOL_ID, HEADER_SIZE, credit_charge, status, command, credit, flags,
        next_command, message_id, async_id, session_id,
    )  # fmt: skip


def patch_next_command_into(out: bytearray | memoryview, at: int, next_command: int) -> None:
    """NextCommand of a packed header: a compound knows it only when the next reply is there."""
    _NEXT_COMMAND.pack_into(out, at + _NEXT_COMMAND_AT, next_command)


@dataclass(slots=True)
class TransformHeader:
    """[MS-SMB2] 2.2.41."""

    signature: bytes
    nonce: bytes
    original_message_size: int
    flags: int
    session_id: int


def parse_transform_header(frame: memoryview) -> TransformHeader:
    """[MS-SMB2] 2.2.41; what is authenticated besides the ciphertext is `frame[20:52]`."""
    if len(frame) < TRANSFORM_SIZE:
        raise NtError(NtStatus.INVALID_PARAMETER)
    protocol_id, signature, nonce, size, _reserved, flags, session_id = (
        TRANSFORM_HEADER.unpack_from(frame)
    )
    if protocol_id != TRANSFORM_PROTOCOL_ID:
        raise NtError(NtStatus.INVALID_PARAMETER)
    return TransformHeader(signature, nonce, size, flags, session_id)


def pack_transform_header_into(
    out: bytearray | memoryview, at: int, nonce: bytes, original_message_size: int, session_id: int
) -> None:
    """[MS-SMB2] 2.2.41, its signature zero; a nonce shorter than 16 bytes is filled with zeros."""
    _TRANSFORM_REPLY.pack_into(
        out, at, TRANSFORM_PROTOCOL_ID, nonce, original_message_size, 1, session_id
    )
