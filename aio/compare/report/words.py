"""Texts of terminal and page."""

from aio.catalog import ENGINES, PROBE, PROBE_HOW
from aio.compare.document import Document, Volume

CUT_SHORT = "The study was stopped before its end."
ONE_ROUND = "One short round is no proof; the whole study tells how far rounds differ."
HOW_PLOTS = "They need matplotlib: pip install 'smbd[plots]', then make this page again."
LOAD = "Loads are closed loops: x16 keeps sixteen requests in flight. A latency includes waiting."
CACHE = "Misses read pages evicted by posix_fadvise, none twice, and too far apart for readahead."
TURNS = "Forms take turns: a slower machine slows them all. Figures are medians of the rounds."
_DIRECT = "Past the page cache (O_DIRECT): every read is the disk's."
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
    """Date and time to the minute, in the study's zone."""
    return document.date[:16].replace("T", " ")


def took(document: Document) -> str:
    """The study's duration."""
    if document.seconds < 120:
        return f"{document.seconds:.0f} s"
    return f"{document.seconds / 60:.0f} min"


def what_is_there(volume: Volume) -> str:
    """The volume's file system, device and throttle."""
    throttled = (
        f", throttled to {volume.reads_per_second} reads a second"
        if volume.reads_per_second is not None
        else ""
    )
    return f"{volume.file_system} on {volume.device}{throttled}"
