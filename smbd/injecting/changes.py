"""Fields of messages that say something else than they should."""

from collections.abc import Sequence
from dataclasses import replace
from struct import Struct, pack_into, unpack_from

from smbd.faults import Plan
from smbd.ntstatus import NtError, NtStatus
from smbd.protection import Buffer
from smbd.request import HEADROOM, Reply, Request
from smbd.wire.header import SIGNATURE, Command, Flags

_LENGTH = Struct("<I")
_LENGTH_AT = 64 + 4  # [MS-SMB2] 2.2.19 and 2.2.21, Length: of READ and of WRITE
_MINIMUM_AT = 64 + 32  # 2.2.19, MinimumCount
_FLAGS_AT = 4 + 16  # behind the length of the frame
_SIGNATURE_AT = 4 + SIGNATURE.start
_SEAL_AT = 4 + 4  # [MS-SMB2] 2.2.41, Signature of the TRANSFORM_HEADER
# [MS-SMB2] 2.2.4, behind Capabilities.
_LIMITS_AT = {"max_transact": HEADROOM + 28, "max_read": HEADROOM + 32, "max_write": HEADROOM + 36}
_MOVES = (Command.READ, Command.WRITE)


def length_of(request: Request) -> int:
    """How many bytes a READ or WRITE wants to move; 0 of any other."""
    if request.command not in _MOVES or len(request.frame) < _MINIMUM_AT + 4:
        return 0
    length: int = _LENGTH.unpack_from(request.frame, _LENGTH_AT)[0]
    return length


def check_length(request: Request) -> None:
    """INVALID_PARAMETER for a READ or WRITE beyond a limit that `lower_limits` has told.

    smbd.request has no limit below 64 KiB, since without faults there is none.
    """
    limit = request.row.limit
    if limit and length_of(request) > getattr(request.connection.negotiated, limit):
        raise NtError(NtStatus.INVALID_PARAMETER)


def shorten(request: Request, most: int) -> None:
    """A READ or WRITE asks for so many bytes at most, as if its client had.

    The message is a copy: another request may be read from the same buffer.
    """
    frame = bytearray(request.frame)
    _LENGTH.pack_into(frame, _LENGTH_AT, min(length_of(request), most))
    if request.command == Command.READ:
        (minimum,) = _LENGTH.unpack_from(frame, _MINIMUM_AT)
        _LENGTH.pack_into(frame, _MINIMUM_AT, min(minimum, most))
    request.frame = memoryview(frame).toreadonly()


def lower_limits(request: Request, reply: Reply, plan: Plan) -> None:
    """NEGOTIATE says smaller MaxReadSize, MaxWriteSize and MaxTransactSize, which then count."""
    connection = request.connection
    for key, at in _LIMITS_AT.items():
        wanted = getattr(plan, key)
        if wanted is not None and not reply.status:
            (agreed,) = unpack_from("<I", reply.frame, at)
            limit = min(wanted, agreed)
            pack_into("<I", reply.frame, at, limit)
            if connection.negotiated.dialect:
                connection.negotiated = replace(connection.negotiated, **{key: limit})


def damage_signature(reply: Reply) -> bool:
    """Damage the signature of a message, and nothing else; whether there was one."""
    frame = reply.frame
    if not frame[_FLAGS_AT] & Flags.SIGNED:
        return False
    _invert(frame, _SIGNATURE_AT)
    return True


def damaged_seal(buffers: Sequence[Buffer]) -> bytearray:
    """The same of a sealed frame."""
    whole = bytearray().join(buffers)
    _invert(whole, _SEAL_AT)
    return whole


def _invert(frame: bytearray, at: int) -> None:
    frame[at : at + 16] = bytes(byte ^ 0xFF for byte in frame[at : at + 16])
