"""One or more valid inputs for every parser, with the value that it must give.

test_parsers reads each; test_malformed cuts and mutates each.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

from smbd.wire import (
    change_notify,
    close,
    create,
    create_contexts,
    dtyp,
    empty,
    flush,
    fscc,
    fsctl,
    header,
    ioctl,
    lock,
    negotiate,
    negotiate_contexts,
    oplock_break,
    query_directory,
    query_info,
    read,
    session_setup,
    set_info,
    smb1,
    tree_connect,
    write,
)

from .hexadecimal import message, payload

GUID = bytes(range(16))


class Example(NamedTuple):
    name: str
    parse: Callable[[memoryview], Any]
    data: memoryview
    value: Any


HEADERS = [
    Example(
        "header, sync",
        header.parse_header,
        payload("""
            fe 53 4d 42               # ProtocolId
            40 00                     # StructureSize
            02 00                     # CreditCharge
            07 00 00 00               # ChannelSequence, Reserved
            08 00                     # Command
            0a 00                     # CreditRequest
            08 00 00 00               # Flags: SIGNED
            00 00 00 00               # NextCommand
            1c 00 00 00 00 00 00 00   # MessageId
            ff fe 00 00               # Reserved
            05 00 00 00               # TreeId
            01 00 00 00 00 20 00 00   # SessionId
            01 02 03 04 05 06 07 08 09 0a 0b 0c 0d 0e 0f 10
        """),
        header.Header(2, 7, 8, 10, 8, 0, 28, 5, 0x200000000001, 0),
    ),
    Example(
        "header, async",
        header.parse_header,
        payload("""
            fe 53 4d 42               # ProtocolId
            40 00                     # StructureSize
            00 00                     # CreditCharge
            00 00 00 00               # Status
            0c 00                     # Command: CANCEL
            00 00                     # CreditRequest
            02 00 00 00               # Flags: ASYNC_COMMAND
            00 00 00 00               # NextCommand
            1c 00 00 00 00 00 00 00   # MessageId
            09 00 00 00 01 00 00 00   # AsyncId
            03 00 00 00 00 00 00 00   # SessionId
            00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00
        """),
        header.Header(0, 0, 12, 0, 2, 0, 28, 0, 3, 0x100000009),
    ),
    Example(
        "transform header",
        header.parse_transform_header,
        payload("""
            fd 53 4d 42               # ProtocolId
            10 11 12 13 14 15 16 17 18 19 1a 1b 1c 1d 1e 1f   # Signature
            00 01 02 03 04 05 06 07 08 09 0a 0b 0c 0d 0e 0f   # Nonce
            80 00 00 00               # OriginalMessageSize
            00 00                     # Reserved
            01 00                     # Flags
            03 00 00 00 00 00 00 00   # SessionId
        """),
        header.TransformHeader(bytes(range(16, 32)), GUID, 128, 1, 3),
    ),
    Example(
        "SMB1 negotiate",
        smb1.parse_smb1_negotiate,
        payload("""
            ff 53 4d 42               # Protocol
            72                        # Command
            00 00 00 00 18 53 c8 00 00 ff ff ff ff ff ff ff ff 00 00 00 00 00 fe 00 00 00 00
            00                        # WordCount
            22 00                     # ByteCount
            02 4e 54 20 4c 4d 20 30 2e 31 32 00         # NT LM 0.12
            02 53 4d 42 20 32 2e 30 30 32 00            # SMB 2.002
            02 53 4d 42 20 32 2e 3f 3f 3f 00            # SMB 2.???
        """),
        ["NT LM 0.12", "SMB 2.002", "SMB 2.???"],
    ),
]

SESSION_MESSAGES = [
    Example(
        "NEGOTIATE, 2.x and 3.0",
        negotiate.parse_negotiate_request,
        message("""
            24 00                     # StructureSize
            03 00                     # DialectCount
            01 00                     # SecurityMode
            00 00                     # Reserved
            7f 00 00 00               # Capabilities
            00 01 02 03 04 05 06 07 08 09 0a 0b 0c 0d 0e 0f
            11 22 33 44 55 66 77 88   # ClientStartTime
            02 02                     # Dialects
            10 02
            00 03
        """),
        negotiate.NegotiateRequest(1, 0x7F, GUID, [0x0202, 0x0210, 0x0300], []),
    ),
    Example(
        "NEGOTIATE, 3.1.1 with two contexts",
        negotiate.parse_negotiate_request,
        message("""
            24 00                     # StructureSize
            02 00                     # DialectCount
            02 00                     # SecurityMode
            00 00                     # Reserved
            00 00 00 00               # Capabilities
            00 01 02 03 04 05 06 07 08 09 0a 0b 0c 0d 0e 0f
            68 00 00 00               # NegotiateContextOffset
            02 00                     # NegotiateContextCount
            00 00                     # Reserved2
            10 02                     # Dialects
            11 03
            01 00                     # ContextType: preauth integrity
            0a 00                     # DataLength
            00 00 00 00               # Reserved
            01 00 04 00 01 00 aa bb cc dd
            00 00 00 00 00 00         # padding
            02 00                     # ContextType: encryption
            06 00                     # DataLength
            00 00 00 00               # Reserved
            02 00 02 00 01 00
        """),
        negotiate.NegotiateRequest(
            2,
            0,
            GUID,
            [0x0210, 0x0311],
            [
                (1, memoryview(bytes.fromhex("010004000100aabbccdd"))),
                (2, memoryview(bytes.fromhex("020002000100"))),
            ],
        ),
    ),
    Example(
        "SESSION_SETUP",
        session_setup.parse_session_setup_request,
        message("""
            19 00                     # StructureSize
            01                        # Flags: BINDING
            02                        # SecurityMode
            01 00 00 00               # Capabilities
            00 00 00 00               # Channel
            58 00                     # SecurityBufferOffset
            04 00                     # SecurityBufferLength
            09 00 00 00 00 00 00 00   # PreviousSessionId
            4e 54 4c 4d
        """),
        session_setup.SessionSetupRequest(1, 2, 1, 9, memoryview(b"NTLM")),
    ),
    Example(
        "TREE_CONNECT",
        tree_connect.parse_tree_connect_request,
        message("""
            09 00                     # StructureSize
            00 00                     # Flags
            48 00                     # PathOffset
            0a 00                     # PathLength
            '\\\\h\\s'
        """),
        tree_connect.TreeConnectRequest(0, "\\\\h\\s"),
    ),
    Example(
        "TREE_CONNECT with an extension in front of the path",
        tree_connect.parse_tree_connect_request,
        message("""
            09 00                     # StructureSize
            04 00                     # Flags: EXTENSION_PRESENT
            58 00                     # PathOffset
            0a 00                     # PathLength
            18 00 00 00               # TreeConnectContextOffset
            00 00                     # TreeConnectContextCount
            00 00 00 00 00 00 00 00 00 00
            '\\\\h\\s'
        """),
        tree_connect.TreeConnectRequest(4, "\\\\h\\s"),
    ),
    Example("ECHO", empty.parse_empty_request, message("04 00 00 00"), None),
]

FILE_MESSAGES = [
    Example(
        "CREATE without contexts, of the root",
        create.parse_create_request,
        message("""
            39 00                     # StructureSize
            00                        # SecurityFlags
            00                        # RequestedOplockLevel
            02 00 00 00               # ImpersonationLevel
            00 00 00 00 00 00 00 00   # SmbCreateFlags
            00 00 00 00 00 00 00 00   # Reserved
            80 00 10 00               # DesiredAccess
            00 00 00 00               # FileAttributes
            07 00 00 00               # ShareAccess
            01 00 00 00               # CreateDisposition
            01 00 00 00               # CreateOptions
            78 00                     # NameOffset
            00 00                     # NameLength
            00 00 00 00               # CreateContextsOffset
            00 00 00 00               # CreateContextsLength
        """),
        create.CreateRequest(0, 2, 0x100080, 0, 7, 1, 1, "", []),
    ),
    Example(
        "CREATE with two contexts",
        create.parse_create_request,
        message("""
            39 00                     # StructureSize
            00                        # SecurityFlags
            ff                        # RequestedOplockLevel: LEASE
            02 00 00 00               # ImpersonationLevel
            00 00 00 00 00 00 00 00   # SmbCreateFlags
            00 00 00 00 00 00 00 00   # Reserved
            89 00 12 00               # DesiredAccess
            80 00 00 00               # FileAttributes
            03 00 00 00               # ShareAccess
            03 00 00 00               # CreateDisposition
            40 00 00 00               # CreateOptions
            78 00                     # NameOffset
            06 00                     # NameLength
            80 00 00 00               # CreateContextsOffset
            38 00 00 00               # CreateContextsLength
            'a\\b'
            00 00                     # padding
            18 00 00 00               # Next
            10 00                     # NameOffset
            04 00                     # NameLength
            00 00                     # Reserved
            00 00                     # DataOffset
            00 00 00 00               # DataLength
            4d 78 41 63               # MxAc
            00 00 00 00               # padding
            00 00 00 00               # Next
            10 00                     # NameOffset
            04 00                     # NameLength
            00 00                     # Reserved
            18 00                     # DataOffset
            08 00 00 00               # DataLength
            41 6c 53 69               # AlSi
            00 00 00 00               # padding
            00 10 00 00 00 00 00 00   # AllocationSize
        """),
        create.CreateRequest(
            0xFF,
            2,
            0x120089,
            0x80,
            3,
            3,
            0x40,
            "a\\b",
            [(b"MxAc", memoryview(b"")), (b"AlSi", memoryview(b"\0\x10\0\0\0\0\0\0"))],
        ),
    ),
    Example(
        "CLOSE",
        close.parse_close_request,
        message("""
            18 00                     # StructureSize
            01 00                     # Flags: POSTQUERY_ATTRIB
            00 00 00 00               # Reserved
            01 00 00 00 00 00 00 00   # FileId.Persistent
            02 00 00 00 00 00 00 00   # FileId.Volatile
        """),
        close.CloseRequest(1, 1, 2),
    ),
    Example(
        "FLUSH",
        flush.parse_flush_request,
        message("""
            18 00                     # StructureSize
            00 00 00 00 00 00         # Reserved1, Reserved2
            01 00 00 00 00 00 00 00   # FileId.Persistent
            02 00 00 00 00 00 00 00   # FileId.Volatile
        """),
        flush.FlushRequest(1, 2),
    ),
    Example(
        "READ",
        read.parse_read_request,
        message("""
            31 00                     # StructureSize
            50                        # Padding
            01                        # Flags
            00 10 00 00               # Length
            00 00 01 00 00 00 00 00   # Offset
            01 00 00 00 00 00 00 00   # FileId.Persistent
            02 00 00 00 00 00 00 00   # FileId.Volatile
            05 00 00 00               # MinimumCount
            00 00 00 00               # Channel
            00 00 00 00               # RemainingBytes
            00 00                     # ReadChannelInfoOffset
            00 00                     # ReadChannelInfoLength
            00                        # Buffer
        """),
        read.ReadRequest(4096, 65536, 1, 2, 5, 0, 1),
    ),
    Example(
        "WRITE",
        write.parse_write_request,
        message("""
            31 00                     # StructureSize
            70 00                     # DataOffset
            03 00 00 00               # Length
            00 00 01 00 00 00 00 00   # Offset
            01 00 00 00 00 00 00 00   # FileId.Persistent
            02 00 00 00 00 00 00 00   # FileId.Volatile
            00 00 00 00               # Channel
            00 00 00 00               # RemainingBytes
            00 00                     # WriteChannelInfoOffset
            00 00                     # WriteChannelInfoLength
            01 00 00 00               # Flags: WRITE_THROUGH
            61 62 63
        """),
        write.WriteRequest(65536, 1, 2, memoryview(b"abc"), 0, 1),
    ),
    Example(
        "LOCK",
        lock.parse_lock_request,
        message("""
            30 00                     # StructureSize
            02 00                     # LockCount
            13 00 00 00               # LockSequence
            01 00 00 00 00 00 00 00   # FileId.Persistent
            02 00 00 00 00 00 00 00   # FileId.Volatile
            00 00 00 00 00 00 00 00   # Offset
            0a 00 00 00 00 00 00 00   # Length
            12 00 00 00               # Flags
            00 00 00 00               # Reserved
            14 00 00 00 00 00 00 00   # Offset
            ff ff ff ff ff ff ff ff   # Length
            11 00 00 00               # Flags
            00 00 00 00               # Reserved
        """),
        lock.LockRequest(
            0x13, 1, 2, [lock.LockElement(0, 10, 0x12), lock.LockElement(20, 2**64 - 1, 0x11)]
        ),
    ),
    Example(
        "IOCTL",
        ioctl.parse_ioctl_request,
        message("""
            39 00                     # StructureSize
            00 00                     # Reserved
            17 c0 11 00               # CtlCode: PIPE_TRANSCEIVE
            01 00 00 00 00 00 00 00   # FileId.Persistent
            02 00 00 00 00 00 00 00   # FileId.Volatile
            78 00 00 00               # InputOffset
            02 00 00 00               # InputCount
            00 00 00 00               # MaxInputResponse
            00 00 00 00               # OutputOffset
            00 00 00 00               # OutputCount
            00 04 00 00               # MaxOutputResponse
            01 00 00 00               # Flags: IS_FSCTL
            00 00 00 00               # Reserved2
            05 00
        """),
        ioctl.IoctlRequest(0x11C017, 1, 2, memoryview(b"\x05\0"), 0, 1024, 1),
    ),
    Example(
        "QUERY_DIRECTORY",
        query_directory.parse_query_directory_request,
        message("""
            21 00                     # StructureSize
            25                        # FileInformationClass
            01                        # Flags: RESTART_SCANS
            00 00 00 00               # FileIndex
            01 00 00 00 00 00 00 00   # FileId.Persistent
            02 00 00 00 00 00 00 00   # FileId.Volatile
            60 00                     # FileNameOffset
            04 00                     # FileNameLength
            00 00 01 00               # OutputBufferLength
            '*x'
        """),
        query_directory.QueryDirectoryRequest(37, 1, 0, 1, 2, 65536, "*x"),
    ),
    Example(
        "CHANGE_NOTIFY",
        change_notify.parse_change_notify_request,
        message("""
            20 00                     # StructureSize
            01 00                     # Flags: WATCH_TREE
            00 08 00 00               # OutputBufferLength
            01 00 00 00 00 00 00 00   # FileId.Persistent
            02 00 00 00 00 00 00 00   # FileId.Volatile
            17 00 00 00               # CompletionFilter
            00 00 00 00               # Reserved
        """),
        change_notify.ChangeNotifyRequest(1, 2048, 1, 2, 0x17),
    ),
    Example(
        "QUERY_INFO",
        query_info.parse_query_info_request,
        message("""
            29 00                     # StructureSize
            01                        # InfoType
            0f                        # FileInfoClass
            00 04 00 00               # OutputBufferLength
            68 00                     # InputBufferOffset
            00 00                     # Reserved
            03 00 00 00               # InputBufferLength
            00 00 00 00               # AdditionalInformation
            01 00 00 00               # Flags: RESTART_SCAN
            01 00 00 00 00 00 00 00   # FileId.Persistent
            02 00 00 00 00 00 00 00   # FileId.Volatile
            61 62 63
        """),
        query_info.QueryInfoRequest(1, 15, 1024, 0, 1, 1, 2, memoryview(b"abc")),
    ),
    Example(
        "SET_INFO",
        set_info.parse_set_info_request,
        message("""
            21 00                     # StructureSize
            03                        # InfoType
            00                        # FileInfoClass
            03 00 00 00               # BufferLength
            60 00                     # BufferOffset
            00 00                     # Reserved
            04 00 00 00               # AdditionalInformation
            01 00 00 00 00 00 00 00   # FileId.Persistent
            02 00 00 00 00 00 00 00   # FileId.Volatile
            61 62 63
        """),
        set_info.SetInfoRequest(3, 0, 4, 1, 2, memoryview(b"abc")),
    ),
    Example(
        "OPLOCK_BREAK of an oplock",
        oplock_break.parse_oplock_break_acknowledgment,
        message("""
            18 00                     # StructureSize
            01                        # OplockLevel
            00 00 00 00 00            # Reserved, Reserved2
            01 00 00 00 00 00 00 00   # FileId.Persistent
            02 00 00 00 00 00 00 00   # FileId.Volatile
        """),
        oplock_break.OplockBreakAcknowledgment(1, 1, 2),
    ),
    Example(
        "OPLOCK_BREAK of a lease",
        oplock_break.parse_oplock_break_acknowledgment,
        message("""
            24 00                     # StructureSize
            00 00                     # Reserved
            00 00 00 00               # Flags
            00 01 02 03 04 05 06 07 08 09 0a 0b 0c 0d 0e 0f
            03 00 00 00               # LeaseState
            00 00 00 00 00 00 00 00   # LeaseDuration
        """),
        oplock_break.LeaseBreakAcknowledgment(0, GUID, 3),
    ),
]

NEGOTIATE_CONTEXTS = [
    Example(
        "preauth integrity",
        negotiate_contexts.parse_preauth_integrity,
        payload("01 00 04 00 01 00 aa bb cc dd"),
        negotiate_contexts.PreauthIntegrity([1], memoryview(b"\xaa\xbb\xcc\xdd")),
    ),
    Example(
        "encryption",
        negotiate_contexts.parse_encryption,
        payload("04 00 02 00 01 00 04 00 03 00"),
        [2, 1, 4, 3],
    ),
    Example(
        "compression",
        negotiate_contexts.parse_compression,
        payload("02 00 00 00 01 00 00 00 04 00 02 00"),
        negotiate_contexts.CompressionCapabilities(1, [4, 2]),
    ),
    Example("netname", negotiate_contexts.parse_netname, payload("'host'"), "host"),
    Example("transport", negotiate_contexts.parse_transport, payload("01 00 00 00"), 1),
    Example(
        "RDMA transforms",
        negotiate_contexts.parse_rdma_transforms,
        payload("02 00 00 00 00 00 00 00 01 00 02 00"),
        [1, 2],
    ),
    Example("signing", negotiate_contexts.parse_signing, payload("02 00 02 00 01 00"), [2, 1]),
]

CREATE_CONTEXTS = [
    Example(
        "a chain of one",
        create_contexts.parse_create_contexts,
        payload("""
            00 00 00 00               # Next
            10 00                     # NameOffset
            04 00                     # NameLength
            00 00                     # Reserved
            18 00                     # DataOffset
            01 00 00 00               # DataLength
            51 46 69 64               # QFid
            00 00 00 00               # padding
            07
        """),
        [(b"QFid", memoryview(b"\x07"))],
    ),
    Example("MxAc, empty", create_contexts.parse_maximal_access, payload(""), None),
    Example(
        "MxAc with a timestamp",
        create_contexts.parse_maximal_access,
        payload("07 00 00 00 00 00 00 00"),
        7,
    ),
    Example(
        "AlSi", create_contexts.parse_allocation_size, payload("00 10 00 00 00 00 00 00"), 4096
    ),
    Example(
        "TWrp",
        create_contexts.parse_timewarp,
        payload("00 80 3e d5 de b1 9d 01"),
        0x019DB1DED53E8000,
    ),
    Example(
        "RqLs",
        create_contexts.parse_lease,
        payload("""
            00 01 02 03 04 05 06 07 08 09 0a 0b 0c 0d 0e 0f
            07 00 00 00               # LeaseState
            00 00 00 00               # LeaseFlags
            00 00 00 00 00 00 00 00   # LeaseDuration
        """),
        create_contexts.Lease(1, GUID, 7),
    ),
    Example(
        "RqLs version 2",
        create_contexts.parse_lease,
        payload("""
            00 01 02 03 04 05 06 07 08 09 0a 0b 0c 0d 0e 0f
            05 00 00 00               # LeaseState
            04 00 00 00               # LeaseFlags: PARENT_LEASE_KEY_SET
            00 00 00 00 00 00 00 00   # LeaseDuration
            10 11 12 13 14 15 16 17 18 19 1a 1b 1c 1d 1e 1f
            02 00                     # Epoch
            00 00                     # Reserved
        """),
        create_contexts.Lease(2, GUID, 5, 4, bytes(range(16, 32)), 2),
    ),
    Example("DHnQ", create_contexts.parse_durable_request, payload("00" * 16), None),
    Example(
        "DHnC",
        create_contexts.parse_durable_reconnect,
        payload("01 00 00 00 00 00 00 00 02 00 00 00 00 00 00 00"),
        (1, 2),
    ),
    Example(
        "DH2Q",
        create_contexts.parse_durable_v2_request,
        payload("""
            60 ea 00 00               # Timeout
            02 00 00 00               # Flags: PERSISTENT
            00 00 00 00 00 00 00 00   # Reserved
            00 01 02 03 04 05 06 07 08 09 0a 0b 0c 0d 0e 0f
        """),
        create_contexts.DurableV2(60000, 2, GUID),
    ),
    Example(
        "DH2C",
        create_contexts.parse_durable_v2_reconnect,
        payload("""
            01 00 00 00 00 00 00 00   # FileId.Persistent
            02 00 00 00 00 00 00 00   # FileId.Volatile
            00 01 02 03 04 05 06 07 08 09 0a 0b 0c 0d 0e 0f
            02 00 00 00               # Flags
        """),
        create_contexts.DurableV2Reconnect(1, 2, GUID, 2),
    ),
]

FSCTLS = [
    Example(
        "VALIDATE_NEGOTIATE_INFO",
        fsctl.parse_validate_negotiate,
        payload("""
            7f 00 00 00               # Capabilities
            00 01 02 03 04 05 06 07 08 09 0a 0b 0c 0d 0e 0f
            01 00                     # SecurityMode
            02 00                     # DialectCount
            02 02 00 03               # Dialects
        """),
        fsctl.ValidateNegotiate(0x7F, GUID, 1, [0x0202, 0x0300]),
    ),
    Example(
        "SRV_COPYCHUNK",
        fsctl.parse_copychunk,
        payload("""
            6b 6b 6b 6b 6b 6b 6b 6b 6b 6b 6b 6b 6b 6b 6b 6b 6b 6b 6b 6b 6b 6b 6b 6b
            01 00 00 00               # ChunkCount
            00 00 00 00               # Reserved
            01 00 00 00 00 00 00 00   # SourceOffset
            02 00 00 00 00 00 00 00   # TargetOffset
            03 00 00 00               # Length
            00 00 00 00               # Reserved
        """),
        fsctl.CopyChunkRequest(b"k" * 24, [fsctl.CopyChunk(1, 2, 3)]),
    ),
    Example(
        "SET_ZERO_DATA",
        fsctl.parse_zero_data,
        payload("01 00 00 00 00 00 00 00 09 00 00 00 00 00 00 00"),
        fsctl.ZeroData(1, 9),
    ),
    Example("SET_SPARSE without input", fsctl.parse_set_sparse, payload(""), True),
    Example("SET_SPARSE off", fsctl.parse_set_sparse, payload("00"), False),
    Example(
        "QUERY_ALLOCATED_RANGES",
        fsctl.parse_query_allocated_ranges,
        payload("01 00 00 00 00 00 00 00 09 00 00 00 00 00 00 00"),
        (1, 9),
    ),
    Example(
        "PIPE_WAIT",
        fsctl.parse_pipe_wait,
        payload("""
            80 96 98 00 00 00 00 00   # Timeout
            0c 00 00 00               # NameLength
            01                        # TimeoutSpecified
            00                        # Padding
            'srvsvc'
        """),
        fsctl.PipeWait("srvsvc", 10_000_000),
    ),
    Example("SET_COMPRESSION", fsctl.parse_compression_format, payload("02 00"), 2),
    Example(
        "DUPLICATE_EXTENTS_TO_FILE",
        fsctl.parse_duplicate_extents,
        payload("""
            01 00 00 00 00 00 00 00   # SourceFileID.Persistent
            02 00 00 00 00 00 00 00   # SourceFileID.Volatile
            00 10 00 00 00 00 00 00   # SourceFileOffset
            00 20 00 00 00 00 00 00   # TargetFileOffset
            00 30 00 00 00 00 00 00   # ByteCount
        """),
        fsctl.DuplicateExtents(1, 2, 0x1000, 0x2000, 0x3000),
    ),
]

SETS = [
    Example(
        "FileBasicInformation",
        fscc.parse_basic,
        payload("""
            00 00 00 00 00 00 00 00   # CreationTime: stays
            ff ff ff ff ff ff ff ff   # LastAccessTime: no more updates
            fe ff ff ff ff ff ff ff   # LastWriteTime: updates again
            00 80 3e d5 de b1 9d 01   # ChangeTime
            20 00 00 00               # FileAttributes
            00 00 00 00               # Reserved
        """),
        fscc.BasicInformation(0, -1, -2, 0x019DB1DED53E8000, 0x20),
    ),
    Example(
        "FileRenameInformation",
        fscc.parse_rename,
        payload("""
            01                        # ReplaceIfExists
            00 00 00 00 00 00 00      # Reserved
            00 00 00 00 00 00 00 00   # RootDirectory
            06 00 00 00               # FileNameLength
            'd\\f'
        """),
        fscc.Rename(True, "d\\f"),
    ),
    Example(
        "FileLinkInformation",
        fscc.parse_link,
        payload("""
            00                        # ReplaceIfExists
            00 00 00 00 00 00 00      # Reserved
            00 00 00 00 00 00 00 00   # RootDirectory
            02 00 00 00               # FileNameLength
            'f'
            00 00                     # up to the 24 bytes that Windows wants
        """),
        fscc.Rename(False, "f"),
    ),
    Example("FileDispositionInformation", fscc.parse_disposition, payload("01"), True),
    Example(
        "FileDispositionInformationEx", fscc.parse_disposition_ex, payload("11 00 00 00"), 0x11
    ),
    Example(
        "FileAllocationInformation",
        fscc.parse_allocation,
        payload("00 10 00 00 00 00 00 00"),
        4096,
    ),
    Example(
        "FileEndOfFileInformation", fscc.parse_end_of_file, payload("00 10 00 00 00 00 00 00"), 4096
    ),
    Example(
        "FileValidDataLengthInformation",
        fscc.parse_valid_data_length,
        payload("00 10 00 00 00 00 00 00"),
        4096,
    ),
    Example(
        "FilePositionInformation", fscc.parse_position, payload("00 10 00 00 00 00 00 00"), 4096
    ),
    Example("FileModeInformation", fscc.parse_mode, payload("02 00 00 00"), 2),
    Example(
        "FileShortNameInformation", fscc.parse_short_name, payload("04 00 00 00 41 00 42 00"), "AB"
    ),
    Example(
        "FilePipeInformation",
        fscc.parse_pipe,
        payload("01 00 00 00 00 00 00 00"),
        fscc.PipeInformation(1, 0),
    ),
    Example(
        "FileFullEaInformation",
        fscc.parse_full_ea,
        payload("""
            10 00 00 00               # NextEntryOffset
            00                        # Flags
            03                        # EaNameLength
            02 00                     # EaValueLength
            6f 6e 65 00               # EaName
            31 31                     # EaValue
            00 00                     # padding
            00 00 00 00               # NextEntryOffset
            80                        # Flags
            01                        # EaNameLength
            00 00                     # EaValueLength
            78 00                     # EaName
        """),
        [fscc.ExtendedAttribute(b"one", b"11"), fscc.ExtendedAttribute(b"x", b"", 0x80)],
    ),
    Example(
        "FileGetEaInformation",
        fscc.parse_get_ea,
        payload("""
            0c 00 00 00               # NextEntryOffset
            03                        # EaNameLength
            6f 6e 65 00               # EaName
            00 00 00                  # padding
            00 00 00 00               # NextEntryOffset
            01                        # EaNameLength
            78 00                     # EaName
        """),
        [b"one", b"x"],
    ),
]

DESCRIPTORS = [
    Example(
        "security descriptor",
        dtyp.parse_security_descriptor,
        payload("""
            01                        # Revision
            00                        # Sbz1
            04 80                     # Control: SELF_RELATIVE, DACL_PRESENT
            14 00 00 00               # OffsetOwner
            20 00 00 00               # OffsetGroup
            00 00 00 00               # OffsetSacl
            2c 00 00 00               # OffsetDacl
            01 01 00 00 00 00 00 05 12 00 00 00   # owner: S-1-5-18
            01 01 00 00 00 00 00 01 00 00 00 00   # group: S-1-1-0
            02                        # AclRevision
            00                        # Sbz1
            1c 00                     # AclSize
            01 00                     # AceCount
            00 00                     # Sbz2
            00                        # AceType: ACCESS_ALLOWED
            03                        # AceFlags
            14 00                     # AceSize
            ff 01 1f 00               # Mask
            01 01 00 00 00 00 00 01 00 00 00 00   # S-1-1-0
        """),
        dtyp.SecurityDescriptor(
            "S-1-5-18", "S-1-1-0", [dtyp.Ace(0, 3, 0x1F01FF, "S-1-1-0")], None, 0x8004
        ),
    ),
    Example(
        "security descriptor of nothing",
        dtyp.parse_security_descriptor,
        payload("01 00 00 80 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00"),
        dtyp.SecurityDescriptor(None, None, None, None, 0x8000),
    ),
]

EXAMPLES = [
    *HEADERS,
    *SESSION_MESSAGES,
    *FILE_MESSAGES,
    *NEGOTIATE_CONTEXTS,
    *CREATE_CONTEXTS,
    *FSCTLS,
    *SETS,
    *DESCRIPTORS,
]
