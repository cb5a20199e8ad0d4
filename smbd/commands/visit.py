"""A visit: CREATE of what is there, QUERY_INFO and CLOSE in one frame, carried out as one act.

Clients look at a file so, and half of a stat was to enter an Open into tables, and to take it out
again.  Between the requests of a visit nobody else has a turn: no other client can meet its Open.
So it is held against the opens that there are, by the checks of CREATE, and no table gets to know
it.  What could make it meet others (it writes, deletes, caches, or waits) is no visit.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from smbd import vfs
from smbd.commands import create, query_info
from smbd.commands.create_contexts import NOTHING
from smbd.commands.entering import check_limits
from smbd.fsa.opening import WRITES, Found, Wanted, open_cached
from smbd.request import Request
from smbd.state import FileState, Open, Operation
from smbd.wire.access import Access
from smbd.wire.close import CloseFlags, pack_close_response, parse_close_request
from smbd.wire.create import (
    FILE_MODES,
    CreateDisposition,
    CreateOptions,
    CreateRequest,
    OplockLevel,
    pack_create_response,
    parse_create_request,
)
from smbd.wire.fscc import FileQuery, FileView
from smbd.wire.header import Command
from smbd.wire.query_info import QueryInfoRequest

# Rights that change how the file is opened.
_MEETS_OTHERS = WRITES | Access.MAXIMUM_ALLOWED


@dataclass(slots=True)
class Visit:
    """What the requests of a visit ask for."""

    create: CreateRequest
    wanted: Wanted  # the path, and what the tree connect allows, are filled in each time
    queries: Sequence[tuple[FileQuery, QueryInfoRequest]]
    tells: bool  # CLOSE asks for the attributes


def visit_of(requests: Sequence[Request]) -> Visit | None:
    """The visit that a compound is which the commands have answered; None if it is none."""
    first, *between, last = requests
    if first.command != Command.CREATE or last.command != Command.CLOSE:
        return None
    message = parse_create_request(first.frame)
    if (
        message.contexts
        or message.create_disposition != CreateDisposition.OPEN
        or message.create_options & CreateOptions.DELETE_ON_CLOSE
        or message.requested_oplock_level != OplockLevel.NONE
    ):
        return None
    wanted = create.wanted_by(first, message, NOTHING)
    if wanted.access & _MEETS_OTHERS:
        return None
    queries = []
    for request in between:
        query = query_info.quick_query(request) if request.command == Command.QUERY_INFO else None
        if query is None:
            return None
        queries.append(query)
    flags = parse_close_request(last.frame).flags
    return Visit(message, wanted, queries, bool(flags & CloseFlags.POSTQUERY_ATTRIB))


def pay(request: Request, visit: Visit, path: str) -> list[bytes] | None:
    """Carry out a visit: the bodies of its answers, all of which say SUCCESS.

    `request` is its CREATE, whose session and tree connect are checked.  None, NtError and OSError
    say that nothing was done: the commands find out what is to be answered.
    """
    wanted = visit.wanted
    wanted.path, wanted.share_maximum = path, request.live_tree().maximal_access
    if create.is_queued(request, wanted):
        return None
    found = open_cached(request.live_root(), wanted)
    if found is None:
        return None
    try:
        return _answers(request, visit, found)
    finally:
        # Another program may have removed it since it was looked at, some 20 us ago, and then this
        # may free its blocks.  CLOSE asks for that once more, some 2 us ahead.
        found.file.close()


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
    answers = [pack_create_response(OplockLevel.NONE, found.action, information, *ids)]
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
    if state.pending_deletions or (state.writers and file.has_data):
        return True  # its links are counted otherwise; to close it may write back
    share, now = request.live_share(), request.service.clock()
    open_ = Open(0, 0, share, file, found.granted, message.share_access, message.create_options)
    wait = request.tables.files.meet(open_, found.granted, Operation.OPEN, None, now)
    if wait is not None:
        wait.give_up()
    return wait is not None
