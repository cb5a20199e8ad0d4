"""File descriptors: each connection and each open file costs one, and the process has so many.

A file of a share with `direct = true` costs two (aio.direct).
"""

import contextlib
import fcntl
import os
import resource

from smbd.config import Config, Limits

# For listeners, roots, log, workers with a file half opened, the loop's own.
_RESERVE = 256
# The kernel's table of them is made for so many at once: 1 MiB.
_TABLE = 1 << 17
# Open files for one client that nobody has to hear of if there are no more, unless limits.opens was
# set: a kernel that mounts a share opens what its programs do, and Explorer some ten.
_ENOUGH = 4096


def raise_limit() -> None:
    """Take all the descriptors that this process may have: the usual 1024 are for select()."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def make_table() -> None:
    """Let the kernel make its table of descriptors as large as it may get, before threads begin.

    It doubles with the highest descriptor, 256, 512, 1,024 ..., and with several threads each
    time waits until no processor uses the old one (synchronize_rcu): 8 to 16 ms here, in the
    middle of an openat2 in the event loop.  With one thread it does not wait.
    """
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = _TABLE if soft == resource.RLIM_INFINITY else min(soft, _TABLE)
    fd = os.open(os.devnull, os.O_RDONLY)
    with contextlib.suppress(OSError):  # no memory for it: then it grows as it has to
        os.close(fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, most - 1))
    os.close(fd)


def most_opens(config: Config) -> int:
    """How many files the whole server may have open, in whichever shares.

    One more is told INSUFFICIENT_RESOURCES in good order, while there are still descriptors for new
    connections.
    """
    limits, available = config.server.limits, _available()
    for_opens = max(available - limits.connections, available // 2)
    return for_opens // _of_a_file(config)


def shortage(config: Config) -> str:
    """Say that the limits promise one client more than the descriptors hold; '' if they do not.

    Nor if nobody has set them, and there are enough.
    """
    limits, most = config.server.limits, most_opens(config)
    wanted = _ENOUGH if limits.opens == Limits().opens else limits.opens
    if most // 2 >= wanted:
        return ""
    twice = " (two each, for direct = true)" if _of_a_file(config) == 2 else ""
    return (
        f"limits.opens allows one connection {limits.opens} open files, but {_available()} "
        f"descriptors suffice for {most}{twice} beside {limits.connections} connections, and one "
        "client gets half of them: raise the hard limit (ulimit -Hn), or lower the limits"
    )


def _of_a_file(config: Config) -> int:
    return 2 if any(share.engine_options.get("direct") for share in config.shares) else 1


def _available() -> int:
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        soft = 1 << 30
    return max(soft - _RESERVE, 16)
