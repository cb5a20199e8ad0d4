"""What IOCTL and SET_INFO hold."""

from smbd.wire import dtyp, fscc, fsctl

from ..hexadecimal import payload
from .example import GUID, Example

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
    Example("SET_SPARSE without input", fsctl.parse_set_sparse, payload(""), value=True),
    Example("SET_SPARSE off", fsctl.parse_set_sparse, payload("00"), value=False),
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
        fscc.Rename(replace=True, name="d\\f"),
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
        fscc.Rename(replace=False, name="f"),
    ),
    Example("FileDispositionInformation", fscc.parse_disposition, payload("01"), value=True),
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
