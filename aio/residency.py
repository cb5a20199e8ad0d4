"""Which pages of an open file are in the page cache: mincore on a mapping kept per open.

Nothing ever touches the mapping (it has no access rights), so a file that shrinks is no SIGBUS, and
one that grows finds its pages mapped already: a mapping may be longer than its file.  Through
overlayfs mincore looks at the real file's pages (measured: cold 0, warm all, for files of the upper
and of a lower layer); a file copied up meanwhile keeps its old mapping, which is one way in which
residency is a guess.

To ask costs more than to read (measured: 1.9 us for a page), so an answer is believed: for a tenth
of a second, then twice as long each time if it was not wrong, at most 1.6 s.  An answer whose read
took long enough to have waited is believed no more; if that happens again at once, no answer about
any file is: memory pressure that evicts one file evicts others, and a burst of reads would find
that out with one wait for the disk each.  Served 4 KiB hits all over 64 MiB of overlayfs reach 88
to 97 % of the operations a second of the file system below (85 to 94 if it is a tenth of a second
always).
"""

import os
from mmap import PAGESIZE

from aio.kernel import PageVector, map_pages, mincore, unmap_pages

# Address space, not memory: a process has 128 TiB (512 GiB on some small aarch64 kernels).  Within
# _WHOLE_FILES, all of them together, a window is as large as its file; beyond it, it moves, at 5 to
# 8 us (random reads all over 4 GiB: 12.3 us each, and 5.1 with the whole file mapped).
_WHOLE_FILES = 64 << 30
_MOVING_WINDOW = 256 << 20
_SMALLEST_WINDOW = 1 << 20
# Longer reads always ask: that costs a tenth of them, and a wrong belief would have the loop wait
# for the disk several times over.
_MOST_STRETCHES = 2
# Asked for at once, and remembered: 16 pages cost 1.2 us more than one (measured), and of reads all
# over a file of 64 MiB, at 50,000 a second, four of five find the answer there.
_STRETCH = 16 * PAGESIZE
_BELIEVED, _BELIEVED_AT_MOST = 0.1, 1.6  # seconds
# An interrupt looks like a wait, once in 2,000 reads (measured); so many doubts, each with fewer
# hits than _APART since the one before, are more than that.
_MANY_DOUBTS = 3
_APART = 16
# Where no page can be: farther behind the end of file than the largest folio reaches.
_NOWHERE = 1 << 30
_LAST_PAGE = (1 << 63) - 2 * PAGESIZE


def vector_for(longest: int) -> PageVector:
    """Room for the answer about `longest` bytes, which may begin and end within a stretch."""
    return PageVector((longest // _STRETCH + 2) * _STRETCH // PAGESIZE)


class Beliefs:
    """Which files of one engine are believed to be resident, and how often that was wrong."""

    def __init__(self) -> None:
        self.believing: set[Residency] = set()
        self._doubts = 0
        self._doubted_at = 0  # the number of hits then

    def doubt(self, hits: int) -> bool:
        """Count a doubt; whether there have been many of late."""
        self._doubts = self._doubts + 1 if hits - self._doubted_at < _APART else 1
        self._doubted_at = hits
        return self._doubts >= _MANY_DOUBTS

    def forget(self) -> None:
        """Have every file believe nothing until it has asked."""
        for one in self.believing:
            one.forget()
        self.believing.clear()


class Residency:
    """One open file's window.  Used by one thread at a time."""

    _mapped = 0  # by all windows of the process, in bytes

    __slots__ = (
        "_address",
        "_beliefs",
        "_believed",
        "_fd",
        "_found",
        "_found_until",
        "_length",
        "_size",
        "_start",
        "_vector",
        "trusted",
    )

    def __init__(self, fd: int, vector: PageVector, beliefs: Beliefs) -> None:
        self._fd = fd
        self._beliefs = beliefs
        self._vector = vector
        self._found: set[int] = set()  # stretches that were resident as a whole
        self._found_until = 0.0
        self._believed = 0.0  # for how long, this time
        self._address = 0
        self._start = 0
        self._length = 0
        self._size = 0  # of the file, when it was last asked for
        self.trusted = tells_the_truth(fd, vector)

    def resident(self, offset: int, length: int, now: float) -> bool | None:
        """Whether a read of this range would find every page; None: it cannot be told.

        A range behind the end of file needs no page.  `length` is at most that of the vector;
        `now` is perf_counter's, in seconds.
        """
        first = offset // _STRETCH
        last = (offset + length - 1) // _STRETCH
        if now >= self._found_until:
            self._begin_anew(now)
        elif first in self._found and (
            first == last or (last in self._found and last - first < _MOST_STRETCHES)
        ):
            return True
        start, end = first * _STRETCH, (last + 1) * _STRETCH
        pages = (end - start) // PAGESIZE
        try:
            if start < self._start or end > self._start + self._length:
                self._move(start, end)
            mincore(self._address + start - self._start, end - start, self._vector)
            if not self._vector.all_resident(0, pages):
                if end > self._size:  # a file that is shorter by now costs a thread, no data
                    self._size = os.fstat(self._fd).st_size
                    pages = min(max(-(-(self._size - start) // PAGESIZE), 0), pages)
                if not self._vector.all_resident(0, pages):
                    wanted = min(-(-(offset + length - start) // PAGESIZE), pages)
                    return self._vector.all_resident((offset - start) // PAGESIZE, wanted)
        except OSError:  # ENOMEM or EOVERFLOW for the mapping
            return None
        self._found.update(range(first, last + 1))
        return True

    def _begin_anew(self, now: float) -> None:
        """Forget all answers; the next ones are believed longer if these were right."""
        right = bool(self._found)
        self._believed = min(2 * self._believed, _BELIEVED_AT_MOST) if right else _BELIEVED
        self._found.clear()
        self._found_until = now + self._believed
        self._beliefs.believing.add(self)

    def doubt(self, offset: int, length: int, hits: int) -> None:
        """A read or write of this range took long; `hits`: how many there were of all files."""
        if self._beliefs.doubt(hits):
            self._beliefs.forget()
        else:
            last = (offset + length - 1) // _STRETCH
            self._found.difference_update(range(offset // _STRETCH, last + 1))

    def forget(self) -> None:
        """Forget all answers: one was wrong."""
        self._found.clear()
        self._found_until = 0.0

    def close(self) -> None:
        """Give the mapping back."""
        self._beliefs.believing.discard(self)
        self._unmap()

    def _unmap(self) -> None:
        if self._length:
            unmap_pages(self._address, self._length)
            Residency._mapped -= self._length
            self._length = 0

    def _move(self, start: int, end: int) -> None:
        self._unmap()
        length = max(os.fstat(self._fd).st_size, end, _SMALLEST_WINDOW)
        length = 1 << (length - 1).bit_length()
        self._start = 0
        if length > max(_MOVING_WINDOW, _WHOLE_FILES - Residency._mapped):
            # In steps of half a window, so that no request straddles two.
            length = _MOVING_WINDOW
            self._start = start - start % (length // 2)
        self._address = map_pages(self._fd, self._start, length)
        self._length = length
        Residency._mapped += length


def tells_the_truth(fd: int, vector: PageVector) -> bool:
    """Whether mincore answers for this file: ask for a page that cannot be there.

    A process that neither owns the file nor may write it is told "all resident", far behind the
    end of the file too, and so is every process in a sandbox that does not know.  This shows
    more than a comparison of owners and permissions would, and costs 7 us once per open.
    """
    try:
        end = os.fstat(fd).st_size
        nowhere = end - end % PAGESIZE + _NOWHERE
        if nowhere > _LAST_PAGE:  # a file of 2**63 bytes has no such page
            return False
        address = map_pages(fd, nowhere, PAGESIZE)
    except OSError:  # not open for reading, or no mappings on this file system
        return False
    try:
        mincore(address, PAGESIZE, vector)
    except OSError:
        return False
    finally:
        unmap_pages(address, PAGESIZE)
    return not vector.all_resident(0, 1)
