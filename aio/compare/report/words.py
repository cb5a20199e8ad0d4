"""What terminal and page say in the same words."""

from aio.catalog import ENGINES, PROBE, PROBE_HOW
from aio.compare.document import Document, Place

CUT_SHORT = "The study was stopped before its end: it has what was measured until then, no more."
ONE_ROUND = (
    "One short round of each shows that everything works and which way it leans, but is no "
    "proof. The whole study repeats everything and tells how far the rounds differ."
)
HOW_PLOTS = (
    "They need matplotlib: pip install 'smbd[plots]', then make this page again. Everything else "
    "is here."
)
LOAD = (
    "Every load is a closed loop: so many requests are in flight always (x16: sixteen), and the "
    "next is there as soon as one is answered. A latency is the time from a request being there "
    "to its answer, waiting included."
)
CACHE = (
    "Hits read what is in the page cache. Misses read what was evicted from it (posix_fadvise), "
    "no page twice, and too far apart for readahead to help."
)
TURNS = (
    "All forms take turns in each round, so that a machine that slows down meanwhile slows all of "
    "them. A figure is the median of the rounds."
)
_DIRECT = "Past the page cache (O_DIRECT): there are no hits, every read is the disk's."
_MAN = "https://man7.org/linux/man-pages"
MANUALS = (
    ("preadv2", f"{_MAN}/man2/preadv2.2.html"),
    ("io_submit", f"{_MAN}/man2/io_submit.2.html"),
    ("io_uring", f"{_MAN}/man7/io_uring.7.html"),
    ("posix_fadvise", f"{_MAN}/man2/posix_fadvise.2.html"),
)


def ways() -> dict[str, str]:
    """Form -> how it reads and writes."""
    hows = {row.name: row.how for row in ENGINES.values()} | {f"{PROBE}+...": PROBE_HOW}
    sentences = {form: f"{how[0].upper()}{how[1:]}." for form, how in hows.items()}
    return sentences | {"... direct": _DIRECT}


def when(document: Document) -> str:
    """Date and time to the minute, as they were there."""
    return document.date[:16].replace("T", " ")


def took(document: Document) -> str:
    """How long the study was."""
    if document.seconds < 120:
        return f"{document.seconds:.0f} s"
    return f"{document.seconds / 60:.0f} min"


def what_is_there(place: Place) -> str:
    """The file system of a place, what is below it, and how fast that may read."""
    throttled = (
        f", throttled to {place.reads_per_second} reads a second"
        if place.reads_per_second is not None
        else ""
    )
    return f"{place.file_system} on {place.device}{throttled}"
