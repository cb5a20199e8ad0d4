"""The visits (smbd.visits) that C knows: of files that nobody has open, and that are as they were,
or small ones that go with it.

C knows the forms of a connection, and for all connections of a server the answers that
commands.visit remembers, by name.  It looks at the file itself.  What a CREATE asks beside that is
asked here, by the functions of the long way, once in a call of C: while C runs the loop stands
still, so none of it changes.  The files that are open are told by their inodes
(state.FileTable.inodes): a few too many, never one too few.
"""

import os
from collections.abc import Hashable
from dataclasses import dataclass
from itertools import accumulate, count
from struct import Struct
from time import monotonic
from typing import Any

from aio import kernel
from smbd.auth import Identity
from smbd.checking import check_session, check_tree
from smbd.commands.create_contexts import NOTHING
from smbd.commands.entering import check_limits, enter
from smbd.commands.visit import Known, Removal, Visit
from smbd.connection import Connection
from smbd.fsa.opening import Found
from smbd.memory import OPEN
from smbd.native import MOST_FORMS, Core
from smbd.netbios import LENGTH
from smbd.ntstatus import NtError
from smbd.plain import Plain
from smbd.protection import check_signature
from smbd.removals import Removals
from smbd.request import Request
from smbd.service import Service
from smbd.vfs import Root
from smbd.vfs.confine import CACHED
from smbd.vfs.information import WANTED
from smbd.wire.create import CreateAction, CreateRequest
from smbd.wire.fscc import FileInformation

_MOST_NAME = 1024  # bytes; longer ones are Python's
_MOST_KINDS = 256
_IDS = 64
_ID = Struct("=QQ")
NAME_AT = 120  # in a CREATE, where all clients put it ...
_NAME_SIZE, _NAME_SIZE_AT = Struct("<H"), 110  # ... and how long it is
_NOTHING_KNOWN = FileInformation(0, 0, 0, 0, 0, 0, 0)  # of what caches nothing


@dataclass(slots=True)
class Shape:
    """All bytes of a visit but its name and ids, and what the answers to it begin with."""

    request: Request  # the CREATE, in use while it is asked whether C may go on
    identity: Identity | None  # whose rights the visit has
    what: Hashable  # Visit.what
    contexts: bytes  # of the CREATE
    rest: list[bytes]  # the requests behind the CREATE
    credits: tuple[int, ...]  # that they ask for
    headers: list[bytes]  # of the responses
    removal: Removal | None  # if the file goes with it
    lone: CreateRequest | None = None  # a CREATE alone in its frame: the CLOSE comes next

    @property
    def key(self) -> tuple[bytes, ...]:
        """What two of the same form have alike."""
        frame = self.request.frame
        fixed = bytes(frame[4:20]), bytes(frame[32:48]), bytes(frame[64:110])
        return *fixed, self.contexts, *(part[:24] + part[32:] for part in self.rest)


class Table:
    """What C remembers for all connections of a server."""

    def __init__(self, core: Core, service: Service) -> None:
        ffi = core.ffi
        self._service = service
        self.visits: Any = ffi.gc(ffi.new("struct visits *"), core.lib.visit_forget_all)
        self._inodes = ffi.from_buffer("uint32_t[]", service.tables.files.inodes)
        self.visits.inodes, self.visits.numbers = self._inodes, len(self._inodes)
        self.visits.resolve, self.visits.mask = CACHED, WANTED
        self.visits.flags = kernel.AT_EMPTY_PATH | kernel.AT_STATX_DONT_SYNC
        self._ids: Any = ffi.buffer(self.visits.ids)
        self._kinds: dict[Hashable, int] = {}
        self._numbers = count()
        self.removals = Removals(core, self.visits)

    @classmethod
    def of(cls, core: Core, service: Service) -> "Table":
        """The one of a server."""
        if core.visits is None:
            core.visits = cls(core, service)
        table: Table = core.visits
        return table

    def kind(self, what: Hashable) -> int:
        """The number of a Visit.what, which nothing else has had."""
        number = self._kinds.get(what)
        if number is None:
            if len(self._kinds) >= _MOST_KINDS:
                self._kinds.clear()
            number = self._kinds[what] = next(self._numbers)
        return number

    def draw(self) -> None:
        """Have FileIds for C, which no Open has: 64 bits at random, as whoever opens gets them."""
        left, opens = self.visits.left, self._service.tables.opens
        if left >= _IDS // 2:
            return
        for number in range(left, _IDS):
            ids = opens.new_persistent_id(), opens.new_volatile_id()
            _ID.pack_into(self._ids, number * _ID.size, *ids)
        self.visits.left = _IDS


class KnownVisits:
    """The forms of one connection that C knows."""

    def __init__(self, core: Core, plain: Plain, connection: Connection) -> None:
        self._core, self._connection, self._burst = core, connection, plain.burst
        self._table = Table.of(core, connection.service)
        self._burst.visits, self._burst.form_count = self._table.visits, 0
        self._shapes: list[Shape] = []
        self._numbers: dict[tuple[bytes, ...], int] = {}
        self._kept: list[tuple[Any, ...]] = []  # C's memory
        self._next = 0  # the number of the next one
        self._roots: dict[int, Root] = {}  # of the forms that were asked for in this call of C
        self.hopeful = False  # the next one may be C's
        plain.known_visits = self

    def add(self, shape: Shape) -> None:
        """Let C know a form: of as many as there may be, in the place of the oldest one."""
        number = self._numbers.get(shape.key)
        if number is None:
            number = self._next
            self._next = (number + 1) % MOST_FORMS
            if number < len(self._shapes):
                del self._numbers[self._shapes[number].key]
        self._shapes[number : number + 1] = [shape]
        self._kept[number : number + 1] = [self._form_of(shape)]
        self._numbers[shape.key] = number
        self._burst.forms[number] = self._kept[number][0]
        self._burst.form_count = len(self._shapes)

    @property
    def removes(self) -> bool:
        """Whether the next one that removes its file may be C's."""
        return self._table.removals.hopeful

    def missed(self) -> None:
        """Python has answered one of these that might have been C's."""
        self._table.removals.missed()

    def _form_of(self, shape: Shape) -> tuple[Any, ...]:
        """A `struct visit_form *`, and the memory that it needs."""
        ffi, frame, rest = self._core.ffi, shape.request.frame, b"".join(shape.rest)
        form = ffi.new("struct visit_form *")
        form.head, form.holder, form.body = map(bytes, (frame[4:20], frame[32:48], frame[64:110]))
        form.count, form.what = len(shape.headers), self._table.kind(shape.what)
        form.contexts_size, form.rest_size = len(shape.contexts), len(rest)
        form.contexts = contexts = ffi.new("uint8_t[]", shape.contexts or b"\0")
        form.rest = behind = ffi.new("uint8_t[]", rest)
        form.headers, form.credits = shape.headers, shape.credits
        form.starts = [0, *accumulate(map(len, shape.rest), initial=0)][: form.count]
        bodies, removal = None, shape.removal
        if removal is not None:
            form.bodies = bodies = ffi.new("uint8_t[]", b"".join(removal.bodies))
            form.sizes = [len(body) for body in removal.bodies]
            form.removes, form.tells, form.id_at = 1, removal.tells, removal.id_at
        return form, contexts, behind, bodies

    def learn(self, visit: Visit, known: Known | None, name: bytes, path: str) -> None:
        """Python has answered a visit, maybe by what it remembers: C may do so the next time.

        `name` is that in the CREATE.
        """
        if known is None:
            if visit.removal is not None:
                self.missed()
            return
        where = os.fsencode(path) or b"."
        ffi, kind = self._core.ffi, self._table.kind(visit.what)
        if len(name) + len(where) > _MOST_NAME or b"\0" in where:
            return
        data = name + where + b"\0" + b"".join(known.answers)
        sizes = [len(answer) for answer in known.answers]
        numbers = known.root, kind, known.share_maximum, len(name), len(where) + 1, len(sizes)
        self._core.lib.visit_learn(
            self._table.visits,
            ffi.new("uint32_t[]", numbers),
            ffi.new("uint32_t[]", sizes),
            known.raw,
            data,
            len(data),
        )
        self.hopeful = True

    # --- a call of C ---

    def ready(self, number: int) -> int:
        """Whether C may answer a form now, by all that CREATE asks beside the file."""
        shape, form = self._shapes[number], self._kept[number][0]
        request = shape.request
        channel = self._connection.channels.get(request.session_id)
        if channel is None or channel.session.identity is not shape.identity:
            return 0
        request.channel, request.session, request.refusal = channel, channel.session, 0
        try:
            root, alone = self._prepare(form, request), shape.lone is not None
            if shape.removal is not None and root is not None:
                root = root if self._takes(request, root, shape.removal, alone=alone) else None
        except NtError:
            root = None
        finally:  # what has ended is kept by nothing
            request.tree, request.channel, request.session = None, None, None
        if root is None:
            return 0
        self._roots[number] = root
        return 1

    def _prepare(self, form: Any, request: Request) -> Root | None:
        check_signature(request)
        if request.refusal:
            return None
        tree = check_tree(request, check_session(request))
        files = request.tables.files
        if tree.share is None or files.queues or not files.changes.are_none:
            return None
        check_limits(request)
        root = request.live_root()
        form.until = root.cached_until(monotonic())
        if not form.until:
            return None
        form.root, form.fd, form.maximum = root.number, root.lookup.fd, tree.maximal_access
        self._table.draw()
        return root

    def _takes(self, request: Request, root: Root, removal: Removal, *, alone: bool) -> bool:
        """Whether C may remove what the CREATE names that it has come to."""
        if removal.access & ~request.live_tree().maximal_access:
            return False
        view, at = self._core.ffi, self._burst.at + LENGTH.size
        message = view.cast("char *", getattr(self._burst, "in") + at)
        (size,) = _NAME_SIZE.unpack_from(view.buffer(message, NAME_AT), _NAME_SIZE_AT)
        name = memoryview(view.buffer(message, NAME_AT + size))[NAME_AT:]
        if alone and not request.live_session().memory.has_room(OPEN + _MOST_NAME):
            return False
        return self._table.removals.take(request, root, name, alone=alone)

    def _enter(self, shape: Shape, doomed: Any) -> None:
        """C has opened a file that goes with its CLOSE, which did not come yet: as CREATE does it.

        Nothing but C has run since it was asked whether that may be.
        """
        request, message, removal = shape.request, shape.lone, shape.removal
        assert message is not None, "it came alone"
        assert removal is not None, "it goes"
        ids = doomed.persistent, doomed.volatile_id
        file = self._table.removals.open(doomed)
        channel = self._connection.channels[request.session_id]
        request.channel, request.session = channel, channel.session
        request.tree = channel.session.trees[request.tree_id]
        try:
            found = Found(file, CreateAction.OPENED, _NOTHING_KNOWN, removal.access, 0)
            enter(request, message, NOTHING, found, ids)
        finally:
            request.tree, request.channel, request.session = None, None, None

    def settle(self, number: int, took: float, ended: float) -> None:
        """C has returned; its last visit was of this form, and took so many seconds."""
        visited, root = self._burst.visited, self._roots.get(number)
        doomed = self._burst.doomed
        if doomed.fd >= 0:
            self._enter(self._shapes[doomed.which], doomed)
        removed = self._table.removals.settle()
        self.hopeful = visited > 0 or (self.hopeful and removed)
        self._roots.clear()
        if visited and root is not None and not removed:
            root.waited(ended - took, ended)  # C may have waited for its client since
