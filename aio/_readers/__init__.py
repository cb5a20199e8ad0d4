"""Threads that read or flush, in C: `readers.c`."""

from pathlib import Path

from aio.compiled import Extension

READERS = Extension(
    "aio._readers.readers",
    Path(__file__).with_name("readers.c"),
    """
    struct readers { ...; };
    int readers_open(struct readers *readers, unsigned depth, unsigned workers, int eventfd);
    void readers_close(struct readers *readers);
    uintptr_t readers_entries(struct readers *readers);
    int readers_submit(struct readers *readers, unsigned count);
    int readers_reap(struct readers *readers, uint64_t *tags, int32_t *results);
    """,
)
