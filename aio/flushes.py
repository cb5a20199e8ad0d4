"""Fsyncs in a ring: few at once, so that they never have all of its threads, or all of its room."""

import errno
import os
from collections import deque

import trio

from aio.base import Begun, Done
from aio.kernel import Address
from aio.ring import FSYNC, Request, Ring

_NOTHING = Address(0, memoryview(b""))  # an fsync transfers nothing


class _Flush:
    """One of them."""

    __slots__ = ("_done", "fd", "flushes")

    def __init__(self, flushes: "Flushes", fd: int, done: Done) -> None:
        self.flushes, self.fd, self._done = flushes, fd, done

    def withdraw(self) -> None:
        """As `aio.base.Begun` has it."""
        if self.flushes.drop(self):
            error = OSError(errno.ECANCELED, os.strerror(errno.ECANCELED))
            trio.lowlevel.current_trio_token().run_sync_soon(self._done, 0, error)

    def ended(self, count: int, error: BaseException | None) -> None:
        """The ring has done it."""
        self.flushes.go_on()
        self._done(count, error)


class Flushes:
    """Those that a ring has, `most` at once, and those that wait: their descriptors take turns."""

    def __init__(self, ring: Ring, most: int) -> None:
        self._ring = ring
        self._room = most
        self._waiting: dict[int, deque[_Flush]] = {}  # by descriptor, the one that is next first

    def begin(self, fd: int, done: Done) -> Begun:
        """Begin one; it waits for the ring's `kick`."""
        flush = _Flush(self, fd, done)
        self._waiting.setdefault(fd, deque()).append(flush)
        self._begin_some()
        return flush

    def drop(self, flush: _Flush) -> bool:
        """Whether it still waited; then it never begins."""
        line = self._waiting.get(flush.fd)
        if line is None or flush not in line:
            return False
        line.remove(flush)
        if not line:
            del self._waiting[flush.fd]
        return True

    def go_on(self) -> None:
        """One has ended."""
        self._room += 1
        self._begin_some()

    def _begin_some(self) -> None:
        while self._waiting and self._room:
            self._room -= 1
            flush = self._next()
            self._ring.begin(Request(FSYNC, flush.fd, _NOTHING, 0, 0), flush.ended)

    def _next(self) -> _Flush:
        fd = next(iter(self._waiting))
        line = self._waiting.pop(fd)
        flush = line.popleft()
        if line:
            self._waiting[fd] = line  # behind the others
        return flush
