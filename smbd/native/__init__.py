"""C for plain READs and WRITEs: `burst.c`, and the memory that replies are made in.

What is signed by AES-GMAC or sealed by AES-GCM is plain too, where the system has an OpenSSL
(`gcm.c`, `guard.c`): it takes a 4 KiB message 1 to 3 us, and the commands 4 to 7 us more.

It is optional.  Where there is no compiler, while it is being built, and with AIO_EXTENSIONS=off in
the environment, the commands answer what it would answer, and the same.
"""

import errno
import logging
import threading
from array import array
from mmap import mmap
from pathlib import Path
from typing import Any, NamedTuple

from aio.compiled import Extension, are_wanted
from aio.kernel.libc import address_of

_log = logging.getLogger("smbd")

MOST_OPENS = 16  # of one connection
# A turn is no longer (smbd.transport).  It is filled anew from its beginning for each burst: what
# is usual of it stays in the processor's cache.
_ROOM = 1 << 20
_LONGEST = 65536 + 1024  # bytes of a frame that is answered


class GcmKeys(NamedTuple):
    """What messages of one session are sealed and opened with."""

    sealing: bytes
    opening: bytes
    prefix: bytes  # 4 bytes of the nonces of those that are sealed ...
    counter: "array[int]"  # ... and, one 64-bit number, how many there were: the other 8


BURST = Extension(
    "smbd.native.burst",
    Path(__file__).with_name("burst.c"),
    """
    struct guard {
        void *mac;
        void *sealing, *opening;
        uint64_t *sealed;
        uint8_t prefix[4];
    };
    int gcm_find(void);
    void *gcm_new(const uint8_t *key, size_t key_size, int sealing);
    void gcm_free(void *gcm);
    int guard_verify(const struct guard *g, const uint8_t *message, size_t size);
    int guard_sign(const struct guard *g, uint8_t *message, size_t size);
    int guard_open(const struct guard *g, const uint8_t *sealed, size_t size, uint8_t *opened);
    int guard_seal(const struct guard *g, uint64_t session_id, uint8_t *transform, size_t size);
    struct fast_open {
        uint64_t position, reads, bytes_read, writes, bytes_written;
        uint64_t session_id, persistent_id, volatile_id;
        uint32_t tree_id, sequence;
        int32_t fd;
        uint32_t ready;
        double writes_until;
        const int32_t *working;
        const struct guard *guard;
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
        uint8_t *opened;
        size_t before;
    };
    int burst_begin(struct burst *b);
    int burst_answer(struct burst *b);
    """,
    before=[Path(__file__).with_name(name) for name in ("wire.c", "gcm.c", "guard.c")],
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
        self._opened: Any = self.ffi.new("uint8_t[]", _LONGEST)  # a sealed request at a time
        self.lib: Any = module.lib
        self.protects = bool(module.lib.gcm_find())  # there is an OpenSSL

    def new(self, slow_read: float, slow_write: float) -> Any:
        """A connection's `struct burst`."""
        burst = self.ffi.new("struct burst *")
        burst.out, burst.slow_read, burst.slow_write = self._out, slow_read, slow_write
        burst.opened = self._opened
        return burst

    def guard(self, signing: bytes | None, sealing: GcmKeys | None) -> Any:
        """A `struct guard` by the key of a signer by GMAC, and those of a Sealer by GCM.

        `protects` says whether there can be one.  OSError if OpenSSL refuses.
        """
        guard = self.ffi.new("struct guard *")
        parts: list[Any] = []
        if signing is not None:
            guard.mac = self._context(parts, signing, sealing=True)
        if sealing is not None:
            guard.sealing = self._context(parts, sealing.sealing, sealing=True)
            guard.opening = self._context(parts, sealing.opening, sealing=False)
            counter = self.ffi.from_buffer("uint64_t[]", sealing.counter, require_writable=True)
            parts.append(counter)
            guard.sealed = counter
            guard.prefix = sealing.prefix
        # The guard is what others keep; it goes first, and then what it is made of.
        return self.ffi.gc(guard, lambda _: parts.clear())

    def _context(self, parts: list[Any], key: bytes, *, sealing: bool) -> Any:
        context = self.lib.gcm_new(key, len(key), sealing)
        if not context:
            raise OSError(errno.ENOTSUP, "OpenSSL has no AES-GCM")
        parts.append(self.ffi.gc(context, self.lib.gcm_free))
        return context

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
        if are_wanted():
            threading.Thread(target=self.load, name="smbd native", daemon=True).start()

    def load(self) -> None:
        """Load it now: a second or two where it has to be built."""
        try:
            self.core = Core()
        except OSError as error:
            _log.info("READ and WRITE without C: %s", error.strerror)
