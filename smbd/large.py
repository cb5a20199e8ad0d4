"""The long plain WRITEs of one connection: C passes them from the socket to the file.

They go past the receive buffer, by native/large.c; but those that are signed or sealed are verified
in it.
What is asked before is what `smbd.known_opens` asks; what is not such a WRITE, or does not come
whole, is left in the socket.
"""

import os
from typing import Any, NamedTuple, Protocol
from weakref import proxy

from smbd.burst import ASK, OTHER, REFUSED, Calls
from smbd.connection import Connection
from smbd.known_opens import LONGEST_PLAIN
from smbd.native import LONGEST, Core
from smbd.plain import Plain
from smbd.request import Request
from smbd.turns import Turn

_LENGTH = slice(68, 72)  # of a READ, in its message
# After so many frames of other kinds in a row none is expected any more: each costs a look.
_PATIENCE = 8
_OTHERS = (OTHER, ASK)
# Where the kernel has no room for whole frames, none is looked for among so many that follow.
_MOST_IN_VAIN, _REST = 3, 256


class Pipeline(Protocol):
    """The dispatch of the connection."""

    def refuse(self, request: Request, error: OSError) -> None:
        """Answer one that was carried out, and has failed."""


class Passed(NamedTuple):
    """What C has done."""

    size: int  # bytes of frames that were answered ...
    left: int  # ... and of one that is in the receive buffer, and is for the commands
    replies: memoryview  # those that have not left; their memory is used again
    awaits: bool  # the socket is readable when the next frame is whole


NOT_PASSED = Passed(0, 0, memoryview(b""), awaits=False)


class Large:
    """Those of one connection, which has sent one that a command has answered."""

    def __init__(
        self,
        core: Core,
        plain: Plain,
        connection: Connection,
        pipeline: Pipeline,
    ) -> None:
        self._plain, self._connection = plain, connection
        self._pipeline: Pipeline = proxy(pipeline)  # which leads here
        self._lib, self._ffi = core.lib, core.ffi
        self._burst: Any = plain.burst
        self.expected = _PATIENCE  # frames that may be no such WRITE; 0: none is looked for
        self._awaited = False
        self._in_vain = 0  # so many in a row were awaited, and did not come whole
        self._rest = 0

    def learn(self) -> None:
        """A command has answered another one."""
        if self._rest:
            self._rest -= 1
        else:
            self.expected = _PATIENCE

    def serve(
        self, sock: int, memory: tuple[int, int], when: tuple[float, Turn], room: int
    ) -> Passed:
        """Have those answered that have come.

        `memory` is the receive buffer, which is empty: its address and size.  `when`: what time it
        is, and whose turn.  `room` are bytes of replies.
        """
        now, turn = when
        over = turn.ends if self._burst.loop >= 0 else 0.0  # nobody knows who waits
        calls = self._lib.large_begin, self._lib.large_answer
        return self._call(sock, memory, now, over, room, calls)

    def converse(
        self, fds: tuple[int, int], memory: tuple[int, int], until: float, room: int
    ) -> Passed:
        """Have those answered that come until the loop has something to do, or that time has come.

        `fds` are the socket, for which its task waits, and the loop's epoll; others are as above.
        """
        (sock, loop), talk = fds, self._lib.large_converse
        calls = (
            lambda burst: talk(burst, loop, until, 0),
            lambda burst: talk(burst, loop, until, 1),
        )
        return self._call(sock, memory, self._connection.now, 0.0, room, calls)

    def _call(
        self, sock: int, memory: tuple[int, int], now: float, over: float, room: int, calls: Calls
    ) -> Passed:
        plain, burst = self._plain, self._burst
        burst.past = burst.have = 0
        done = plain.pass_on(sock, memory, now, over, room, calls)
        why, size, awaited = plain.why, burst.past, self._awaited
        if why == ASK:  # which may not be used
            self._lib.large_end(burst)
        self._awaited = burst.lowat > 0
        if size:
            self._in_vain = 0
        elif awaited and not self._awaited:
            self._in_vain += 1
        if size or self._awaited:
            self.expected = _PATIENCE
        elif self._in_vain == _MOST_IN_VAIN:
            self.expected, self._rest, self._in_vain = 0, _REST, 0
        elif why in _OTHERS:
            self.expected -= 1
        if why == REFUSED:
            self._answer_refused()
        return Passed(size, burst.have, done.replies, awaits=self._awaited)

    def end(self) -> None:
        """Nothing is awaited in the socket any more."""
        self._awaited = False
        self._lib.large_end(self._burst)

    def _answer_refused(self) -> None:
        burst = self._burst
        message = memoryview(bytes(self._ffi.buffer(burst.head)))[4:]
        channel = self._plain.channel_of(burst.which)
        request = self._connection.begun(message, channel, sealed=False)
        request.tree = channel.session.trees.get(request.tree_id)
        self._pipeline.refuse(request, OSError(burst.error, os.strerror(burst.error)))


def is_large(request: Request) -> bool:
    """Whether C could have passed on a plain WRITE that a command has answered."""
    return len(request.frame) > LONGEST and request.row.changes


def is_long_read(request: Request) -> bool:
    """Whether C could have passed on a plain READ that a command has answered."""
    asked = int.from_bytes(request.frame[_LENGTH], "little")
    return asked > LONGEST_PLAIN and not request.row.changes
