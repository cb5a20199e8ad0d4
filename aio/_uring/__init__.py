"""The part of io_uring that is C: `ring.c`."""

from pathlib import Path

from aio.compiled import Extension

RING = Extension(
    "aio._uring.ring",
    Path(__file__).with_name("ring.c"),
    """
    struct ring { unsigned depth; ...; };
    int ring_open(struct ring *ring, unsigned depth, int eventfd);
    void ring_close(struct ring *ring);
    int ring_register(struct ring *ring, uintptr_t address, size_t length);
    uintptr_t ring_entries(struct ring *ring);
    unsigned ring_at(struct ring *ring);
    int ring_submit(struct ring *ring, unsigned count);
    int ring_reap(
        struct ring *ring, uint64_t *tags, int32_t *results, unsigned room, int woken
    );
    """,
)
