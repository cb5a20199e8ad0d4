"""Engine "uring": asynchronous for buffered files too, by the kernel's own threads if it must.

Files are not registered: it saves nothing that shows (see aio.bounce, for memory it does).
"""

import errno
import os
import weakref
from collections.abc import Callable, Iterable
from struct import Struct
from typing import Any

from aio._uring import RING
from aio.dontcache import DontCache
from aio.kernel import Address
from aio.kernel.libc import ffi
from aio.queued import QueuedEngine
from aio.ring import Request

_OPCODES = (22, 23, 3)  # IORING_OP_READ, IORING_OP_WRITE (Linux 5.6), IORING_OP_FSYNC
_REGISTERED_OPCODES = (4, 5)  # IORING_OP_READ_FIXED, IORING_OP_WRITE_FIXED

_ASYNC = 1 << 4  # IOSQE_ASYNC: a thread of the kernel's does all of it

_ENTRY = Struct(  # struct io_uring_sqe
    "="
    "B"  # opcode
    "B"  # flags
    "2x"  # ioprio
    "i"  # fd
    "Q"  # off
    "Q"  # addr
    "I"  # len
    "I"  # rw_flags
    "Q"  # user_data
    "24x"  # buf_index (0: we register one buffer), personality, splice_fd_in, ...
)


_REFUSALS = {
    errno.EPERM: "refused by seccomp (Docker's default profile does) or kernel.io_uring_disabled",
    errno.ENOSYS: "this kernel has no io_uring",
    errno.EOPNOTSUPP: "this kernel's io_uring cannot read and write yet (Linux 5.6 can)",
    errno.ENOMEM: "no memory for its rings (on old kernels the limit is ulimit -l)",
}


class UringQueue:
    """One ring."""

    name = "uring"

    def __init__(self, depth: int) -> None:
        """OSError with the reason: it cannot be built here, or the kernel or seccomp refuses it."""
        module = RING.load()
        self._lib: Any = module.lib
        self._unpack = module.ffi.unpack
        self._ring = module.ffi.new("struct ring *")
        self.eventfd = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        error = -self._lib.ring_open(self._ring, depth, self.eventfd)
        if error:
            os.close(self.eventfd)
            raise OSError(error, _REFUSALS.get(error) or os.strerror(error))
        self._finalizer = weakref.finalize(
            self, _close, self._lib.ring_close, self._ring, self.eventfd
        )
        self.depth = depth
        self._registered: Any = None  # memory that the kernel has pinned
        self._mask = self._ring.depth - 1
        entries = ffi.cast("char *", self._lib.ring_entries(self._ring))
        self._entries = ffi.buffer(entries, self._ring.depth * _ENTRY.size)
        self._at: int = self._lib.ring_at(self._ring)
        self._room = 2 * self._ring.depth
        self._tags = module.ffi.new("uint64_t[]", self._room)
        self._results = module.ffi.new("int32_t[]", self._room)

    def put(self, index: int, tag: int, request: Request) -> None:
        """Fill in a struct io_uring_sqe; the kernel does not look before `submit`."""
        _ENTRY.pack_into(
            self._entries,
            ((self._at + index) & self._mask) * _ENTRY.size,
            (_REGISTERED_OPCODES if request.registered else _OPCODES)[request.code],
            _ASYNC if request.aside else 0,
            request.fd,
            request.offset,
            request.address,
            request.length,
            request.flags,
            tag,
        )

    def submit(self, count: int) -> int:
        """Cached data is copied before this returns."""
        taken: int = self._lib.ring_submit(self._ring, count)
        if taken < 0:
            raise OSError(-taken, os.strerror(-taken))
        self._at += taken
        return taken

    def reap(self, *, woken: bool) -> Iterable[tuple[int, int]]:
        """Take all that is there out of the completion ring."""
        count = self._lib.ring_reap(self._ring, self._tags, self._results, self._room, woken)
        if count < 0:
            raise OSError(-count, os.strerror(-count))
        return zip(self._unpack(self._tags, count), self._unpack(self._results, count), strict=True)

    def register(self, memory: Address, length: int) -> bool:
        """False beyond the limit of locked memory (ulimit -l), for one."""
        result: int = self._lib.ring_register(self._ring, memory.value, length)
        if result == 0:
            self._registered = memory.view
        return result == 0

    def close(self) -> None:
        """End the ring."""
        self._finalizer()


class UringEngine(QueuedEngine):
    """With `direct`, this queue does what O_DIRECT cannot, too."""

    def __init__(self, *, depth: int, direct: int, dontcache: DontCache) -> None:
        """OSError: as `UringQueue`."""
        super().__init__(UringQueue(depth), dontcache, direct=bool(direct), workers=0)

    @staticmethod
    def check() -> None:
        """OSError: as `UringQueue`."""
        UringQueue(1).close()


def _close(close: Callable[[Any], None], ring: Any, eventfd: int) -> None:
    close(ring)
    os.close(eventfd)
