"""QUERY_DIRECTORY ([MS-SMB2] 3.3.5.18): a listing, batch by batch."""

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from sys import getsizeof
from typing import Any, TypeAlias

from aio import give_way, in_slices
from smbd import vfs
from smbd.fsa import read_dir, security
from smbd.ntstatus import NtError, NtStatus
from smbd.request import Reply, Request
from smbd.state import Enumeration, Listing, Open
from smbd.vfs import File
from smbd.waiting import queued
from smbd.wire.aapl import READ_DIR_SIZE, pack_read_dir_entries
from smbd.wire.access import Access
from smbd.wire.fscc import DIRECTORY_CLASSES, FileClass, pack_directory_entries
from smbd.wire.output import pack_output_response
from smbd.wire.query_directory import (
    QueryDirectoryFlags,
    QueryDirectoryRequest,
    parse_query_directory_request,
)

_RESTARTS = QueryDirectoryFlags.RESTART_SCANS | QueryDirectoryFlags.REOPEN
_BATCH = 128  # entries looked up at a time, at most
# How entries are looked up and packed, and how long one is without its name; the second has what
# the first gives.
_Described: TypeAlias = tuple[
    Callable[[File, list[str]], list[Any]],
    Callable[[Iterable[tuple[str, Any, int]], int], tuple[bytearray, int]],
    int,
]


def try_now(request: Request) -> Reply | None:
    """That there are no more needs no disk; to look up entries may wait for it.

    Most clients ask once more behind the last entry: a worker took 1.3 ms for that (measured).
    """
    message = parse_query_directory_request(request.frame)
    open_ = _prepare(request, message)
    enumeration = open_.enumeration
    if enumeration is None or message.flags & _RESTARTS or open_.users:
        return None
    if enumeration.next < len(enumeration.names):
        return None
    raise _end(enumeration)


async def run(request: Request) -> Reply:
    """Go on with the handle's enumeration, or begin it anew."""
    message = parse_query_directory_request(request.frame)
    open_ = _prepare(request, message)
    # One after the other: two that went on from the same place would both give the same entries.
    async with queued(request.tables.files.queues.join(open_)):
        enumeration, described = open_.enumeration, _described(request, message)
        if enumeration is None or message.flags & _RESTARTS:
            pattern = _pattern(open_, message)
            begun, output = await request.blocking_long(_begin, open_, pattern, message, described)
            _take_over(open_, begun)
        else:
            try:
                output = await request.blocking_long(_fill, open_, enumeration, message, described)
            finally:
                _count(open_, enumeration)
    if isinstance(output, NtError):
        raise output
    return Reply(pack_output_response(output))


def _begin(
    open_: Open, pattern: str, message: QueryDirectoryRequest, described: _Described
) -> tuple[Enumeration, bytearray | NtError]:
    """A new enumeration, and what `_fill` gives of it.  Blocks."""
    names = _listing(open_.file, pattern)
    # A longer one, which has no wildcards, matches nothing; no more of it is kept than still does.
    enumeration = Enumeration(pattern[: vfs.MAXIMUM_COMPONENT + 1], names)
    return enumeration, _fill(open_, enumeration, message, described)


def _take_over(open_: Open, enumeration: Enumeration) -> None:
    """Put a new enumeration in place of the handle's last one, if there is one."""
    last, open_.enumeration = open_.enumeration, None
    if last is not None:
        open_.memory.grow(-last.counted)
    _count(open_, enumeration)
    open_.enumeration = enumeration


def _count(open_: Open, enumeration: Enumeration) -> None:
    """Names count as held: INSUFFICIENT_RESOURCES where there are more than the client may hold."""
    size = enumeration.names.size + getsizeof(enumeration.pattern)
    open_.memory.grow(size - enumeration.counted)
    enumeration.counted = size


def _prepare(request: Request, message: QueryDirectoryRequest) -> Open:
    open_ = request.find_open(message, message.output_buffer_length)
    if message.info_class not in DIRECTORY_CLASSES:
        raise NtError(NtStatus.INVALID_INFO_CLASS)
    open_.require(Access.FILE_READ_DATA)
    return open_


def _pattern(open_: Open, message: QueryDirectoryRequest) -> str:
    """The pattern asked for; a restart that names none goes on with the old one."""
    if message.pattern:
        return message.pattern
    return open_.enumeration.pattern if open_.enumeration else "*"


def _listing(directory: File, pattern: str) -> Listing:
    """What matches, in little memory.  Blocks."""
    return Listing(_matching(directory, pattern), give_way)


def _matching(directory: File, pattern: str) -> Iterator[str]:
    """The names of a directory that match, with the two that every directory has.  Blocks."""
    if not vfs.has_wildcards(pattern) and pattern not in vfs.DOTS:
        # How Windows asks whether there is a file: no reason to read all of a large folder.
        found = vfs.find_name(directory, pattern)
        if found is not None:
            yield found
        return
    matches = vfs.matcher(pattern)
    for names in itertools.chain([list(vfs.DOTS)], vfs.list_names(directory)):
        yield from names if matches is None else _those(names, matches)


def _those(names: list[str], matches: vfs.Matcher) -> list[str]:
    """The names that match."""
    matching: list[str] = []

    def match(some: Sequence[str]) -> None:
        shown = vfs.all_to_wire(some)
        matching.extend(name for name, said in zip(some, shown, strict=True) if matches(said))

    in_slices(match, names)
    return matching


def _described(request: Request, message: QueryDirectoryRequest) -> _Described:
    """Which entries are given, and how: to a Mac that has asked for it in Apple's way."""
    if message.info_class == FileClass.ID_BOTH_DIRECTORY and request.live_session().read_dir_attr:
        token = security.token_of(request.live_session().identity)
        maximum = request.live_tree().maximal_access
        look = partial(read_dir.entries, token=token, maximum=maximum)
        return look, pack_read_dir_entries, READ_DIR_SIZE
    number = message.info_class
    return vfs.entries, partial(pack_directory_entries, number), DIRECTORY_CLASSES[number]


def _fill(
    open_: Open, enumeration: Enumeration, message: QueryDirectoryRequest, described: _Described
) -> bytearray | NtError:
    """The next entries, as many as fit, or that there are none.  Blocks."""
    places: list[int] = []
    limit = message.output_buffer_length
    single = bool(message.flags & QueryDirectoryFlags.RETURN_SINGLE_ENTRY)
    look, pack, size = described
    room = _Room(limit, size, 1 if single else _BATCH)
    entries = _entries(open_.file, enumeration, places, room, look)
    output, taken = pack(itertools.islice(entries, 1) if single else entries, limit)
    if taken:
        enumeration.next = places[taken - 1]
        enumeration.names.forget(enumeration.next)
        enumeration.answered = True
        return output
    if places:
        return NtError(NtStatus.INFO_LENGTH_MISMATCH)
    enumeration.next = len(enumeration.names)
    enumeration.names.forget(enumeration.next)
    return _end(enumeration)


def _end(enumeration: Enumeration) -> NtError:
    """[MS-FSA] 2.1.5.6.3.1: a scan that finds nothing at all is NO_SUCH_FILE, its end is
    NO_MORE_FILES.
    """
    return NtError(NtStatus.NO_MORE_FILES if enumeration.answered else NtStatus.NO_SUCH_FILE)


class _Room:
    """How many entries an answer holds: those that do not fit would be looked up in vain.

    Of 256 that were looked up by the batch, an answer of 16 KiB, as cifs.ko asks for, had 157.
    """

    def __init__(self, left: int, size: int, most: int) -> None:
        self._left, self._size, self.most = left, size, most

    def take(self, name: str) -> None:
        """An entry of this name goes into the answer."""
        self._left -= self._length(name) + 7 & ~7

    def first(self, names: Sequence[str]) -> int:
        """How many of these fit, if all are there."""
        left = self._left
        for count, name in enumerate(names):
            length = self._length(name)
            if length > left:
                return count
            left -= length + 7 & ~7
        return len(names)

    def _length(self, name: str) -> int:
        return self._size + 2 * len(name)  # or more: `pack` knows


def _entries(
    directory: File,
    enumeration: Enumeration,
    places: list[int],
    room: _Room,
    look: Callable[[File, list[str]], list[Any]],
) -> Iterator[tuple[str, Any, int]]:
    """Entries from where the scan stands, without those that vanished since it began.

    `places` gets, for each entry, where the scan goes on behind it.
    """
    place = enumeration.next
    while names := enumeration.names.some(place, room.most):
        give_way()
        shown = vfs.all_to_wire(names)
        # One that does not fit is looked up only where it is the first: then the client is told.
        count = room.first(shown) or int(not places)
        for name, known in zip(shown[:count], look(directory, names[:count]), strict=True):
            place += 1
            if known is not None:
                places.append(place)
                room.take(name)
                yield name, known, 0
        if not count:
            return
