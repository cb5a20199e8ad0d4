"""QUERY_DIRECTORY ([MS-SMB2] 3.3.5.18): a listing, batch by batch."""

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from sys import getsizeof
from typing import Any, NamedTuple

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
from smbd.wire.fscc import DIRECTORY_CLASSES, Entries, FileClass, pack_directory_entries
from smbd.wire.output import pack_output_response
from smbd.wire.query_directory import (
    QueryDirectoryFlags,
    QueryDirectoryRequest,
    parse_query_directory_request,
)

_RESTARTS = QueryDirectoryFlags.RESTART_SCANS | QueryDirectoryFlags.REOPEN
_BATCH = 128  # entries looked up at a time, at most ...
_PLAIN = 256  # ... and by C, amid which a listing that nobody waits for does not end
# Behind an entry that C leaves to Python it is asked again: Python looks up so many, and four times
# as many where C then gives fewer.
_FEW, _TIMES = 2, 4


class _Described(NamedTuple):
    """Which entries are given, and how."""

    look: Callable[[File, list[str]], list[Any]]
    pack: Callable[[Iterable[tuple[str, Any, int]], int], tuple[bytearray, int]]  # what it gives
    size: int  # of an entry without its name
    plainly: int | None  # the information class, by which C may look and pack; None: it may not

    def length(self, name: str) -> int:
        """Bytes of an entry, or less: `pack` knows."""
        return self.size + 2 * len(name)

    def first(self, names: Sequence[str], room: int) -> int:
        """How many of these fit, if all are there: others would be looked up in vain.

        Of 256 that were looked up by the batch, an answer of 16 KiB, as cifs.ko asks for, had 157.
        """
        for count, name in enumerate(names):
            length = self.length(name)
            if length > room:
                return count
            room -= length + 7 & ~7
        return len(names)


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
    """As clients see them; a Mac that has asked for it, in Apple's way."""
    if message.info_class == FileClass.ID_BOTH_DIRECTORY and request.live_session().read_dir_attr:
        token = security.token_of(request.live_session().identity)
        maximum = request.live_tree().maximal_access
        look = partial(read_dir.entries, token=token, maximum=maximum)
        return _Described(look, pack_read_dir_entries, READ_DIR_SIZE, None)
    number = message.info_class
    pack = partial(pack_directory_entries, number)
    return _Described(vfs.entries, pack, DIRECTORY_CLASSES[number], number)


def _fill(
    open_: Open, enumeration: Enumeration, message: QueryDirectoryRequest, described: _Described
) -> bytearray | NtError:
    """The next entries, as many as fit, or that there are none.  Blocks.

    Those that vanished since the scan began are left out.
    """
    found, place = Entries(message.output_buffer_length), enumeration.next
    single = bool(message.flags & QueryDirectoryFlags.RETURN_SINGLE_ENTRY)
    few, fits = _FEW, True
    while fits and not (single and found):
        most = min(found.room // (described.size + 2) + 1, _PLAIN)
        names = enumeration.names.some(place, 1 if single else most if place else len(vfs.DOTS))
        if not names:
            break
        give_way()
        shown = vfs.all_to_wire(names)
        done, fits = _add_plain(open_.file, names, shown, found, described) if place else (0, True)
        place += done
        if fits and done < len(names):
            few = _FEW if done >= few else min(_TIMES * few, _BATCH)
            rest = slice(done, done + few)
            done, fits = _add_others(open_.file, names[rest], shown[rest], found, described)
            place += done
    if not fits and not found:
        return NtError(NtStatus.INFO_LENGTH_MISMATCH)
    enumeration.next = place
    enumeration.names.forget(place)
    if not found:
        return _end(enumeration)
    enumeration.answered = True
    return found.packed


def _end(enumeration: Enumeration) -> NtError:
    """[MS-FSA] 2.1.5.6.3.1: a scan that finds nothing at all is NO_SUCH_FILE, its end is
    NO_MORE_FILES.
    """
    return NtError(NtStatus.NO_MORE_FILES if enumeration.answered else NtStatus.NO_SUCH_FILE)


def _add_plain(
    directory: File,
    names: list[str],
    shown: Sequence[str],
    found: Entries,
    described: _Described,
) -> tuple[int, bool]:
    """Add those at the beginning that C gives; their number, and whether more may fit."""
    number, run = described.plainly, None
    if number is not None:
        run = vfs.plain_entries(directory, names, shown, number, found.room)
    if run is None:
        return 0, True
    if run.data:
        found.add(run.data, run.last)
    return run.done, not (run.full and found)


def _add_others(
    directory: File,
    names: list[str],
    shown: Sequence[str],
    found: Entries,
    described: _Described,
) -> tuple[int, bool]:
    """Add those that fit; their number, and whether more may."""
    # One that does not fit is looked up only where it is the first: then the client is told.
    count = described.first(shown, found.room) or int(not found)
    looked = described.look(directory, names[:count])
    there = [
        (name, known, 0) for name, known in zip(shown, looked, strict=False) if known is not None
    ]
    output, taken = described.pack(there, found.room)
    if taken:
        encoded = there[taken - 1][0].encode("utf-16-le", "surrogatepass")
        found.add(output, len(output) - described.size - len(encoded))
    return count, count > 0 and taken == len(there)
