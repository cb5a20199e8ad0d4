"""Messages about files."""

from smbd.wire import (
    change_notify,
    close,
    create,
    flush,
    ioctl,
    lock,
    oplock_break,
    query_directory,
    query_info,
    read,
    set_info,
    write,
)

from ..hexadecimal import message
from .example import GUID, Example

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
