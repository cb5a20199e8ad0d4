"""C for the plain entries of a listing (`entries.c`), optional as the rest of it."""

from pathlib import Path

from aio._entries import SOURCE
from aio.compiled import Extension

PLAIN_ENTRIES = Extension(
    "smbd.native.plain_entries",
    Path(__file__).with_name("entries.c"),
    """
    struct kind {
        uint32_t mask, major, minor, size, id_at, block, hole;
        uint32_t attributes[16];
    };
    struct packed {
        uint32_t size, last, done, full;
    };
    void pack_plain(
        int folder, const char *names, const uint8_t *shown, uint32_t count,
        const struct kind *kind, uint8_t *out, uint32_t room, struct packed *packed
    );
    """,
    before=[SOURCE],
)
