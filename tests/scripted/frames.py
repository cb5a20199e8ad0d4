"""Bodies of requests as Windows, macOS and Linux send them: what tests.core.messages has not."""

from struct import pack, unpack_from

from tests.core import messages
from tests.core.messages import EVERYTHING, FILE_OPEN, PREVIOUS_FILE

# IOCTL codes ([MS-SMB2] 2.2.31, [MS-FSCC] 2.3)
DFS_GET_REFERRALS = 0x00060194
QUERY_NETWORK_INTERFACE_INFO = 0x001401FC
VALIDATE_NEGOTIATE_INFO = 0x00140204
ENUMERATE_SNAPSHOTS = 0x00144064
PIPE_TRANSCEIVE = 0x0011C017
CREATE_OR_GET_OBJECT_ID = 0x000900C0

# Negotiate contexts ([MS-SMB2] 2.2.3.1)
PREAUTH, ENCRYPTION, COMPRESSION, NETNAME, TRANSPORT, RDMA, SIGNING, POSIX = (
    1,
    2,
    3,
    5,
    6,
    7,
    8,
    256,
)

# Information classes ([MS-FSCC] 2.4, 2.5)
BASIC, STANDARD, INTERNAL, EA, ALL, STREAM, NETWORK_OPEN, NORMALIZED_NAME = (
    4,
    5,
    6,
    7,
    18,
    22,
    34,
    48,
)
FS_VOLUME, FS_SIZE, FS_DEVICE, FS_ATTRIBUTE, FS_FULL_SIZE, FS_OBJECT_ID, FS_SECTOR_SIZE = (
    1, 3, 4, 5, 7, 8, 11,
)  # fmt: skip
RENAME, DISPOSITION, DISPOSITION_EX = 10, 13, 64
ID_BOTH_DIRECTORY = 37
FILE, FILE_SYSTEM, SECURITY = 1, 2, 3  # InfoType
OWNER_GROUP_DACL = 7

READ_ATTRIBUTES = 0x00100081  # and FILE_LIST_DIRECTORY, SYNCHRONIZE: how Explorer looks at things
DIRECTORY_FILE, OPEN_REPARSE_POINT = 0x00000001, 0x00200000


def counted(*numbers):
    """A count and as many numbers: ENCRYPTION and SIGNING contexts."""
    return pack(f"<H{len(numbers)}H", len(numbers), *numbers)


def preauth_context(salt=b"salt" * 8):
    return PREAUTH, pack("<HHH", 1, len(salt), 1) + salt


def compression_context(*algorithms, chained=True):
    head = pack("<HHI", len(algorithms), 0, chained)
    return COMPRESSION, head + pack(f"<{len(algorithms)}H", *algorithms)


def netname_context(name):
    return NETNAME, name.encode("utf-16-le")


def rdma_context(*transforms):
    return RDMA, pack("<HHI", len(transforms), 0, 0) + pack(f"<{len(transforms)}H", *transforms)


def smb1_negotiate(*dialects):
    """SMB1's NEGOTIATE, a whole frame."""
    strings = b"".join(b"\2" + one.encode() + b"\0" for one in dialects)
    head = b"\xffSMB\x72" + bytes(4) + b"\x18\x53\xc8" + bytes(12) + b"\xff\xff\xff\xfe" + bytes(4)
    return head + b"\0" + pack("<H", len(strings)) + strings


# --- CREATE ---


MAXIMAL_ACCESS = (b"MxAc", b"")
ON_DISK_ID = (b"QFid", b"")


def create(name, contexts=(), *, access=READ_ATTRIBUTES, disposition=FILE_OPEN, **wanted):
    """CREATE of something that is there, to look at it."""
    fields = {"access": access, "disposition": disposition, "contexts": contexts}
    return messages.create(name, **fields | wanted)


# --- what comes after CREATE ---


def ioctl(code, file_id=PREVIOUS_FILE, data=b"", *, most=65536):
    return messages.ioctl(file_id, code, data, length=most)


def query(info_type, info_class, file_id=PREVIOUS_FILE, *, most=65536, what=0):
    how = {"length": most, "info_type": info_type, "additional": what}
    return messages.query_info(file_id, info_class, **how)


def listing(pattern="*", file_id=PREVIOUS_FILE, *, info_class=ID_BOTH_DIRECTORY, flags=0):
    return messages.query_directory(file_id, pattern, info_class=info_class, flags=flags)


def listed(answer):
    """The names in a FileIdBothDirectoryInformation listing."""
    data, names = answer.output, []
    while data:
        after = int.from_bytes(data[:4], "little")
        length = int.from_bytes(data[60:64], "little")
        names.append(data[104 : 104 + length].decode("utf-16-le"))
        data = data[after:] if after else b""
    return names


def change_notify(file_id, *, tree=True, completion_filter=0x17):
    return messages.change_notify(file_id, completion_filter, flags=tree, length=2048)


def changed(answer):
    """(action, name) of each change that a CHANGE_NOTIFY is answered with."""
    data, found = answer.output, []
    while data:
        after, action, length = unpack_from("<III", data)
        found.append((action, data[12 : 12 + length].decode("utf-16-le")))
        data = data[after:] if after else b""
    return found


def rename(new_name, *, replace=False):
    raw = new_name.encode("utf-16-le")
    return pack("<B7xQI", replace, 0, len(raw)) + raw


def everything(name, **wanted):
    """CREATE of a file to work with."""
    return create(name, **{"access": EVERYTHING, "disposition": 3} | wanted)
