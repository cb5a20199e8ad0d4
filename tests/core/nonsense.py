"""Requests that are nearly right."""

from smbd.wire.create_contexts import ContextName
from tests.core import messages
from tests.core.messages import (
    CHANGE_NOTIFY,
    CLOSE,
    CREATE,
    ECHO,
    FLUSH,
    IOCTL,
    LOCK,
    OPLOCK_BREAK,
    QUERY_DIRECTORY,
    QUERY_INFO,
    READ,
    SET_INFO,
    TREE_CONNECT,
    WRITE,
)
from tests.scripted import caching

EDGES = (0, 1, 7, 8, 0x7F, 0x80, 0xFF)
NAMES = (
    *("a", "d", "d\\b", "A", "", "..", "*"),
    *("a:stream", "a:stream:$DATA", "d:stream", ":stream", "a::$DATA", "a::$INDEX_ALLOCATION"),
    *("a:", ":", "a:\ud800", "b:" + 255 * "n", ".smbd-streams", ".smbd-streams\\a"),
)
# A few of each, so that clients meet: keys of leases, CreateGuids, AppInstanceIds.
_SIXTEEN = tuple(bytes([number]) * 16 for number in range(3))
_LEVELS = (0, 0, 1, 8, 9, 0xFF, 0xFF)


def contexts(random, file_id):
    """Create contexts: often none, else some that may not go together."""
    guid, flags = random.choice(_SIXTEEN), random.choice((0, 0, 2))
    # A handle is kept for some milliseconds at most: none is left when its client has gone.
    timeout = random.randrange(1, 50)
    some = (
        caching.lease(guid, random.randrange(8), version=1 + random.randrange(2), parent=guid),
        caching.lease(random.choice(_SIXTEEN), 7),
        caching.durable_v2(guid, timeout=timeout, flags=flags),
        caching.reconnect(file_id),
        caching.reconnect_v2(file_id, guid, flags=flags),
        (ContextName.APP_INSTANCE_ID, b"\x14\0\0\0" + random.choice(_SIXTEEN)),
        (ContextName.AAPL, b"\1\0\0\0\0\0\0\0" + b"\7" + bytes(7) + b"\7" + bytes(7)),
        (ContextName.MAXIMAL_ACCESS, b""),
    )
    return random.sample(some, random.choice((0, 0, 1, 2, 3)))


def bodies(random, file_id):
    """One right request of each kind, on a file that is open."""
    name = random.choice(NAMES)
    wanted = {
        "access": random.choice((0x1F01FF, 0x02000000, 0x80, 0x10000, 1, 3)),
        "share": random.randrange(8),
        "disposition": random.randrange(6),
        "options": random.choice((0, 1, 0x40, 0x1000, 0x1001, 0x200000)),
        "attributes": random.choice((0, 1, 2, 0x80, 0x20)),
        "oplock": random.choice(_LEVELS),
        "contexts": contexts(random, file_id),
    }
    times = random.choice((bytes(32), b"\1" * 32, b"\xff" * 32)) + random.randbytes(4) + bytes(4)
    new_name = random.choice(NAMES).encode("utf-16-le", "surrogatepass")
    rename = bytes([random.randrange(2)]) + bytes(15) + len(new_name).to_bytes(4, "little")
    return (
        (CREATE, messages.create(name, **wanted)),
        (CLOSE, messages.close(file_id, random.randrange(2))),
        (READ, messages.read(file_id, random.randrange(100), random.randrange(100))),
        (WRITE, messages.write(file_id, b"data", random.randrange(100))),
        (FLUSH, messages.flush(file_id)),
        (LOCK, messages.lock(file_id, (random.randrange(9), 5, random.choice((0x11, 0x12, 4))))),
        (QUERY_INFO, messages.query_info(file_id, random.randrange(70), info_type=1)),
        (QUERY_INFO, messages.query_info(file_id, random.randrange(12), info_type=2)),
        (QUERY_INFO, messages.query_info(file_id, 0, info_type=3, additional=7)),
        (QUERY_DIRECTORY, messages.query_directory(file_id, info_class=random.randrange(70))),
        (SET_INFO, messages.set_info(file_id, 4, times)),
        (SET_INFO, messages.set_info(file_id, random.choice((10, 11)), rename + new_name)),
        (SET_INFO, messages.set_info(file_id, random.choice((13, 64)), b"\1\0\0\0")),
        (SET_INFO, messages.set_info(file_id, random.choice((14, 16, 20)), bytes(8))),
        (IOCTL, messages.ioctl(file_id, random.choice(messages.FSCTLS), random.randbytes(24))),
        (CHANGE_NOTIFY, messages.change_notify(file_id)),
        (OPLOCK_BREAK, messages.oplock_break(file_id, random.choice(_LEVELS))),
        (OPLOCK_BREAK, messages.lease_break(random.choice(_SIXTEEN), random.randrange(8))),
        (TREE_CONNECT, messages.tree_connect("\\\\box\\share")),
        (ECHO, messages.EMPTY),
    )


def bent(random, body):
    """The same with a few bytes changed, cut off or added; many are left alone."""
    body = bytearray(body)
    for _ in range(random.choice((0, 0, 1, 3))):
        if body:
            body[random.randrange(len(body))] = random.choice((*EDGES, random.randrange(256)))
    if random.random() < 0.1:
        del body[random.randrange(len(body) + 1) :]
    if random.random() < 0.05:
        body += random.randbytes(random.randrange(40))
    return bytes(body)
