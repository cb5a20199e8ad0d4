"""Reads the entries of a listing without Python's lock, where there is a compiler: `entries.c`."""

from pathlib import Path

from aio.compiled import Extension

SOURCE = Path(__file__).with_name("entries.c")
ENTRIES = Extension(
    "aio._entries.entries",
    SOURCE,
    """
    struct statx { ...; };
    void read_entries(
        int folder, const char *names, int count, unsigned mask, struct statx *statuses,
        signed char *told
    );
    """,
)
