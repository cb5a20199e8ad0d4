"""One form of response, three messages: QUERY_DIRECTORY, CHANGE_NOTIFY, QUERY_INFO.

[MS-SMB2] 2.2.34, 2.2.36 and 2.2.38 differ in the buffer's content alone.
"""

from struct import Struct

_RESPONSE = Struct(
    "<"
    "H"  # StructureSize, always 9
    "H"  # OutputBufferOffset
    "I"  # OutputBufferLength
)  # fmt: skip
_BUFFER_AT = 72


def pack_output_response(output: bytes | bytearray | memoryview) -> bytes:
    """The body with its buffer."""
    return b"".join((_RESPONSE.pack(9, _BUFFER_AT, len(output)), output))
