"""The headers in front of every message and the numbers they carry ([MS-SMB2] 2.2.1, 2.2.41).

`smbd.connection` and `smbd.crypto.sealing` use the two Structs as they are: they stand in the way
of every message, where a dataclass would cost 1 us.
"""

from struct import Struct

PROTOCOL_ID = b"\xfeSMB"
SMB1_PROTOCOL_ID = b"\xffSMB"
TRANSFORM_PROTOCOL_ID = b"\xfdSMB"

HEADER_SIZE = 64
TRANSFORM_SIZE = 52
SIGNATURE = slice(48, 64)


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
    "I"    # Reserved; in the ASYNC form the low half of AsyncId
    "I"    # TreeId; in the ASYNC form the high half of AsyncId
    "Q"    # SessionId
    "16s"  # Signature
)  # fmt: skip

NEXT_COMMAND = Struct("<I")  # of an SMB2 header, alone: a third of the cost of it all
NEXT_COMMAND_AT = 20

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
