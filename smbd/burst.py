"""A call of C with a burst of one connection: what Python writes for it, and reads behind it.

The records lie in memory as the structs of native/state.c.
"""

from collections.abc import Callable
from struct import Struct
from typing import Any, NamedTuple, TypeAlias

# state.c: why a call has returned.
OTHER, ASK, FULL, WAITED, NOTHING, AWAITS, REFUSED, LOOP, CLOSED = range(1, 10)
GOES_ON = (OTHER, ASK, CLOSED)  # then the next frame is for the commands
KIND_WRITTEN, KIND_MISSED = 1, 2  # of the last READ or WRITE
# The head of `struct burst`: written before each call.
CALL = Struct(
    "<"
    "QQ"    # in, size
    "QQ"    # room, most
    "QQ"    # maximum, used
    "QQ"    # flight, left
    "dd"    # over, again
    "iI"    # sock, ready
    "Q"     # company
    "QQQQ"  # at, have, low, high
    "II"    # which, multi_credit
)  # fmt: skip
# Its part from `at` on: read behind each call.
STATE = Struct(
    "<"
    "QQQQ"  # at, have, low, high
    "I4x"   # which
    "QQ"    # made, sent
    "dd"    # took, ended
    "II"    # length, kind
)  # fmt: skip
STATE_AT = 96  # bytes
# What a call has done for one open: a part of `struct fast_open`.
DONE = Struct(
    "<"
    "QQQQQ"  # position, reads, bytes_read, writes, bytes_written
    "QQQ8x"  # missed, missed_size, begun.first
    "QQ"     # flush_size, flush.first
)  # fmt: skip

# Calls C with a `struct burst *`, and says why it has returned.
Call: TypeAlias = Callable[[Any], int]
Calls: TypeAlias = tuple[Call, Call]  # to begin with, and behind ASK


class Answered(NamedTuple):
    """What C has done with a burst."""

    at: int  # bytes answered ...
    have: int  # ... of those that came; 0: nothing came, or the connection has ended
    replies: memoryview  # those that have not left; their memory is used again
    goes_on: bool  # the next frame is for the commands: theirs leave with these
    full: bool  # the turn is over


class Talked(NamedTuple):
    """What C has done in a conversation: of its last burst what `Answered` says."""

    at: int
    have: int
    replies: memoryview
    bursts: int  # so many were answered
    loops: bool  # the loop has something to do
    goes_on: bool  # the next frame is for the commands


NO_ANSWER = Answered(0, 0, memoryview(b""), goes_on=False, full=False)
