"""The claims that the study was made to test, and what a document says of each.

The thresholds are constants with their reasons, in the modules; what was not measured is said to
be so, and nothing here fails for a document that lacks it.
"""

from collections.abc import Callable, Sequence

from aio.compare.claims.blocking import blocking_delays_others, probe_keeps_hits_fast
from aio.compare.claims.libaio import buffered_blocks, direct_is_asynchronous
from aio.compare.claims.memory import hits_as_on_ext4
from aio.compare.claims.probing import pays_for_misses_alone
from aio.compare.claims.uring import docker_refuses_uring, uring_is_better
from aio.compare.claims.verdict import Finding, Holds, Verdict
from aio.compare.claims.waiting import (
    nowait_never_waits,
    o_nonblock_changes_nothing,
    probe_notices,
)
from aio.compare.claims.writing import pointless_below_the_limit
from aio.compare.document import Document, Place

__all__ = ["Finding", "Holds", "Verdict", "judge"]

_CLAIMS: Sequence[tuple[str, str, Callable[[Place], Finding]]] = (
    (
        "0a",
        "O_NONBLOCK changes nothing for a regular file.",
        o_nonblock_changes_nothing,
    ),
    (
        "0b",
        "A read with RWF_NOWAIT that is refused has not waited for anything.",
        nowait_never_waits,
    ),
    (
        "0c",
        "A probe that had to wait is the last for a while: the event loop goes on turning.",
        probe_notices,
    ),
    (
        "1",
        (
            "A non-blocking read with a fall-back to threads pays the thread switch only when the "
            "read would block: hits cost what sync costs, misses what threads costs."
        ),
        pays_for_misses_alone,
    ),
    (
        "2",
        "One blocking read in the event loop delays every other client.",
        blocking_delays_others,
    ),
    (
        "3",
        "libaio takes buffered files, but does not go asynchronous: io_submit itself blocks.",
        buffered_blocks,
    ),
    (
        "4",
        "libaio with O_DIRECT is asynchronous, at the price of alignment and of no cache.",
        direct_is_asynchronous,
    ),
    (
        "5",
        (
            "Asynchronous writing is pointless below the dirty limit, and beyond it the kernel "
            "throttles the writer; the exception is a part of a page that is not in the cache."
        ),
        pointless_below_the_limit,
    ),
    (
        "6a",
        "io_uring is better than the probe with threads.",
        uring_is_better,
    ),
    (
        "6b",
        (
            "Under Docker's default seccomp profile io_uring is refused, and the probe with "
            "threads takes its place."
        ),
        docker_refuses_uring,
    ),
    (
        "7",
        (
            "On a slow disk the probe with threads keeps the p99 of cached reads, while other "
            "clients miss, within twice the idle one or below 1 ms."
        ),
        probe_keeps_hits_fast,
    ),
)
_MEMORY = (
    "8",
    (
        "Served cached reads on tmpfs and overlayfs reach at least 80 % of ext4's operations a "
        "second, at no more than 4 us of additional CPU each."
    ),
)


def judge(document: Document) -> list[Verdict]:
    """Every claim, at every place."""
    verdicts = [
        Verdict(number, text, {place.name: find(place) for place in document.places})
        for number, text, find in _CLAIMS
    ]
    return [*verdicts, Verdict(*_MEMORY, hits_as_on_ext4(document.places))]
