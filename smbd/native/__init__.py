"""C for plain READs and WRITEs: `burst.c`, and the memory that replies are made in.

It is optional.  Where there is no compiler, while it is being built, and with SMBD_PURE in the
environment, the commands answer what it would answer, and the same.
"""

import logging
import os
import threading
from mmap import mmap
from pathlib import Path
from typing import Any

from aio.compiled import Extension
from aio.kernel.libc import address_of

_log = logging.getLogger("smbd")
_PURE = "SMBD_PURE"

MOST_OPENS = 16  # of one connection
# A turn is no longer (smbd.transport).  It is filled anew from its beginning for each burst: what
# is usual of it stays in the processor's cache.
_ROOM = 1 << 20

BURST = Extension(
    "smbd.native.burst",
    Path(__file__).with_name("burst.c"),
    """
    struct fast_open {
        uint64_t position, reads, bytes_read, writes, bytes_written;
        uint64_t session_id, persistent_id, volatile_id;
        uint32_t tree_id, sequence;
        int32_t fd;
        uint32_t ready;
        double writes_until;
        const int32_t *working;
    };
    struct burst {
        uint64_t in, size;
        uint64_t room, most;
        uint64_t maximum;
        double over, again;
        int32_t sock;
        uint32_t ready;
        uint64_t at, have;
        uint64_t low, high;
        uint32_t which, multi_credit;
        uint64_t made, sent;
        double took, ended;
        uint32_t length, writing;
        uint8_t *out;
        double slow_read, slow_write;
        uint32_t count, frames;
        struct fast_open opens[16];
    };
    int burst_begin(struct burst *b);
    int burst_answer(struct burst *b);
    """,
)


class Core:
    """The functions of C, and one server's memory for replies."""

    def __init__(self) -> None:
        """OSError says why it cannot be built or loaded.  Blocks; it takes a second, once."""
        module = BURST.load()
        self.ffi: Any = module.ffi
        self.begin: Any = module.lib.burst_begin
        self.answer: Any = module.lib.burst_answer
        memory = address_of(mmap(-1, _ROOM), writable=True)  # pages come as they are needed
        self.replies = memory.view
        self.room = _ROOM
        self._out: Any = self.ffi.cast("uint8_t *", memory.value)

    def new(self, slow_read: float, slow_write: float) -> Any:
        """A connection's `struct burst`."""
        burst = self.ffi.new("struct burst *")
        burst.out, burst.slow_read, burst.slow_write = self._out, slow_read, slow_write
        return burst

    def offset_of(self, number: int) -> int:
        """Where one of its opens is."""
        offset: int = self.ffi.offsetof("struct burst", "opens", number)
        return offset


class Native:
    """The C of one server, as soon as there is one."""

    def __init__(self) -> None:
        self.core: Core | None = None

    def start(self) -> None:
        """Load it in a thread, which builds it where that was not done before."""
        if not os.environ.get(_PURE):
            threading.Thread(target=self.load, name="smbd native", daemon=True).start()

    def load(self) -> None:
        """Load it now: a second or two where it has to be built."""
        try:
            self.core = Core()
        except OSError as error:
            _log.info("READ and WRITE without C: %s", error.strerror)
