"""Looks at all entries of a listing without Python's lock, where there is a compiler: `looks.c`."""

from pathlib import Path

from aio.compiled import Extension

LOOKS = Extension(
    "aio._looks.looks",
    Path(__file__).with_name("looks.c"),
    """
    struct statx { ...; };
    void look_at_all(
        int folder, const char *names, int count, unsigned mask, struct statx *statuses,
        signed char *told
    );
    """,
)
