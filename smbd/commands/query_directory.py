"""QUERY_DIRECTORY ([MS-SMB2] 3.3.5.18): a listing, batch by batch."""

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from sys import getsizeof
from typing import Any, TypeAlias

from aio import give_way, in_slices
from smbd import vfs
from smbd.commands.reply import later
from smbd.fsa import read_dir, security
from smbd.ntstatus import NtError, NtStatus
from smbd.request import Reply, Request
from smbd.state import Enumeration, Listing, Open
from smbd.vfs import File
from smbd.waiting import queued
from smbd.wire.aapl import pack_read_dir_entries
from smbd.wire.access import Access
from smbd.wire.fscc import DIRECTORY_CLASSES, FileClass, pack_directory_entries
from smbd.wire.output import pack_output_response
from smbd.wire.query_directory import (
    QueryDirectoryFlags,
    QueryDirectoryRequest,
    parse_query_directory_request,
)

_RESTARTS = QueryDirectoryFlags.RESTART_SCANS | QueryDirectoryFlags.REOPEN
# Entries looked up at a time, at most: so many that a worker's hop costs little.
_BATCH = 128
# The shortest entry of most classes: no more are looked up than an answer could hold, give or take.
_ENTRY_SIZE = 96
# How entries are looked up and packed; the second has what the first gives.
_Described: TypeAlias = tuple[
    Callable[[File, list[str]], list[Any]],
    Callable[[Iterable[tuple[str, Any, int]], int], tuple[bytearray, int]],
]


try_now = later  # looking up entries may wait for the disk


async def run(request: Request) -> Reply:
    """Go on with the handle's enumeration, or begin it anew."""
    message = parse_query_directory_request(request.frame)
    open_ = _prepare(request, message)
    # One after the other: two that went on from the same place would both give the same entries.
    async with queued(request.tables.files.queues.join(open_)):
        if open_.enumeration is None or message.flags & _RESTARTS:
            await _begin(request, open_, message)
        assert open_.enumeration is not None
        try:
            output = await request.blocking_long(
                _fill, open_, open_.enumeration, message, _described(request, message)
            )
        finally:
            _count(open_, open_.enumeration)
    return Reply(pack_output_response(output))


async def _begin(request: Request, open_: Open, message: QueryDirectoryRequest) -> None:
    """Begin an enumeration in place of the handle's last one, if there is one."""
    pattern, last = _pattern(open_, message), open_.enumeration
    names = await request.blocking_long(_listing, open_.file, pattern)
    if last is not None:
        open_.enumeration = None
        open_.memory.grow(-last.counted)
    # A longer one, which has no wildcards, matches nothing; no more of it is kept than still does.
    enumeration = Enumeration(pattern[: vfs.MAXIMUM_COMPONENT + 1], names)
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
        return look, pack_read_dir_entries
    return vfs.entries, partial(pack_directory_entries, message.info_class)


def _fill(
    open_: Open, enumeration: Enumeration, message: QueryDirectoryRequest, described: _Described
) -> bytearray:
    """The next entries, as many as fit.  Blocks.

    [MS-FSA] 2.1.5.6.3.1: a scan that finds nothing at all is NO_SUCH_FILE, its end is
    NO_MORE_FILES.
    """
    places: list[int] = []
    limit = message.output_buffer_length
    single = bool(message.flags & QueryDirectoryFlags.RETURN_SINGLE_ENTRY)
    batch = 1 if single else min(limit // _ENTRY_SIZE + 1, _BATCH)
    look, pack = described
    entries = _entries(open_.file, enumeration, places, batch, look)
    output, taken = pack(itertools.islice(entries, 1) if single else entries, limit)
    if taken:
        enumeration.next = places[taken - 1]
        enumeration.names.forget(enumeration.next)
        enumeration.answered = True
        return output
    if places:
        raise NtError(NtStatus.INFO_LENGTH_MISMATCH)
    enumeration.next = len(enumeration.names)
    enumeration.names.forget(enumeration.next)
    raise NtError(NtStatus.NO_MORE_FILES if enumeration.answered else NtStatus.NO_SUCH_FILE)


def _entries(
    directory: File,
    enumeration: Enumeration,
    places: list[int],
    batch: int,
    look: Callable[[File, list[str]], list[Any]],
) -> Iterator[tuple[str, Any, int]]:
    """Entries from where the scan stands, without those that vanished since it began.

    `places` gets, for each entry, where the scan goes on behind it.
    """
    place = enumeration.next
    while names := enumeration.names.some(place, batch):
        give_way()
        shown = vfs.all_to_wire(names)
        for name, known in zip(shown, look(directory, names), strict=True):
            place += 1
            if known is not None:
                places.append(place)
                yield name, known, 0
