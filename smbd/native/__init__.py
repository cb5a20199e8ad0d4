"""C for plain READs and WRITEs, visits (`burst.c`), and the memory of their replies.

What is signed by AES-GMAC or sealed by AES-GCM is plain too, where the system has an OpenSSL
(`gcm.c`, `guard.c`): it takes a 4 KiB message 1 to 3 us, and the commands 4 to 7 us more.

It is optional.  Where there is no compiler, while it is being built, and with AIO_EXTENSIONS=off in
the environment, the commands answer what it would answer, and the same.
"""

import errno
import fcntl
import logging
import os
import threading
import weakref
from array import array
from collections.abc import Sequence
from contextlib import suppress
from mmap import mmap
from pathlib import Path
from typing import Any, NamedTuple

from aio._readers import JOB
from aio.compiled import Extension, are_wanted
from aio.kernel.libc import address_of

_log = logging.getLogger("smbd")

MOST_OPENS = 16  # of one connection
# A turn is no longer (smbd.transport), but for a header.  It is filled anew from its beginning for
# each burst: what is usual of it stays in the processor's cache.
_ROOM = (1 << 20) + 4096
# Frames of a long burst whose replies leave before it is over, so that its client works at the same
# time.  With 16 in flight that is 1.6 to 2.5 times the rate; with 4 a READ of 64 KiB gets slower.
_PIECE = 6
LONGEST = 65536 + 1024  # bytes of a frame that is answered in a burst
_PIPE = 1 << 20  # bytes: what anybody may have
MOST_FORMS = 16  # of visits, of one connection
MOST_PREFIX = 1024  # bytes of a name up to its last backslash
_MOMENT = 0.002  # seconds that C waits for the CLOSE of a file that goes with it
LONGEST_PREDICTED = 1024  # bytes of an answer that is made beforehand


class GcmKeys(NamedTuple):
    """What messages of one session are sealed and opened with."""

    sealing: bytes
    opening: bytes
    prefix: bytes  # 4 bytes of the nonces of those that are sealed ...
    counter: "array[int]"  # ... and, one 64-bit number, how many there were: the other 8


_PARTS = (
    "wire", "gcm", "guard", "state", "reply", "visits", "opens", "removes", "predicted", "misses",
    "large", "pages", "burst",
)  # fmt: skip
BURST = Extension(
    "smbd.native.burst",
    Path(__file__).with_name("converse.c"),
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
    int guard_stream(const struct guard *g, const uint8_t *sealed, const uint8_t *from,
                     size_t size, uint8_t *to);
    int guard_seal(const struct guard *g, uint64_t session_id, uint8_t *transform, size_t size);
    struct job;
    struct jobs {
        struct job *first, *last;
    };
    struct miss {
        uint64_t held;
        uint32_t which, before, size;
        uint8_t message[256];
        double started;
        ...;
    };
    struct fast_open {
        uint64_t position, reads, bytes_read, writes, bytes_written;
        uint64_t missed, missed_size;
        struct jobs begun;
        uint64_t flush_size;
        struct jobs flush;
        uint64_t last_position, ended, ended_bytes, ended_size;
        double ended_seconds, ended_longest;
        uint64_t flushed, flushed_size;
        double flushed_seconds, flushed_longest;
        uint64_t session_id, persistent_id, volatile_id;
        uint32_t tree_id, sequence;
        int32_t fd;
        uint32_t ready;
        uint32_t longest, longest_read, longest_passed;
        double writes_until;
        const int32_t *working;
        const struct guard *guard;
    };
    struct predicted {
        uint8_t status[256];
        uint8_t asked[24];
        uint32_t asked_size, mask, young, size, times;
        uint8_t answer[1024];
    };
    struct doomed {
        int32_t fd;
        uint32_t which;
        uint64_t persistent, volatile_id;
        uint8_t status[256];
        char name[64];
    };
    struct burst {
        uint64_t in, size;
        uint64_t room, most;
        uint64_t maximum, used;
        uint64_t flight, left;
        double over, again;
        int32_t sock;
        uint32_t ready;
        uint64_t company;
        uint64_t at, have;
        uint64_t low, high;
        uint32_t which, multi_credit;
        uint64_t made, sent;
        double took, ended;
        uint32_t length, kind;
        uint8_t *out;
        double slow[4];
        uint32_t count, frames;
        uint32_t missed;
        struct fast_open opens[16];
        uint32_t piece, whole;
        uint64_t bursts;
        struct predicted *predicted;
        uint8_t *opened;
        size_t before;
        uint64_t held;
        struct jobs returned;
        struct jobs odd;
        struct miss *oldest, *newest;
        int32_t pipe[2];
        int32_t error;
        uint64_t past;
        uint8_t head[116];
        uint32_t lowat, grown;
        uint32_t others;
        struct visits *visits;
        struct visit_form *forms[16];
        uint32_t form_count, visited;
        double patience;
        int32_t loop, talks;
        double asked, alone;
        uint32_t last;
        struct doomed doomed;
        double moment;
    };
    struct visit_id {
        uint64_t persistent, volatile_id;
    };
    struct visit;
    struct taken {
        int32_t fd;
        uint32_t root, prefix_size;
        uint8_t prefix[1024];
        uint8_t place[16];
        uint64_t mask, volume_id;
        uint32_t size;
        char names[8192];
        double until, idle;
    };
    struct visits {
        struct visit *slots[4096];
        const uint32_t *inodes;
        uint64_t numbers;
        uint64_t resolve;
        uint32_t mask, flags;
        uint32_t left;
        struct visit_id ids[64];
        uint64_t small;
        struct taken taken;
    };
    struct visit_form {
        uint8_t head[16], holder[16], body[46];
        uint16_t credits[6];
        uint32_t count, what, contexts_size, rest_size;
        const uint8_t *contexts, *rest;
        uint32_t starts[6];
        uint8_t headers[6][64];
        uint32_t removes, tells;
        uint32_t sizes[6], id_at;
        const uint8_t *bodies;
        uint32_t ready, root, maximum;
        int32_t fd;
        double until;
    };
    int visit_learn(struct visits *visits, const uint32_t *numbers, const uint32_t *sizes,
                   const uint8_t *status, const uint8_t *bytes, size_t size);
    void visit_forget_all(struct visits *visits);
    int burst_begin(struct burst *b);
    int burst_answer(struct burst *b);
    int burst_finish(struct burst *b);
    int large_begin(struct burst *b);
    int large_answer(struct burst *b);
    int large_converse(struct burst *b, int loop, double until, int asked);
    void large_end(struct burst *b);
    int burst_converse(struct burst *b, int loop, double until, double turn, int asked);
    void miss_give(struct burst *b, struct miss *miss);
    struct miss *miss_find(const struct burst *b, uint64_t message_id);
    struct miss *miss_next(struct burst *b);
    uint8_t *miss_data(struct miss *miss);
    int64_t miss_count(const struct miss *miss);
    int miss_flushes(const struct miss *miss);
    void miss_free(struct miss *miss);
    """,
    before=[JOB, *(Path(__file__).with_name(f"{name}.c") for name in _PARTS)],
)


class Core:
    """The functions of C, and one server's memory for replies."""

    def __init__(self) -> None:
        """OSError says why it cannot be built or loaded.  Blocks; it takes a second, once."""
        module = BURST.load()
        self.ffi: Any = module.ffi
        self.begin: Any = module.lib.burst_begin
        self.answer: Any = module.lib.burst_answer
        self.finish: Any = module.lib.burst_finish
        self.converse: Any = module.lib.burst_converse
        memory = address_of(mmap(-1, _ROOM), writable=True)  # pages come as they are needed
        self.replies = memory.view
        self.room = _ROOM
        self._out: Any = self.ffi.cast("uint8_t *", memory.value)
        self._opened: Any = self.ffi.new("uint8_t[]", LONGEST)  # a sealed request at a time
        self.lib: Any = module.lib
        self.protects = bool(module.lib.gcm_find())  # there is an OpenSSL
        self._pipe: tuple[int, int] | None = None
        self.visits: Any = None  # smbd.known_visits'

    def new(self, slow: Sequence[float], held: int) -> Any:
        """A connection's `struct burst`.

        `slow`: seconds from which on a hit, a write, a miss and a visit take long.  `held`: what a
        miss counts for, beside its message and its data.
        """
        burst = self.ffi.new("struct burst *")
        burst.out, burst.slow, burst.held = self._out, slow, held
        burst.opened = self._opened
        burst.piece = _PIECE
        burst.doomed.fd, burst.moment = -1, _MOMENT
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

    def pipe(self) -> tuple[int, int]:
        """What long WRITEs and READs go through on their way; (-1, -1) if there is none.

        One for all: it is empty between two of them.
        """
        if self._pipe is None:
            self._pipe = _made_pipe()
            weakref.finalize(self, _close, self._pipe)
        return self._pipe

    @property
    def longest_passed(self) -> int:
        """Bytes that a READ may have to go by the pipe: all of it is in there at once."""
        return _size_of(self.pipe()[0])

    def offsets_of(self, field: str) -> list[int]:
        """Where a field of each of its opens is in a `struct burst`."""
        at = self.ffi.offsetof
        return [at("struct burst", "opens", number, field) for number in range(MOST_OPENS)]

    def address_of(self, burst: Any, field: str) -> int:
        """Where a field of a `struct burst` is in memory."""
        return int(self.ffi.cast("uintptr_t", self.ffi.addressof(burst, field)))


def _made_pipe() -> tuple[int, int]:
    try:
        ends = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:  # no descriptors
        return -1, -1
    with suppress(OSError):  # smaller ones do, more slowly
        fcntl.fcntl(ends[0], fcntl.F_SETPIPE_SZ, _PIPE)
    return ends


def _size_of(end: int) -> int:
    """Bytes that a pipe takes; 0 if there is none."""
    return fcntl.fcntl(end, fcntl.F_GETPIPE_SZ) if end >= 0 else 0


def _close(ends: tuple[int, int]) -> None:
    for end in ends:
        if end >= 0:
            os.close(end)


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
