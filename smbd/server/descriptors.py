"""File descriptors: each connection and each open file costs one, and the process has so many."""

import resource

from smbd.config import Limits

# For listeners, roots, log, workers with a file half opened, the loop's own.
_RESERVE = 256


def raise_limit() -> None:
    """Take all the descriptors that this process may have: the usual 1024 are for select()."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def most_opens(limits: Limits) -> int:
    """How many files the whole server may have open.

    One more is told INSUFFICIENT_RESOURCES in good order, while there are still descriptors for
    those who connect.
    """
    available = _available()
    for_opens = max(available - limits.connections, available // 2)
    return min(limits.opens * limits.connections, for_opens)


def shortage(limits: Limits) -> str:
    """What the limits promise to one client that the descriptors do not hold; '' if they do."""
    most = most_opens(limits)
    if most >= limits.opens:
        return ""
    return (
        f"limits.opens allows one connection {limits.opens} open files, but {_available()} "
        f"descriptors suffice for {most} beside {limits.connections} connections: "
        "raise the hard limit (ulimit -Hn), or lower the limits"
    )


def _available() -> int:
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        soft = 1 << 30
    return max(soft - _RESERVE, 16)
