"""What negotiate and create contexts hold."""

from functools import partial

from smbd.wire import aapl, create_contexts, negotiate_contexts

from ..hexadecimal import payload
from .example import GUID, Example

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
    Example("signing", negotiate_contexts.parse_signing, payload("02 00 02 00 01 00"), [2, 1]),
    Example(
        "a list of two",
        partial(negotiate_contexts.parse_negotiate_contexts, count=2),
        payload("""
            08 00                     # ContextType: signing
            04 00                     # DataLength
            00 00 00 00               # Reserved
            01 00 02 00
            00 00 00 00               # padding
            00 01                     # ContextType: POSIX
            00 00                     # DataLength
            00 00 00 00               # Reserved
        """),
        [(8, memoryview(b"\x01\0\x02\0")), (0x100, memoryview(b""))],
    ),
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
    Example(
        "AppInstanceId",
        create_contexts.parse_app_instance_id,
        payload("""
            14 00                     # StructureSize: 20
            00 00                     # Reserved
            00 01 02 03 04 05 06 07 08 09 0a 0b 0c 0d 0e 0f
        """),
        GUID,
    ),
    Example(
        "AAPL, a server query",
        aapl.parse_aapl,
        payload("""
            01 00 00 00               # CommandCode: kAAPL_SERVER_QUERY
            00 00 00 00               # Reserved
            07 00 00 00 00 00 00 00   # RequestBitmap
            3f 00 00 00 00 00 00 00   # ClientCapabilities
        """),
        aapl.ServerQuery(7, 0x3F),
    ),
    Example(
        "AAPL, the path of a file",
        aapl.parse_aapl,
        payload("""
            02 00 00 00               # CommandCode: kAAPL_RESOLVE_ID
            00 00 00 00               # Reserved
            4d 00 00 00 00 00 00 00   # FileId
        """),
        aapl.ResolveId(77),
    ),
    Example("AAPL, of tomorrow", aapl.parse_aapl, payload("03 00 00 00 00 00 00 00"), None),
]
