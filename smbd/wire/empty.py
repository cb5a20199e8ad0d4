"""The messages that say nothing but their StructureSize of 4.

LOGOFF, TREE_DISCONNECT, ECHO and CANCEL as requests ([MS-SMB2] 2.2.7, 2.2.11, 2.2.28, 2.2.30);
LOGOFF, TREE_DISCONNECT, ECHO, FLUSH and LOCK as responses (2.2.8, 2.2.12, 2.2.29, 2.2.18, 2.2.27).
"""

from struct import Struct

from smbd.wire.bounds import unpack_body

_EMPTY = Struct(
    "<"
    "H"   # StructureSize, always 4
    "2x"  # Reserved
)  # fmt: skip

EMPTY_RESPONSE = _EMPTY.pack(4)


def parse_empty_request(frame: memoryview) -> None:
    """Only the check that it is one."""
    unpack_body(_EMPTY, frame, 4)
