"""A visit: CREATE of what is there, QUERY_INFO and CLOSE in one frame, carried out as one act.

Clients look at a file so, and half of a stat was to enter an Open into tables, and to take it out
again.  Between the requests of a visit nobody else has a turn: no other client can meet its Open.
So it is held against the opens that there are, by the checks of CREATE, and no table gets to know
it.  What could make it meet others (it writes, caches, or waits) is no visit.

It reads nothing: whether it might is asked, and the file is not opened for that.  It may remove the
file with its end, as `rm` does everywhere: a small one that nobody has open.

The answers to the last visits are remembered beside what statx has said of the file.  Where it says
the same again, the file is the same with its mode, its owner and all its records, and so are the
answers.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from struct import Struct

from aio import kernel
from smbd import vfs
from smbd.commands import create, create_contexts, query_info
from smbd.commands.create_contexts import Asked
from smbd.commands.entering import check_limits
from smbd.fsa.opening import READS, WRITES, Found, Wanted, look
from smbd.request import Request
from smbd.state import REMOVED, FileState, Open, Operation
from smbd.vfs import Glimpse, Key
from smbd.vfs.closes import place_of_small
from smbd.wire.access import Access
from smbd.wire.close import CloseFlags, pack_close_response, parse_close_request
from smbd.wire.create import (
    FILE_MODES,
    CreateAction,
    CreateDisposition,
    CreateOptions,
    CreateRequest,
    OplockLevel,
    pack_create_response,
    parse_create_request,
    with_file_id,
)
from smbd.wire.create_contexts import ContextName, pack_query_on_disk_id
from smbd.wire.fscc import FileInformation, FileQuery, FileView
from smbd.wire.header import HEADER_SIZE, Command
from smbd.wire.query_info import QueryInfoRequest

# Rights that change how the file is opened.
_MEETS_OTHERS = WRITES | Access.MAXIMUM_ALLOWED
# The same of one that is removed: that Linux does it, or does not, says the rest.
_BY_REMOVAL = Access.DELETE | Access.FILE_READ_ATTRIBUTES | Access.READ_CONTROL | Access.SYNCHRONIZE
# Rights that follow from a file's status alone, if it has no descriptor.
_BY_STATUS = (
    READS
    | Access.FILE_READ_EA
    | Access.FILE_READ_ATTRIBUTES
    | Access.READ_CONTROL
    | Access.SYNCHRONIZE
)
_LOOK = Struct(
    "<"
    "3xB"   # RequestedOplockLevel
    "32xI"  # CreateDisposition
)  # fmt: skip
_ON_DISK_ID = Asked(on_disk_id=True)  # which cifs.ko asks for each time
_MOST_KNOWN = 2048  # 1 KB each; the table is emptied then


@dataclass(slots=True)
class Visit:
    """What the requests of a visit ask for."""

    create: CreateRequest
    asked: Asked  # QFid at most
    wanted: Wanted  # the path, and what the tree connect allows, are filled in each time
    queries: Sequence[tuple[FileQuery, QueryInfoRequest]]
    tells: bool  # CLOSE asks for the attributes
    removes: bool = field(init=False)  # the file goes with it
    what: tuple[object, ...] = field(init=False)  # all that the answers depend on here
    remembered: bool = field(init=False)  # whether they depend on nothing else but the file
    removal: "Removal | None" = field(init=False)  # what C needs to answer it

    def __post_init__(self) -> None:
        message = self.create
        asked = [(one.info_class, one.output_buffer_length) for _, one in self.queries]
        access = self.wanted.access
        self.removes = bool(message.create_options & CreateOptions.DELETE_ON_CLOSE)
        self.what = access, message.create_options, self.asked.on_disk_id, self.tells, *asked
        self.remembered = not self.removes and not access & ~_BY_STATUS
        self.removal = None
        if self.removes and not (
            access & ~_BY_REMOVAL
            or self.queries
            or message.create_options & CreateOptions.DIRECTORY_FILE
        ):
            self.removal = Removal.of(self)


@dataclass(slots=True)
class Removal:
    """The bodies of the answers to a visit that removes its file, without what is told of that."""

    access: int
    tells: bool  # CLOSE asks for the attributes
    bodies: list[bytes]
    id_at: int  # where in the first of them the FileId on disk is; 0: nowhere

    @classmethod
    def of(cls, visit: Visit) -> "Removal":
        """What a visit needs."""
        nothing = FileInformation(0, 0, 0, 0, 0, 0, 0)
        contexts, id_at = [], 0
        if visit.asked.on_disk_id:
            marked = _on_disk_id((1 << 64) - 1)
            id_at = pack_create_response(0, 0, nothing, 0, 0, marked).index(b"\xff" * 8)
            contexts = _on_disk_id(0)
        opened = CreateAction.OPENED
        created = pack_create_response(OplockLevel.NONE, opened, nothing, 0, 0, contexts)
        closed = pack_close_response(nothing if visit.tells else None)
        return cls(visit.wanted.access, visit.tells, [created, closed], id_at)


def _on_disk_id(number: int) -> list[tuple[bytes, bytes]]:
    return [(ContextName.QUERY_ON_DISK_ID, pack_query_on_disk_id(number, 0))]


@dataclass(slots=True)
class Known:
    """The answers to a visit, and what they were true of."""

    raw: bytes
    key: Key
    share_maximum: int
    answers: list[bytes]
    root: int  # Root.number


# By the number of the share's folder, the path, and Visit.what.
_known: dict[tuple[object, ...], Known] = {}


def visit_of(requests: Sequence[Request]) -> Visit | None:
    """The visit that a compound is which the commands have answered; None if it is none."""
    first, *between, last = requests
    if (
        first.command != Command.CREATE
        or last.command != Command.CLOSE
        or any(request.command != Command.QUERY_INFO for request in between)
    ):
        return None
    opened = _opened(first)
    if opened is None:
        return None
    queries = []
    for request in between:
        query = query_info.quick_query(request)
        if query is None:
            return None
        queries.append(query)
    flags = parse_close_request(last.frame).flags
    return Visit(*opened, queries, bool(flags & CloseFlags.POSTQUERY_ATTRIB))


def lone_removal(request: Request) -> Visit | None:
    """What a CREATE alone in its frame begins, if its file goes with the CLOSE that comes next."""
    opened = _opened(request)
    visit = None if opened is None or opened[0].contexts else Visit(*opened, [], tells=False)
    return None if visit is None or visit.removal is None else visit


def _opened(request: Request) -> tuple[CreateRequest, Asked, Wanted] | None:
    """What the CREATE of a visit asks for; None if it is that of none."""
    # Asked first: a client that makes files so does it over and over.
    level, disposition = _LOOK.unpack_from(request.frame, HEADER_SIZE)
    if disposition != CreateDisposition.OPEN or level != OplockLevel.NONE:
        return None
    message = parse_create_request(request.frame)
    asked = create_contexts.parse(message)
    if message.contexts and (len(message.contexts) > 1 or asked != _ON_DISK_ID):
        return None
    wanted = create.wanted_by(request, message, asked)
    wanted.removes = bool(message.create_options & CreateOptions.DELETE_ON_CLOSE)
    return None if wanted.access & _MEETS_OTHERS else (message, asked, wanted)


def pay(request: Request, visit: Visit, path: str) -> tuple[list[bytes], Known | None] | None:
    """Carry out a visit: the bodies of its answers, all of which say SUCCESS; and what was known.

    `request` is its CREATE, whose session and tree connect are checked.  None, NtError and OSError
    say that nothing was done: the commands find out what is to be answered.
    """
    wanted, root = visit.wanted, request.live_root()
    wanted.path, wanted.share_maximum = path, request.live_tree().maximal_access
    if create.is_queued(request, wanted):
        return None
    glimpse = root.glimpse(path)
    if glimpse is None:
        return None
    known = _known.get((root.number, path, visit.what)) if visit.remembered else None
    if (
        known is not None
        and known.raw == glimpse.raw
        and known.share_maximum == wanted.share_maximum
        and request.tables.files.by_key(known.key) is None
        and request.tables.files.changes.are_none
    ):
        os.close(glimpse.found.fd)
        root.waited(glimpse.began)
        return _same_answers(request, known), known
    file = root.open_glimpsed(glimpse, False, False)  # noqa: FBT003 -- neither read nor write
    if file is None:
        return None
    found = look(file, wanted)
    try:
        if visit.removes:
            answers = _remove(request, visit, found)
        else:
            answers = _answers(request, visit, found)
            if answers is not None and visit.remembered:
                _remember(request, visit, found, glimpse, answers)
        return None if answers is None else (answers, None)
    finally:
        # Another program may have removed it since it was looked at, some 20 us ago, and then this
        # may free its blocks.  CLOSE asks for that once more, some 2 us ahead.
        found.file.close()


def _same_answers(request: Request, known: Known) -> list[bytes]:
    """The answers to a visit of a file that is as it was, and that nobody has open."""
    opens = request.tables.opens
    check_limits(request)
    created, *others = known.answers
    ids = opens.new_persistent_id(), opens.new_volatile_id()
    return [with_file_id(created, *ids), *others]


def _remember(
    request: Request, visit: Visit, found: Found, glimpse: Glimpse, answers: list[bytes]
) -> None:
    """Remember the answers if nothing but the file's status decides them."""
    file, root = found.file, request.live_root()
    status = kernel.statx_of(glimpse.raw)
    if found.limited or file.crossed or not vfs.is_settled(file, status):
        return
    if request.tables.files.of(file) is not None:
        return
    if len(_known) >= _MOST_KNOWN:
        _known.clear()
    share_maximum = visit.wanted.share_maximum
    known = Known(glimpse.raw, file.key, share_maximum, answers, root.number)
    _known[root.number, file.path, visit.what] = known


def _remove(request: Request, visit: Visit, found: Found) -> list[bytes] | None:
    """Remove a file, if that waits for nothing and nobody; the answers.

    An error of unlink is for the commands: CLOSE has no way to say it.
    """
    files, file = request.tables.files, found.file
    if file.root.recycle is not None or files.of(file) is not None:
        return None
    place = place_of_small(file, found.information)
    if place is None:
        return None
    with place:
        answers = _answers(request, visit, found)
        if answers is None:
            return None
        place.remove_at_once()
        if request.tables.are_heard(place.directory):
            options = visit.create.create_options
            open_ = Open(0, 0, request.live_share(), file, found.granted, 0, options)
            request.changed(open_, REMOVED)
        files.changes.made(file.identity)
        file.close()  # which frees it, in the time that the place counts
    return answers


def _answers(request: Request, visit: Visit, found: Found) -> list[bytes] | None:
    information, file, granted = found.information, found.file, found.granted
    files, opens = request.tables.files, request.tables.opens
    if not information.number_of_links or files.changes.meet(file) is not None:
        return None
    check_limits(request)
    state = files.of(file)
    if state is not None and _meets_others(request, visit, found, state):
        return None
    ids = opens.new_persistent_id(), opens.new_volatile_id()
    contexts = create_contexts.answers(visit.asked, found, None) if visit.asked.on_disk_id else []
    answers = [pack_create_response(OplockLevel.NONE, found.action, information, *ids, contexts)]
    for query, message in visit.queries:
        if granted & query.access != query.access:
            return None
        name = vfs.path_to_name(file.path) if query.named else ""
        view = FileView(information, name, granted, visit.create.create_options & FILE_MODES)
        status, body = query_info.cut(query.pack(view), query.minimum, message)
        if status:
            return None
        answers.append(body)
    answers.append(pack_close_response(information if visit.tells else None))
    return answers


def _meets_others(request: Request, visit: Visit, found: Found, state: FileState) -> bool:
    """Whether other opens of the file have to do with the visit; NtError as CREATE."""
    file, message = found.file, visit.create
    if state.pending_deletions:
        return True  # its links are counted otherwise
    share, now = request.live_share(), request.service.clock()
    open_ = Open(0, 0, share, file, found.granted, message.share_access, message.create_options)
    wait = request.tables.files.meet(open_, found.granted, Operation.OPEN, None, now)
    if wait is not None:
        wait.give_up()
    return wait is not None
