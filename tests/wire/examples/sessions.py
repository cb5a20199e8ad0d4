"""Headers, and the messages that begin a session and end one."""

from functools import partial

from smbd.wire import empty, file_id, negotiate, session_setup, smb1, tree_connect

from ..hexadecimal import message, payload
from .example import GUID, Example

HEADERS = [
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
    Example(
        "FileId of a READ",
        partial(file_id.parse_file_id, at=80),
        message("""
            31 00 50 00               # StructureSize, Padding, Flags
            00 10 00 00               # Length
            00 00 00 00 00 00 00 00   # Offset
            01 00 00 00 00 00 00 00   # FileId.Persistent
            02 00 00 00 00 00 00 00   # FileId.Volatile
        """),
        (1, 2),
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
