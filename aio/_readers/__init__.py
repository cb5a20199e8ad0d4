"""Threads that read or flush, in C: `readers.c`."""

from pathlib import Path

from aio.compiled import Extension

# What others in C make, for these threads.
JOB = Path(__file__).with_name("job.c")

READERS = Extension(
    "aio._readers.readers",
    Path(__file__).with_name("readers.c"),
    """
    struct readers { ...; };
    int readers_open(struct readers *readers, unsigned depth, unsigned workers, int eventfd,
        int jobs_eventfd);
    void readers_close(struct readers *readers);
    uintptr_t readers_entries(struct readers *readers);
    int readers_submit(struct readers *readers, unsigned count);
    int readers_reap(struct readers *readers, int woken, uint64_t *tags, int32_t *results);
    int readers_add(struct readers *readers, uintptr_t first);
    int readers_take(struct readers *readers, int woken, uint64_t *owners, uint32_t *counts,
        int most);
    """,
    before=[JOB],
)
