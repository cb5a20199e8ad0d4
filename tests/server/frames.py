"""Bodies of requests as Windows, macOS and Linux send them: what tests.core.messages has not."""

from struct import pack

from tests.core.messages import EVERYTHING, FILE_OPEN, PREVIOUS_FILE, READ_WRITE_DELETE

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
LEASE = 0xFF


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


def negotiate(dialects, contexts=(), *, capabilities=0x7F, guid=b"scripted client!", mode=1):
    """NEGOTIATE with everything that its fields can say ([MS-SMB2] 2.2.3)."""
    offered = pack(f"<{len(dialects)}H", *dialects)
    head = pack("<HHHHI16s", 36, len(dialects), mode, 0, capabilities, guid)
    if not contexts:
        return head + bytes(8) + offered
    padding = bytes(-(100 + len(offered)) % 8)
    chained = bytearray()
    for kind, data in contexts:
        chained += bytes(-len(chained) % 8) + pack("<HHI", kind, len(data), 0) + data
    at = 100 + len(offered) + len(padding)
    return head + pack("<IHH", at, len(contexts), 0) + offered + padding + bytes(chained)


def smb1_negotiate(*dialects):
    """SMB1's NEGOTIATE, a whole frame."""
    strings = b"".join(b"\2" + one.encode() + b"\0" for one in dialects)
    head = b"\xffSMB\x72" + bytes(4) + b"\x18\x53\xc8" + bytes(12) + b"\xff\xff\xff\xfe" + bytes(4)
    return head + b"\0" + pack("<H", len(strings)) + strings


# --- CREATE ---


def create_contexts(*contexts):
    """The chain of (name, data)."""
    out = bytearray()
    for place, (name, data) in enumerate(contexts):
        one = pack("<IHHHHI", 0, 16, 4, 0, 24 if data else 0, len(data)) + name
        one += (bytes(4) + data) if data else b""
        if place < len(contexts) - 1:
            one += bytes(-len(one) % 8)
            one = pack("<I", len(one)) + one[4:]
        out += one
    return bytes(out)


def durable_v2(guid=b"create guid here"):
    return b"DH2Q", pack("<II8x16s", 0, 0, guid)


def lease_v2(key=b"lease key is 16b", state=7):
    return b"RqLs", pack("<16sIIQ16sHH", key, state, 0, 0, bytes(16), 0, 0)


MAXIMAL_ACCESS = (b"MxAc", b"")
ON_DISK_ID = (b"QFid", b"")


def create(
    name,
    contexts=(),
    *,
    access=READ_ATTRIBUTES,
    disposition=FILE_OPEN,
    options=0,
    attributes=0,
    share=READ_WRITE_DELETE,
    oplock=0,
):
    """CREATE with contexts ([MS-SMB2] 2.2.13)."""
    raw = name.encode("utf-16-le", "surrogatepass")
    buffer = raw + bytes(-len(raw) % 8)
    chain = create_contexts(*contexts)
    at = 120 + len(buffer) if chain else 0
    fixed = pack(
        "<HBBIQQIIIIIHHII",
        *(57, 0, oplock, 2, 0, 0, access, attributes, share, disposition, options),
        *(120, len(raw), at, len(chain)),
    )
    return fixed + (buffer + chain or b"\0")


def created_contexts(answer):
    """Name -> data of a CREATE response's contexts."""
    at, length = (int.from_bytes(answer.raw[place : place + 4], "little") for place in (144, 148))
    chain, found = answer.raw[at : at + length] if length else b"", {}
    while chain:
        after = int.from_bytes(chain[:4], "little")
        one = chain[: after or None]
        data_at, size = int.from_bytes(one[10:12], "little"), int.from_bytes(one[12:16], "little")
        found[one[16:20]] = one[data_at : data_at + size]
        chain = chain[after:] if after else b""
    return found


# --- what comes after CREATE ---


def ioctl(code, file_id=PREVIOUS_FILE, data=b"", *, most=65536):
    """FSCTL ([MS-SMB2] 2.2.31)."""
    fixed = pack("<HHI16sIIIIIIII", 57, 0, code, file_id, 120, len(data), 0, 0, 0, most, 1, 0)
    return fixed + data


def ioctl_output(answer):
    at, length = (int.from_bytes(answer.raw[place : place + 4], "little") for place in (96, 100))
    return answer.raw[at : at + length]


def query(info_type, info_class, file_id=PREVIOUS_FILE, *, most=65536, what=0):
    """QUERY_INFO ([MS-SMB2] 2.2.37)."""
    return pack("<HBBIHHIII16s", 41, info_type, info_class, most, 0, 0, 0, what, 0, file_id)


def output(answer):
    """What QUERY_INFO, QUERY_DIRECTORY and CHANGE_NOTIFY give."""
    at, length = (
        int.from_bytes(answer.raw[place : place + size], "little")
        for place, size in ((66, 2), (68, 4))
    )
    return answer.raw[at : at + length]


def listing(pattern="*", file_id=PREVIOUS_FILE, *, info_class=ID_BOTH_DIRECTORY, flags=0):
    """QUERY_DIRECTORY ([MS-SMB2] 2.2.33)."""
    raw = pattern.encode("utf-16-le")
    fixed = pack("<HBBI16sHHI", 33, info_class, flags, 0, file_id, 96, len(raw), 65536)
    return fixed + raw


def listed(answer):
    """The names in a FileIdBothDirectoryInformation listing."""
    data, names = output(answer), []
    while data:
        after = int.from_bytes(data[:4], "little")
        length = int.from_bytes(data[60:64], "little")
        names.append(data[104 : 104 + length].decode("utf-16-le"))
        data = data[after:] if after else b""
    return names


def change_notify(file_id, *, tree=True, completion_filter=0x17):
    """CHANGE_NOTIFY ([MS-SMB2] 2.2.35)."""
    return pack("<HHI16sII", 32, tree, 2048, file_id, completion_filter, 0)


def rename(new_name, *, replace=False):
    raw = new_name.encode("utf-16-le")
    return pack("<B7xQI", replace, 0, len(raw)) + raw


def everything(name, **wanted):
    """CREATE of a file to work with."""
    return create(name, **{"access": EVERYTHING, "disposition": 3} | wanted)
