"""SMB2 requests and responses by struct, told apart from smbd.wire on purpose.

A request's body is what follows its header; `message` puts the header in front.
"""

from dataclasses import dataclass
from struct import Struct, pack, unpack_from

NEGOTIATE, SESSION_SETUP, LOGOFF, TREE_CONNECT, TREE_DISCONNECT, CREATE, CLOSE = range(7)
FLUSH, READ, WRITE, LOCK, IOCTL, CANCEL, ECHO, QUERY_DIRECTORY = range(7, 15)
CHANGE_NOTIFY, QUERY_INFO, SET_INFO, OPLOCK_BREAK = range(15, 19)

RESPONSE, ASYNC, RELATED, SIGNED = 1, 2, 4, 8  # Flags
REPLAY = 0x20000000
FILE_CREATE, FILE_OPEN_IF, FILE_OPEN = 2, 3, 1  # CreateDisposition
READ_WRITE_DELETE = 7  # ShareAccess
EVERYTHING = 0x1F01FF  # DesiredAccess
DELETE = 0x10000
DELETE_ON_CLOSE = 0x1000
SHARED, EXCLUSIVE, UNLOCK, FAIL_IMMEDIATELY = 1, 2, 4, 16  # lock flags
PREVIOUS_FILE = b"\xff" * 16  # the FileId of the request before, in a related compound

HEADER = Struct("<4sHHIHHIIQQQ16s")


def message(
    command,
    body=b"",
    *,
    message_id=0,
    charge=1,
    asked=1,
    flags=0,
    next_command=0,
    tree_id=0,
    async_id=None,
    session_id=0,
    protocol=b"\xfeSMB",
    size=64,
    channel_sequence=0,
):
    """One message: header and body."""
    low_and_high = tree_id << 32 if async_id is None else async_id
    return (
        HEADER.pack(
            protocol,
            size,
            charge,
            channel_sequence,
            command,
            asked,
            flags,
            next_command,
            message_id,
            low_and_high,
            session_id,
            bytes(16),
        )
        + body
    )


def chain(*messages):
    """A compound: each message but the last padded to 8 bytes, with its NextCommand."""
    out = bytearray()
    for one in messages[:-1]:
        padded = bytearray(one + bytes(-len(one) % 8))
        padded[20:24] = pack("<I", len(padded))
        out += padded
    return bytes(out + messages[-1])


# --- bodies of requests ---

EMPTY = pack("<HH", 4, 0)  # LOGOFF, TREE_DISCONNECT, CANCEL, ECHO


def negotiate(dialects, contexts=(), *, capabilities=0, guid=b"scripted client!", security_mode=1):
    """Contexts: (type, data)."""
    offered = pack(f"<{len(dialects)}H", *dialects)
    head = pack("<HHHHI16s", 36, len(dialects), security_mode, 0, capabilities, guid)
    if not contexts:
        return head + bytes(8) + offered
    padding = bytes(-(100 + len(offered)) % 8)
    chained = bytearray()
    for kind, data in contexts:
        chained += bytes(-len(chained) % 8) + pack("<HHI", kind, len(data), 0) + data
    at = 100 + len(offered) + len(padding)
    return head + pack("<IHH", at, len(contexts), 0) + offered + padding + bytes(chained)


def session_setup(token, *, flags=0, security_mode=1, previous=0):
    return pack("<HBBIIHHQ", 25, flags, security_mode, 0, 0, 88, len(token), previous) + token


def tree_connect(path):
    name = path.encode("utf-16-le")
    return pack("<HHHH", 9, 0, 72, len(name)) + name


def create(
    name,
    *,
    access=EVERYTHING,
    share=READ_WRITE_DELETE,
    disposition=FILE_OPEN_IF,
    options=0,
    attributes=0,
    oplock=0,
    contexts=(),
):
    """Contexts: (name, data), of bytes."""
    raw = name.encode("utf-16-le", "surrogatepass")
    chained = chain_contexts(contexts)
    padding = bytes(-len(raw) % 8) if chained else b""
    at = 120 + len(raw) + len(padding) if chained else 0
    fixed = pack(
        "<HBBIQQIIIIIHHII",
        *(57, 0, oplock, 2, 0, 0, access, attributes, share, disposition, options),
        *(120, len(raw), at, len(chained)),
    )
    return fixed + (raw + padding + chained or b"\0")


def chain_contexts(contexts):
    out = bytearray()
    for number, (name, data) in enumerate(contexts, 1):
        padded = name + bytes(-len(name) % 8)
        at = 16 + len(padded) if data else 0
        one = pack("<IHHHHI", 0, 16, len(name), 0, at, len(data)) + padded + data
        if number < len(contexts):
            one += bytes(-len(one) % 8)
            one = pack("<I", len(one)) + one[4:]
        out += one
    return bytes(out)


def close(file_id, flags=0):
    return pack("<HHI", 24, flags, 0) + file_id


def flush(file_id):
    return pack("<HHI", 24, 0, 0) + file_id


def read(file_id, offset=0, length=4096, minimum=0):
    fixed = pack("<HBBIQ16sIIIHH", 49, 80, 0, length, offset, file_id, minimum, 0, 0, 0, 0)
    return fixed + b"\0"


def write(file_id, data, offset=0, *, flags=0):
    fixed = pack("<HHIQ16sIIHHI", 49, 112, len(data), offset, file_id, 0, 0, 0, 0, flags)
    return fixed + (data or b"\0")


def lock(file_id, *elements, sequence=0):
    """Elements: (offset, length, flags); the sequence is LockSequenceIndex * 16 + Number."""
    head = pack("<HHI16s", 48, len(elements), sequence, file_id)
    return head + b"".join(pack("<QQII", *element, 0) for element in elements)


def query_info(file_id, info_class, *, length=4096, info_type=1, additional=0, data=b""):
    kind = (info_type, info_class, length)
    where = (104 if data else 0, 0, len(data))
    return pack("<HBBIHHIII16s", 41, *kind, *where, additional, 0, file_id) + data


def set_info(file_id, info_class, data, *, info_type=1, additional=0):
    kind = (info_type, info_class, len(data))
    fixed = pack("<HBBIHHI16s", 33, *kind, 96, 0, additional, file_id)
    return fixed + data


def query_directory(file_id, pattern="*", *, info_class=12, length=65536, flags=0):
    name = pattern.encode("utf-16-le")
    fixed = pack("<HBBI16sHHI", 33, info_class, flags, 0, file_id, 96, len(name), length)
    return fixed + name


def change_notify(file_id, filters=0xFFF, *, flags=1, length=4096):
    return pack("<HHI16sII", 32, flags, length, file_id, filters, 0)


def oplock_break(file_id, level):
    """The acknowledgment for an oplock."""
    return pack("<HBBI16s", 24, level, 0, 0, file_id)


def lease_break(key, state):
    """The acknowledgment for a lease."""
    return pack("<HHI16sIQ", 36, 0, 0, key, state, 0)


# DFS referrals, snapshots, copychunk, validate negotiate, sparse, zero, ranges, resume key, none.
FSCTLS = (0x060194, 0x144064, 0x1440F2, 0x140204, 0x0900C4, 0x0980C8, 0x0940CF, 0x140078, 0x99999)


def ioctl(file_id, code, data=b"", *, length=4096):
    where = (120, len(data), 0, 0, 0, length, 1, 0)
    return pack("<HHI16sIIIIIIII", 57, 0, code, file_id, *where) + data


# --- responses ---


UNASKED = 2**64 - 1  # MessageId of what answers nothing: OPLOCK_BREAK


@dataclass
class Answer:
    """One response or notification; `raw` is the whole message as it came."""

    status: int
    command: int
    granted: int  # credits
    flags: int
    message_id: int
    async_id: int  # of an ASYNC_COMMAND response, else 0
    tree_id: int
    session_id: int
    raw: bytes

    @property
    def body(self):
        return self.raw[64:]

    @property
    def file_id(self):
        """Of a CREATE response."""
        return self.raw[64 + 64 : 64 + 80]

    @property
    def oplock(self):
        """OplockLevel of a CREATE response."""
        return self.raw[66]

    @property
    def end_of_file(self):
        """Of a CREATE response."""
        return unpack_from("<Q", self.raw, 64 + 48)[0]

    @property
    def data(self):
        """Of a READ response."""
        length = unpack_from("<I", self.raw, 68)[0]
        return self.raw[80 : 80 + length]

    @property
    def contexts(self):
        """The create contexts of a CREATE response, by name."""
        at, length = unpack_from("<II", self.raw, 64 + 80)
        chain, found = self.raw[at : at + length] if length else b"", {}
        while chain:
            after, name_at, name_length, data_at, size = unpack_from("<IHH2xHI", chain)
            found[chain[name_at : name_at + name_length]] = chain[data_at : data_at + size]
            chain = chain[after:] if after else b""
        return found

    @property
    def output(self):
        """Of a QUERY_INFO, QUERY_DIRECTORY or CHANGE_NOTIFY response."""
        at, length = unpack_from("<HI", self.raw, 66)
        return self.raw[at : at + length]

    @property
    def ioctl_output(self):
        at, length = unpack_from("<II", self.raw, 96)
        return self.raw[at : at + length]

    @property
    def token(self):
        """Of a SESSION_SETUP response."""
        at, length = unpack_from("<HH", self.raw, 68)
        return self.raw[at : at + length]


def answers(frame):
    """The responses of one frame."""
    found, at = [], 0
    while True:
        fields = HEADER.unpack_from(frame, at)
        protocol, size, _, status, command, granted, flags, after, message_id = fields[:9]
        low_and_high, session_id = fields[9:11]
        assert protocol == b"\xfeSMB"
        assert size == 64
        assert flags & RESPONSE
        is_async = bool(flags & ASYNC)
        found.append(
            Answer(
                status,
                command,
                granted,
                flags,
                message_id,
                low_and_high if is_async else 0,
                0 if is_async else low_and_high >> 32,
                session_id,
                bytes(frame[at : at + after if after else len(frame)]),
            )
        )
        if not after:
            return found
        assert after % 8 == 0
        at += after
