"""Every packer gives the bytes that the specification draws, a field a line."""

from typing import NamedTuple

import pytest

from smbd.ntstatus import NtStatus
from smbd.wire import (
    close,
    create,
    create_contexts,
    empty,
    error,
    fsctl,
    ioctl,
    negotiate,
    negotiate_contexts,
    oplock_break,
    output,
    session_setup,
    set_info,
    tree_connect,
    write,
)
from smbd.wire.change_notify import FileAction, pack_notify_information
from smbd.wire.fscc import FileInformation

from .examples.example import GUID
from .hexadecimal import unhex

INFORMATION = FileInformation(1, 2, 3, 4, 4096, 100, 0x20, index_number=77)


class Packed(NamedTuple):
    name: str
    packed: bytes
    expected: str


PACKED = [
    Packed(
        "NEGOTIATE, 2.1",
        negotiate.pack_negotiate_response(
            negotiate.NegotiateResponse(1, 0x0210, GUID, 7, 65536, 1 << 20, 1 << 20, 5, token=b"to")
        ),
        """
            41 00                     # StructureSize
            01 00                     # SecurityMode
            10 02                     # DialectRevision
            00 00                     # NegotiateContextCount
            00 01 02 03 04 05 06 07 08 09 0a 0b 0c 0d 0e 0f
            07 00 00 00               # Capabilities
            00 00 01 00               # MaxTransactSize
            00 00 10 00               # MaxReadSize
            00 00 10 00               # MaxWriteSize
            05 00 00 00 00 00 00 00   # SystemTime
            00 00 00 00 00 00 00 00   # ServerStartTime
            80 00                     # SecurityBufferOffset
            02 00                     # SecurityBufferLength
            00 00 00 00               # NegotiateContextOffset
            74 6f
        """,
    ),
    Packed(
        "NEGOTIATE, 3.1.1",
        negotiate.pack_negotiate_response(
            negotiate.NegotiateResponse(
                3,
                0x0311,
                GUID,
                0,
                1,
                2,
                3,
                4,
                token=b"tok",
                contexts=[
                    (1, negotiate_contexts.pack_preauth_integrity(1, b"salt")),
                    (2, negotiate_contexts.pack_encryption(2)),
                    (8, negotiate_contexts.pack_signing(1)),
                ],
            )
        ),
        """
            41 00                     # StructureSize
            03 00                     # SecurityMode
            11 03                     # DialectRevision
            03 00                     # NegotiateContextCount
            00 01 02 03 04 05 06 07 08 09 0a 0b 0c 0d 0e 0f
            00 00 00 00               # Capabilities
            01 00 00 00               # MaxTransactSize
            02 00 00 00               # MaxReadSize
            03 00 00 00               # MaxWriteSize
            04 00 00 00 00 00 00 00   # SystemTime
            00 00 00 00 00 00 00 00   # ServerStartTime
            80 00                     # SecurityBufferOffset
            03 00                     # SecurityBufferLength
            88 00 00 00               # NegotiateContextOffset
            74 6f 6b
            00 00 00 00 00            # padding
            01 00                     # ContextType: preauth integrity
            0a 00                     # DataLength
            00 00 00 00               # Reserved
            01 00 04 00 01 00 73 61 6c 74
            00 00 00 00 00 00         # padding
            02 00                     # ContextType: encryption
            04 00                     # DataLength
            00 00 00 00               # Reserved
            01 00 02 00
            00 00 00 00               # padding
            08 00                     # ContextType: signing
            04 00                     # DataLength
            00 00 00 00               # Reserved
            01 00 01 00
        """,
    ),
    Packed(
        "SESSION_SETUP",
        session_setup.pack_session_setup_response(session_setup.SessionFlags.IS_GUEST, b"to"),
        """
            09 00                     # StructureSize
            01 00                     # SessionFlags
            48 00                     # SecurityBufferOffset
            02 00                     # SecurityBufferLength
            74 6f
        """,
    ),
    Packed(
        "TREE_CONNECT",
        tree_connect.pack_tree_connect_response(1, 0x800, 0x10, 0x1F01FF),
        """
            10 00                     # StructureSize
            01                        # ShareType
            00                        # Reserved
            00 08 00 00               # ShareFlags
            10 00 00 00               # Capabilities
            ff 01 1f 00               # MaximalAccess
        """,
    ),
    Packed("empty", empty.EMPTY_RESPONSE, "04 00 00 00"),
    Packed("SET_INFO", set_info.SET_INFO_RESPONSE, "02 00"),
    Packed(
        "CREATE",
        create.pack_create_response(
            9,
            1,
            INFORMATION,
            5,
            6,
            [
                (b"MxAc", create_contexts.pack_maximal_access(0, 0x1F01FF)),
                (b"QFid", create_contexts.pack_query_on_disk_id(77, 8)),
            ],
        ),
        """
            59 00                     # StructureSize
            09                        # OplockLevel
            00                        # Flags
            01 00 00 00               # CreateAction
            01 00 00 00 00 00 00 00   # CreationTime
            02 00 00 00 00 00 00 00   # LastAccessTime
            03 00 00 00 00 00 00 00   # LastWriteTime
            04 00 00 00 00 00 00 00   # ChangeTime
            00 10 00 00 00 00 00 00   # AllocationSize
            64 00 00 00 00 00 00 00   # EndofFile
            20 00 00 00               # FileAttributes
            00 00 00 00               # Reserved2
            05 00 00 00 00 00 00 00   # FileId.Persistent
            06 00 00 00 00 00 00 00   # FileId.Volatile
            98 00 00 00               # CreateContextsOffset
            58 00 00 00               # CreateContextsLength
            20 00 00 00               # Next
            10 00                     # NameOffset
            04 00                     # NameLength
            00 00                     # Reserved
            18 00                     # DataOffset
            08 00 00 00               # DataLength
            4d 78 41 63               # MxAc
            00 00 00 00               # padding
            00 00 00 00               # QueryStatus
            ff 01 1f 00               # MaximalAccess
            00 00 00 00               # Next
            10 00                     # NameOffset
            04 00                     # NameLength
            00 00                     # Reserved
            18 00                     # DataOffset
            20 00 00 00               # DataLength
            51 46 69 64               # QFid
            00 00 00 00               # padding
            4d 00 00 00 00 00 00 00   # DiskFileId
            08 00 00 00 00 00 00 00   # VolumeId
            00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00
        """,
    ),
    Packed("DHnQ", create_contexts.pack_durable_response(), "00 00 00 00 00 00 00 00"),
    Packed(
        "DH2Q", create_contexts.pack_durable_v2_response(60000, 2), "60 ea 00 00 02 00 00 00"
    ),
    Packed("CLOSE", close.pack_close_response(None), "3c 00" + "00" * 58),
    Packed(
        "CLOSE with attributes",
        close.pack_close_response(INFORMATION),
        """
            3c 00                     # StructureSize
            01 00                     # Flags
            00 00 00 00               # Reserved
            01 00 00 00 00 00 00 00   # CreationTime
            02 00 00 00 00 00 00 00   # LastAccessTime
            03 00 00 00 00 00 00 00   # LastWriteTime
            04 00 00 00 00 00 00 00   # ChangeTime
            00 10 00 00 00 00 00 00   # AllocationSize
            64 00 00 00 00 00 00 00   # EndofFile
            20 00 00 00               # FileAttributes
        """,
    ),
    Packed(
        "WRITE",
        write.pack_write_response(4096),
        """
            11 00                     # StructureSize
            00 00                     # Reserved
            00 10 00 00               # Count
            00 00 00 00               # Remaining
            00 00                     # WriteChannelInfoOffset
            00 00                     # WriteChannelInfoLength
        """,
    ),
    Packed(
        "IOCTL",
        ioctl.pack_ioctl_response(0x11C017, 1, 2, b"out"),
        """
            31 00                     # StructureSize
            00 00                     # Reserved
            17 c0 11 00               # CtlCode
            01 00 00 00 00 00 00 00   # FileId.Persistent
            02 00 00 00 00 00 00 00   # FileId.Volatile
            70 00 00 00               # InputOffset
            00 00 00 00               # InputCount
            70 00 00 00               # OutputOffset
            03 00 00 00               # OutputCount
            00 00 00 00               # Flags
            00 00 00 00               # Reserved2
            6f 75 74
        """,
    ),
    Packed(
        "QUERY_DIRECTORY, QUERY_INFO, CHANGE_NOTIFY",
        output.pack_output_response(bytearray(b"out")),
        """
            09 00                     # StructureSize
            48 00                     # OutputBufferOffset
            03 00 00 00               # OutputBufferLength
            6f 75 74
        """,
    ),
    Packed(
        "VALIDATE_NEGOTIATE_INFO",
        fsctl.pack_validate_negotiate(0x7F, GUID, 1, 0x0302),
        """
            7f 00 00 00               # Capabilities
            00 01 02 03 04 05 06 07 08 09 0a 0b 0c 0d 0e 0f
            01 00                     # SecurityMode
            02 03                     # Dialect
        """,
    ),
    Packed(
        "QUERY_NETWORK_INTERFACE_INFO",
        fsctl.pack_network_interfaces(
            [
                fsctl.NetworkInterface(2, 1, 1_000_000_000, b"\xc0\x00\x02\x07"),
                fsctl.NetworkInterface(2, 1, 1_000_000_000, bytes(range(16))),
            ],
            304,
        ),
        f"""
            98 00 00 00               # Next
            02 00 00 00               # IfIndex
            01 00 00 00               # Capability: RSS_CAPABLE
            00 00 00 00               # Reserved
            00 ca 9a 3b 00 00 00 00   # LinkSpeed
            02 00                     # Family: InterNetwork
            00 00                     # Port
            c0 00 02 07               # IPv4Address
            {"00" * 120}
            00 00 00 00               # Next: none
            02 00 00 00
            01 00 00 00
            00 00 00 00
            00 ca 9a 3b 00 00 00 00
            17 00                     # Family: InterNetworkV6
            00 00                     # Port
            00 00 00 00               # FlowInfo
            00 01 02 03 04 05 06 07 08 09 0a 0b 0c 0d 0e 0f
            00 00 00 00               # ScopeId
            {"00" * 100}
        """,
    ),
    Packed(
        "SRV_COPYCHUNK", fsctl.pack_copychunk(1, 0, 4096), "01 00 00 00 00 00 00 00 00 10 00 00"
    ),
    Packed(
        "SRV_REQUEST_RESUME_KEY", fsctl.pack_resume_key(b"k" * 24), "6b" * 24 + "00" * 8
    ),
    Packed("GET_COMPRESSION", fsctl.pack_compression_format(0), "00 00"),
    Packed(
        "CREATE_OR_GET_OBJECT_ID",
        fsctl.pack_object_id(b"o" * 16, b"v" * 16),
        "6f" * 16 + "76" * 16 + "6f" * 16 + "00" * 16,
    ),
    Packed(
        "OPLOCK_BREAK",
        oplock_break.pack_oplock_break(1, 2, 3),
        """
            18 00                     # StructureSize
            01                        # OplockLevel
            00 00 00 00 00            # Reserved, Reserved2
            02 00 00 00 00 00 00 00   # FileId.Persistent
            03 00 00 00 00 00 00 00   # FileId.Volatile
        """,
    ),
    Packed(
        "OPLOCK_BREAK notification of a lease",
        oplock_break.pack_lease_break_notification(2, 1, GUID, 7, 3),
        """
            2c 00                     # StructureSize
            02 00                     # NewEpoch
            01 00 00 00               # Flags
            00 01 02 03 04 05 06 07 08 09 0a 0b 0c 0d 0e 0f
            07 00 00 00               # CurrentLeaseState
            03 00 00 00               # NewLeaseState
            00 00 00 00               # BreakReason
            00 00 00 00               # AccessMaskHint
            00 00 00 00               # ShareMaskHint
        """,
    ),
    Packed(
        "OPLOCK_BREAK response of a lease",
        oplock_break.pack_lease_break_response(GUID, 3),
        """
            24 00                     # StructureSize
            00 00                     # Reserved
            00 00 00 00               # Flags
            00 01 02 03 04 05 06 07 08 09 0a 0b 0c 0d 0e 0f
            03 00 00 00               # LeaseState
            00 00 00 00 00 00 00 00   # LeaseDuration
        """,
    ),
    Packed(
        "ERROR",
        error.pack_error_response(0x0311, NtStatus.ACCESS_DENIED),
        """
            09 00                     # StructureSize
            00                        # ErrorContextCount
            00                        # Reserved
            00 00 00 00               # ByteCount
            00                        # ErrorData
        """,
    ),
    Packed(
        "ERROR with data, 3.0",
        error.pack_error_response(
            0x0300, NtStatus.BUFFER_TOO_SMALL, (100).to_bytes(4, "little")
        ),
        """
            09 00                     # StructureSize
            00                        # ErrorContextCount
            00                        # Reserved
            04 00 00 00               # ByteCount
            64 00 00 00               # ErrorData
        """,
    ),
    Packed(
        "ERROR with data, 3.1.1",
        error.pack_error_response(
            0x0311, NtStatus.BUFFER_TOO_SMALL, (100).to_bytes(4, "little")
        ),
        """
            09 00                     # StructureSize
            01                        # ErrorContextCount
            00                        # Reserved
            0c 00 00 00               # ByteCount
            04 00 00 00               # ErrorDataLength
            00 00 00 00               # ErrorId
            64 00 00 00               # ErrorContextData
        """,
    ),
    Packed(
        "ERROR of a length mismatch, 3.1.1",
        error.pack_error_response(0x0311, NtStatus.INFO_LENGTH_MISMATCH),
        "09 00 01 00 08 00 00 00 00 00 00 00 00 00 00 00",
    ),
    Packed(
        "FILE_NOTIFY_INFORMATION",
        pack_notify_information(
            [(FileAction.RENAMED_OLD_NAME, "a"), (FileAction.RENAMED_NEW_NAME, "d\\b")], 100
        )
        or b"",
        """
            10 00 00 00               # NextEntryOffset
            04 00 00 00               # Action
            02 00 00 00               # FileNameLength
            'a'
            00 00                     # padding
            00 00 00 00               # NextEntryOffset
            05 00 00 00               # Action
            06 00 00 00               # FileNameLength
            'd\\b'
            00 00                     # padding
        """,
    ),
]  # fmt: skip


@pytest.mark.parametrize("packed", PACKED, ids=lambda packed: packed.name)
def test_a_packer_gives_the_bytes_of_the_specification(packed: Packed) -> None:
    assert packed.packed.hex(" ") == unhex(packed.expected).hex(" ")
